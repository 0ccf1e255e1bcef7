use dataset::Label;
use proptest::prelude::*;
use serde_json::Value;

use super::{Confusion, ConfusionMatrix, RankedScores};

const FIXTURE: &str = include_str!("../../tests/fixtures/metrics.json");

fn fixture() -> Value {
    serde_json::from_str(FIXTURE).unwrap()
}

fn list<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

/// Compares a figure with the one of the fixture's same-named field.
fn check(case: &Value, name: &str, figure: f64) {
    let expected = case[name].as_f64().unwrap();
    assert!(
        (figure - expected).abs() < 1e-9,
        "{name}: {figure}, scikit-learn {expected}"
    );
}

fn check_points(name: &str, points: &[[f64; 2]], expected: &Value) {
    let expected: Vec<[f64; 2]> = list(expected);
    assert_eq!(points.len(), expected.len(), "{name}");
    for (point, other) in points.iter().zip(&expected) {
        let distance = (point[0] - other[0]).abs().max((point[1] - other[1]).abs());
        assert!(distance < 1e-9, "{name}: {point:?}, scikit-learn {other:?}");
    }
}

fn for_each_case(test: impl Fn(&Value, &RankedScores, Option<&[u32]>)) {
    for case in fixture()["cases"].as_array().unwrap() {
        let (scores, truth): (Vec<f64>, Vec<bool>) = (list(&case["scores"]), list(&case["truth"]));
        let weights: Option<Vec<u32>> = list(&case["weights"]);
        test(
            case,
            &RankedScores::new(&scores, &truth),
            weights.as_deref(),
        );
    }
}

#[test]
fn ranking_and_probability_metrics_are_those_of_scikit_learn() {
    for_each_case(|case, ranked, w| {
        check(case, "roc_auc", ranked.roc_auc(w));
        check(case, "average_precision", ranked.average_precision(w));
        check(case, "log_loss", ranked.log_loss(w));
        check(case, "brier", ranked.brier(w));
        let error = ranked.expected_calibration_error(w);
        check(case, "calibration_error", error);
        for [max_fpr, recall] in list::<Vec<[f64; 2]>>(&case["recall_at_fpr"]) {
            assert_eq!(ranked.recall_at_fpr(max_fpr, w), recall, "at {max_fpr}");
        }
    });
}

#[test]
fn confusions_and_what_follows_from_them_are_those_of_scikit_learn() {
    for_each_case(|case, ranked, w| {
        for expected in case["confusions"].as_array().unwrap() {
            let confusion = ranked.confusion(expected["threshold"].as_f64().unwrap(), w);
            let counts: Confusion = list(expected);
            assert_eq!(confusion, counts);
            check(expected, "accuracy", confusion.accuracy());
            check(expected, "precision", confusion.precision());
            check(expected, "recall", confusion.recall());
            check(expected, "f1", confusion.f1());
            check(expected, "mcc", confusion.mcc());
        }
    });
}

#[test]
fn whole_curves_are_those_of_scikit_learn() {
    for_each_case(|case, ranked, w| {
        let roc: Vec<_> = ranked.roc_curve(usize::MAX, w);
        let roc: Vec<_> = roc.iter().map(|p| [p.fpr, p.recall]).collect();
        check_points("roc", &roc, &case["roc"]);
        let pr: Vec<_> = ranked.pr_curve(usize::MAX, w);
        let pr: Vec<_> = pr.iter().map(|p| [p.recall, p.precision]).collect();
        check_points("precision-recall", &pr, &case["pr"]);
        let bins: Vec<_> = ranked.reliability(w);
        let bins: Vec<_> = bins
            .iter()
            .map(|b| [b.mean_score, b.threat_share])
            .collect();
        check_points("reliability", &bins, &case["reliability"]);
    });
}

#[test]
fn several_classes_are_counted_as_by_scikit_learn() {
    let case = &fixture()["multiclass"];
    let labels = |name: &str| -> Vec<Label> {
        let classes: Vec<usize> = list(&case[name]);
        classes.into_iter().map(Label::from_class).collect()
    };
    let weights: Vec<u32> = list(&case["weights"]);
    let matrix = ConfusionMatrix::new(4, &labels("truth"), &labels("predicted"), Some(&weights));
    let expected: Vec<Vec<u64>> = list(&case["matrix"]);
    let counts: Vec<Vec<u64>> = (0..4)
        .map(|t| (0..4).map(|p| matrix.count(t, p)).collect())
        .collect();
    assert_eq!(counts, expected);
    check(case, "accuracy", matrix.accuracy());
    check(case, "macro_f1", matrix.macro_f1());
    check(case, "matthews", matrix.matthews());
}

