//! Fitted tree ensembles: boosting, forests and single trees, and how they score.

mod check;
mod tree;

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use tree::{Node, Split, Tree};

/// Rows that are scored together, so that a tree is read once for all of them.
const BLOCK_ROWS: usize = 256;

/// A fitted ensemble of trees.
///
/// A row takes the left child of a split when `x <= threshold`, the right one when `x > threshold`;
/// NaN takes the side that the split names. Class 0 is benign.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TreeEnsemble {
    n_features: u32,
    n_classes: u32,
    aggregation: Aggregation,
    trees: Vec<Tree>,
    importance: Vec<f64>,
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
        rows.par_chunks(BLOCK_ROWS * self.n_features())
            .zip(scores.par_chunks_mut(BLOCK_ROWS * self.n_classes()))
            .for_each(|(rows, out)| self.score_block(rows, out));
        Array2::from_shape_vec((x.nrows(), self.n_classes()), scores)
            .expect("one score a row and class was allocated")
    }

    /// Writes the probability of each class for one row, without allocating.
    ///
    /// # Panics
    /// When `row` has not [`Self::n_features`] values or `out` not [`Self::n_classes`].
    pub fn predict_proba_into(&self, row: &[f32], out: &mut [f64]) {
        assert_eq!(row.len(), self.n_features(), "values of the row to score");
        assert_eq!(out.len(), self.n_classes(), "probabilities to write");
        self.score_block(row, out);
    }

    /// Scores contiguous rows: sums over the trees, then the link.
    fn score_block(&self, rows: &[f32], out: &mut [f64]) {
        match &self.aggregation {
            Aggregation::Boosting { base } if base.len() == 1 => {
                self.sum_margins(rows, out, base, 1);
                out.chunks_exact_mut(2).for_each(logistic);
            }
            Aggregation::Boosting { base } => {
                self.sum_margins(rows, out, base, 0);
                out.chunks_exact_mut(self.n_classes()).for_each(softmax);
            }
            Aggregation::Averaging => {
                self.sum_probabilities(rows, out);
                out.chunks_exact_mut(self.n_classes()).for_each(normalise);
            }
        }
    }

    /// Adds up margins; margin `k` of a row stands at `first + k` among its outputs.
    fn sum_margins(&self, rows: &[f32], out: &mut [f64], base: &[f64], first: usize) {
        for out in out.chunks_exact_mut(self.n_classes()) {
            out[first..first + base.len()].copy_from_slice(base);
        }
        for (i, tree) in self.trees.iter().enumerate() {
            let at = first + i % base.len();
            let outputs = out.chunks_exact_mut(self.n_classes());
            tree.for_each_leaf(rows, self.n_features(), outputs, |leaf, out| {
                out[at] += f64::from(tree.values()[leaf]);
            });
        }
    }

    fn sum_probabilities(&self, rows: &[f32], out: &mut [f64]) {
        let width = self.n_classes();
        out.fill(0.0);
        for tree in &self.trees {
            let outputs = out.chunks_exact_mut(width);
            tree.for_each_leaf(rows, self.n_features(), outputs, |leaf, out| {
                let leaf = &tree.values()[leaf * width..][..width];
                for (sum, value) in out.iter_mut().zip(leaf) {
                    *sum += f64::from(*value);
                }
            });
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
            trees: self.trees[..kept].to_vec(),
            importance: vec![0.0; self.importance.len()],
            aggregation: self.aggregation.clone(),
            ..*self
        }
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
    normalise(out);
}

fn normalise(out: &mut [f64]) {
    let total: f64 = out.iter().sum();
    out.iter_mut().for_each(|p| *p /= total);
}

#[cfg(test)]
mod tests;
