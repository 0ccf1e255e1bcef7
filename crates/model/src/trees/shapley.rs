//! Exact Shapley values of tree ensembles: what each feature adds to a row's raw score.
//!
//! The game is that of path-dependent TreeSHAP (Lundberg et al. 2020, "From local explanations to
//! global understanding with explainable AI for trees", EXPVALUE): where a split's feature is not
//! in the coalition, both children count, in shares of the training weight that reached them.
//!
//! Under it a leaf of value v is a product over the distinct features j of its path: of `o_j` (1 if
//! the row follows the path at every split on j, else 0) if j is in the coalition, else of `z_j` (the
//! product of the shares along those splits). The Shapley value is the integral of the partial
//! derivative of the game's multilinear extension along its diagonal (Owen 1972):
//!
//! `φ_i = Σ_leaves v (o_i - z_i) ∫₀¹ Π_{j≠i} (o_j t + z_j (1 - t)) dt`
//!
//! The integrand is a polynomial of degree d - 1 for d features on the path: Gauss-Legendre quadrature
//! with ⌈d/2⌉ points gives it exactly. Products for all leaves share prefixes on the way down, sums
//! over the leaves below a split are shared on the way up, as in Linear TreeSHAP (Yu et al. 2022), so
//! that a row costs O(trees · leaves · depth), where algorithm 2 of Lundberg et al. takes depth twice.
//! Factors are in [0, 1], divisors are at least t > 0 and the rule's weights are positive: rounding does
//! not build up with depth, and a share of zero is no special case.

mod paths;
mod quadrature;

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::{Aggregation, TreeEnsemble};
use crate::explanation::Contributions;
use paths::{Passage, Paths};
use quadrature::Rules;

/// Rows that share the tables that a tree needs.
const BLOCK_ROWS: usize = 256;

impl TreeEnsemble {
    /// Returns the number of raw scores of a row: 1 for two classes, else one a class.
    pub fn n_outputs(&self) -> usize {
        match self.n_classes() {
            2 => 1,
            n_classes => n_classes,
        }
    }

    /// Returns the exact path-dependent Shapley values of every feature for each row and output.
    ///
    /// Boosting is explained in margin space, before the link: the log-odds of class 1, or a margin a
    /// class. Forests and trees are explained in probability space: the probability of class 1, or of
    /// each class. On every row the base and the contributions sum to the raw score, but for rounding.
    /// NaN takes the side that it takes in scoring. Bit for bit the same at any number of threads, and
    /// for a row alone or among others. O(trees · leaves · depth) a row, with the tables of one tree
    /// and one block of rows in memory at a time.
    ///
    /// # Panics
    /// When `x` has not [`Self::n_features`] columns.
    pub fn contributions(&self, x: ArrayView2<'_, f32>) -> Contributions {
        assert_eq!(
            x.ncols(),
            self.n_features(),
            "columns of the rows to explain"
        );
        let width = self.n_outputs() * self.n_features();
        let mut values = vec![0.0; x.nrows() * width];
        let x = x.as_standard_layout();
        let rows = x.as_slice().expect("the layout was just made standard");
        if x.nrows() <= BLOCK_ROWS {
            // Waking a pool of threads takes longer than a few rows do.
            self.explain_block(rows, &mut values);
        } else {
            rows.par_chunks(BLOCK_ROWS * self.n_features())
                .zip(values.par_chunks_mut(BLOCK_ROWS * width))
                .for_each(|(rows, out)| self.explain_block(rows, out));
        }
        Contributions {
            base: self.expected(),
            values: Array2::from_shape_vec((x.nrows(), width), values)
                .expect("one value a row, output and feature was allocated"),
        }
    }

    fn explain_block(&self, rows: &[f32], out: &mut [f64]) {
        let n_features = self.n_features();
        let (mut rules, mut passage) = (Rules::default(), Passage::default());
        for tree in 0..self.trees.len() {
            let paths = Paths::new(&self.trees[tree]);
            let outputs = self.explained_leaves(tree);
            for points in rules.with(paths.n_points()) {
                let tables = paths.tables(points);
                let rows = rows.chunks_exact(n_features);
                let outs = out.chunks_exact_mut(self.n_outputs() * n_features);
                for (row, out) in rows.zip(outs) {
                    passage.descend(&paths, &tables, row);
                    for (output, leaves) in &outputs {
                        let out = &mut out[output * n_features..][..n_features];
                        passage.ascend(&paths, &tables, leaves, out);
                    }
                }
            }
        }
    }

    /// Returns the outputs to which a tree adds, each with what the tree's leaves add to it.
    fn explained_leaves(&self, tree: usize) -> Vec<(usize, Vec<f64>)> {
        let n_outputs = self.n_outputs();
        let values = self.trees[tree].values();
        if let Aggregation::Boosting { .. } = self.aggregation {
            let leaves = values.iter().copied().map(f64::from).collect();
            return vec![(tree % n_outputs, leaves)];
        }
        // Two classes have one output, which is class 1.
        let first = self.n_classes() - n_outputs;
        let n_trees = self.trees.len() as f64;
        let share = |leaf: &[f32], class: usize| {
            let total: f64 = leaf.iter().copied().map(f64::from).sum();
            f64::from(leaf[class]) / total / n_trees
        };
        let leaves = |class| {
            let leaves = values.chunks_exact(self.n_classes());
            leaves.map(|leaf| share(leaf, class)).collect()
        };
        (0..n_outputs)
            .map(|output| (output, leaves(first + output)))
            .collect()
    }

    /// Returns the expected raw score of each output.
    fn expected(&self) -> Vec<f64> {
        let mut expected = match &self.aggregation {
            Aggregation::Boosting { base } => base.clone(),
            Aggregation::Averaging => vec![0.0; self.n_outputs()],
        };
        for tree in 0..self.trees.len() {
            let paths = Paths::new(&self.trees[tree]);
            for (output, leaves) in self.explained_leaves(tree) {
                expected[output] += paths.expected(&leaves);
            }
        }
        expected
    }
}

#[cfg(test)]
mod tests;
