//! How boosting got better from round to round, on rows that it has not seen.

use ndarray::ArrayView2;

use super::{Aggregation, BLOCK_ROWS, TreeEnsemble};
use crate::metrics::loss;

impl TreeEnsemble {
    /// Returns every `step`-th number of rounds and the last, and the mean log-loss of the threat probability of `x`
    /// after each. Empty for what is not boosted, and without rows.
    ///
    /// A row's probability after some rounds is bit for bit that of [`Self::after_rounds`].
    ///
    /// # Panics
    /// When `x` has not [`Self::n_features`] columns, or not a row for each of `truth`, or `step` is 0.
    pub fn log_loss_by_round(
        &self,
        x: ArrayView2<'_, f32>,
        truth: &[bool],
        step: usize,
    ) -> Vec<(usize, f64)> {
        assert!(step > 0, "rounds from one point to the next");
        assert_eq!(x.ncols(), self.n_features(), "columns of the rows to score");
        assert_eq!(x.nrows(), truth.len(), "rows to score");
        let Aggregation::Boosting { base } = &self.aggregation else {
            return Vec::new();
        };
        let n_rounds = self.trees.len() / base.len();
        if n_rounds == 0 || truth.is_empty() {
            return Vec::new();
        }
        let is_looked_at = |round: usize| round.is_multiple_of(step) || round == n_rounds;
        let mut sums = vec![0.0; n_rounds + 1];
        let x = x.as_standard_layout();
        let rows = x.as_slice().expect("the layout was just made standard");
        let blocks = rows.chunks(BLOCK_ROWS * self.n_features());
        for (rows, truth) in blocks.zip(truth.chunks(BLOCK_ROWS)) {
            self.for_each_round(rows, base.len(), |row, round, margins| {
                if is_looked_at(round) {
                    let mut probabilities = margins.to_vec();
                    self.finish(&mut probabilities);
                    sums[round] += loss(1.0 - probabilities[0], truth[row]);
                }
            });
        }
        let n_rows = truth.len() as f64;
        let rounds = (1..=n_rounds).filter(|&round| is_looked_at(round));
        rounds.map(|round| (round, sums[round] / n_rows)).collect()
    }

    /// Calls `visit` with a row's place, the number of a round and the row's margins after it.
    fn for_each_round(
        &self,
        rows: &[f32],
        trees_a_round: usize,
        mut visit: impl FnMut(usize, usize, &[f64]),
    ) {
        let n_classes = self.n_classes();
        let mut margins = vec![0.0; rows.len() / self.n_features() * n_classes];
        margins
            .chunks_exact_mut(n_classes)
            .for_each(|margins| self.start(margins));
        let layout = self.layout.of(self);
        layout.for_each_leaf(rows, self.n_features(), |row, tree, leaf| {
            let margins = &mut margins[row * n_classes..][..n_classes];
            margins[self.target(tree)] += leaf[0];
            if (tree + 1).is_multiple_of(trees_a_round) {
                visit(row, (tree + 1) / trees_a_round, margins);
            }
        });
    }
}

#[cfg(test)]
mod tests;
