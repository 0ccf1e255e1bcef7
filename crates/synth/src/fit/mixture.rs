//! A mixture of Chow-Liu trees by expectation maximization (Meilă and Jordan 2000).

use std::collections::BTreeMap;

use super::coding::Coding;
use super::tree::Tree;

/// Fewest rows of a component.
const MIN_COMPONENT: f64 = 200.0;
/// Rounds of expectation and maximization.
const ROUNDS: usize = 30;
/// Rounds of power iteration for the first principal component.
const POWER_ROUNDS: usize = 50;
/// Share of a row that its own part gets at the start; the rest is spread over all.
const START_SHARE: f64 = 0.9;

/// Distinct coded rows with their weights, column by column.
pub(super) struct Sample {
    pub(super) codes: Vec<Vec<u16>>,
    /// Rows of each distinct coded row.
    weights: Vec<f64>,
    pub(super) n_levels: Vec<usize>,
    /// Whether each level of each column occurs.
    pub(super) seen: Vec<Vec<bool>>,
}

/// A component: its tree and the rows that it stands for.
pub(super) struct Fitted {
    pub(super) weight: f64,
    pub(super) tree: Tree,
}

impl Sample {
    /// Collects the distinct ones of these rows, in ascending order.
    pub(super) fn of(coding: &Coding, rows: &[usize]) -> Self {
        let mut counts: BTreeMap<Vec<u16>, f64> = BTreeMap::new();
        for &row in rows {
            let coded = coding.codes.iter().map(|codes| codes[row]).collect();
            *counts.entry(coded).or_insert(0.0) += 1.0;
        }
        let n_levels: Vec<usize> = coding.columns.iter().map(|c| c.n_levels()).collect();
        let codes: Vec<Vec<u16>> = (0..n_levels.len())
            .map(|column| counts.keys().map(|coded| coded[column]).collect())
            .collect();
        let seen = codes.iter().zip(&n_levels).map(|(codes, &n)| {
            let mut seen = vec![false; n];
            codes
                .iter()
                .for_each(|&code| seen[usize::from(code)] = true);
            seen
        });
        Self {
            seen: seen.collect(),
            codes,
            weights: counts.into_values().collect(),
            n_levels,
        }
    }
}

/// Fits at most `most` components, each of at least [`MIN_COMPONENT`] rows, unless it is the only one.
pub(super) fn fit(sample: &Sample, most: usize) -> Vec<Fitted> {
    let rows: f64 = sample.weights.iter().sum();
    let n_components = most.min((rows / MIN_COMPONENT) as usize).max(1);
    let mut shares = start(sample, n_components);
    for _ in 0..if n_components > 1 { ROUNDS } else { 0 } {
        let components = maximize(sample, &shares);
        shares = expect(sample, &components);
    }
    let mut components = maximize(sample, &shares);
    components.sort_by(|a, b| b.weight.total_cmp(&a.weight));
    components
}

/// Fits a tree to the share that each component has of the rows; drops components that became too small.
fn maximize(sample: &Sample, shares: &[Vec<f64>]) -> Vec<Fitted> {
    let mut fitted = Vec::with_capacity(shares.len());
    for share in shares {
        let weights: Vec<f64> = share
            .iter()
            .zip(&sample.weights)
            .map(|(s, w)| s * w)
            .collect();
        let weight = weights.iter().sum();
        if weight >= MIN_COMPONENT || shares.len() == 1 {
            let tree = Tree::fit(sample, &weights);
            fitted.push(Fitted { weight, tree });
        }
    }
    if fitted.is_empty() {
        return maximize(sample, &[vec![1.0; sample.weights.len()]]);
    }
    fitted
}

/// Returns the probability that each row belongs to each component, per component.
fn expect(sample: &Sample, components: &[Fitted]) -> Vec<Vec<f64>> {
    let total: f64 = components.iter().map(|c| c.weight).sum();
    let mut logs: Vec<Vec<f64>> = components
        .iter()
        .map(|component| {
            let mut sums = vec![(component.weight / total).ln(); sample.weights.len()];
            component.tree.add_log_probabilities(sample, &mut sums);
            sums
        })
        .collect();
    for row in 0..sample.weights.len() {
        let greatest = logs
            .iter()
            .map(|l| l[row])
            .fold(f64::NEG_INFINITY, f64::max);
        logs.iter_mut()
            .for_each(|l| l[row] = (l[row] - greatest).exp());
        let sum: f64 = logs.iter().map(|l| l[row]).sum();
        logs.iter_mut().for_each(|l| l[row] /= sum);
    }
    logs
}

/// Cuts the rows into parts of equal weight along the first principal component.
fn start(sample: &Sample, n_components: usize) -> Vec<Vec<f64>> {
    let scores = principal_scores(sample);
    let mut order: Vec<usize> = (0..scores.len()).collect();
    order.sort_by(|&a, &b| scores[a].total_cmp(&scores[b]).then(a.cmp(&b)));
    let total: f64 = sample.weights.iter().sum();
    let spread = (1.0 - START_SHARE) / n_components as f64;
    let mut shares = vec![vec![spread; scores.len()]; n_components];
    let mut before = 0.0;
    for row in order {
        let part = (before / total * n_components as f64) as usize;
        shares[part.min(n_components - 1)][row] += START_SHARE;
        before += sample.weights[row];
    }
    shares
}

/// Returns each row's score on the first principal component of the levels' indicators, by power
/// iteration from the scores that count levels.
fn principal_scores(sample: &Sample) -> Vec<f64> {
    let mut scores = vec![0.0; sample.weights.len()];
    for codes in &sample.codes {
        let each = scores.iter_mut().zip(codes);
        each.for_each(|(score, &code)| *score += f64::from(code));
    }
    for _ in 0..POWER_ROUNDS {
        center_and_scale(&mut scores, &sample.weights);
        let mut next = vec![0.0; scores.len()];
        for (codes, &n_levels) in sample.codes.iter().zip(&sample.n_levels) {
            let mut loadings = vec![0.0; n_levels];
            for ((&code, score), weight) in codes.iter().zip(&scores).zip(&sample.weights) {
                loadings[usize::from(code)] += score * weight;
            }
            let each = next.iter_mut().zip(codes);
            each.for_each(|(score, &code)| *score += loadings[usize::from(code)]);
        }
        scores = next;
    }
    scores
}

fn center_and_scale(scores: &mut [f64], weights: &[f64]) {
    let total: f64 = weights.iter().sum();
    let weighted = scores
        .iter()
        .zip(weights)
        .map(|(score, weight)| score * weight);
    let mean = weighted.sum::<f64>() / total;
    let greatest = scores.iter().map(|s| (s - mean).abs()).fold(0.0, f64::max);
    let scale = if greatest > 0.0 { greatest } else { 1.0 };
    scores
        .iter_mut()
        .for_each(|score| *score = (*score - mean) / scale);
}
