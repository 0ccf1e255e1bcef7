//! Weights, features and folds at the edge of what is taken.

use model::trees::TreeEnsemble;
use ndarray::Array2;
use trees::{
    BinnedMatrix, ClassWeight, DecisionTree, ExtraTrees, GradientBoosting, RandomForest, TreesError,
};

use crate::rows::{Numbers, sample};

/// Fits each learner with these weights, boosting without a least hessian.
fn fit_all(x: &Array2<f32>, y: &[u16], weights: &[f32]) -> Vec<Result<TreeEnsemble, TreesError>> {
    let matrix = BinnedMatrix::new(x.view()).unwrap();
    let (n_estimators, weights) = (3, Some(weights));
    let forest = RandomForest {
        n_estimators,
        ..Default::default()
    };
    let extra = ExtraTrees {
        n_estimators,
        ..Default::default()
    };
    let boosting = GradientBoosting {
        min_sum_hessian_in_leaf: 0.0,
        min_data_in_leaf: 1,
        ..Default::default()
    };
    vec![
        DecisionTree::default().fit(&matrix, y, 2, weights, 1),
        forest.fit(&matrix, y, 2, weights, 1),
        forest
            .fit_out_of_bag(&matrix, y, 2, weights, 1)
            .map(|fitted| fitted.0),
        extra.fit(&matrix, y, 2, weights, 1),
        boosting.fit(&matrix, y, 2, weights, 1),
    ]
}

fn check_finite(x: &Array2<f32>, y: &[u16], weights: &[f32]) {
    for (learner, fitted) in fit_all(x, y, weights).into_iter().enumerate() {
        let p = fitted.unwrap().predict_proba(x.view());
        assert!(
            p.iter().all(|p| (0.0..=1.0).contains(p)),
            "learner {learner}"
        );
    }
}

#[test]
fn rows_whose_weights_are_far_apart_are_all_learned_from() {
    let (x, y) = sample(5_000);
    let by_row = |weight: fn(usize) -> f32| (0..5_000).map(weight).collect::<Vec<f32>>();
    check_finite(
        &x,
        &y,
        &by_row(|row| if row % 2 == 0 { 1.0 } else { 1e-10 }),
    );
    check_finite(&x, &y, &by_row(|row| (-30.0 * row as f32 / 5e3).exp()));
    check_finite(&x, &y, &by_row(|row| if row == 0 { 1e30 } else { 1e-30 }));
    check_finite(&x, &y, &vec![1e-44; 5_000]);
    let x = Array2::from_shape_fn((4, 1), |(row, _)| row as f32);
    check_finite(&x, &[0, 1, 0, 1], &[1.0, 1.0, 1e-18, 1e-18]);
    let (x, y) = sample(40_000);
    check_finite(&x, &y, &vec![1e-44; 40_000]);
}

#[test]
fn a_class_of_hardly_any_weight_is_learned_from() {
    let (x, y) = sample(5_000);
    let matrix = BinnedMatrix::new(x.view()).unwrap();
    let forest = RandomForest {
        n_estimators: 3,
        class_weight: Some(ClassWeight::Each(vec![1.0, 1e-12])),
        ..Default::default()
    };
    let fitted = forest.fit(&matrix, &y, 2, None, 1).unwrap();
    let p = fitted.predict_proba(x.view());
    assert!(p.iter().all(|p| p.is_finite()));
}

#[test]
fn weights_whose_sum_is_no_number_are_refused() {
    let (x, y) = sample(40);
    let mut weights = vec![1.0; 40];
    weights[7] = 3e38;
    for refused in fit_all(&x, &y, &weights) {
        let message = refused.unwrap_err().to_string();
        assert!(message.starts_with("row 7 weighs 3"), "{message}");
        assert!(message.contains("40 rows weigh at most 4.2"), "{message}");
    }
    let weights = vec![4e36; 40];
    check_finite(&x, &y, &weights);
}

#[test]
fn features_without_a_split_are_not_drawn() {
    let mut x = Array2::zeros((400, 30));
    let mut numbers = Numbers::new(3);
    x.column_mut(17)
        .iter_mut()
        .for_each(|cell| *cell = numbers.next());
    // One row alone is fewer than a leaf takes.
    x[[3, 4]] = 1.0;
    let y: Vec<u16> = x
        .column(17)
        .iter()
        .map(|value| u16::from(*value > 0.5))
        .collect();
    let matrix = BinnedMatrix::new(x.view()).unwrap();
    let fit = |feature_fraction| {
        let boosting = GradientBoosting {
            feature_fraction,
            ..Default::default()
        };
        boosting.fit(&matrix, &y, 2, None, 1).unwrap()
    };
    assert!(fit(1.0).n_trees() > 20);
    assert_eq!(fit(0.05), fit(1.0));
}

#[test]
fn a_draw_without_a_split_is_not_the_end() {
    let (x, y) = sample(2_000);
    let matrix = BinnedMatrix::new(x.view()).unwrap();
    let boosting = GradientBoosting {
        bagging_fraction: 0.02,
        ..Default::default()
    };
    let fitted = boosting.fit(&matrix, &y, 2, None, 1).unwrap();
    assert!(fitted.n_trees() > 5, "{}", fitted.n_trees());
}

#[test]
fn what_comes_back_every_other_row_is_not_passed_over_by_the_sample_of_rows() {
    let mut numbers = Numbers::new(5);
    let x = Array2::from_shape_fn((400_000, 1), |(row, _)| match row % 2 {
        0 => 0.0,
        _ => numbers.next(),
    });
    let y: Vec<u16> = x.iter().map(|value| u16::from(*value > 0.5)).collect();
    let matrix = BinnedMatrix::new(x.view()).unwrap();
    let tree = DecisionTree {
        max_depth: Some(3),
        ..Default::default()
    };
    let p = tree
        .fit(&matrix, &y, 2, None, 1)
        .unwrap()
        .predict_proba(x.view());
    let called = p.column(1).map(|p| u16::from(*p >= 0.5));
    let wrong = called.iter().zip(&y).filter(|(called, y)| called != y);
    assert!(wrong.count() < 2_000);
}

#[test]
fn there_may_be_as_many_folds_as_have_a_number() {
    let (x, y) = sample(512);
    let matrix = BinnedMatrix::new(x.view()).unwrap();
    let folds: Vec<u8> = (0..512).map(|row| (row % 256) as u8).collect();
    let boosting = GradientBoosting {
        n_estimators: 2,
        ..Default::default()
    };
    let found = boosting
        .out_of_fold(&matrix, &y, 2, None, 1, &folds)
        .unwrap();
    assert!(
        found.losses.iter().all(|loss| loss.is_finite()),
        "{found:?}"
    );
}
