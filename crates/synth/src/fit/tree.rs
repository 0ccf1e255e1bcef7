//! The Chow-Liu tree of weighted rows: the maximum spanning tree of mutual information.

use super::mixture::Sample;
use super::{MIN_SUPPORT, SMOOTHING};

/// A tree: one link a column, parents before children.
pub(super) struct Tree {
    pub(super) links: Vec<FittedLink>,
}

/// The distribution of a column given its parent's level.
pub(super) struct FittedLink {
    pub(super) column: usize,
    pub(super) parent: Option<usize>,
    pub(super) marginal: Vec<f64>,
    /// One for each level of the parent; `None` where fewer than [`MIN_SUPPORT`] rows speak.
    pub(super) given: Vec<Option<Vec<f64>>>,
}

impl Tree {
    /// Fits a tree to the rows of a sample under these weights; ties go to the earlier column.
    pub(super) fn fit(sample: &Sample, weights: &[f64]) -> Self {
        let n_columns = sample.codes.len();
        let links = spanning_tree(sample, weights)
            .into_iter()
            .map(|(column, parent)| fit_link(sample, weights, column, parent))
            .collect::<Vec<_>>();
        debug_assert_eq!(links.len(), n_columns);
        Self { links }
    }

    /// Adds the logarithm of the probability of each row to `sums`.
    pub(super) fn add_log_probabilities(&self, sample: &Sample, sums: &mut [f64]) {
        for link in &self.links {
            let logs = |shares: &Vec<f64>| shares.iter().map(|p| p.ln()).collect::<Vec<f64>>();
            let marginal = logs(&link.marginal);
            let given: Vec<Option<Vec<f64>>> =
                link.given.iter().map(|g| g.as_ref().map(logs)).collect();
            let own = &sample.codes[link.column];
            let parents = &sample.codes[link.parent.unwrap_or(link.column)];
            for ((sum, &level), &parent) in sums.iter_mut().zip(own).zip(parents) {
                let given = given.get(usize::from(parent)).and_then(Option::as_ref);
                *sum += given.unwrap_or(&marginal)[usize::from(level)];
            }
        }
    }
}

/// Returns each column with its parent, by Prim's algorithm from the first column.
fn spanning_tree(sample: &Sample, weights: &[f64]) -> Vec<(usize, Option<usize>)> {
    let n_columns = sample.codes.len();
    let mut nearest: Vec<(f64, Option<usize>)> = vec![(f64::NEG_INFINITY, None); n_columns];
    let mut left: Vec<usize> = (0..n_columns).collect();
    let mut order = Vec::with_capacity(n_columns);
    while !left.is_empty() {
        let best = (1..left.len()).fold(0, |best, next| {
            let better = nearest[left[next]].0 > nearest[left[best]].0;
            if better { next } else { best }
        });
        let column = left.remove(best);
        order.push((column, nearest[column].1));
        for &other in &left {
            let information = mutual_information(sample, weights, column, other);
            if information > nearest[other].0 {
                nearest[other] = (information, Some(column));
            }
        }
    }
    order
}

/// Returns the weight of each pair of levels, `first` by `second`.
fn joint(sample: &Sample, weights: &[f64], first: usize, second: usize) -> Vec<f64> {
    let width = sample.n_levels[second];
    let mut cells = vec![0.0; sample.n_levels[first] * width];
    let pairs = sample.codes[first].iter().zip(&sample.codes[second]);
    for ((&a, &b), weight) in pairs.zip(weights) {
        cells[usize::from(a) * width + usize::from(b)] += weight;
    }
    cells
}

fn mutual_information(sample: &Sample, weights: &[f64], first: usize, second: usize) -> f64 {
    let cells = joint(sample, weights, first, second);
    let width = sample.n_levels[second];
    let total: f64 = cells.iter().sum();
    let rows: Vec<f64> = cells
        .chunks_exact(width)
        .map(|row| row.iter().sum())
        .collect();
    let columns: Vec<f64> = (0..width)
        .map(|level| cells[level..].iter().step_by(width).sum())
        .collect();
    let term = |(index, &cell): (usize, &f64)| match cell > 0.0 {
        true => cell / total * (cell * total / (rows[index / width] * columns[index % width])).ln(),
        false => 0.0,
    };
    cells.iter().enumerate().map(term).sum()
}

fn fit_link(sample: &Sample, weights: &[f64], column: usize, parent: Option<usize>) -> FittedLink {
    let marginal = marginal(sample, weights, column);
    let given = parent.map(|parent| {
        joint(sample, weights, parent, column)
            .chunks_exact(sample.n_levels[column])
            .map(|row| conditional(row, &marginal))
            .collect()
    });
    FittedLink {
        column,
        parent,
        marginal,
        given: given.unwrap_or_default(),
    }
}

/// Smooths towards an equal share for each level that the sample has.
fn marginal(sample: &Sample, weights: &[f64], column: usize) -> Vec<f64> {
    let mut sums = vec![0.0; sample.n_levels[column]];
    for (&level, weight) in sample.codes[column].iter().zip(weights) {
        sums[usize::from(level)] += weight;
    }
    let seen = &sample.seen[column];
    let n_seen = seen.iter().filter(|&&seen| seen).count() as f64;
    let total: f64 = sums.iter().sum();
    let share = |(sum, &seen): (&f64, &bool)| match seen {
        true => (sum + SMOOTHING / n_seen) / (total + SMOOTHING),
        false => 0.0,
    };
    sums.iter().zip(seen).map(share).collect()
}

/// Smooths towards the marginal distribution.
fn conditional(row: &[f64], marginal: &[f64]) -> Option<Vec<f64>> {
    let total: f64 = row.iter().sum();
    let share =
        |(cell, marginal): (&f64, &f64)| (cell + SMOOTHING * marginal) / (total + SMOOTHING);
    (total >= f64::from(MIN_SUPPORT)).then(|| row.iter().zip(marginal).map(share).collect())
}
