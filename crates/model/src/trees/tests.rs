use ndarray::{Array2, array};

use super::*;

fn split(feature: u16, threshold: f32, missing_left: bool, left: u32) -> Node {
    Node::split(Split {
        feature,
        threshold,
        missing_left,
        left,
    })
}

/// `x0 <= 0.5` (missing left), then on the right `x1 <= 2` (missing right).
fn nodes() -> Vec<Node> {
    vec![
        split(0, 0.5, true, 1),
        Node::leaf(0),
        split(1, 2.0, false, 3),
        Node::leaf(1),
        Node::leaf(2),
    ]
}

fn forest(nodes: Vec<Node>, values: Vec<f32>) -> Result<TreeEnsemble, String> {
    let cover = vec![1.0; nodes.len()];
    let tree = Tree::new(nodes, cover, values);
    TreeEnsemble::new(2, 2, Aggregation::Averaging, vec![tree], vec![3.0, 1.0])
}

fn leaves() -> Vec<f32> {
    vec![1.0, 0.0, 0.25, 0.75, 0.0, 1.0]
}

fn boosting(n_classes: usize, base: Vec<f64>, leaves: &[[f32; 3]]) -> TreeEnsemble {
    let trees = leaves
        .iter()
        .map(|values| Tree::new(nodes(), vec![1.0; 5], values.to_vec()))
        .collect();
    let aggregation = Aggregation::Boosting { base };
    TreeEnsemble::new(2, n_classes, aggregation, trees, vec![0.0, 0.0]).unwrap()
}

#[test]
fn a_value_equal_to_the_threshold_goes_left_and_missing_ones_where_the_split_says() {
    let model = forest(nodes(), leaves()).unwrap();
    let nan = f32::NAN;
    let x = array![
        [0.5, 9.0],
        [nan, 9.0],
        [0.6, 2.0],
        [0.6, 2.1],
        [0.6, nan],
        [f32::INFINITY, f32::NEG_INFINITY]
    ];
    let threat = model.predict_proba(x.view()).column(1).to_vec();
    assert_eq!(threat, [0.0, 0.0, 0.75, 1.0, 1.0, 0.75]);
}

#[test]
fn two_classes_pass_the_summed_margin_through_the_logistic_function() {
    let model = boosting(2, vec![0.5], &[[1.0, 2.0, -1.0], [0.25, 0.0, 0.0]]);
    let p = model.predict_proba(array![[0.0, 0.0]].view());
    let expected = 1.0 / (1.0 + (-1.75f64).exp());
    assert!((p[[0, 1]] - expected).abs() < 1e-15);
    assert!((p.sum() - 1.0).abs() < 1e-15);
}

#[test]
fn three_classes_take_one_tree_in_turn_and_a_softmax() {
    let base = vec![0.0, 1.0, 2.0];
    let model = boosting(
        3,
        base,
        &[[1.0; 3], [2.0; 3], [-3.0; 3], [0.5; 3], [0.0; 3], [0.0; 3]],
    );
    let p = model.predict_proba(array![[0.0, 0.0]].view());
    let e = [1.5f64, 3.0, -1.0].map(f64::exp);
    for k in 0..3 {
        assert!((p[[0, k]] - e[k] / e.iter().sum::<f64>()).abs() < 1e-15);
    }
}

#[test]
fn extreme_margins_stay_finite() {
    let model = boosting(
        2,
        vec![0.0],
        &[[f32::MAX, f32::MIN, 0.0], [f32::MAX, f32::MIN, 0.0]],
    );
    let p = model.predict_proba(array![[0.0, 0.0], [1.0, 0.0]].view());
    assert_eq!(p, array![[0.0, 1.0], [1.0, 0.0]]);
}

#[test]
fn a_batch_scores_each_row_as_one_row_does_in_any_layout() {
    let model = boosting(2, vec![0.1], &[[0.3, -0.7, 0.9], [0.2, 0.4, -0.6]]);
    let x = Array2::from_shape_fn((1003, 2), |(i, j)| ((i * 7 + j * 3) % 11) as f32 / 4.0);
    let transposed = x.t().as_standard_layout().into_owned();
    let batch = model.predict_proba(x.view());
    assert_eq!(batch, model.predict_proba(transposed.t()));
    let mut one = [0.0; 2];
    for (row, expected) in x.rows().into_iter().zip(batch.rows()) {
        model.predict_proba_into(row.as_slice().unwrap(), &mut one);
        assert_eq!(one.as_slice(), expected.as_slice().unwrap());
    }
}

#[test]
fn no_rows_give_no_scores() {
    let model = forest(nodes(), leaves()).unwrap();
    assert_eq!(
        model.predict_proba(Array2::zeros((0, 2)).view()).dim(),
        (0, 2)
    );
}

#[test]
fn importance_sums_to_one() {
    assert_eq!(
        forest(nodes(), leaves()).unwrap().importance(),
        [0.75, 0.25]
    );
}

