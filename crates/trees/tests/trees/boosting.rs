use model::trees::{Tree, TreeEnsemble};
use ndarray::{Array2, Axis};
use trees::{
    BinnedMatrix, ClassWeight, GradientBoosting, Validation, permutation_importance,
    split_importance,
};

use crate::rows::{Numbers, categories, rings, sample};

fn accuracy(fitted: &TreeEnsemble, x: &Array2<f32>, y: &[u16]) -> f64 {
    let p = fitted.predict_proba(x.view());
    let likeliest =
        |row: usize| (0..p.ncols()).max_by(|a, b| p[[row, *a]].total_cmp(&p[[row, *b]]));
    let right = (0..y.len()).filter(|row| likeliest(*row) == Some(usize::from(y[*row])));
    right.count() as f64 / y.len() as f64
}

fn log_loss(fitted: &TreeEnsemble, x: &Array2<f32>, y: &[u16]) -> f64 {
    let p = fitted.predict_proba(x.view());
    let loss = |(row, label): (usize, &u16)| -p[[row, usize::from(*label)]].ln();
    y.iter().enumerate().map(loss).sum::<f64>() / y.len() as f64
}

/// Splits rows off at `n`.
fn split_at(x: &Array2<f32>, n: usize) -> (Array2<f32>, Array2<f32>) {
    let part = |rows: std::ops::Range<usize>| x.slice_axis(Axis(0), rows.into()).to_owned();
    (part(0..n), part(n..x.nrows()))
}

#[test]
fn three_classes_are_told_apart_by_softmax() {
    let (x, y) = rings(6_000);
    let (train, test) = split_at(&x, 4_000);
    let matrix = BinnedMatrix::new(train.view()).unwrap();
    let fitted = GradientBoosting::default()
        .fit(&matrix, &y[..4_000], 3, None, 1)
        .unwrap();
    assert_eq!(fitted.n_trees(), 300);
    let reached = accuracy(&fitted, &test, &y[4_000..]);
    assert!(reached > 0.95, "{reached}");
}

#[test]
fn narrow_sums_learn_as_well_as_wide_ones() {
    let (x, y) = sample(50_000);
    let (train, test) = split_at(&x, 40_000);
    let fit = |n: usize| {
        let some = train.slice_axis(Axis(0), (0..n).into());
        let matrix = BinnedMatrix::new(some).unwrap();
        GradientBoosting::default()
            .fit(&matrix, &y[..n], 2, None, 1)
            .unwrap()
    };
    let (wide, narrow) = (fit(32_000), fit(40_000));
    let (wide, narrow) = (
        log_loss(&wide, &test, &y[40_000..]),
        log_loss(&narrow, &test, &y[40_000..]),
    );
    assert!(narrow < 1.02 * wide, "{narrow} {wide}");
}

#[test]
fn categories_are_split_by_sets_and_unknown_ones_go_with_the_others() {
    let (x, y) = categories(20_000);
    let (train, test) = split_at(&x, 15_000);
    let boosting = GradientBoosting {
        n_estimators: 10,
        num_leaves: 4,
        learning_rate: 0.3,
        ..Default::default()
    };
    let as_sets = BinnedMatrix::with_categories(train.view(), &[0]).unwrap();
    let as_sets = boosting.fit(&as_sets, &y[..15_000], 2, None, 1).unwrap();
    let as_numbers = BinnedMatrix::new(train.view()).unwrap();
    let as_numbers = boosting.fit(&as_numbers, &y[..15_000], 2, None, 1).unwrap();
    assert!(as_sets.has_category_splits() && !as_numbers.has_category_splits());
    let (sets, numbers) = (
        log_loss(&as_sets, &test, &y[15_000..]),
        log_loss(&as_numbers, &test, &y[15_000..]),
    );
    assert!(sets < 0.56 && sets < numbers - 0.03, "{sets} {numbers}");
    let root = as_sets.trees()[0].nodes()[0].as_category_split().unwrap();
    let codes: Vec<u8> = root.categories.codes().collect();
    let thirds = codes.iter().filter(|code| **code % 3 == 0).count();
    assert!(thirds == 0 || thirds == codes.len(), "{codes:?}");
    let odd = ndarray::array![[200.0, 0.5], [f32::NAN, 0.5]];
    let p = as_sets.predict_proba(odd.view());
    assert_eq!(p[[0, 1]], p[[1, 1]]);
}

