use ndarray::{Array2, ArrayView2, array};
use trees::{
    BinnedMatrix, ClassWeight, DecisionTree, ExtraTrees, GradientBoosting, MaxFeatures,
    RandomForest, TreesError, Validation,
};

use crate::rows::sample;

/// Expects an error whose message holds each of the given words.
fn check<T>(result: Result<T, TreesError>, words: &[&str]) {
    let Err(error) = result else {
        panic!("no error that speaks of {words:?}");
    };
    let message = error.to_string();
    for word in words {
        assert!(message.contains(word), "`{word}` is not in: {message}");
    }
}

fn bins() -> (BinnedMatrix, Vec<u16>) {
    let (x, y) = sample(100);
    (BinnedMatrix::new(x.view()).unwrap(), y)
}

#[test]
fn a_matrix_without_rows_or_features_is_refused() {
    check(
        BinnedMatrix::new(Array2::zeros((0, 2)).view()),
        &["no rows"],
    );
    check(
        BinnedMatrix::new(Array2::zeros((2, 0)).view()),
        &["0 features"],
    );
}

#[test]
fn more_rows_than_can_be_counted_are_refused_before_anything_is_allocated() {
    let one = array![[1.0f32]];
    let many: ArrayView2<'_, f32> = one.broadcast(((1usize << 31) + 1, 1)).unwrap();
    check(BinnedMatrix::new(many), &["2147483649 rows", "2147483648"]);
}

#[test]
fn infinite_values_are_refused_with_their_place() {
    let x = array![[0.0, 1.0], [2.0, f32::NEG_INFINITY]];
    check(BinnedMatrix::new(x.view()), &["row 1", "feature 1", "-inf"]);
}

#[test]
fn features_that_are_all_constant_are_refused_and_one_that_varies_is_enough() {
    let mut x = Array2::from_elem((50, 3), 4.0);
    x.column_mut(2).fill(f32::NAN);
    check(BinnedMatrix::new(x.view()), &["3 features are constant"]);
    x.column_mut(1)
        .iter_mut()
        .zip(0i16..)
        .for_each(|(cell, row)| *cell = f32::from(row));
    let y: Vec<u16> = (0..50).map(|row| u16::from(row > 20)).collect();
    let matrix = BinnedMatrix::new(x.view()).unwrap();
    RandomForest::default()
        .fit(&matrix, &y, 2, None, 1)
        .unwrap();
    GradientBoosting::default()
        .fit(&matrix, &y, 2, None, 1)
        .unwrap();
}

#[test]
fn what_is_no_category_is_refused_with_its_place() {
    for (value, text) in [
        (-1.0, "-1"),
        (0.5, "0.5"),
        (255.0, "255"),
        (f32::INFINITY, "inf"),
    ] {
        let x = array![[0.0, 3.0], [1.0, value]];
        let message = ["row 1", "categorical feature 1", text];
        check(BinnedMatrix::with_categories(x.view(), &[1]), &message);
    }
    let x = array![[0.0], [1.0]];
    let message = ["feature 3 of 1"];
    check(BinnedMatrix::with_categories(x.view(), &[3]), &message);
}

#[test]
fn labels_that_cannot_be_learned_from_are_refused() {
    let (x, y) = bins();
    let forest = RandomForest::default();
    check(
        forest.fit(&x, &[1; 100], 2, None, 1),
        &["label 1", "two classes"],
    );
    check(
        forest.fit(&x, &y[..50], 2, None, 1),
        &["50 labels", "100 rows"],
    );
    check(forest.fit(&x, &[5; 100], 2, None, 1), &["row 0", "label 5"]);
    check(forest.fit(&x, &y, 1, None, 1), &["1 classes"]);
}

#[test]
fn weights_that_are_none_are_refused_with_their_row() {
    let (x, y) = bins();
    let boosting = GradientBoosting::default();
    for (weight, text) in [(f32::NAN, "NaN"), (-0.5, "-0.5"), (f32::INFINITY, "inf")] {
        let mut weights = vec![1.0; 100];
        weights[7] = weight;
        check(boosting.fit(&x, &y, 2, Some(&weights), 1), &["row 7", text]);
    }
    check(boosting.fit(&x, &y, 2, Some(&[1.0; 3]), 1), &["3 weights"]);
    check(boosting.fit(&x, &y, 2, Some(&[0.0; 100]), 1), &["no rows"]);
    let weigh = |weights: Vec<f64>| GradientBoosting {
        class_weight: Some(ClassWeight::Each(weights)),
        ..Default::default()
    };
    check(
        weigh(vec![1.0]).fit(&x, &y, 2, None, 1),
        &["1 class weights", "2 classes"],
    );
    check(
        weigh(vec![1.0, -2.0]).fit(&x, &y, 2, None, 1),
        &["class_weight", "-2"],
    );
}

