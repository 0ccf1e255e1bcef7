//! Inverses of the Hessian: the whole of it, factored; of many weights one block an output, or its diagonal.

use super::rows::FeatureRows;

/// The Hessian of more weights than these is not factored as a whole: the square would take over 8 MB.
const MAX_WHOLE: usize = 1024;
/// More columns than these are preconditioned by the diagonal: a factorisation would cost too much.
const MAX_FACTORED: usize = 501;
/// The share of its diagonal under which a pivot is taken to be rounding.
const SMALLEST_PIVOT: f64 = 1e-12;

/// An inverse of the Hessian, or what comes near it.
pub(super) enum Preconditioner {
    /// The lower triangle of the Hessian's Cholesky factor, weights × weights.
    Whole(Vec<f64>),
    /// Of each output as if it were alone: the lower triangle of its Cholesky factor, columns × columns.
    Blocks(Vec<Vec<f64>>),
    /// The Hessian's diagonal, columns × outputs.
    Diagonal(Vec<f64>),
}

impl Preconditioner {
    /// Prepares from the probabilities, rows × outputs, and the penalties of columns.
    pub(super) fn new(rows: &FeatureRows, penalties: &[f64], probabilities: &[f64]) -> Self {
        let outputs = probabilities.len() / rows.n_rows();
        let blocks = || (0..outputs).map(|output| curvatures(probabilities, outputs, output));
        if outputs > 1 && penalties.len() * outputs <= MAX_WHOLE {
            Self::Whole(factor_whole(rows, penalties, probabilities, outputs))
        } else if penalties.len() <= MAX_FACTORED {
            Self::Blocks(blocks().map(|c| factor(rows, penalties, &c)).collect())
        } else {
            let blocks: Vec<_> = blocks().map(|c| diagonal(rows, penalties, &c)).collect();
            let at = |i: usize| blocks[i % outputs][i / outputs];
            Self::Diagonal((0..penalties.len() * outputs).map(at).collect())
        }
    }

    /// Returns the inverse times a vector, columns × outputs.
    pub(super) fn apply(&self, vector: &[f64]) -> Vec<f64> {
        match self {
            Self::Whole(lower) => solve(lower, vector.to_vec()),
            Self::Diagonal(diagonal) => vector.iter().zip(diagonal).map(|(v, d)| v / d).collect(),
            Self::Blocks(blocks) => {
                let mut result = vec![0.0; vector.len()];
                for (output, block) in blocks.iter().enumerate() {
                    let part = vector.iter().skip(output).step_by(blocks.len());
                    let part = solve(block, part.copied().collect());
                    let places = result.iter_mut().skip(output).step_by(blocks.len());
                    places.zip(part).for_each(|(to, from)| *to = from);
                }
                result
            }
        }
    }
}

/// Returns the second derivative of each row's share of the mean log-loss by one output's sum.
fn curvatures(probabilities: &[f64], outputs: usize, output: usize) -> Vec<f64> {
    let n_rows = (probabilities.len() / outputs) as f64;
    let column = probabilities.iter().skip(output).step_by(outputs);
    column.map(|p| p * (1.0 - p) / n_rows).collect()
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

fn factor_whole(
    rows: &FeatureRows,
    penalties: &[f64],
    probabilities: &[f64],
    outputs: usize,
) -> Vec<f64> {
    let n = penalties.len() * outputs;
    let mut lower = vec![0.0; n * n];
    rows.gram_of_softmax(probabilities, outputs, &mut lower);
    for weight in 0..n {
        lower[weight * n + weight] += penalties[weight / outputs];
    }
    // Nothing tells a shift of all intercepts, and no gradient asks for one: any curvature will do.
    let intercepts = n - outputs..n;
    let trace: f64 = intercepts.clone().map(|i| lower[i * n + i]).sum();
    for row in intercepts.clone() {
        let line = &mut lower[row * n..][intercepts.clone()];
        line.iter_mut()
            .for_each(|entry| *entry += trace / outputs as f64);
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
