//! Random trees and rows, for tests.

use ndarray::Array2;
use rand_chacha::{
    ChaCha8Rng,
    rand_core::{Rng, SeedableRng},
};

use super::{Aggregation, CategorySet, CategorySplit, Node, Split, Tree, TreeEnsemble};

/// Grows random trees: few thresholds, so that features repeat on a path, and rows that meet them.
pub(super) struct Grower {
    random: ChaCha8Rng,
    pub(super) n_features: usize,
    width: usize,
    depth: usize,
}

impl Grower {
    fn below(&mut self, n: usize) -> usize {
        (self.random.next_u64() % n as u64) as usize
    }

    fn tree(&mut self) -> Tree {
        let (mut nodes, mut depths, mut values) = (Vec::new(), vec![0], Vec::new());
        while nodes.len() < depths.len() {
            let depth = depths[nodes.len()];
            if depth == self.depth || (depth > 0 && self.below(4) == 0) {
                nodes.push(Node::leaf((values.len() / self.width) as u32));
                values.extend(self.leaf());
                continue;
            }
            nodes.push(self.split(depths.len() as u32));
            depths.extend([depth + 1; 2]);
        }
        let cover = self.cover(&nodes);
        Tree::new(nodes, cover, values)
    }

    /// One split in four is by some of the categories 0 to 2.
    fn split(&mut self, left: u32) -> Node {
        let feature = self.below(self.n_features) as u16;
        if self.below(4) > 0 {
            return Node::split(Split {
                feature,
                threshold: self.below(5) as f32 - 2.0,
                missing_left: self.below(2) == 0,
                left,
            });
        }
        let mut categories = CategorySet::default();
        (0..3)
            .filter(|_| self.below(2) == 0)
            .for_each(|code| categories.insert(code));
        Node::category_split(CategorySplit {
            feature,
            categories,
            left,
        })
    }

    /// A margin, or probabilities.
    fn leaf(&mut self) -> Vec<f32> {
        let values: Vec<f32> = (0..self.width)
            .map(|_| self.below(100) as f32 + 1.0)
            .collect();
        if self.width == 1 {
            return vec![values[0] / 50.0 - 1.0];
        }
        let total: f32 = values.iter().sum();
        values.iter().map(|value| value / total).collect()
    }

    /// Leaves that one row in four never reached, and their sums.
    fn cover(&mut self, nodes: &[Node]) -> Vec<f32> {
        let mut cover = vec![0.0; nodes.len()];
        for (at, node) in nodes.iter().enumerate().rev() {
            cover[at] = match node.as_branch() {
                Some(split) => cover[split.left()] + cover[split.left() + 1],
                None => self.below(4).min(1) as f32 * (self.below(50) as f32 + 0.5),
            };
        }
        cover
    }

    pub(super) fn ensemble(
        &mut self,
        n_classes: usize,
        averaging: bool,
        n_rounds: usize,
    ) -> TreeEnsemble {
        let n_outputs = if n_classes == 2 { 1 } else { n_classes };
        self.width = if averaging { n_classes } else { 1 };
        let n_trees = if averaging {
            n_rounds
        } else {
            n_rounds * n_outputs
        };
        let trees = (0..n_trees).map(|_| self.tree()).collect();
        let base = (0..n_outputs).map(|k| k as f64 / 4.0 - 0.3).collect();
        let aggregation = if averaging {
            Aggregation::Averaging
        } else {
            Aggregation::Boosting { base }
        };
        let importance = vec![0.0; self.n_features];
        TreeEnsemble::new(self.n_features, n_classes, aggregation, trees, importance).unwrap()
    }

    /// Values on, between and beyond the thresholds; one in six is missing.
    pub(super) fn rows(&mut self, n_rows: usize) -> Array2<f32> {
        Array2::from_shape_simple_fn((n_rows, self.n_features), || match self.below(6) {
            0 => f32::NAN,
            _ => self.below(11) as f32 / 2.0 - 2.5,
        })
    }
}

pub(super) fn grower(seed: u64, n_features: usize, depth: usize) -> Grower {
    let random = ChaCha8Rng::seed_from_u64(seed);
    Grower {
        random,
        n_features,
        width: 1,
        depth,
    }
}
