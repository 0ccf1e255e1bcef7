//! The trees as scoring reads them: built on first use from what is stored, and never stored itself.

mod masks;
mod walk;

use std::sync::OnceLock;

use super::{Aggregation, TreeEnsemble};
use masks::Masks;
use walk::Walk;

/// The scoring layout of an ensemble.
#[derive(Debug)]
pub(super) struct Layout {
    /// Margins, or probabilities that sum to 1 in double precision: leaf after leaf, tree after tree.
    values: Vec<f64>,
    search: Search,
}

/// How a row's leaves are found.
#[derive(Debug)]
enum Search {
    /// In small trees: by bit masks of leaves.
    Small(Masks<u32>),
    /// In trees of up to 64 leaves: likewise.
    Medium(Masks<u64>),
    /// In any trees: step by step.
    Any(Walk),
}

impl Layout {
    /// Lays out trees that have been checked.
    fn new(ensemble: &TreeEnsemble) -> Self {
        let width = ensemble.leaf_width();
        let leaves = ensemble.trees.iter().flat_map(|tree| tree.values());
        let mut values: Vec<f64> = leaves.copied().map(f64::from).collect();
        if ensemble.aggregation == Aggregation::Averaging {
            values.chunks_exact_mut(width).for_each(normalise);
        }
        let search = Masks::new(&ensemble.trees, width)
            .map(Search::Small)
            .or_else(|| Masks::new(&ensemble.trees, width).map(Search::Medium))
            .unwrap_or_else(|| Search::Any(Walk::new(&ensemble.trees, width)));
        Self { values, search }
    }

    /// Calls `add` for each of the contiguous `rows` and each tree, in the order of the trees, with the
    /// row's place, the tree's, and the values from those of the leaf that the row reaches onwards.
    #[inline]
    pub(super) fn for_each_leaf(
        &self,
        rows: &[f32],
        n_features: usize,
        mut add: impl FnMut(usize, usize, &[f64]),
    ) {
        let found = |row, tree, leaf: usize| add(row, tree, &self.values[leaf..]);
        match &self.search {
            Search::Small(masks) => masks.find(rows, n_features, found),
            Search::Medium(masks) => masks.find(rows, n_features, found),
            Search::Any(walk) => walk.find(rows, n_features, found),
        }
    }
}

fn normalise(leaf: &mut [f64]) {
    let total: f64 = leaf.iter().sum();
    leaf.iter_mut().for_each(|p| *p /= total);
}

/// A layout that is built when someone first asks for it, and is no part of an ensemble's identity.
#[derive(Debug, Default)]
pub(super) struct LazyLayout(OnceLock<Layout>);

impl LazyLayout {
    pub(super) fn of<'a>(&'a self, ensemble: &TreeEnsemble) -> &'a Layout {
        self.0.get_or_init(|| Layout::new(ensemble))
    }
}

impl Clone for LazyLayout {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for LazyLayout {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests;
