//! Approximate inverses of the Hessian: one block an output, factored, or its diagonal when it is wide.

use super::rows::FeatureRows;

/// More columns than these are preconditioned by the diagonal: a factorisation would cost too much.
const MAX_FACTORED: usize = 501;
/// The share of its diagonal under which a pivot is taken to be rounding.
const SMALLEST_PIVOT: f64 = 1e-12;

/// An approximate inverse of the Hessian; of a binary problem with few columns it is the inverse.
pub(super) struct Preconditioner {
    n_columns: usize,
    /// Of each output: the lower triangle of the Cholesky factor, columns × columns, or the diagonal.
    blocks: Vec<Vec<f64>>,
}

impl Preconditioner {
    /// Prepares from the curvature of each row, one output after the other, and the penalties of columns.
    pub(super) fn new(
        rows: &FeatureRows,
        penalties: &[f64],
        curvatures: impl Iterator<Item = Vec<f64>>,
    ) -> Self {
        let n = rows.n_columns();
        let block = |curvature: Vec<f64>| {
            if n > MAX_FACTORED {
                diagonal(rows, penalties, &curvature)
            } else {
                factor(rows, penalties, &curvature)
            }
        };
        Self {
            n_columns: n,
            blocks: curvatures.map(block).collect(),
        }
    }

    /// Returns the approximate inverse times a vector, columns × outputs.
    pub(super) fn apply(&self, vector: &[f64]) -> Vec<f64> {
        let outputs = self.blocks.len();
        let mut result = vec![0.0; vector.len()];
        for (output, block) in self.blocks.iter().enumerate() {
            let part: Vec<f64> = vector
                .iter()
                .skip(output)
                .step_by(outputs)
                .copied()
                .collect();
            let part = if block.len() == self.n_columns {
                part.iter().zip(block).map(|(v, d)| v / d).collect()
            } else {
                solve(block, part)
            };
            for (to, from) in result.iter_mut().skip(output).step_by(outputs).zip(part) {
                *to = from;
            }
        }
        result
    }
}

fn diagonal(rows: &FeatureRows, penalties: &[f64], curvature: &[f64]) -> Vec<f64> {
    let mut diagonal = vec![0.0; rows.n_columns()];
    rows.gram_diagonal(curvature, &mut diagonal);
    for (entry, penalty) in diagonal.iter_mut().zip(penalties) {
        *entry = (*entry + penalty).max(f64::MIN_POSITIVE);
    }
    diagonal
}

fn factor(rows: &FeatureRows, penalties: &[f64], curvature: &[f64]) -> Vec<f64> {
    let n = rows.n_columns();
    let mut lower = vec![0.0; n * n];
    rows.gram(curvature, &mut lower);
    for (column, penalty) in penalties.iter().enumerate() {
        lower[column * n + column] += penalty;
    }
    cholesky(&mut lower, n);
    lower
}

/// Factors a symmetric matrix, given by its lower triangle, in place. Pivots lost to rounding are raised:
/// what approximates an inverse need not be exact, but it must be positive.
fn cholesky(lower: &mut [f64], n: usize) {
    for row in 0..n {
        let (above, line) = lower.split_at_mut(row * n);
        for column in 0..row {
            let other = &above[column * n..][..=column];
            let sum = dot(&line[..column], other);
            line[column] = (line[column] - sum) / other[column];
        }
        let whole = line[row];
        let left = whole - dot(&line[..row], &line[..row]);
        let least = (whole * SMALLEST_PIVOT).max(f64::MIN_POSITIVE);
        line[row] = left.max(least).sqrt();
    }
}

/// Solves `L Lᵀ x = b`.
fn solve(lower: &[f64], mut b: Vec<f64>) -> Vec<f64> {
    let n = b.len();
    for row in 0..n {
        let line = &lower[row * n..][..=row];
        b[row] = (b[row] - dot(&line[..row], &b)) / line[row];
    }
    for row in (0..n).rev() {
        let line = &lower[row * n..][..=row];
        b[row] /= line[row];
        let known = b[row];
        for (b, entry) in b[..row].iter_mut().zip(line) {
            *b -= entry * known;
        }
    }
    b
}

/// Sums the products of as many entries as the shorter has, in four strands of fixed order.
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let (quads, rest) = a.as_chunks::<4>();
    let (other_quads, _) = b.as_chunks::<4>();
    let mut sums = [0.0; 4];
    for (a, b) in quads.iter().zip(other_quads) {
        for at in 0..4 {
            sums[at] += a[at] * b[at];
        }
    }
    let rest = rest.iter().zip(&b[quads.len() * 4..]);
    (sums[0] + sums[1]) + (sums[2] + sums[3]) + rest.map(|(a, b)| a * b).sum::<f64>()
}
