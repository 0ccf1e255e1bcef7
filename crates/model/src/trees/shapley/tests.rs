use ndarray::{Array2, ArrayView1, Axis};
use proptest::prelude::*;

use crate::trees::{
    Aggregation, Branch, CategorySplit, Node, Split, Tree, TreeEnsemble, random::grower,
};

/// The game as Lundberg et al. define it: the expected value of a node's leaves where the features of
/// `coalition` (a bit each) are as in the row, and the others as the covers share them out.
fn expectation(
    tree: &Tree,
    node: usize,
    row: ArrayView1<'_, f32>,
    coalition: u32,
    value: &dyn Fn(usize) -> f64,
) -> f64 {
    let Some(split) = tree.nodes()[node].as_branch() else {
        return value(tree.nodes()[node].as_leaf().unwrap());
    };
    let left = split.left();
    let below = |child| expectation(tree, child, row, coalition, value);
    if coalition & 1 << split.feature() != 0 {
        return below(left + usize::from(!split.takes_left(row[split.feature()])));
    }
    let covers = [left, left + 1].map(|child| f64::from(tree.cover()[child]));
    match covers[0] + covers[1] {
        0.0 => (below(left) + below(left + 1)) / 2.0,
        total => (covers[0] * below(left) + covers[1] * below(left + 1)) / total,
    }
}

/// The raw score of an output for a coalition.
fn game(model: &TreeEnsemble, output: usize, row: ArrayView1<'_, f32>, coalition: u32) -> f64 {
    let (classes, outputs) = (model.n_classes(), model.n_outputs());
    let trees = model.trees();
    match model.aggregation() {
        Aggregation::Boosting { base } => {
            let own = trees.iter().skip(output).step_by(outputs);
            let margins = own.map(|tree| {
                expectation(tree, 0, row, coalition, &|leaf| {
                    f64::from(tree.values()[leaf])
                })
            });
            base[output] + margins.sum::<f64>()
        }
        Aggregation::Averaging => {
            let shares = trees.iter().map(|tree| {
                let share = |leaf: usize| {
                    let leaf = &tree.values()[leaf * classes..][..classes];
                    let total: f64 = leaf.iter().map(|p| f64::from(*p)).sum();
                    f64::from(leaf[classes - outputs + output]) / total
                };
                expectation(tree, 0, row, coalition, &share)
            });
            shares.sum::<f64>() / trees.len() as f64
        }
    }
}

/// Shapley's formula: the mean over all coalitions of what a feature adds to them.
fn shapley(n: usize, game: impl Fn(u32) -> f64) -> Vec<f64> {
    let values: Vec<f64> = (0..1 << n).map(game).collect();
    let factorial = |k: u32| (1..=k).map(f64::from).product::<f64>();
    let value = |feature: usize| {
        let without = (0..1u32 << n).filter(|s| s & 1 << feature == 0);
        without
            .map(|s| {
                let size = s.count_ones();
                let weight = factorial(size) * factorial(n as u32 - size - 1) / factorial(n as u32);
                weight * (values[(s | 1 << feature) as usize] - values[s as usize])
            })
            .sum()
    };
    (0..n).map(value).collect()
}

/// Compares every contribution with Shapley's formula, and the base with the empty coalition.
fn check(model: &TreeEnsemble, rows: &Array2<f32>) {
    let n = model.n_features();
    let found = model.contributions(rows.view());
    for (row, found_row) in rows.rows().into_iter().zip(found.values.rows()) {
        for output in 0..model.n_outputs() {
            let of = |coalition| game(model, output, row, coalition);
            assert!(
                (found.base[output] - of(0)).abs() < 1e-12,
                "base of {output}"
            );
            for (feature, expected) in shapley(n, of).into_iter().enumerate() {
                let value = found_row[output * n + feature];
                assert!(
                    (value - expected).abs() < 1e-11,
                    "feature {feature} of {row}: {value}, not {expected}"
                );
            }
        }
    }
}

