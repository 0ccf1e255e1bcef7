//! The first rounds of a fit do not depend on how many follow.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use model::trees::TreeEnsemble;
use ndarray::Array2;
use trees::{BinnedMatrix, ExtraTrees, GradientBoosting, RandomForest};

const N_CLASSES: u16 = 3;

/// Fits `many` rounds and `few`, and checks that the former cut short is the latter.
fn check(n_classes: u16, fit: impl Fn(&BinnedMatrix, &[u16], usize, u32) -> TreeEnsemble) {
    let x = Array2::from_shape_fn((400, 5), |(row, column)| {
        ((row * (column + 3) * 7919) % 101) as f32
    });
    let labels: Vec<u16> = (0..400u32)
        .map(|row| ((row * 31 + row / 7) % u32::from(n_classes)) as u16)
        .collect();
    let binned = BinnedMatrix::new(x.view()).unwrap();
    let fit = |rounds| fit(&binned, &labels, usize::from(n_classes), rounds);
    let (many, few) = (fit(12), fit(5));
    let cut = many.after_rounds(5);
    assert_eq!(cut.trees(), few.trees());
    assert_eq!(cut.predict_proba(x.view()), few.predict_proba(x.view()));
    assert_eq!(many.after_rounds(99).trees(), many.trees());
    assert_ne!(many.predict_proba(x.view()), few.predict_proba(x.view()));
}

#[test]
fn boosting_cut_short_is_boosting_with_fewer_rounds() {
    for n_classes in [2, N_CLASSES] {
        check(n_classes, |x, y, k, n_estimators| {
            let learner = GradientBoosting {
                n_estimators,
                feature_fraction: 0.6,
                bagging_fraction: 0.7,
                ..Default::default()
            };
            learner.fit(x, y, k, None, 3).unwrap()
        });
    }
}

#[test]
fn forests_cut_short_are_forests_with_fewer_trees() {
    for n_classes in [2, N_CLASSES] {
        check(n_classes, |x, y, k, n_estimators| {
            let learner = RandomForest {
                n_estimators,
                min_samples_leaf: 8,
                ..Default::default()
            };
            learner.fit(x, y, k, None, 3).unwrap()
        });
        check(n_classes, |x, y, k, n_estimators| {
            let learner = ExtraTrees {
                n_estimators,
                min_samples_leaf: 8,
                ..Default::default()
            };
            learner.fit(x, y, k, None, 3).unwrap()
        });
    }
}
