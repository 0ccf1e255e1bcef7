//! What every learner of this crate promises.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use model::trees::TreeEnsemble;
use ndarray::Array2;
use trees::{BinnedMatrix, DecisionTree, ExtraTrees, GradientBoosting, RandomForest, TreesError};

/// Rows of six features, the last of few levels and sometimes missing; the class hangs on the first two
/// and the last.
fn sample(n_rows: usize) -> (Array2<f32>, Vec<u16>) {
    let mut state = 7u64;
    let mut next = || {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 40) as f32 / (1u64 << 24) as f32
    };
    let mut x = Array2::zeros((n_rows, 6));
    let mut y = Vec::with_capacity(n_rows);
    for mut row in x.rows_mut() {
        row.iter_mut().for_each(|cell| *cell = next());
        let level = (next() * 3.0).floor();
        row[5] = if next() < 0.1 { f32::NAN } else { level };
        let signal = row[0] + row[1] + if row[5] == 2.0 { 0.6 } else { 0.0 };
        y.push(u16::from(signal + 0.2 * next() > 1.2));
    }
    (x, y)
}

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

#[test]
fn the_number_of_threads_does_not_reach_the_bytes() {
    let (x, y) = sample(3_000);
    for (name, fit) in LEARNERS {
        let at = |threads| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            let fitted = pool.install(|| fit(&BinnedMatrix::new(x.view()).unwrap(), &y).unwrap());
            serde_json::to_string(&fitted).unwrap()
        };
        let one = at(1);
        assert!(one == at(2) && one == at(8) && one == at(1), "{name}");
    }
}

#[test]
fn what_cannot_be_learned_from_is_an_error_that_names_it() {
    let (x, y) = sample(100);
    let binned = BinnedMatrix::new(x.view()).unwrap();
    for (name, fit) in LEARNERS {
        assert!(fit(&binned, &[0; 100]).is_err(), "{name}: one class");
        assert!(fit(&binned, &y[..50]).is_err(), "{name}: too few labels");
        assert!(fit(&binned, &[5; 100]).is_err(), "{name}: unknown class");
    }
    let weights = vec![f32::NAN; 100];
    assert!(
        GradientBoosting::default()
            .fit(&binned, &y, 2, Some(&weights), 1)
            .is_err()
    );
    let wrong = GradientBoosting {
        learning_rate: -1.0,
        ..Default::default()
    };
    let message = wrong.fit(&binned, &y, 2, None, 1).unwrap_err().to_string();
    assert!(
        message.contains("learning_rate") && message.contains("-1"),
        "{message}"
    );
    let infinite = Array2::from_elem((3, 1), f32::INFINITY);
    assert!(BinnedMatrix::new(infinite.view()).is_err());
    assert!(BinnedMatrix::new(Array2::<f32>::zeros((0, 2)).view()).is_err());
}