fn raw_scores(model: &TreeEnsemble, row: ArrayView1<'_, f32>) -> Vec<f64> {
    let everyone = u32::MAX;
    (0..model.n_outputs())
        .map(|output| game(model, output, row, everyone))
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn contributions_are_the_shapley_values_by_definition(
        seed: u64, n_features in 1usize..7, depth in 1usize..7, n_classes in 2usize..5, averaging: bool,
    ) {
        let mut grower = grower(seed, n_features, depth);
        let model = grower.ensemble(n_classes, averaging, 3);
        check(&model, &grower.rows(6));
    }

    #[test]
    fn base_and_contributions_sum_to_the_raw_score_of_every_row(
        seed: u64, n_features in 1usize..31, depth in 1usize..12, n_classes in 2usize..4, averaging: bool,
    ) {
        let mut grower = grower(seed, n_features, depth);
        let model = grower.ensemble(n_classes, averaging, 4);
        let rows = grower.rows(20);
        let found = model.contributions(rows.view());
        for (row, values) in rows.rows().into_iter().zip(found.values.rows()) {
            let parts = values.as_slice().unwrap().chunks_exact(n_features);
            for ((raw, base), parts) in raw_scores(&model, row).iter().zip(&found.base).zip(parts) {
                let sum = base + parts.iter().sum::<f64>();
                prop_assert!((sum - raw).abs() <= 1e-9 * raw.abs().max(1e-3), "{sum} for {raw}");
            }
        }
    }

    #[test]
    fn features_that_change_places_change_contributions(seed: u64, averaging: bool) {
        let mut grower = grower(seed, 4, 5);
        let model = grower.ensemble(2, averaging, 3);
        let mut trees = model.trees().to_vec();
        trees.extend(model.trees().iter().map(exchanged));
        let both = TreeEnsemble::new(4, 2, model.aggregation().clone(), trees, vec![0.0; 4]).unwrap();
        let mut rows = grower.rows(10);
        let first = rows.column(0).to_owned();
        rows.column_mut(1).assign(&first);
        for values in both.contributions(rows.view()).values.rows() {
            prop_assert!((values[0] - values[1]).abs() < 1e-12, "{values}");
        }
    }
}

/// The tree with features 0 and 1 in each other's place.
fn exchanged(tree: &Tree) -> Tree {
    let nodes = tree.nodes().iter().map(|node| match node.as_branch() {
        Some(Branch::Threshold(split)) if split.feature < 2 => Node::split(Split {
            feature: 1 - split.feature,
            ..split
        }),
        Some(Branch::Categories(split)) if split.feature < 2 => {
            Node::category_split(CategorySplit {
                feature: 1 - split.feature,
                ..split
            })
        }
        _ => *node,
    });
    Tree::new(
        nodes.collect(),
        tree.cover().to_vec(),
        tree.values().to_vec(),
    )
}

/// A chain that asks for each feature in turn: as many distinct features on its longest path.
fn chain(n_features: usize) -> TreeEnsemble {
    let (mut nodes, mut values, mut cover) = (Vec::new(), Vec::new(), vec![1.0]);
    for feature in 0..n_features {
        nodes.push(Node::split(Split {
            feature: feature as u16,
            threshold: 0.0,
            missing_left: false,
            left: 2 * feature as u32 + 1,
        }));
        nodes.push(Node::leaf(feature as u32));
        values.push((feature as f32 * 1.7).sin());
        let all = cover[2 * feature];
        cover.extend([all * 0.25, all * 0.75]);
    }
    nodes.push(Node::leaf(n_features as u32));
    values.push(3.0);
    let tree = Tree::new(nodes, cover, values);
    let aggregation = Aggregation::Boosting { base: vec![0.25] };
    TreeEnsemble::new(
        n_features,
        2,
        aggregation,
        vec![tree],
        vec![0.0; n_features],
    )
    .unwrap()
}

