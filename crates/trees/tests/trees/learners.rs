//! What every learner promises.

use model::trees::TreeEnsemble;
use ndarray::Array2;
use trees::{BinnedMatrix, DecisionTree, ExtraTrees, GradientBoosting, RandomForest, TreesError};

use crate::rows::sample;

type Fit = fn(&BinnedMatrix, &[u16]) -> Result<TreeEnsemble, TreesError>;

const LEARNERS: [(&str, Fit); 4] = [
    ("decision tree", |x, y| {
        DecisionTree {
            max_depth: Some(8),
            ..Default::default()
        }
        .fit(x, y, 2, None, 1)
    }),
    ("random forest", |x, y| {
        RandomForest {
            n_estimators: 30,
            ..Default::default()
        }
        .fit(x, y, 2, None, 1)
    }),
    ("extra trees", |x, y| {
        ExtraTrees {
            n_estimators: 30,
            ..Default::default()
        }
        .fit(x, y, 2, None, 1)
    }),
    ("boosting", |x, y| {
        GradientBoosting {
            n_estimators: 30,
            ..Default::default()
        }
        .fit(x, y, 2, None, 1)
    }),
];

fn accuracy(fitted: &TreeEnsemble, x: &Array2<f32>, y: &[u16]) -> f64 {
    let p = fitted.predict_proba(x.view());
    let right = y
        .iter()
        .enumerate()
        .filter(|(row, class)| (p[[*row, 1]] >= 0.5) == (**class == 1));
    right.count() as f64 / y.len() as f64
}

/// Splits off the rows from 4,000 on.
fn halves(x: &Array2<f32>) -> (Array2<f32>, Array2<f32>) {
    let (train, test) = x.view().split_at(ndarray::Axis(0), 4_000);
    (train.to_owned(), test.to_owned())
}

#[test]
fn learners_find_the_signal_in_rows_that_they_have_not_seen() {
    let (x, y) = sample(6_000);
    let (train, test) = halves(&x);
    let binned = BinnedMatrix::new(train.view()).unwrap();
    for (name, fit) in LEARNERS {
        let fitted = fit(&binned, &y[..4_000]).unwrap();
        fitted.check().unwrap();
        let reached = accuracy(&fitted, &test, &y[4_000..]);
        assert!(reached > 0.88, "{name}: {reached}");
    }
}

#[test]
fn shuffled_labels_are_learned_no_better_than_by_chance() {
    let (x, y) = sample(6_000);
    let mut shuffled = y;
    let n = shuffled.len();
    (0..n).for_each(|i| shuffled.swap(i, (i * 7_919 + 13) % n));
    let (train, test) = halves(&x);
    let binned = BinnedMatrix::new(train.view()).unwrap();
    for (name, fit) in LEARNERS {
        let fitted = fit(&binned, &shuffled[..4_000]).unwrap();
        let reached = accuracy(&fitted, &test, &shuffled[4_000..]);
        assert!((0.42..0.6).contains(&reached), "{name}: {reached}");
    }
}

#[test]
fn probabilities_are_finite_and_sum_to_one_also_for_missing_values() {
    let (x, y) = sample(2_000);
    let binned = BinnedMatrix::new(x.view()).unwrap();
    let odd = Array2::from_shape_fn((4, 6), |(row, _)| [f32::NAN, f32::MAX, f32::MIN, 0.5][row]);
    for (name, fit) in LEARNERS {
        let p = fit(&binned, &y).unwrap().predict_proba(odd.view());
        for row in p.rows() {
            assert!(row.iter().all(|v| (0.0..=1.0).contains(v)), "{name}: {row}");
            assert!((row.sum() - 1.0).abs() < 1e-9, "{name}: {row}");
        }
    }
}

#[test]
fn one_row_and_a_batch_are_scored_alike() {
    let (x, y) = sample(1_000);
    let binned = BinnedMatrix::new(x.view()).unwrap();
    for (name, fit) in LEARNERS {
        let fitted = fit(&binned, &y).unwrap();
        let batch = fitted.predict_proba(x.view());
        let mut one = [0.0; 2];
        for (row, expected) in x.rows().into_iter().zip(batch.rows()) {
            fitted.predict_proba_into(row.as_slice().unwrap(), &mut one);
            assert_eq!(
                one.map(f64::to_bits),
                [expected[0], expected[1]].map(f64::to_bits),
                "{name}"
            );
        }
    }
}