#[test]
fn an_ensemble_survives_json() {
    let model = forest(nodes(), leaves()).unwrap();
    let text = serde_json::to_string(&model).unwrap();
    assert_eq!(serde_json::from_str::<TreeEnsemble>(&text).unwrap(), model);
}

/// Replaces one node of a sound forest and expects the reason.
fn check(at: usize, node: Node, reason: &str) {
    let mut bad = nodes();
    bad[at] = node;
    assert_eq!(forest(bad, leaves()).unwrap_err(), reason);
}

#[test]
fn damaged_nodes_are_refused_with_their_place() {
    check(0, split(2, 0.5, true, 1), "tree 0: node 0: feature 2 of 2");
    check(
        0,
        split(0, f32::NAN, true, 1),
        "tree 0: node 0: a threshold of NaN",
    );
    check(
        0,
        split(0, f32::INFINITY, true, 1),
        "tree 0: node 0: a threshold of inf",
    );
    check(
        0,
        split(0, 0.5, true, 0),
        "tree 0: node 0: children 0 and the next, of 5 nodes",
    );
    check(
        2,
        split(0, 0.5, true, 1),
        "tree 0: node 2: children 1 and the next, of 5 nodes",
    );
    check(
        2,
        split(0, 0.5, true, 4),
        "tree 0: node 2: children 4 and the next, of 5 nodes",
    );
    check(
        0,
        split(0, 0.5, true, 3),
        "tree 0: node 2: shares a child with another node",
    );
    check(4, Node::leaf(3), "tree 0: node 4: leaf 3 of 3");
    check(2, Node::leaf(1), "tree 0: node 3 has no parent");
}

#[test]
fn damaged_values_are_refused() {
    let with = |at: usize, value: f32| {
        let mut values = leaves();
        values[at] = value;
        forest(nodes(), values).unwrap_err()
    };
    assert_eq!(with(0, f32::NAN), "tree 0: a leaf value of NaN");
    assert_eq!(with(1, -1.0), "tree 0: a leaf's probabilities sum to 0");
    assert_eq!(with(1, 0.5), "tree 0: a leaf's probabilities sum to 1.5");
    assert_eq!(
        forest(nodes(), vec![0.0; 5]).unwrap_err(),
        "tree 0: 5 leaf values, 2 a leaf"
    );
    assert_eq!(
        forest(vec![], vec![]).unwrap_err(),
        "tree 0: 0 nodes, 0 covers"
    );
}

#[test]
fn wrong_counts_are_refused() {
    let of = |n_features, n_classes, aggregation, importance| {
        TreeEnsemble::new(n_features, n_classes, aggregation, vec![], importance).unwrap_err()
    };
    let boosting = |base| Aggregation::Boosting { base };
    assert_eq!(
        of(0, 2, boosting(vec![0.0]), vec![]),
        "0 features, 1 to 65535"
    );
    assert_eq!(
        of(1, 1, boosting(vec![0.0]), vec![0.0]),
        "1 classes, 2 to 65535"
    );
    assert_eq!(
        of(1, 2, boosting(vec![]), vec![0.0]),
        "0 base margins, 1 needed"
    );
    assert_eq!(
        of(1, 3, boosting(vec![0.0]), vec![0.0]),
        "1 base margins, 3 needed"
    );
    assert_eq!(
        of(1, 2, boosting(vec![f64::NAN]), vec![0.0]),
        "a base margin of NaN"
    );
    assert_eq!(
        of(1, 2, boosting(vec![0.0]), vec![]),
        "0 importances for 1 features"
    );
    assert_eq!(
        of(1, 2, Aggregation::Averaging, vec![0.0]),
        "no tree to average"
    );
}

#[test]
fn listed_categories_go_left_and_everything_else_right() {
    let mut categories = CategorySet::default();
    [0, 3, 254]
        .into_iter()
        .for_each(|code| categories.insert(code));
    assert_eq!(categories.codes().collect::<Vec<_>>(), [0, 3, 254]);
    let split = CategorySplit {
        feature: 0,
        categories,
        left: 1,
    };
    let nodes = vec![Node::category_split(split), Node::leaf(0), Node::leaf(1)];
    let model = forest(nodes, vec![0.0, 1.0, 1.0, 0.0]).unwrap();
    assert!(model.has_category_splits());
    let values = [
        0.0,
        3.0,
        254.0,
        -0.0,
        1.0,
        255.0,
        256.0,
        -3.0,
        3.5,
        1e30,
        f32::NAN,
        f32::INFINITY,
    ];
    let x = Array2::from_shape_fn((values.len(), 2), |(row, _)| values[row]);
    let left = model.predict_proba(x.view()).column(1).to_vec();
    assert_eq!(
        left,
        [1.0, 1.0, 1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    );
}