fn signs(n_rows: usize, n_features: usize) -> Array2<f32> {
    Array2::from_shape_fn((n_rows, n_features), |(i, j)| {
        [1.0, -1.0, 1.0][(i * j + i) % 3]
    })
}

#[test]
fn a_path_of_twelve_features_takes_more_than_one_pass_and_stays_exact() {
    check(&chain(12), &signs(4, 12));
}

#[test]
fn a_path_of_two_hundred_features_stays_additive() {
    let (model, rows) = (chain(200), signs(9, 200));
    let found = model.contributions(rows.view());
    for (row, values) in rows.rows().into_iter().zip(found.values.rows()) {
        let leaf = model.trees()[0].leaf_of(row.as_slice().unwrap());
        let raw = 0.25 + f64::from(model.trees()[0].values()[leaf]);
        let sum = found.base[0] + values.sum();
        assert!((sum - raw).abs() <= 1e-9 * raw.abs(), "{sum} for {raw}");
    }
}

#[test]
fn raw_scores_are_those_of_scoring() {
    let mut grower = grower(7, 5, 4);
    for (n_classes, averaging) in [(2, false), (2, true), (3, false), (3, true)] {
        let model = grower.ensemble(n_classes, averaging, 5);
        let rows = grower.rows(50);
        let scores = model.predict_proba(rows.view());
        for (row, scores) in rows.rows().into_iter().zip(scores.rows()) {
            let raw = raw_scores(&model, row);
            let threat = 1.0 - scores[0];
            let expected = match (n_classes, averaging) {
                (2, true) => raw[0],
                (2, false) => 1.0 / (1.0 + (-raw[0]).exp()),
                (_, true) => 1.0 - raw[0],
                _ => 1.0 - raw[0].exp() / raw.iter().map(|m| m.exp()).sum::<f64>(),
            };
            assert!((threat - expected).abs() < 1e-14, "{threat} for {expected}");
        }
    }
}

#[test]
fn a_feature_that_no_split_asks_for_contributes_nothing() {
    let mut grower = grower(3, 4, 6);
    let small = grower.ensemble(2, false, 20);
    let model = TreeEnsemble::new(
        5,
        2,
        small.aggregation().clone(),
        small.trees().to_vec(),
        vec![0.0; 5],
    )
    .unwrap();
    grower.n_features = 5;
    let values = model.contributions(grower.rows(20).view()).values;
    assert!(values.column(4).iter().all(|value| *value == 0.0));
    assert!((0..4).all(|feature| values.column(feature).iter().any(|value| *value != 0.0)));
}

#[test]
fn a_tree_without_splits_is_all_base() {
    let tree = Tree::new(vec![Node::leaf(0)], vec![1.0], vec![0.5]);
    let aggregation = Aggregation::Boosting { base: vec![1.0] };
    let model = TreeEnsemble::new(2, 2, aggregation, vec![tree], vec![0.0; 2]).unwrap();
    let found = model.contributions(Array2::zeros((3, 2)).view());
    assert_eq!(
        (found.base, found.values),
        (vec![1.5], Array2::zeros((3, 2)))
    );
}

#[test]
fn a_row_is_explained_alone_as_among_others_at_any_number_of_threads() {
    let mut grower = grower(11, 9, 8);
    let model = grower.ensemble(3, false, 10);
    let rows = grower.rows(700);
    let with = |threads| {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .unwrap();
        pool.install(|| model.contributions(rows.view()))
    };
    let all = with(1);
    assert_eq!(all, with(2));
    assert_eq!(all, with(8));
    for at in [0, 255, 256, 699] {
        let alone = model.contributions(rows.slice_axis(Axis(0), (at..at + 1).into()));
        assert_eq!(alone.values.row(0), all.values.row(at));
    }
}

#[test]
fn no_rows_have_no_contributions() {
    let model = chain(3);
    assert_eq!(
        model
            .contributions(Array2::zeros((0, 3)).view())
            .values
            .dim(),
        (0, 3)
    );
}
