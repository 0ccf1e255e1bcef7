use model::linear::LinearClassifier;
use ndarray::{Array2, array};
use proptest::prelude::*;
use serde_json::Value;

use super::LogisticRegression;

fn exact(c: f64) -> LogisticRegression {
    LogisticRegression {
        c,
        tol: 1e-12,
        ..LogisticRegression::default()
    }
}

fn fit(x: &Array2<f32>, labels: &[u16], n_classes: usize) -> LinearClassifier {
    let classifier = exact(1.0).fit(x.view(), labels, n_classes).unwrap();
    classifier.check().unwrap();
    classifier
}

fn list<T: serde::de::DeserializeOwned>(value: &Value) -> T {
    serde_json::from_value(value.clone()).unwrap()
}

/// Returns the largest derivative of scikit-learn's objective, a row, by its definition.
fn largest_derivative(fitted: &LinearClassifier, c: f64, x: &Array2<f32>, labels: &[u16]) -> f64 {
    let p = fitted.predict_proba(x.view());
    let n = x.nrows() as f64;
    let mut largest = 0.0f64;
    for output in 0..fitted.n_outputs() {
        let class = if fitted.n_outputs() == 1 { 1 } else { output };
        let residual =
            |row: usize| p[[row, class]] - f64::from(u8::from(usize::from(labels[row]) == class));
        for feature in 0..fitted.n_features {
            let sum: f64 = (0..x.nrows())
                .map(|r| residual(r) * f64::from(x[[r, feature]]))
                .sum();
            let weight = fitted.coefficients[output * fitted.n_features + feature];
            largest = largest.max((sum / n + weight / (c * n)).abs());
        }
        let sum: f64 = (0..x.nrows()).map(residual).sum();
        largest = largest.max((sum / n).abs());
    }
    largest
}

#[test]
fn coefficients_are_those_of_scikit_learn() {
    let cases: Vec<Value> =
        serde_json::from_str(include_str!("../../tests/fixtures/logistic.json")).unwrap();
    for case in &cases {
        let rows: Vec<Vec<f32>> = list(&case["x"]);
        let x = Array2::from_shape_fn((rows.len(), rows[0].len()), |(r, c)| rows[r][c]);
        let (labels, n_classes): (Vec<u16>, usize) =
            (list(&case["labels"]), list(&case["n_classes"]));
        let fitted = exact(list(&case["c"]))
            .fit(x.view(), &labels, n_classes)
            .unwrap();
        let expected: (Vec<f64>, Vec<f64>) =
            (list(&case["coefficients"]), list(&case["intercepts"]));
        let pairs = fitted.coefficients.iter().chain(&fitted.intercepts);
        for (found, expected) in pairs.zip(expected.0.iter().chain(&expected.1)) {
            assert!(
                (found - expected).abs() < 1e-6 * (1.0 + expected.abs()),
                "{found}, scikit-learn {expected}"
            );
        }
    }
}

#[test]
fn separable_rows_converge_at_any_strength_of_the_penalty() {
    let x = array![[-2.0f32], [-1.0], [1.0], [2.0]];
    for c in [1e-6, 1.0, 1e6] {
        let fitted = exact(c).fit(x.view(), &[0, 0, 1, 1], 2).unwrap();
        assert!(fitted.coefficients[0] > 0.0 && fitted.intercepts[0].abs() < 1e-6);
        assert!(largest_derivative(&fitted, c, &x, &[0, 0, 1, 1]) < 1e-11);
    }
}

#[test]
fn a_constant_zero_column_gets_no_weight_and_twins_share_theirs() {
    let x = array![
        [0.0f32, 1.0, 1.0],
        [0.0, 2.0, 2.0],
        [0.0, 0.5, 0.5],
        [0.0, 3.0, 3.0]
    ];
    let fitted = fit(&x, &[0, 1, 1, 0], 2);
    assert_eq!(fitted.coefficients[0], 0.0);
    assert!((fitted.coefficients[1] - fitted.coefficients[2]).abs() < 1e-12);
}

#[test]
fn features_of_any_size_converge() {
    let x = Array2::from_shape_fn((60, 3), |(row, column)| {
        let value = ((row * 37 + column * 11) % 60) as f32 - 30.0;
        value * [1e-12, 1.0, 1e12][column]
    });
    let labels: Vec<u16> = (0..60)
        .map(|row| u16::from(row * 37 % 60 + row % 7 > 33))
        .collect();
    let fitted = fit(&x, &labels, 2);
    assert!(fitted.coefficients.iter().all(|c| c.is_finite()));
    assert!(fitted.coefficients[2].abs() < 1e-9);
}

#[test]
fn more_columns_than_are_factored_reach_the_same_minimum() {
    let x = Array2::from_shape_fn((80, 700), |(row, column)| {
        ((row * 31 + column * 17) % 101) as f32 / 50.0 - 1.0
    });
    for n_classes in [2, 3] {
        let labels: Vec<u16> = (0..80).map(|row| row * row % n_classes).collect();
        let fitted = fit(&x, &labels, usize::from(n_classes));
        assert!(largest_derivative(&fitted, 1.0, &x, &labels) < 1e-11);
    }
}

