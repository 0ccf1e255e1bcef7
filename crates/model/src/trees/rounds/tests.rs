use crate::{
    metrics::RankedScores,
    trees::{TreeEnsemble, random::grower},
};

/// Compares the curve with ensembles that are cut short, each scored as a whole.
fn check(
    (n_classes, depth): (usize, usize),
    (n_rounds, step): (usize, usize),
    expected_rounds: &[usize],
) {
    let mut grower = grower(n_rounds as u64, 5, depth);
    let model: TreeEnsemble = grower.ensemble(n_classes, false, n_rounds);
    let x = grower.rows(600);
    let truth: Vec<bool> = (0..600).map(|row| row % 3 == 0).collect();
    let curve = model.log_loss_by_round(x.view(), &truth, step);
    let rounds: Vec<usize> = curve.iter().map(|(round, _)| *round).collect();
    assert_eq!(rounds, expected_rounds);
    for (round, got) in curve {
        let benign = model.after_rounds(round).predict_proba(x.view());
        let scores: Vec<f64> = benign.column(0).iter().map(|p| 1.0 - p).collect();
        let expected = RankedScores::new(&scores, &truth).log_loss(None);
        assert!(
            (got - expected).abs() < 1e-12 * expected.max(1.0),
            "round {round}: {got} and {expected}"
        );
    }
}

#[test]
fn each_rounds_loss_is_that_of_the_ensemble_cut_short() {
    let all: Vec<usize> = (1..=20).collect();
    check((2, 3), (20, 1), &all);
    check((2, 8), (20, 1), &all);
    check((4, 3), (20, 1), &all);
    check((2, 3), (1, 1), &[1]);
}

#[test]
fn every_so_many_rounds_are_looked_at_and_always_the_last() {
    check((2, 3), (20, 6), &[6, 12, 18, 20]);
    check((3, 3), (20, 5), &[5, 10, 15, 20]);
    check((2, 3), (4, 9), &[4]);
}

#[test]
fn what_is_not_boosted_and_no_rows_have_no_curve() {
    let mut grower = grower(1, 5, 3);
    let forest = grower.ensemble(2, true, 4);
    let x = grower.rows(2);
    assert!(
        forest
            .log_loss_by_round(x.view(), &[true, false], 1)
            .is_empty()
    );
    let boosted = grower.ensemble(2, false, 4);
    let none = grower.rows(0);
    assert!(boosted.log_loss_by_round(none.view(), &[], 1).is_empty());
}
