//! Fitted tree ensembles: boosting, forests and single trees, and how they score.

mod check;
mod layout;
#[cfg(test)]
mod random;
mod rounds;
mod shapley;
mod tree;

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use layout::{Layout, LazyLayout};
pub use tree::{Branch, CategorySet, CategorySplit, Node, Split, Tree};

/// Rows that are scored together, so that a tree is read once for all of them.
const BLOCK_ROWS: usize = 256;

/// A fitted ensemble of trees.
///
/// A row takes the left child of a split when `x <= threshold`, the right one when `x > threshold`;
/// NaN takes the side that the split names. A split by categories sends the codes that it lists left and
/// everything else right. Class 0 is benign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TreeEnsemble {
    n_features: u32,
    n_classes: u32,
    aggregation: Aggregation,
    trees: Vec<Tree>,
    importance: Vec<f64>,
    #[serde(skip)]
    layout: LazyLayout,
}

/// How the trees' leaves become class probabilities.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Aggregation {
    /// Leaves hold one margin, already shrunk by the learning rate.
    ///
    /// `base` holds one value (two classes: the log-odds of class 1, then a logistic link) or one a
    /// class (softmax); tree `i` adds to margin `i % base.len()`.
    Boosting {
        /// The margins before the first tree.
        base: Vec<f64>,
    },
    /// Leaves hold the probability of each class; the ensemble's are their mean.
    Averaging,
}

impl Aggregation {
    fn leaf_width(&self, n_classes: usize) -> usize {
        match self {
            Self::Boosting { .. } => 1,
            Self::Averaging => n_classes,
        }
    }
}

impl TreeEnsemble {
    /// Assembles an ensemble for rows of `n_features` and `n_classes` (at least 2).
    ///
    /// `importance` is any non-negative total for each feature; it is normalised to sum 1, or stays
    /// zero when no tree splits.
    ///
    /// # Errors
    /// What [`Self::check`] says.
    pub fn new(
        n_features: usize,
        n_classes: usize,
        aggregation: Aggregation,
        trees: Vec<Tree>,
        mut importance: Vec<f64>,
    ) -> Result<Self, String> {
        let total: f64 = importance.iter().sum();
        if total > 0.0 {
            importance.iter_mut().for_each(|gain| *gain /= total);
        }
        let narrow = |n: usize| u32::try_from(n).map_err(|_| format!("{n} does not fit 32 bits"));
        let ensemble = Self {
            n_features: narrow(n_features)?,
            n_classes: narrow(n_classes)?,
            aggregation,
            trees,
            importance,
            layout: LazyLayout::default(),
        };
        ensemble.check()?;
        Ok(ensemble)
    }

    /// Returns the probability of each class for each row: `n_rows` × [`Self::n_classes`].
    ///
    /// Bit for bit what [`Self::predict_proba_into`] gives row by row, at any number of threads.
    ///
    /// # Panics
    /// When `x` has not [`Self::n_features`] columns.
    pub fn predict_proba(&self, x: ArrayView2<'_, f32>) -> Array2<f64> {
        assert_eq!(x.ncols(), self.n_features(), "columns of the rows to score");
        let mut scores = vec![0.0; x.nrows() * self.n_classes()];
        let x = x.as_standard_layout();
        let rows = x.as_slice().expect("the layout was just made standard");
        let layout = self.layout.of(self);
        if x.nrows() <= BLOCK_ROWS {
            // Waking a pool of threads takes longer than a few rows do.
            self.score_block(layout, rows, &mut scores);
        } else {
            rows.par_chunks(BLOCK_ROWS * self.n_features())
                .zip(scores.par_chunks_mut(BLOCK_ROWS * self.n_classes()))
                .for_each(|(rows, out)| self.score_block(layout, rows, out));
        }
        Array2::from_shape_vec((x.nrows(), self.n_classes()), scores)
            .expect("one score a row and class was allocated")
    }

    /// Writes the probability of each class for one row, without allocating (but for the scoring
    /// layout, which the first call builds).
    ///
    /// # Panics
    /// When `row` has not [`Self::n_features`] values or `out` not [`Self::n_classes`].
    pub fn predict_proba_into(&self, row: &[f32], out: &mut [f64]) {
        assert_eq!(row.len(), self.n_features(), "values of the row to score");
        assert_eq!(out.len(), self.n_classes(), "probabilities to write");
        self.score_block(self.layout.of(self), row, out);
    }