#[test]
fn boosting_parameters_out_of_range_are_named() {
    let (x, y) = bins();
    let d = GradientBoosting::default;
    let cases = [
        (
            "n_estimators",
            GradientBoosting {
                n_estimators: 0,
                ..d()
            },
        ),
        (
            "learning_rate",
            GradientBoosting {
                learning_rate: -1.0,
                ..d()
            },
        ),
        (
            "learning_rate",
            GradientBoosting {
                learning_rate: f64::NAN,
                ..d()
            },
        ),
        (
            "num_leaves",
            GradientBoosting {
                num_leaves: 1,
                ..d()
            },
        ),
        (
            "max_depth",
            GradientBoosting {
                max_depth: Some(0),
                ..d()
            },
        ),
        (
            "min_data_in_leaf",
            GradientBoosting {
                min_data_in_leaf: 0,
                ..d()
            },
        ),
        (
            "min_sum_hessian_in_leaf",
            GradientBoosting {
                min_sum_hessian_in_leaf: -1.0,
                ..d()
            },
        ),
        (
            "lambda_l1",
            GradientBoosting {
                lambda_l1: f64::INFINITY,
                ..d()
            },
        ),
        (
            "lambda_l2",
            GradientBoosting {
                lambda_l2: -0.1,
                ..d()
            },
        ),
        (
            "feature_fraction",
            GradientBoosting {
                feature_fraction: 0.0,
                ..d()
            },
        ),
        (
            "bagging_fraction",
            GradientBoosting {
                bagging_fraction: 1.1,
                ..d()
            },
        ),
        (
            "min_gain_to_split",
            GradientBoosting {
                min_gain_to_split: f64::NAN,
                ..d()
            },
        ),
        (
            "cat_smooth",
            GradientBoosting {
                cat_smooth: -1.0,
                ..d()
            },
        ),
        (
            "cat_l2",
            GradientBoosting {
                cat_l2: f64::NAN,
                ..d()
            },
        ),
        (
            "max_cat_to_onehot",
            GradientBoosting {
                max_cat_to_onehot: 0,
                ..d()
            },
        ),
        (
            "max_cat_threshold",
            GradientBoosting {
                max_cat_threshold: 0,
                ..d()
            },
        ),
        (
            "min_data_per_group",
            GradientBoosting {
                min_data_per_group: 0,
                ..d()
            },
        ),
        (
            "early_stopping_rounds",
            GradientBoosting {
                early_stopping_rounds: 0,
                ..d()
            },
        ),
    ];
    for (name, boosting) in cases {
        check(boosting.fit(&x, &y, 2, None, 1), &[name]);
    }
}

#[test]
fn forest_parameters_out_of_range_are_named() {
    let (x, y) = bins();
    let d = RandomForest::default;
    let cases = [
        (
            "n_estimators",
            RandomForest {
                n_estimators: 0,
                ..d()
            },
        ),
        (
            "max_depth",
            RandomForest {
                max_depth: Some(0),
                ..d()
            },
        ),
        (
            "min_samples_leaf",
            RandomForest {
                min_samples_leaf: 0,
                ..d()
            },
        ),
        (
            "max_features",
            RandomForest {
                max_features: MaxFeatures::Fraction(1.5),
                ..d()
            },
        ),
    ];
    for (name, forest) in cases {
        check(forest.fit(&x, &y, 2, None, 1), &[name]);
    }
    let tree = DecisionTree {
        min_samples_leaf: 0,
        ..Default::default()
    };
    check(tree.fit(&x, &y, 2, None, 1), &["min_samples_leaf"]);
    let without_bags = ExtraTrees::default();
    check(
        without_bags.fit_out_of_bag(&x, &y, 2, None, 1),
        &["bootstrap is false"],
    );
}

#[test]
fn validation_rows_and_folds_that_do_not_fit_are_refused() {
    let (x, y) = bins();
    let boosting = GradientBoosting::default();
    let with = |rows: &Array2<f32>, labels: &[u16]| {
        let validation = Validation {
            x: rows.view(),
            labels,
            weights: None,
        };
        boosting.fit_with_validation(&x, &y, 2, None, 1, validation)
    };
    check(with(&Array2::zeros((3, 5)), &[0; 3]), &["5 features", "6"]);
    check(with(&Array2::zeros((0, 6)), &[]), &["no validation row"]);
    let infinite = Array2::from_elem((3, 6), f32::INFINITY);
    check(with(&infinite, &[0; 3]), &["row 0", "feature 0", "inf"]);
    let zeros = Array2::zeros((3, 6));
    let weightless = Validation {
        x: zeros.view(),
        labels: &[0; 3],
        weights: Some(&[0.0; 3]),
    };
    check(
        boosting.fit_with_validation(&x, &y, 2, None, 1, weightless),
        &["no validation row"],
    );
    check(with(&Array2::zeros((3, 6)), &[0; 2]), &["2 labels"]);
    let folds = |folds: &[u8]| boosting.out_of_fold(&x, &y, 2, None, 1, folds);
    check(folds(&[0; 99]), &["99 folds"]);
    check(folds(&[0; 100]), &["fold 0", "100 of 100"]);
    let gap: Vec<u8> = (0..100).map(|row| if row < 50 { 0 } else { 2 }).collect();
    check(folds(&gap), &["fold 1", "0 of 100"]);
    let by_class: Vec<u8> = y.iter().map(|label| *label as u8).collect();
    check(folds(&by_class), &["without fold 0", "label 1"]);
}
