use ndarray::Array2;
use proptest::prelude::*;

use super::*;
use crate::trees::{Node, Split, Tree, random::grower};

/// Compares where each way of searching ends with where the stored trees lead; says which ways there are.
fn check(model: &TreeEnsemble, rows: &Array2<f32>) -> [bool; 2] {
    let (trees, width) = (model.trees(), model.leaf_width());
    let small = Masks::<u32>::new(trees, width).map(Search::Small);
    let medium = Masks::<u64>::new(trees, width).map(Search::Medium);
    let ways = [small.is_some(), medium.is_some()];
    let any = Search::Any(Walk::new(trees, width));
    for search in [small, medium, Some(any)].into_iter().flatten() {
        let layout = Layout {
            search,
            ..Layout::new(model)
        };
        let n_features = model.n_features();
        check_leaves(model, &layout, rows.as_slice().unwrap());
        for row in rows.as_slice().unwrap().chunks_exact(n_features).take(3) {
            check_leaves(model, &layout, row);
        }
    }
    ways
}

fn check_leaves(model: &TreeEnsemble, layout: &Layout, rows: &[f32]) {
    let n_features = model.n_features();
    let mut seen = vec![0; rows.len() / n_features];
    layout.for_each_leaf(rows, n_features, |row, tree, values| {
        assert_eq!(tree, seen[row], "trees in order");
        seen[row] += 1;
        let before = model.trees()[..tree]
            .iter()
            .map(|t| t.values().len())
            .sum::<usize>();
        let leaf = model.trees()[tree].leaf_of(&rows[row * n_features..][..n_features]);
        let expected = before + leaf * model.leaf_width();
        assert_eq!(
            layout.values.len() - values.len(),
            expected,
            "row {row}, tree {tree}"
        );
    });
    assert!(seen.iter().all(|trees| *trees == model.trees().len()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_way_of_searching_ends_in_the_leaves_of_the_stored_trees(
        seed: u64, n_features in 1usize..9, depth in 1usize..9, averaging: bool,
    ) {
        let mut grower = grower(seed, n_features, depth);
        let model = grower.ensemble(3, averaging, 5);
        check(&model, &grower.rows(37));
    }
}

#[test]
fn several_groups_of_trees_keep_their_order() {
    let mut grower = grower(5, 4, 4);
    let model = grower.ensemble(2, false, 300);
    assert_eq!(check(&model, &grower.rows(9)), [true, true]);
}

/// A chain of so many leaves, alternating sides, over thresholds that meet 0, -0 and infinite values.
fn chain(n_leaves: u32, right: bool) -> TreeEnsemble {
    let mut nodes = vec![Node::leaf(0)];
    for at in 1..n_leaves {
        let left = nodes.len() as u32;
        let inner = left as usize - 1 - usize::from(at > 1 && !right);
        nodes[inner] = Node::split(Split {
            feature: 0,
            threshold: (at as f32 - 3.0) * if right { 1.0 } else { -1.0 },
            missing_left: at % 3 == 0,
            left,
        });
        let leaf = at - 1;
        nodes.extend(if right {
            [Node::leaf(leaf), Node::leaf(at)]
        } else {
            [Node::leaf(at), Node::leaf(leaf)]
        });
    }
    let values = (0..n_leaves).map(|leaf| leaf as f32).collect();
    let tree = Tree::new(nodes.clone(), vec![1.0; nodes.len()], values);
    let aggregation = Aggregation::Boosting { base: vec![0.0] };
    TreeEnsemble::new(1, 2, aggregation, vec![tree], vec![0.0]).unwrap()
}

#[test]
fn masks_hold_as_many_leaves_as_they_have_bits() {
    let mut values: Vec<f32> = (-70..70).map(|v| v as f32).collect();
    values.extend([-0.0, 0.5, f32::NAN, f32::INFINITY, f32::NEG_INFINITY]);
    let rows = Array2::from_shape_vec((values.len(), 1), values).unwrap();
    for right in [true, false] {
        for (n_leaves, ways) in [
            (1, [true, true]),
            (32, [true, true]),
            (33, [false, true]),
            (64, [false, true]),
            (65, [false, false]),
        ] {
            assert_eq!(check(&chain(n_leaves, right), &rows), ways, "{n_leaves}");
        }
    }
}

#[test]
fn an_ensemble_without_trees_has_no_leaves() {
    let aggregation = Aggregation::Boosting { base: vec![0.5] };
    let model = TreeEnsemble::new(2, 2, aggregation, vec![], vec![0.0; 2]).unwrap();
    check(&model, &Array2::zeros((3, 2)));
    let p = model.predict_proba(Array2::zeros((1, 2)).view());
    assert_eq!(p[[0, 1]], 1.0 / (1.0 + (-0.5f64).exp()));
}