#[test]
fn the_matthews_coefficient_of_two_classes_is_the_binary_one() {
    let truth = [0, 1, 1, 0, 1, 1, 0].map(Label::from_class);
    let predicted = [0, 1, 0, 1, 1, 1, 0].map(Label::from_class);
    let matrix = ConfusionMatrix::new(2, &truth, &predicted, None);
    assert!((matrix.matthews() - matrix.one_vs_rest(1).mcc()).abs() < 1e-12);
}

#[test]
fn billions_of_rows_do_not_overflow() {
    let confusion = Confusion {
        tp: 1 << 40,
        fp: 1 << 39,
        tn: 1 << 40,
        fn_: 1 << 39,
    };
    assert!((confusion.mcc() - 1.0 / 3.0).abs() < 1e-12);
    assert!((confusion.f1() - 2.0 / 3.0).abs() < 1e-12);
}

#[test]
fn without_rows_or_with_one_class_ranking_metrics_are_nan_and_curves_empty() {
    for truth in [vec![], vec![true; 3], vec![false; 3]] {
        let ranked = RankedScores::new(&[0.2, 0.9, 0.4][..truth.len()], &truth);
        assert!(ranked.roc_auc(None).is_nan());
        assert!(ranked.recall_at_fpr(1.0, None).is_nan());
        assert!(ranked.roc_curve(10, None).is_empty());
        let threats = truth.contains(&true);
        assert_eq!(ranked.average_precision(None).is_nan(), !threats);
        assert_eq!(ranked.pr_curve(10, None).is_empty(), !threats);
        let rows = !truth.is_empty();
        for mean in [
            ranked.log_loss(None),
            ranked.brier(None),
            ranked.expected_calibration_error(None),
        ] {
            assert_eq!(mean.is_nan(), !rows);
        }
    }
}

#[test]
fn certainty_that_is_wrong_costs_a_finite_loss() {
    let ranked = RankedScores::new(&[0.0, 1.0], &[true, false]);
    assert!((ranked.log_loss(None) - 52.0 * 2f64.ln()).abs() < 1e-9);
    assert_eq!(ranked.brier(None), 1.0);
    assert_eq!(ranked.expected_calibration_error(None), 1.0);
}

#[test]
fn negative_zero_ties_with_zero() {
    let ranked = RankedScores::new(&[0.0, -0.0], &[true, false]);
    assert_eq!(ranked.roc_auc(None), 0.5);
}

#[test]
fn thinned_curves_keep_their_ends_and_only_points_of_the_curve() {
    let scores: Vec<f64> = (0..500)
        .map(|row| f64::from(row * 37 % 500) / 500.0)
        .collect();
    let truth: Vec<bool> = (0..500).map(|row| row % 3 == 0).collect();
    let ranked = RankedScores::new(&scores, &truth);
    let (whole, thinned) = (ranked.roc_curve(1000, None), ranked.roc_curve(20, None));
    assert_eq!(whole.len(), 501);
    assert_eq!(thinned.len(), 20);
    assert_eq!(
        (thinned.first(), thinned.last()),
        (whole.first(), whole.last())
    );
    assert!(thinned.iter().all(|point| whole.contains(point)));
    assert!(thinned.is_sorted_by(|a, b| a.fpr <= b.fpr && a.recall <= b.recall));
    assert_eq!(ranked.pr_curve(0, None).len(), 2);
}

#[test]
fn shuffled_labels_score_near_chance() {
    let scores: Vec<f64> = (0..20_000u64).map(mixed).collect();
    let truth: Vec<bool> = (0..20_000u64)
        .map(|row| mixed(row + 77_777) < 0.3)
        .collect();
    let ranked = RankedScores::new(&scores, &truth);
    assert!((ranked.roc_auc(None) - 0.5).abs() < 0.02);
    assert!((ranked.average_precision(None) - 0.3).abs() < 0.02);
}

