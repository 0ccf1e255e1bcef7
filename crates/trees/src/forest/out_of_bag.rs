//! Out-of-bag scores: each row by the trees that have not seen it.

use model::trees::Tree;
use ndarray::Array2;
use rayon::prelude::*;

use super::Drawn;
use crate::{binning::Column, cases::Cases};

/// Rows that are scored together.
const BLOCK_ROWS: usize = 256;

/// What the trees say of rows that they have not drawn.
///
/// A tree that has drawn a row's equal, in all bins and the label, has seen the row: with many repeated
/// rows this is stricter than scikit-learn's, which would score a row by trees that know its twin.
#[derive(Debug, Clone, PartialEq)]
pub struct OutOfBag {
    /// The mean probability of each class, `n_rows` × `n_classes`; NaN for rows that every tree has
    /// seen, and for those of weight zero.
    pub probabilities: Array2<f64>,
    /// The share of correct classes among the rows that have probabilities; NaN without any.
    pub score: f64,
    /// The number of rows that have probabilities.
    pub n_scored: usize,
}

/// The cases that a tree has drawn, a bit each.
pub(super) struct Seen(Vec<u64>);

impl Seen {
    pub(super) fn new<W>(n_cases: usize, drawn: &[Drawn<W>]) -> Self {
        let mut bits = vec![0; n_cases.div_ceil(64)];
        for row in drawn {
            bits[row.case as usize / 64] |= 1 << (row.case % 64);
        }
        Self(bits)
    }

    fn contains(&self, case: usize) -> bool {
        (self.0[case / 64] >> (case % 64)) & 1 == 1
    }
}

/// Scores the rows behind the cases, whose bins are row-major.
pub(super) fn score(
    columns: &[Column],
    bins: &[u8],
    cases: &Cases,
    trees: &[(&Tree, &Seen)],
    n_rows: usize,
    n_classes: usize,
) -> OutOfBag {
    let of_case = case_probabilities(columns, bins, trees, n_classes);
    let mut probabilities = Array2::from_elem((n_rows, n_classes), f64::NAN);
    let (mut n_scored, mut n_right) = (0, 0);
    for i in 0..cases.n_rows() {
        let case = cases.row(i).0 as usize;
        let of_case = &of_case[case * n_classes..][..n_classes];
        let row = probabilities.row_mut(cases.number(i));
        row.into_iter()
            .zip(of_case)
            .for_each(|(to, from)| *to = *from);
        if !of_case[0].is_nan() {
            n_scored += 1;
            n_right += usize::from(likeliest(of_case) == usize::from(cases.labels[case]));
        }
    }
    OutOfBag {
        probabilities,
        score: n_right as f64 / n_scored as f64,
        n_scored,
    }
}

/// Returns the mean leaf of each case over the trees that have not seen it: NaN without any.
fn case_probabilities(
    columns: &[Column],
    bins: &[u8],
    trees: &[(&Tree, &Seen)],
    n_classes: usize,
) -> Vec<f64> {
    let width = columns.len();
    let mut sums = vec![0.0; bins.len() / width * n_classes];
    sums.par_chunks_mut(BLOCK_ROWS * n_classes)
        .zip(bins.par_chunks(BLOCK_ROWS * width))
        .enumerate()
        .for_each(|(block, (sums, bins))| {
            let mut row = vec![0.0; width];
            let cases = block * BLOCK_ROWS..;
            let rows = sums
                .chunks_exact_mut(n_classes)
                .zip(bins.chunks_exact(width));
            for (case, (sum, bins)) in cases.zip(rows) {
                let cells = row.iter_mut().zip(columns.iter().zip(bins));
                cells.for_each(|(cell, (column, bin))| *cell = column.representative(*bin));
                add_unseen(trees, case, &row, sum);
            }
        });
    sums
}

fn add_unseen(trees: &[(&Tree, &Seen)], case: usize, row: &[f32], sum: &mut [f64]) {
    let mut n_trees = 0;
    for (tree, _) in trees.iter().filter(|(_, seen)| !seen.contains(case)) {
        let leaf = &tree.values()[tree.leaf_of(row) * sum.len()..][..sum.len()];
        let pairs = sum.iter_mut().zip(leaf);
        pairs.for_each(|(sum, value)| *sum += f64::from(*value));
        n_trees += 1;
    }
    sum.iter_mut().for_each(|sum| *sum /= f64::from(n_trees));
}

fn likeliest(probabilities: &[f64]) -> usize {
    (1..probabilities.len()).fold(0, |best, class| {
        if probabilities[class] > probabilities[best] {
            class
        } else {
            best
        }
    })
}
