use ndarray::Array2;
use trees::{BinnedMatrix, ClassWeight, DecisionTree, ExtraTrees, MaxFeatures, RandomForest};

use crate::rows::{Numbers, rings, sample};

#[test]
fn out_of_bag_score_is_near_that_of_new_rows_where_the_training_score_is_not() {
    let (x, mut y) = sample(6_000);
    // A fifth of the labels say nothing, so that memory does not help.
    let mut numbers = Numbers::new(5);
    y.iter_mut()
        .filter(|_| numbers.next() < 0.2)
        .for_each(|label| *label = 1 - *label);
    let (train, test) = x.view().split_at(ndarray::Axis(0), 3_000);
    let matrix = BinnedMatrix::new(train).unwrap();
    let forest = RandomForest {
        n_estimators: 200,
        ..Default::default()
    };
    let (fitted, out_of_bag) = forest
        .fit_out_of_bag(&matrix, &y[..3_000], 2, None, 1)
        .unwrap();
    assert_eq!(
        fitted,
        forest.fit(&matrix, &y[..3_000], 2, None, 1).unwrap()
    );
    let right = |x, y: &[u16]| {
        let p = fitted.predict_proba(x);
        let right = y
            .iter()
            .enumerate()
            .filter(|(row, y)| (p[[*row, 1]] >= 0.5) == (**y == 1));
        right.count() as f64 / y.len() as f64
    };
    let (on_train, on_test) = (right(train, &y[..3_000]), right(test, &y[3_000..]));
    assert!(
        (out_of_bag.score - on_test).abs() < 0.03,
        "{} {on_test}",
        out_of_bag.score
    );
    assert!(on_train > on_test + 0.1, "{on_train} {on_test}");
    assert_eq!(out_of_bag.n_scored, 3_000);
}

#[test]
fn a_row_whose_twin_was_drawn_counts_as_seen() {
    // Four distinct rows, 250 times each: nearly every tree has drawn each of them.
    let x = Array2::from_shape_fn((1_000, 2), |(row, feature)| ((row >> feature) % 2) as f32);
    let y: Vec<u16> = (0..1_000).map(|row| u16::from(row % 4 == 3)).collect();
    let matrix = BinnedMatrix::new(x.view()).unwrap();
    let (_, out_of_bag) = RandomForest::default()
        .fit_out_of_bag(&matrix, &y, 2, None, 1)
        .unwrap();
    assert_eq!(out_of_bag.n_scored, 0);
    assert!(out_of_bag.score.is_nan() && out_of_bag.probabilities.iter().all(|p| p.is_nan()));
}

#[test]
fn rows_of_weight_zero_have_no_out_of_bag_score() {
    let (x, y) = rings(600);
    let matrix = BinnedMatrix::new(x.view()).unwrap();
    let weights: Vec<f32> = (0..600)
        .map(|row| f32::from(u8::from(row % 3 > 0)))
        .collect();
    let forest = ExtraTrees {
        bootstrap: true,
        ..Default::default()
    };
    let (_, out_of_bag) = forest
        .fit_out_of_bag(&matrix, &y, 3, Some(&weights), 1)
        .unwrap();
    for (row, p) in out_of_bag.probabilities.rows().into_iter().enumerate() {
        assert_eq!(p[0].is_nan(), row % 3 == 0, "row {row}");
    }
    assert!(out_of_bag.score > 0.8, "{}", out_of_bag.score);
}

#[test]
fn a_node_goes_on_until_a_feature_splits_it() {
    // One feature in thirty tells, all others are constant within most nodes.
    let mut numbers = Numbers::new(9);
    let mut x = Array2::zeros((400, 30));
    x.column_mut(17)
        .iter_mut()
        .for_each(|cell| *cell = (numbers.next() * 200.0).floor() / 200.0);
    let y: Vec<u16> = x
        .column(17)
        .iter()
        .map(|value| u16::from(*value > 0.4))
        .collect();
    let matrix = BinnedMatrix::new(x.view()).unwrap();
    let fitted = RandomForest {
        n_estimators: 10,
        bootstrap: false,
        ..Default::default()
    }
    .fit(&matrix, &y, 2, None, 1)
    .unwrap();
    let p = fitted.predict_proba(x.view());
    for (row, label) in y.iter().enumerate() {
        assert_eq!(p[[row, usize::from(*label)]], 1.0);
    }
}

#[test]
fn depth_and_leaf_size_bind() {
    let (x, y) = sample(2_000);
    let matrix = BinnedMatrix::new(x.view()).unwrap();
    let tree = DecisionTree {
        max_depth: Some(4),
        min_samples_leaf: 30,
        ..Default::default()
    };
    let fitted = tree.fit(&matrix, &y, 2, None, 1).unwrap();
    let tree = &fitted.trees()[0];
    assert!(tree.nodes().len() <= 31 && tree.nodes().len() > 10);
    assert!(tree.cover().iter().all(|cover| *cover >= 30.0));
}

#[test]
fn balanced_classes_weigh_the_same_in_the_root() {
    let (x, _) = sample(1_000);
    let y: Vec<u16> = (0..1_000).map(|row| u16::from(row % 10 == 0)).collect();
    let matrix = BinnedMatrix::new(x.view()).unwrap();
    let stump = DecisionTree {
        max_depth: Some(1),
        max_features: MaxFeatures::All,
        class_weight: Some(ClassWeight::BALANCED),
        ..Default::default()
    };
    let fitted = stump.fit(&matrix, &y, 2, None, 1).unwrap();
    let tree = &fitted.trees()[0];
    let leaves = tree.values().chunks(2).zip(&tree.cover()[1..]);
    let threat: f32 = leaves.map(|(p, cover)| p[1] * cover).sum();
    assert!((threat / tree.cover()[0] - 0.5).abs() < 1e-3, "{threat}");
}