/// Returns a number in [0, 1) that looks random.
fn mixed(row: u64) -> f64 {
    let mut bits = row.wrapping_add(1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    ((bits ^ (bits >> 31)) >> 11) as f64 / (1u64 << 53) as f64
}

/// Rows of score (with ties), truth and weight.
fn rows() -> impl Strategy<Value = Vec<(f64, bool, u32)>> {
    let score = (0..=20u32).prop_map(|step| f64::from(step) / 20.0);
    prop::collection::vec((score, any::<bool>(), 0..4u32), 1..60)
}

fn figures(scores: &[f64], truth: &[bool], weights: Option<&[u32]>) -> Vec<f64> {
    let ranked = RankedScores::new(scores, truth);
    let mut figures = vec![
        ranked.roc_auc(weights),
        ranked.average_precision(weights),
        ranked.log_loss(weights),
        ranked.brier(weights),
        ranked.expected_calibration_error(weights),
        ranked.recall_at_fpr(0.1, weights),
        ranked.confusion(0.4, weights).mcc(),
    ];
    let roc = ranked.roc_curve(9, weights);
    figures.extend(roc.iter().flat_map(|p| [p.threshold, p.fpr, p.recall]));
    let pr = ranked.pr_curve(9, weights);
    figures.extend(pr.iter().flat_map(|p| [p.threshold, p.recall, p.precision]));
    let bins = ranked.reliability(weights);
    figures.extend(bins.iter().flat_map(|b| [b.mean_score, b.threat_share]));
    figures
}

proptest! {
    #[test]
    fn a_weight_is_a_repetition(rows in rows()) {
        let column = |copies: fn(u32) -> u32| -> (Vec<f64>, Vec<bool>) {
            rows.iter().flat_map(|&(s, t, w)| (0..copies(w)).map(move |_| (s, t))).unzip()
        };
        let weights: Vec<u32> = rows.iter().map(|row| row.2).collect();
        let ((scores, truth), (all_scores, all_truth)) = (column(|_| 1), column(|w| w));
        let weighted = figures(&scores, &truth, Some(&weights));
        let repeated = figures(&all_scores, &all_truth, None);
        prop_assert_eq!(weighted.len(), repeated.len());
        for (a, b) in weighted.iter().zip(&repeated) {
            prop_assert!((a - b).abs() < 1e-12 || (a.is_nan() && b.is_nan()), "{} {}", a, b);
        }
    }

    #[test]
    fn ranking_metrics_ignore_a_monotone_transform(rows in rows()) {
        let (scores, truth): (Vec<f64>, Vec<bool>) = rows.iter().map(|&(s, t, _)| (s, t)).unzip();
        let moved: Vec<f64> = scores.iter().map(|s| (3.0 * s).exp() - 40.0).collect();
        let (a, b) = (RankedScores::new(&scores, &truth), RankedScores::new(&moved, &truth));
        prop_assert_eq!(a.roc_auc(None).to_bits(), b.roc_auc(None).to_bits());
        prop_assert_eq!(a.average_precision(None).to_bits(), b.average_precision(None).to_bits());
    }

    #[test]
    fn the_order_of_rows_changes_no_ranking_metric(rows in rows()) {
        let (scores, truth): (Vec<f64>, Vec<bool>) = rows.iter().map(|&(s, t, _)| (s, t)).unzip();
        let (back, turned): (Vec<f64>, Vec<bool>) = rows.iter().rev().map(|&(s, t, _)| (s, t)).unzip();
        let (a, b) = (RankedScores::new(&scores, &truth), RankedScores::new(&back, &turned));
        prop_assert_eq!(a.roc_auc(None).to_bits(), b.roc_auc(None).to_bits());
        prop_assert_eq!(a.roc_curve(9, None), b.roc_curve(9, None));
    }

    #[test]
    fn calibration_error_is_a_share(rows in rows()) {
        let (scores, truth): (Vec<f64>, Vec<bool>) = rows.iter().map(|&(s, t, _)| (s, t)).unzip();
        let error = RankedScores::new(&scores, &truth).expected_calibration_error(None);
        prop_assert!((0.0..=1.0).contains(&error), "{}", error);
    }
}
