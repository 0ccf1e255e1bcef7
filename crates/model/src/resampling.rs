//! How uncertain a metric is: intervals over resampled groups.

#[cfg(test)]
mod tests;

use std::{array, fmt};

use dataset::GroupKey;
use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// The share of resamples that an interval spans.
const COVERAGE: f64 = 0.95;
/// An interval is not given when a larger share of the resamples leaves the metric undefined.
const MAX_UNDEFINED_SHARE: f64 = 0.05;

/// A bootstrap over groups: each resample draws as many groups as there are, with replacement, and a
/// row weighs as often as its group was drawn.
///
/// Rows are never resampled: repeated rows would pass for independent ones, and the interval come out
/// too narrow. Resamples depend on the keys, the seed and their own number alone: neither on the order
/// of rows nor on threads.
#[derive(Debug, Clone)]
pub struct GroupBootstrap {
    /// Rank of each row's group among the distinct keys.
    group_of_row: Vec<u32>,
    n_groups: usize,
    n_resamples: u32,
    seed: u64,
}

/// How the bounds of an interval come from its resamples.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bounds {
    /// The percentiles of the resamples.
    Percentile,
    /// The percentiles, moved by what takes the resamples' median to the value, and not below 0.
    ///
    /// For metrics that add up absolute differences: noise alone makes these larger, a resample has
    /// the noise of its drawing on top of that of the sample, and so their percentiles may all lie
    /// above the value.
    Centred,
}

/// A metric with its 95 % interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// The metric on the rows as they are.
    pub value: f64,
    /// The 2.5 % quantile over the resamples, as [`Bounds`] say.
    pub low: f64,
    /// The 97.5 % quantile over the resamples, as [`Bounds`] say.
    pub high: f64,
}

/// The value with its bounds, if it has any: without resamples there are none.
impl fmt::Display for Interval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { value, low, high } = self;
        write!(f, "{value:.4}")?;
        if low.is_nan() {
            return Ok(());
        }
        write!(f, "  [{low:.4}, {high:.4}]")
    }
}

impl GroupBootstrap {
    /// Prepares resamples of rows whose groups these are.
    pub fn new(groups: &[GroupKey], n_resamples: u32, seed: u64) -> Self {
        let mut keys = groups.to_vec();
        keys.sort_unstable();
        keys.dedup();
        let rank = |key| keys.partition_point(|other| other < key) as u32;
        Self {
            group_of_row: groups.iter().map(rank).collect(),
            n_groups: keys.len(),
            n_resamples,
            seed,
        }
    }

    /// Returns the number of distinct groups.
    pub fn n_groups(&self) -> usize {
        self.n_groups
    }

    /// Returns a metric, a function of the weights of rows, with its interval.
    ///
    /// Quantiles are interpolated linearly between resamples, as numpy's. Resamples that leave the
    /// metric undefined (NaN) are passed over; the bounds are NaN when they exceed 5 % of all, since
    /// the rest would then be a choice, and when there are no resamples.
    pub fn interval(&self, metric: impl Fn(&[u32]) -> f64 + Sync) -> Interval {
        let [interval] = self.intervals([Bounds::Percentile], |weights| [metric(weights)]);
        interval
    }

    /// Returns several metrics with their intervals, as [`Self::interval`], over one set of resamples.
    pub fn intervals<const N: usize>(
        &self,
        bounds: [Bounds; N],
        metrics: impl Fn(&[u32]) -> [f64; N] + Sync,
    ) -> [Interval; N] {
        let values = metrics(&vec![1; self.group_of_row.len()]);
        let buffers = || (vec![0; self.n_groups], vec![0; self.group_of_row.len()]);
        let resamples: Vec<[f64; N]> = (0..self.n_resamples)
            .into_par_iter()
            .map_init(buffers, |(draws, weights), resample| {
                self.draw(resample, draws, weights);
                metrics(weights)
            })
            .collect();
        array::from_fn(|at| {
            let resampled = resamples.iter().map(|values| values[at]).collect();
            bounds[at].around(values[at], resampled)
        })
    }

    /// Returns by how much a metric of the candidate exceeds that of the champion, with the interval of
    /// the difference on the same resamples.
    pub fn difference(
        &self,
        candidate: impl Fn(&[u32]) -> f64 + Sync,
        champion: impl Fn(&[u32]) -> f64 + Sync,
    ) -> Interval {
        self.interval(|weights| candidate(weights) - champion(weights))
    }

    fn draw(&self, resample: u32, draws: &mut [u32], weights: &mut [u32]) {
        let mut key = *b"bootstrap groups................";
        key[16..24].copy_from_slice(&self.seed.to_le_bytes());
        let mut stream = ChaCha8Rng::from_seed(key);
        stream.set_stream(u64::from(resample));
        draws.fill(0);
        for _ in 0..self.n_groups {
            // Lemire's multiplication; its bias, a group in 2^64, is not worth a rejection.
            let group = (u128::from(stream.next_u64()) * self.n_groups as u128) >> 64;
            draws[group as usize] += 1;
        }
        for (weight, &group) in weights.iter_mut().zip(&self.group_of_row) {
            *weight = draws[group as usize];
        }
    }
}

impl Bounds {
    fn around(self, value: f64, mut resampled: Vec<f64>) -> Interval {
        let n_all = resampled.len() as f64;
        resampled.retain(|value| !value.is_nan());
        let undefined = n_all - resampled.len() as f64;
        if resampled.is_empty() || undefined > n_all * MAX_UNDEFINED_SHARE {
            let (low, high) = (f64::NAN, f64::NAN);
            return Interval { value, low, high };
        }
        resampled.sort_unstable_by(f64::total_cmp);
        let tail = (1.0 - COVERAGE) / 2.0;
        let at = |share| quantile(&resampled, share);
        let (low, high) = match self {
            Self::Percentile => (at(tail), at(1.0 - tail)),
            Self::Centred => {
                let bias = at(0.5) - value;
                ((at(tail) - bias).max(0.0), at(1.0 - tail) - bias)
            }
        };
        Interval { value, low, high }
    }
}

fn quantile(sorted: &[f64], share: f64) -> f64 {
    let place = (sorted.len() - 1) as f64 * share;
    let (below, above) = (sorted[place as usize], sorted[place.ceil() as usize]);
    below + (above - below) * place.fract()
}