#[test]
fn parameters_of_categories_bind() {
    let (x, y) = categories(5_000);
    let matrix = BinnedMatrix::with_categories(x.view(), &[0]).unwrap();
    let listed = |boosting: GradientBoosting| {
        let fitted = boosting.fit(&matrix, &y, 2, None, 1).unwrap();
        let nodes = fitted.trees().iter().flat_map(Tree::nodes);
        let sets = nodes.filter_map(|node| node.as_category_split());
        sets.map(|split| split.categories.codes().count()).max()
    };
    let plain = GradientBoosting {
        n_estimators: 5,
        min_data_per_group: 1,
        ..Default::default()
    };
    assert!(listed(plain.clone()) > Some(3));
    let few = GradientBoosting {
        max_cat_threshold: 3,
        ..plain.clone()
    };
    assert_eq!(listed(few), Some(3));
    let one = GradientBoosting {
        max_cat_to_onehot: 40,
        ..plain.clone()
    };
    assert_eq!(listed(one), Some(1));
    let rare = GradientBoosting {
        cat_smooth: 1e6,
        ..plain
    };
    assert_eq!(listed(rare), None);
}

#[test]
fn missing_values_take_the_side_that_gains() {
    for side in [0u16, 1] {
        let mut numbers = Numbers::new(3);
        let n = 2_000;
        let x = Array2::from_shape_fn((n, 1), |_| {
            let value = numbers.next();
            if value < 0.3 { f32::NAN } else { value }
        });
        // Missing values behave as large ones, or as small ones.
        let as_value = |v: f32| if v.is_nan() { f32::from(side) } else { v };
        let y: Vec<u16> = x.iter().map(|v| u16::from(as_value(*v) > 0.65)).collect();
        let matrix = BinnedMatrix::new(x.view()).unwrap();
        let fitted = GradientBoosting::default()
            .fit(&matrix, &y, 2, None, 1)
            .unwrap();
        assert!(accuracy(&fitted, &x, &y) > 0.99, "{side}");
        let root = fitted.trees()[0].nodes()[0].as_split().unwrap();
        assert_eq!(root.missing_left, side == 0);
    }
}

#[test]
fn leaves_keep_to_their_limits() {
    let (x, y) = sample(4_000);
    let matrix = BinnedMatrix::new(x.view()).unwrap();
    let fitted = GradientBoosting {
        n_estimators: 10,
        num_leaves: 9,
        max_depth: Some(3),
        min_data_in_leaf: 150,
        ..Default::default()
    }
    .fit(&matrix, &y, 2, None, 1)
    .unwrap();
    for tree in fitted.trees() {
        let nodes = tree.nodes();
        let leaves: Vec<usize> = (0..nodes.len())
            .filter(|i| nodes[*i].as_leaf().is_some())
            .collect();
        assert!(leaves.len() <= 8, "a tree of depth 3 has at most 8 leaves");
        for leaf in leaves {
            assert!(tree.cover()[leaf] >= 150.0);
        }
    }
}

#[test]
fn penalties_shrink_margins() {
    let (x, y) = sample(2_000);
    let matrix = BinnedMatrix::new(x.view()).unwrap();
    let largest = |boosting: GradientBoosting| {
        let fitted = boosting.fit(&matrix, &y, 2, None, 1).unwrap();
        let values = fitted.trees()[0].values();
        values
            .iter()
            .fold(0.0f32, |most, value| most.max(value.abs()))
    };
    let one = GradientBoosting {
        n_estimators: 1,
        ..Default::default()
    };
    let free = largest(one.clone());
    assert!(
        largest(GradientBoosting {
            lambda_l2: 50.0,
            ..one.clone()
        }) < 0.7 * free
    );
    assert!(
        largest(GradientBoosting {
            lambda_l1: 100.0,
            ..one
        }) < 0.9 * free
    );
}

#[test]
fn validation_loss_stops_boosting_at_its_least() {
    let (x, y) = sample(3_000);
    let (train, test) = split_at(&x, 2_000);
    let matrix = BinnedMatrix::new(train.view()).unwrap();
    let boosting = GradientBoosting {
        n_estimators: 400,
        learning_rate: 0.3,
        early_stopping_rounds: 10,
        ..Default::default()
    };
    let validation = Validation {
        x: test.view(),
        labels: &y[2_000..],
        weights: None,
    };
    let stopped = boosting
        .fit_with_validation(&matrix, &y[..2_000], 2, None, 1, validation)
        .unwrap();
    let full = boosting.fit(&matrix, &y[..2_000], 2, None, 1).unwrap();
    assert!(stopped.n_trees() < 200, "{}", stopped.n_trees());
    assert_eq!(stopped.trees(), &full.trees()[..stopped.n_trees()]);
    assert!(log_loss(&stopped, &test, &y[2_000..]) < log_loss(&full, &test, &y[2_000..]));
}

