use proptest::prelude::*;
use serde_json::Value;

use super::Calibration;

fn fixture() -> Value {
    let all: Value =
        serde_json::from_str(include_str!("../../tests/fixtures/metrics.json")).unwrap();
    all["calibration"].clone()
}

fn list<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

fn check(kind: impl Fn(&[f64], &[bool]) -> Calibration, rows: &[(f64, bool)]) -> Calibration {
    let (probabilities, truth): (Vec<f64>, Vec<bool>) = rows.iter().copied().unzip();
    let calibration = kind(&probabilities, &truth);
    calibration.check().unwrap();
    calibration
}

#[test]
fn isotonic_calibration_is_that_of_scikit_learn() {
    let fixture = fixture();
    let (probabilities, truth): (Vec<f64>, Vec<bool>) =
        (list(&fixture["probabilities"]), list(&fixture["truth"]));
    let calibration = Calibration::fit_isotonic(&probabilities, &truth);
    calibration.check().unwrap();
    let (at, expected): (Vec<f64>, Vec<f64>) = (list(&fixture["at"]), list(&fixture["isotonic"]));
    for (p, expected) in at.iter().zip(&expected) {
        let found = calibration.apply(*p);
        assert!(
            (found - expected).abs() < 1e-9,
            "{p}: {found}, scikit-learn {expected}"
        );
    }
}

#[test]
fn platt_scaling_is_that_of_scikit_learn_and_nearer_the_minimum() {
    let fixture = fixture();
    let (probabilities, truth): (Vec<f64>, Vec<bool>) =
        (list(&fixture["probabilities"]), list(&fixture["truth"]));
    let Calibration::Platt { a, b } = Calibration::fit_platt(&probabilities, &truth) else {
        panic!("two classes give Platt scaling");
    };
    let near = |name: &str, tolerance: f64| {
        let [a2, b2]: [f64; 2] = list(&fixture["platt"][name]);
        assert!(
            (a - a2).abs() < tolerance && (b - b2).abs() < tolerance,
            "{a} {b}, {name} {a2} {b2}"
        );
    };
    near("scikit_learn", 1e-5);
    near("minimum", 1e-8);
}

#[test]
fn one_class_or_no_row_leaves_nothing_to_fit() {
    assert_eq!(check(Calibration::fit_platt, &[]), Calibration::None);
    assert_eq!(
        check(Calibration::fit_platt, &[(0.5, true), (0.7, true)]),
        Calibration::None
    );
    assert_eq!(check(Calibration::fit_isotonic, &[]), Calibration::None);
    let constant = check(Calibration::fit_isotonic, &[(0.5, true), (0.7, true)]);
    assert_eq!(constant.apply(0.0), 1.0);
}

#[test]
fn certain_and_separated_probabilities_still_fit() {
    let calibration = check(
        Calibration::fit_platt,
        &[(0.0, false), (0.0, false), (1.0, true)],
    );
    assert!(calibration.apply(0.0) < 0.3 && calibration.apply(1.0) > 0.6);
}

#[test]
fn a_turned_ranking_calibrates_to_a_constant() {
    let rows = [(0.9, false), (0.8, false), (0.2, true), (0.1, true)];
    let calibration = check(Calibration::fit_platt, &rows);
    assert!((calibration.apply(0.1) - 0.5).abs() < 1e-12);
    assert_eq!(calibration.apply(0.1), calibration.apply(0.9));
}

#[test]
fn constant_probabilities_calibrate_to_the_share_of_threats() {
    let rows = [(0.9, true), (0.9, false), (0.9, false), (0.9, false)];
    let isotonic = check(Calibration::fit_isotonic, &rows);
    assert_eq!(isotonic.apply(0.9), 0.25);
    let platt = check(Calibration::fit_platt, &rows);
    assert!((platt.apply(0.9) - (2.0 / 3.0 + 3.0 / 5.0) / 4.0).abs() < 1e-9);
}

#[test]
fn damaged_calibrations_are_refused() {
    let isotonic = |points: &[(f64, f64)]| Calibration::Isotonic {
        points: points.to_vec(),
    };
    for damaged in [
        Calibration::Platt {
            a: f64::NAN,
            b: 0.0,
        },
        Calibration::Platt {
            a: -1.0,
            b: f64::INFINITY,
        },
        Calibration::Platt { a: 0.5, b: 0.0 },
        isotonic(&[]),
        isotonic(&[(0.1, f64::NAN)]),
        isotonic(&[(0.1, 1.5)]),
        isotonic(&[(0.2, 0.1), (0.2, 0.3)]),
        isotonic(&[(0.1, 0.3), (0.2, 0.1)]),
    ] {
        assert!(damaged.check().is_err(), "{damaged:?}");
    }
}

proptest! {
    #[test]
    fn calibrations_are_monotone_and_within_zero_and_one(
        rows in prop::collection::vec((0.0..=1.0f64, any::<bool>()), 1..40),
        mut at in prop::collection::vec(0.0..=1.0f64, 2..20),
    ) {
        at.sort_by(f64::total_cmp);
        for fit in [Calibration::fit_platt, Calibration::fit_isotonic] {
            let calibration = check(fit, &rows);
            let out: Vec<f64> = at.iter().map(|&p| calibration.apply(p)).collect();
            prop_assert!(out.is_sorted(), "{:?} {:?}", calibration, out);
            prop_assert!(out.iter().all(|p| (0.0..=1.0).contains(p)));
        }
    }
}