    /// Scores contiguous rows.
    fn score_block(&self, layout: &Layout, rows: &[f32], out: &mut [f64]) {
        let (classes, width) = (self.n_classes(), self.leaf_width());
        out.chunks_exact_mut(classes)
            .for_each(|out| self.start(out));
        if classes == 2 && width == 1 {
            // The common case, with a known place: class 1.
            layout.for_each_leaf(rows, self.n_features(), |row, _, leaf| {
                out[2 * row + 1] += leaf[0];
            });
        } else {
            layout.for_each_leaf(rows, self.n_features(), |row, tree, leaf| {
                let out = &mut out[row * classes + self.target(tree)..][..width];
                out.iter_mut()
                    .zip(leaf)
                    .for_each(|(sum, value)| *sum += value);
            });
        }
        out.chunks_exact_mut(classes)
            .for_each(|out| self.finish(out));
    }

    /// Writes what a row's outputs are before the first tree; the margin of two classes is that of
    /// class 1 and stands in its place.
    fn start(&self, out: &mut [f64]) {
        out.fill(0.0);
        if let Aggregation::Boosting { base } = &self.aggregation {
            let first = self.target(0);
            out[first..first + base.len()].copy_from_slice(base);
        }
    }

    /// Returns the first output to which a tree adds.
    fn target(&self, tree: usize) -> usize {
        match &self.aggregation {
            Aggregation::Boosting { base } if base.len() == 1 => 1,
            Aggregation::Boosting { base } => tree % base.len(),
            Aggregation::Averaging => 0,
        }
    }

    /// Turns the sums over all trees into probabilities.
    fn finish(&self, out: &mut [f64]) {
        match &self.aggregation {
            Aggregation::Boosting { base } if base.len() == 1 => logistic(out),
            Aggregation::Boosting { .. } => softmax(out),
            Aggregation::Averaging => {
                let n_trees = self.trees.len() as f64;
                out.iter_mut().for_each(|sum| *sum /= n_trees);
            }
        }
    }

    /// Returns the ensemble as it stood after its first rounds: a tree each, or one a class in softmax
    /// boosting. All of it when there are no more rounds than that.
    ///
    /// Scores are those of an ensemble that was fitted with so many rounds; importances, which are
    /// totals over all rounds, stay zero.
    pub fn after_rounds(&self, rounds: usize) -> Self {
        let a_round = match &self.aggregation {
            Aggregation::Boosting { base } => base.len(),
            Aggregation::Averaging => 1,
        };
        let kept = rounds.saturating_mul(a_round).min(self.trees.len());
        Self {
            n_features: self.n_features,
            n_classes: self.n_classes,
            aggregation: self.aggregation.clone(),
            trees: self.trees[..kept].to_vec(),
            importance: vec![0.0; self.importance.len()],
            layout: LazyLayout::default(),
        }
    }

    fn leaf_width(&self) -> usize {
        self.aggregation.leaf_width(self.n_classes())
    }

    /// Returns the number of values in a row.
    pub fn n_features(&self) -> usize {
        self.n_features as usize
    }

    /// Returns the number of classes, at least 2; class 0 is benign.
    pub fn n_classes(&self) -> usize {
        self.n_classes as usize
    }

    /// Returns the number of trees; softmax boosting has one a class and round.
    pub fn n_trees(&self) -> usize {
        self.trees.len()
    }

    /// Returns the trees in the order in which they are summed.
    pub fn trees(&self) -> &[Tree] {
        &self.trees
    }

    /// Returns whether any split is one by categories.
    pub fn has_category_splits(&self) -> bool {
        let nodes = self.trees.iter().flat_map(Tree::nodes);
        nodes
            .into_iter()
            .any(|node| node.as_category_split().is_some())
    }

    /// Returns how the trees' leaves are put together.
    pub fn aggregation(&self) -> &Aggregation {
        &self.aggregation
    }

    /// Returns each feature's share of the training gain: they sum to 1, or are 0 without any split.
    pub fn importance(&self) -> &[f64] {
        &self.importance
    }
}

/// Turns the log-odds in `out[1]` into both probabilities.
fn logistic(out: &mut [f64]) {
    let margin = out[1];
    out[0] = 1.0 / (1.0 + margin.exp());
    out[1] = 1.0 / (1.0 + (-margin).exp());
}

fn softmax(out: &mut [f64]) {
    let largest = out.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    out.iter_mut().for_each(|m| *m = (*m - largest).exp());
    let total: f64 = out.iter().sum();
    out.iter_mut().for_each(|p| *p /= total);
}

#[cfg(test)]
mod tests;