#[test]
fn out_of_fold_loss_is_that_of_fits_without_each_fold() {
    let (x, y) = sample(900);
    let folds: Vec<u8> = (0..900).map(|row| (row % 3) as u8).collect();
    let matrix = BinnedMatrix::new(x.view()).unwrap();
    let boosting = GradientBoosting {
        n_estimators: 60,
        learning_rate: 0.3,
        early_stopping_rounds: 60,
        ..Default::default()
    };
    let (fitted, found) = boosting
        .fit_with_folds(&matrix, &y, 2, None, 1, &folds)
        .unwrap();
    assert_eq!(fitted.n_trees(), found.best_rounds as usize);
    let best = found.losses[found.best_rounds as usize - 1];
    assert!(found.losses.iter().all(|loss| *loss >= best));
    let mut total = 0.0;
    for fold in 0..3 {
        let weights: Vec<f32> = folds
            .iter()
            .map(|f| f32::from(u8::from(*f != fold)))
            .collect();
        let rest = GradientBoosting {
            n_estimators: found.best_rounds,
            ..boosting.clone()
        }
        .fit(&matrix, &y, 2, Some(&weights), 1)
        .unwrap();
        let out: Vec<usize> = (0..900).filter(|row| folds[*row] == fold).collect();
        let labels: Vec<u16> = out.iter().map(|row| y[*row]).collect();
        total += log_loss(&rest, &x.select(Axis(0), &out), &labels) / 3.0;
    }
    assert!((total - best).abs() < 1e-6, "{total} {best}");
}

#[test]
fn sampling_still_finds_the_signal() {
    let (x, y) = sample(42_000);
    let (train, test) = split_at(&x, 36_000);
    let matrix = BinnedMatrix::new(train.view()).unwrap();
    let fitted = GradientBoosting {
        n_estimators: 50,
        bagging_fraction: 0.5,
        feature_fraction: 0.6,
        ..Default::default()
    }
    .fit(&matrix, &y[..36_000], 2, None, 1)
    .unwrap();
    let reached = accuracy(&fitted, &test, &y[36_000..]);
    assert!(reached > 0.92, "{reached}");
}

#[test]
fn a_class_of_more_weight_is_found_more_often() {
    let (x, y) = categories(4_000);
    let matrix = BinnedMatrix::new(x.view()).unwrap();
    let threats = |class_weight| {
        let boosting = GradientBoosting {
            n_estimators: 20,
            class_weight,
            ..Default::default()
        };
        let p = boosting
            .fit(&matrix, &y, 2, None, 1)
            .unwrap()
            .predict_proba(x.view());
        p.column(1).iter().filter(|p| **p >= 0.5).count()
    };
    let plain = threats(None);
    assert!(threats(Some(ClassWeight::Each(vec![1.0, 5.0]))) > plain + 500);
    assert!(threats(Some(ClassWeight::Each(vec![5.0, 1.0]))) + 500 < plain);
    // Class weights are row weights: bit for bit what those give.
    let each = Some(ClassWeight::Each(vec![1.0, 5.0]));
    let by_class = GradientBoosting {
        n_estimators: 5,
        class_weight: each,
        ..Default::default()
    };
    let by_row = GradientBoosting {
        n_estimators: 5,
        ..Default::default()
    };
    let weights: Vec<f32> = y
        .iter()
        .map(|label| if *label == 1 { 5.0 } else { 1.0 })
        .collect();
    assert_eq!(
        by_class.fit(&matrix, &y, 2, None, 1).unwrap(),
        by_row.fit(&matrix, &y, 2, Some(&weights), 1).unwrap()
    );
}

#[test]
fn importances_point_at_the_features_that_carry_the_signal() {
    let (x, y) = sample(6_000);
    let (train, test) = split_at(&x, 4_000);
    let matrix = BinnedMatrix::new(train.view()).unwrap();
    let fitted = GradientBoosting {
        n_estimators: 30,
        ..Default::default()
    }
    .fit(&matrix, &y[..4_000], 2, None, 1)
    .unwrap();
    let truth = &y[4_000..];
    let score = |p: &Array2<f64>| {
        let right = truth
            .iter()
            .enumerate()
            .filter(|(row, y)| (p[[*row, 1]] >= 0.5) == (**y == 1));
        right.count() as f64 / truth.len() as f64
    };
    let permuted = permutation_importance(&fitted, test.view(), 5, 1, score);
    let splits = split_importance(&fitted);
    assert_eq!(splits.iter().sum::<u64>(), 30 * 30);
    for signal in [0, 1, 5] {
        for noise in [2, 3, 4] {
            assert!(fitted.importance()[signal] > 3.0 * fitted.importance()[noise]);
            assert!(permuted[signal].mean > 0.05 && permuted[noise].mean.abs() < 0.01);
        }
    }
    assert!(splits[0] > 2 * splits[2], "{splits:?}");
    assert!(permuted[0].std > 0.0 && permuted[0].std < 0.02);
}
