use dataset::GroupKey;

use super::{Bounds, GroupBootstrap, Interval};
use crate::metrics::RankedScores;

fn keys(groups: &[u64]) -> Vec<GroupKey> {
    groups.iter().copied().map(GroupKey).collect()
}

/// 300 rows in 100 groups, and scores that rank them better than chance.
fn sample() -> (Vec<GroupKey>, Vec<f64>, Vec<bool>) {
    let groups: Vec<u64> = (0..300).map(|row| row % 100 * 7919).collect();
    let truth: Vec<bool> = (0..300).map(|row| row % 100 % 3 == 0).collect();
    let scores = (0..300u32).map(|row| f64::from(row % 100 * 37 % 100) / 200.0);
    let scores = scores
        .zip(&truth)
        .map(|(s, &t)| s + if t { 0.2 } else { 0.0 });
    (keys(&groups), scores.collect(), truth)
}

fn auc_interval(n_resamples: u32, seed: u64) -> Interval {
    let (groups, scores, truth) = sample();
    let ranked = RankedScores::new(&scores, &truth);
    let bootstrap = GroupBootstrap::new(&groups, n_resamples, seed);
    bootstrap.interval(|weights| ranked.roc_auc(Some(weights)))
}

#[test]
fn rows_of_a_group_weigh_the_same_and_groups_are_drawn_as_often_as_there_are() {
    let groups = keys(&[9, 4, 9, 7, 4]);
    let bootstrap = GroupBootstrap::new(&groups, 50, 1);
    assert_eq!(bootstrap.n_groups(), 3);
    let odd = bootstrap.interval(|w| {
        assert_eq!((w[0], w[1]), (w[2], w[4]));
        assert_eq!(w[0] + w[1] + w[3], 3);
        f64::from(w[3])
    });
    assert!(odd.value == 1.0 && odd.low == 0.0 && odd.high >= 2.0);
}

#[test]
fn intervals_are_the_same_at_any_number_of_threads() {
    let at = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        let interval = pool.install(|| auc_interval(200, 5));
        [interval.value, interval.low, interval.high].map(f64::to_bits)
    };
    assert_eq!(at(1), at(2));
    assert_eq!(at(1), at(8));
}

#[test]
fn the_seed_decides_the_resamples() {
    assert_eq!(auc_interval(100, 5), auc_interval(100, 5));
    assert_ne!(auc_interval(100, 5), auc_interval(100, 6));
}

#[test]
fn the_order_of_rows_does_not_decide_the_resamples() {
    let (mut groups, mut scores, mut truth) = sample();
    groups.reverse();
    scores.reverse();
    truth.reverse();
    let ranked = RankedScores::new(&scores, &truth);
    let turned = GroupBootstrap::new(&groups, 100, 5).interval(|w| ranked.roc_auc(Some(w)));
    assert_eq!(turned, auc_interval(100, 5));
}

#[test]
fn the_interval_of_a_mean_is_as_wide_as_theory_says() {
    let groups = keys(&(0..400).collect::<Vec<_>>());
    let mean = |w: &[u32]| -> f64 {
        let sum: u32 = w.iter().step_by(2).sum();
        f64::from(sum) / w.iter().sum::<u32>() as f64
    };
    let interval = GroupBootstrap::new(&groups, 4000, 3).interval(mean);
    let half_width = 1.96 * (0.25f64 / 400.0).sqrt();
    assert!(
        (interval.low - (0.5 - half_width)).abs() < 0.004,
        "{interval:?}"
    );
    assert!(
        (interval.high - (0.5 + half_width)).abs() < 0.004,
        "{interval:?}"
    );
}

#[test]
fn repeating_every_row_within_its_group_narrows_nothing() {
    let (groups, scores, truth) = sample();
    let (groups, scores, truth) = (groups.repeat(4), scores.repeat(4), truth.repeat(4));
    let ranked = RankedScores::new(&scores, &truth);
    let repeated = GroupBootstrap::new(&groups, 100, 5).interval(|w| ranked.roc_auc(Some(w)));
    assert_eq!(repeated, auc_interval(100, 5));
}

#[test]
fn a_model_does_not_differ_from_itself_and_a_pair_shares_its_resamples() {
    let (groups, scores, truth) = sample();
    let ranked = RankedScores::new(&scores, &truth);
    let auc = |w: &[u32]| ranked.roc_auc(Some(w));
    let bootstrap = GroupBootstrap::new(&groups, 100, 5);
    let none = Interval {
        value: 0.0,
        low: 0.0,
        high: 0.0,
    };
    assert_eq!(bootstrap.difference(auc, auc), none);
    let shifted = bootstrap.difference(|w| auc(w) + 0.25, auc);
    assert!(shifted.high - shifted.low < 1e-12 && (shifted.low - 0.25).abs() < 1e-12);
}

#[test]
fn several_metrics_at_once_are_those_one_by_one() {
    let (groups, scores, truth) = sample();
    let ranked = RankedScores::new(&scores, &truth);
    let bootstrap = GroupBootstrap::new(&groups, 100, 5);
    let kinds = [Bounds::Percentile; 2];
    let both = |w: &[u32]| [ranked.roc_auc(Some(w)), ranked.brier(Some(w))];
    let [auc, brier] = bootstrap.intervals(kinds, both);
    assert_eq!(auc, auc_interval(100, 5));
    assert_eq!(brier, bootstrap.interval(|w| ranked.brier(Some(w))));
}

#[test]
fn an_interval_over_too_many_undefined_resamples_is_not_given() {
    let groups = keys(&[1, 2, 3]);
    let bootstrap = GroupBootstrap::new(&groups, 200, 5);
    let interval = bootstrap.interval(|w| if w[0] == 0 { f64::NAN } else { 1.0 });
    assert_eq!(interval.value, 1.0);
    assert!(interval.low.is_nan() && interval.high.is_nan());
}

#[test]
fn without_rows_or_resamples_there_are_no_bounds() {
    let none = GroupBootstrap::new(&[], 10, 5).interval(|_| f64::NAN);
    assert!(none.value.is_nan() && none.low.is_nan());
    let none = auc_interval(0, 5);
    assert!(none.value > 0.5 && none.high.is_nan());
}

#[test]
fn the_interval_of_a_calibration_error_holds_its_value() {
    // Well calibrated, so that what error there is comes from few rows alone.
    let n = 400u32;
    let scores: Vec<f64> = (0..n)
        .map(|row| (f64::from(row) + 0.5) / f64::from(n))
        .collect();
    let truth: Vec<bool> = (0..n).map(|row| row * 7919 % n < row).collect();
    let ranked = RankedScores::new(&scores, &truth);
    let bootstrap = GroupBootstrap::new(&keys(&(0..u64::from(n)).collect::<Vec<_>>()), 500, 5);
    let ece = |w: &[u32]| [ranked.expected_calibration_error(Some(w))];
    let [percentile] = bootstrap.intervals([Bounds::Percentile], ece);
    assert!(
        percentile.low > percentile.value,
        "{percentile:?} does not show the bias"
    );
    let [centred] = bootstrap.intervals([Bounds::Centred], ece);
    let Interval { value, low, high } = centred;
    assert!(0.0 <= low && low <= value && value <= high, "{centred:?}");
    let width = percentile.high - percentile.low;
    assert!(high - low <= width + 1e-12 && high > value, "{centred:?}");
}
