use dataset::GroupKey;
use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn a_group_never_stands_on_both_sides(keys in prop::collection::vec(0u64..50, 1..400), seed: u64) {
        let groups: Vec<GroupKey> = keys.into_iter().map(GroupKey).collect();
        let held = holdout_rows(&groups, 0.2, seed);
        for (i, group) in groups.iter().enumerate() {
            for (j, other) in groups.iter().enumerate() {
                prop_assert!(group != other || held[i] == held[j]);
            }
        }
    }

    #[test]
    fn membership_does_not_move_when_rows_are_added(
        keys in prop::collection::vec(any::<u64>(), 1..100),
        more in prop::collection::vec(any::<u64>(), 1..100),
        seed: u64,
    ) {
        let mut groups: Vec<GroupKey> = keys.into_iter().map(GroupKey).collect();
        let before = holdout_rows(&groups, 0.2, seed);
        groups.extend(more.into_iter().map(GroupKey));
        prop_assert_eq!(&holdout_rows(&groups, 0.2, seed)[..before.len()], &before[..]);
    }
}

#[test]
fn the_holdout_has_the_share_that_was_asked_for_under_every_seed() {
    let groups: Vec<GroupKey> = (0..20_000).map(GroupKey).collect();
    for seed in [0, 42, 101, u64::MAX] {
        let held = holdout_rows(&groups, 0.2, seed)
            .into_iter()
            .filter(|&h| h)
            .count();
        // Five standard deviations of a binomial with n = 20,000 and p = 0.2 are 283.
        assert!(held.abs_diff(4_000) < 283, "seed {seed}: {held} of 20,000");
    }
}
