use proptest::prelude::*;

use super::*;

fn sample() -> impl Strategy<Value = (Vec<GroupKey>, Vec<Label>)> {
    prop::collection::vec((0u64..60, prop::bool::ANY), 40..400).prop_map(|rows| {
        let label = |threat: bool| {
            if threat {
                Label::threat(0)
            } else {
                Label::BENIGN
            }
        };
        rows.into_iter()
            .map(|(group, threat)| (GroupKey(group), label(threat)))
            .unzip()
    })
}

proptest! {
    #[test]
    fn a_group_stays_in_one_fold((groups, labels) in sample(), seed: u64) {
        let folds = grouped_stratified(&groups, &labels, 5, seed);
        let mut seen = BTreeMap::new();
        for (group, fold) in groups.iter().zip(&folds) {
            prop_assert_eq!(*seen.entry(group).or_insert(*fold), *fold);
        }
    }

    #[test]
    fn folds_do_not_depend_on_the_order_of_rows((groups, labels) in sample(), seed: u64) {
        let folds = grouped_stratified(&groups, &labels, 5, seed);
        let (back, back_labels): (Vec<_>, Vec<_>) =
            groups.iter().copied().zip(labels.iter().copied()).rev().unzip();
        let mut reversed = grouped_stratified(&back, &back_labels, 5, seed);
        reversed.reverse();
        prop_assert_eq!(folds, reversed);
    }
}

#[test]
fn every_fold_has_its_share_of_each_class() {
    let labels: Vec<Label> = (0..1000)
        .map(|i| {
            if i % 10 == 0 {
                Label::threat(0)
            } else {
                Label::BENIGN
            }
        })
        .collect();
    let folds = row_wise_stratified(&labels, 5, 42);
    for fold in 0..5 {
        let threats = (0..1000)
            .filter(|&i| folds[i] == fold && labels[i].is_threat())
            .count();
        let rows = folds.iter().filter(|&&f| f == fold).count();
        assert_eq!((threats, rows), (20, 200));
    }
}
