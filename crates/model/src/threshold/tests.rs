use proptest::prelude::*;

use super::{NEVER, Thresholds};
use crate::metrics::RankedScores;

fn check(scores: &[f64], truth: &[bool], max_fpr: f64, operating: f64, f1: f64) {
    let chosen = Thresholds::choose(scores, truth, max_fpr);
    assert_eq!(chosen, Thresholds { operating, f1 });
    chosen.check().unwrap();
}

#[test]
fn thresholds_lie_midway_between_neighbouring_scores() {
    let scores = [0.875, 0.75, 0.5, 0.25];
    check(&scores, &[true, true, false, false], 0.0, 0.625, 0.625);
    check(&scores, &[true, false, true, false], 0.5, 0.375, 0.375);
}

#[test]
fn the_lowest_threshold_flags_every_row() {
    check(&[0.5, 0.25], &[false, true], 1.0, 0.125, 0.125);
}

#[test]
fn tied_scores_are_flagged_together_or_not_at_all() {
    check(&[0.75, 0.75, 0.25], &[true, false, false], 0.0, NEVER, 0.5);
}

#[test]
fn without_threats_nothing_is_flagged_for_f1() {
    check(&[0.75, 0.25], &[false, false], 0.5, 0.5, NEVER);
}

#[test]
fn without_benign_rows_every_row_is_flagged() {
    check(&[0.75, 0.25], &[true, true], 0.01, 0.125, 0.125);
}

#[test]
fn without_rows_nothing_is_flagged() {
    check(&[], &[], 0.01, NEVER, NEVER);
}

#[test]
fn a_score_of_zero_is_never_flagged() {
    check(&[0.0, 0.0], &[true, true], 1.0, NEVER, NEVER);
    check(&[0.5, 0.0], &[true, true], 1.0, 0.25, 0.25);
}

#[test]
fn neighbours_without_a_number_between_them_are_still_told_apart() {
    let scores = [1.0, 1.0 - f64::EPSILON / 2.0];
    check(&scores, &[true, false], 0.0, 1.0, 1.0);
    check(
        &[f64::from_bits(1)],
        &[true],
        0.0,
        f64::from_bits(1),
        f64::from_bits(1),
    );
}

#[test]
fn damaged_thresholds_are_refused() {
    for bad in [f64::NAN, 0.0, -0.5, 1.001, f64::INFINITY] {
        let operating = Thresholds {
            operating: bad,
            f1: 0.5,
        };
        assert!(operating.check().unwrap_err().contains("operating"));
        let f1 = Thresholds {
            operating: NEVER,
            f1: bad,
        };
        assert!(f1.check().unwrap_err().contains("F1"));
    }
}

proptest! {
    #[test]
    fn the_operating_point_keeps_the_rate_and_has_the_best_recall(
        rows in prop::collection::vec(((1..=20u32).prop_map(|s| f64::from(s) / 20.0), any::<bool>()), 1..60),
        max_fpr in 0.0..0.5f64,
    ) {
        let (scores, truth): (Vec<f64>, Vec<bool>) = rows.into_iter().unzip();
        let ranked = RankedScores::new(&scores, &truth);
        let chosen = Thresholds::choose(&scores, &truth, max_fpr);
        let at = ranked.confusion(chosen.operating, None);
        prop_assert!(at.fpr() <= max_fpr);
        let best = ranked.recall_at_fpr(max_fpr, None);
        prop_assert!(best.is_nan() || at.recall() == best, "{} {}", at.recall(), best);
        let f1 = ranked.confusion(chosen.f1, None).f1();
        for &other in &scores {
            prop_assert!(ranked.confusion(other, None).f1() <= f1);
        }
    }
}