#[test]
fn a_class_without_rows_gets_probability_zero() {
    let x = array![[-2.0f32], [-1.0], [1.0], [2.0], [1.5], [-3.0]];
    let fitted = fit(&x, &[0, 0, 2, 2, 3, 3], 4);
    let p = fitted.predict_proba(x.view());
    assert!(p.column(1).iter().all(|&p| p == 0.0));
    assert!(
        p.rows()
            .into_iter()
            .all(|row| (row.sum() - 1.0).abs() < 1e-12)
    );
    let fitted = fit(&x, &[0, 0, 2, 2, 0, 2], 3);
    assert!(fitted.predict_proba(x.view())[[3, 2]] > 0.5);
}

#[test]
fn swapping_the_classes_turns_every_sign() {
    let x = array![
        [-2.0f32, 0.0],
        [-1.0, 1.0],
        [1.0, 0.0],
        [2.0, 1.0],
        [-0.5, 1.0]
    ];
    let (fitted, swapped) = (fit(&x, &[0, 0, 1, 1, 1], 2), fit(&x, &[1, 1, 0, 0, 0], 2));
    for (a, b) in fitted.coefficients.iter().zip(&swapped.coefficients) {
        assert!((a + b).abs() < 1e-10);
    }
}

#[test]
fn equal_rows_give_equal_bits_on_any_thread() {
    let x = Array2::from_shape_fn((300, 20), |(row, column)| {
        ((row * 31 + column * 17) % 7) as f32 / 3.0
    });
    let labels: Vec<u16> = (0..300u32).map(|row| (row * row % 5 % 3) as u16).collect();
    let at = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| fit(&x, &labels, 3))
    };
    assert_eq!(at(1), at(8));
}

fn check_error(regression: LogisticRegression, x: &Array2<f32>, labels: &[u16], message: &str) {
    let error = regression.fit(x.view(), labels, 2).unwrap_err();
    assert!(error.to_string().contains(message), "{error}");
}

#[test]
fn what_cannot_be_fitted_is_an_error_that_says_why() {
    let x = array![[1.0f32, 2.0], [0.0, 1.0]];
    check_error(exact(1.0), &Array2::zeros((0, 2)), &[], "no rows");
    check_error(exact(1.0), &x, &[1, 1], "all 2 rows are of class 1");
    check_error(exact(1.0), &x, &[1], "2 rows with 1 labels");
    check_error(exact(1.0), &x, &[1, 2], "label 2 in row 1, of 2 classes");
    for c in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        check_error(exact(c), &x, &[0, 1], "c = ");
    }
    for value in [f32::NAN, f32::INFINITY] {
        let mut x = x.clone();
        x[[1, 0]] = value;
        check_error(exact(1.0), &x, &[0, 1], "feature 0 of row 1");
    }
}

#[test]
fn a_fit_that_runs_out_of_steps_is_as_good_as_its_last() {
    let x = array![[1.0f32, 2.0], [0.0, 1.0], [0.5, 4.0], [2.0, 0.0]];
    let after = |max_iter| {
        let hurried = LogisticRegression {
            max_iter,
            ..exact(1e3)
        };
        hurried.fit(x.view(), &[0, 1, 1, 0], 2).unwrap()
    };
    let (hurried, whole) = (after(1), after(100));
    assert_ne!(hurried.coefficients, whole.coefficients);
    let signs = |weights: &[f64]| weights.iter().map(|w| *w > 0.0).collect::<Vec<_>>();
    assert_eq!(signs(&hurried.coefficients), signs(&whole.coefficients));
}

#[test]
fn parameters_default_to_those_of_scikit_learn_and_unknown_ones_are_refused() {
    let parsed: LogisticRegression = serde_json::from_str(r#"{"c": 0.5}"#).unwrap();
    assert_eq!((parsed.c, parsed.max_iter), (0.5, 100));
    assert!(serde_json::from_str::<LogisticRegression>(r#"{"C": 0.5}"#).is_err());
}

proptest! {
    #[test]
    fn every_fit_is_at_the_minimum(
        cells in prop::collection::vec(prop_oneof![Just(0.0f32), -3.0..3.0f32], 30 * 4),
        labels in prop::collection::vec(0..3u16, 30),
        c in prop_oneof![Just(0.01), Just(1.0), Just(100.0)],
        two in any::<bool>(),
    ) {
        let n_classes = if two { 2 } else { 3 };
        let labels: Vec<u16> = labels.iter().map(|label| label % n_classes).collect();
        prop_assume!((0..n_classes).all(|class| labels.contains(&class)));
        let x = Array2::from_shape_vec((30, 4), cells).unwrap();
        let fitted = exact(c).fit(x.view(), &labels, usize::from(n_classes)).unwrap();
        prop_assert!(largest_derivative(&fitted, c, &x, &labels) < 1e-10);
    }
}

#[test]
fn a_path_ends_at_the_minima_of_separate_fits() {
    let x = Array2::from_shape_fn((60, 4), |(r, c)| ((r * 7 + c * 5) % 11) as f32 - 5.0);
    let labels: Vec<u16> = (0..60).map(|r| (r * r % 7 % 3) as u16).collect();
    let cs = [0.01, 0.3, 20.0];
    let path = exact(1.0).fit_path(&cs, x.view(), &labels, 3).unwrap();
    for (c, fitted) in cs.into_iter().zip(&path) {
        let alone = exact(c).fit(x.view(), &labels, 3).unwrap();
        let pairs = fitted.coefficients.iter().zip(&alone.coefficients);
        for (a, b) in pairs {
            assert!((a - b).abs() < 1e-8, "c = {c}: {a} on the path, {b} alone");
        }
        assert!(largest_derivative(fitted, c, &x, &labels) < 1e-10);
    }
}
