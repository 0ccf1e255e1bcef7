//! Distributions of numbers in bounded space: exact cumulative counts at chosen values.

use serde::{Deserialize, Serialize};

use super::{Bar, BarRange};
use crate::format_number;

/// The most points that a bounded sketch holds.
pub const MAX_POINTS: usize = 256;

/// Points that are spent on equal probability; the others go where a gap is wide.
const MASS_POINTS: u64 = 190;

/// A distribution of numbers: how many lie below and at certain values.
///
/// At its points the counts are exact (up to [`slack`](Self::slack) after a merge); between two of
/// them the distribution function is taken as a straight line. [`QuantileSketch::exact`] has every
/// value as a point. [`QuantileSketch::compressed`] keeps at most [`MAX_POINTS`], of which no two
/// neighbours have more than n/190 values between them, so that its distribution function is wrong by
/// at most 0.53 % anywhere: [`QuantileSketch::rank_error`] states by how much.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct QuantileSketch {
    points: Vec<SketchPoint>,
    slack: u64,
}

/// One point of a [`QuantileSketch`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct SketchPoint {
    /// The value.
    pub value: f64,
    /// How many values are less.
    pub below: u64,
    /// How many values are at most as great.
    pub at_most: u64,
}

impl QuantileSketch {
    /// Makes the exact distribution of some values in any order; NaN is left out.
    pub fn exact(values: &[f64]) -> Self {
        let mut sorted: Vec<f64> = values
            .iter()
            .filter(|v| !v.is_nan())
            .map(|v| v + 0.0)
            .collect();
        sorted.sort_unstable_by(f64::total_cmp);
        Self::of_counts(
            sorted
                .chunk_by(|a, b| a == b)
                .map(|run| (run[0], run.len() as u64)),
        )
    }

    /// Makes the exact distribution of ascending values with their counts.
    pub(super) fn of_counts(counts: impl Iterator<Item = (f64, u64)>) -> Self {
        let mut below = 0;
        let points = counts
            .map(|(value, count)| {
                let at_most = below + count;
                let point = SketchPoint {
                    value,
                    below,
                    at_most,
                };
                below = at_most;
                point
            })
            .collect();
        Self { points, slack: 0 }
    }

    /// Returns the points, ascending.
    pub fn points(&self) -> &[SketchPoint] {
        &self.points
    }

    /// Returns by how many values the counts at the points may be wrong; 0 unless merged.
    pub fn slack(&self) -> u64 {
        self.slack
    }

    /// Returns the number of values.
    pub fn n(&self) -> u64 {
        self.points.last().map_or(0, |p| p.at_most)
    }

    /// Returns the least and the greatest value.
    pub fn extremes(&self) -> Option<(f64, f64)> {
        Some((self.points.first()?.value, self.points.last()?.value))
    }

    /// Returns the greatest error of the distribution function anywhere, in [0, 1].
    pub fn rank_error(&self) -> f64 {
        ((self.widest_gap() + self.slack) as f64 / self.n().max(1) as f64).min(1.0)
    }

    /// Returns the greatest possible Wasserstein distance to the distribution that was sketched: half
    /// of every gap's width times its share, and the slack over the whole range.
    pub fn wasserstein_error(&self) -> f64 {
        let gaps: f64 = self.gaps().map(|(a, b)| half_cost(a, b)).sum();
        let range = self.extremes().map_or(0.0, |(min, max)| max - min);
        (gaps + range * self.slack as f64) / self.n().max(1) as f64
    }

    /// Returns the least value at or below which a share of the values lies, in [0, 1]; a straight
    /// line is taken between points. `None` without values.
    pub fn quantile(&self, share: f64) -> Option<f64> {
        let rank = share.clamp(0.0, 1.0) * self.n() as f64;
        let i = self.points.partition_point(|p| (p.at_most as f64) < rank);
        let p = self.points.get(i.min(self.points.len().checked_sub(1)?))?;
        let before = match i.checked_sub(1) {
            Some(before) if rank < p.below as f64 => &self.points[before],
            _ => return Some(p.value),
        };
        let part = (rank - before.at_most as f64) / (p.below - before.at_most) as f64;
        Some(before.value * (1.0 - part) + p.value * part)
    }

    /// Returns how many values are below and how many at most `x`, between points by a straight line.
    pub fn counts_at(&self, x: f64) -> (f64, f64) {
        self.counts_before(self.points.partition_point(|p| p.value < x), x)
    }

    /// As `counts_at`, where `i` is the first point that is not below `x`.
    pub(crate) fn counts_before(&self, i: usize, x: f64) -> (f64, f64) {
        let Some(next) = self.points.get(i) else {
            let n = self.n() as f64;
            return (n, n);
        };
        if next.value == x {
            return (next.below as f64, next.at_most as f64);
        }
        let Some(before) = i.checked_sub(1).map(|i| self.points[i]) else {
            return (0.0, 0.0);
        };
        let gap = (next.below - before.at_most) as f64;
        // Halves, so that the difference of two finite values is finite.
        let part = (x / 2.0 - before.value / 2.0) / (next.value / 2.0 - before.value / 2.0);
        let count = before.at_most as f64 + gap * part.clamp(0.0, 1.0);
        (count, count)
    }

    /// Returns the distribution in at most [`MAX_POINTS`] points: itself when it has no more.
    pub fn compressed(&self) -> Self {
        if self.points.len() <= MAX_POINTS {
            return self.clone();
        }
        let mut kept = self.points_by_mass();
        while kept.len() < MAX_POINTS && self.split_costliest(&mut kept) {}
        Self {
            points: kept.into_iter().map(|i| self.points[i]).collect(),
            slack: self.slack,
        }
    }

    /// Returns the distribution of both sides' values, in at most [`MAX_POINTS`] points.
    pub fn merge(&self, other: &Self) -> Self {
        let mut values: Vec<f64> = self
            .points
            .iter()
            .chain(&other.points)
            .map(|p| p.value)
            .collect();
        values.sort_unstable_by(f64::total_cmp);
        values.dedup();
        let points = values
            .into_iter()
            .map(|value| {
                let (left, right) = (self.counts_at(value), other.counts_at(value));
                SketchPoint {
                    value,
                    below: (left.0 + right.0).round() as u64,
                    at_most: (left.1 + right.1).round() as u64,
                }
            })
            .collect();
        let gap = self.widest_gap().max(other.widest_gap());
        let slack = self.slack + other.slack + gap;
        Self { points, slack }.compressed()
    }

    /// The fewest points such that at most a `MASS_POINTS`-th of the values lies between two.
    fn points_by_mass(&self) -> Vec<usize> {
        let mut kept = vec![0];
        let mut counted = self.points[0].at_most;
        let last = self.points.len() - 1;
        for (i, point) in self.points.iter().enumerate().skip(1) {
            // Without this point the gap to the next would be too heavy: it holds this one's values.
            if i == last || (point.at_most - counted) * MASS_POINTS > self.n() {
                kept.push(i);
                counted = point.at_most;
            }
        }
        kept
    }

    /// Splits the gap with the greatest width times count, where that is lowered most. Heavy tails
    /// need it: there a thousandth of the values may span nearly the whole range.
    fn split_costliest(&self, kept: &mut Vec<usize>) -> bool {
        let cost = |a: usize, b: usize| half_cost(&self.points[a], &self.points[b]);
        let costliest = (1..kept.len())
            .filter(|&i| kept[i] - kept[i - 1] > 1)
            .max_by(|&i, &j| cost(kept[i - 1], kept[i]).total_cmp(&cost(kept[j - 1], kept[j])));
        let Some(at) = costliest else { return false };
        let (from, to) = (kept[at - 1], kept[at]);
        let split = (from + 1..to)
            .min_by(|&i, &j| {
                (cost(from, i) + cost(i, to)).total_cmp(&(cost(from, j) + cost(j, to)))
            })
            .expect("the gap was chosen for having points inside");
        kept.insert(at, split);
        true
    }

    fn gaps(&self) -> impl Iterator<Item = (&SketchPoint, &SketchPoint)> {
        self.points.windows(2).map(|pair| (&pair[0], &pair[1]))
    }

    fn widest_gap(&self) -> u64 {
        self.gaps()
            .map(|(a, b)| b.below - a.at_most)
            .max()
            .unwrap_or(0)
    }

    pub(super) fn problem(&self) -> Option<String> {
        let wrong = |p: &SketchPoint| !p.value.is_finite() || p.below > p.at_most;
        let ordered = |a: &SketchPoint, b: &SketchPoint| a.value < b.value && a.at_most <= b.below;
        if self.points.len() > MAX_POINTS {
            Some(format!(
                "{} quantiles, at most {MAX_POINTS}",
                self.points.len()
            ))
        } else if let Some(point) = self.points.iter().find(|p| wrong(p)) {
            Some(format!(
                "quantile {} with counts {} and {}",
                point.value, point.below, point.at_most
            ))
        } else if !self.points.is_sorted_by(ordered) {
            Some("quantiles are not ascending".to_owned())
        } else if self.points.first().is_some_and(|p| p.below != 0) {
            Some("values lie below the least one".to_owned())
        } else if self.slack > self.n() {
            Some(format!(
                "{} of {} ranks are uncertain",
                self.slack,
                self.n()
            ))
        } else {
            None
        }
    }
}

/// Half the width of a gap times the number of values in it.
fn half_cost(a: &SketchPoint, b: &SketchPoint) -> f64 {
    (b.value / 2.0 - a.value / 2.0) * (b.below - a.at_most) as f64
}

/// Mean and population standard deviation (divisor n) of some numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct Moments {
    /// The mean.
    pub mean: f64,
    /// The standard deviation, at least 0.
    pub std: f64,
}

impl Moments {
    /// Computes the moments of some values; NaN is left out, and without any value both are 0.
    pub fn of(values: &[f64]) -> Self {
        let present = || values.iter().filter(|v| !v.is_nan()).map(|&v| (v, 1));
        Self::of_counts(present())
    }

    pub(super) fn of_counts(counts: impl Iterator<Item = (f64, u64)> + Clone) -> Self {
        // Values are scaled only where their squares would leave the range of f64.
        let greatest = counts
            .clone()
            .fold(0.0, |max: f64, (v, _)| max.max(v.abs()));
        let scale = if greatest > 1e140 { greatest } else { 1.0 };
        let n = counts.clone().map(|(_, n)| n).sum::<u64>().max(1) as f64;
        let sum: f64 = counts.clone().map(|(v, n)| v / scale * n as f64).sum();
        let mean = sum / n;
        let squares: f64 = counts
            .map(|(v, n)| (v / scale - mean).powi(2) * n as f64)
            .sum();
        Self {
            mean: mean * scale,
            std: (squares / n).sqrt() * scale,
        }
    }

    /// Chan, Golub and LeVeque's update, for groups of `n` and `m` values.
    pub(super) fn merge(self, n: u64, other: Self, m: u64) -> Self {
        let share = m as f64 / (n + m).max(1) as f64;
        let between = (other.mean - self.mean) * (share * (1.0 - share)).sqrt();
        let within = (self.std * (1.0 - share).sqrt()).hypot(other.std * share.sqrt());
        Self {
            mean: self.mean * (1.0 - share) + other.mean * share,
            std: within.hypot(between),
        }
    }

    pub(super) fn problem(&self) -> Option<String> {
        let fine = self.mean.is_finite() && self.std.is_finite() && self.std >= 0.0;
        (!fine).then(|| format!("mean {} with standard deviation {}", self.mean, self.std))
    }
}

/// Bars between the 1 % and 99 % quantiles; the outer ones reach to the extremes.
pub(super) fn bars(numbers: &QuantileSketch, n_bars: usize) -> Vec<Bar> {
    let (Some((min, max)), Some(low), Some(high)) = (
        numbers.extremes(),
        numbers.quantile(0.01),
        numbers.quantile(0.99),
    ) else {
        return Vec::new();
    };
    let (low, high) = if low < high { (low, high) } else { (min, max) };
    let width = high / n_bars as f64 - low / n_bars as f64;
    let mut edges: Vec<f64> = (1..n_bars).map(|i| low + i as f64 * width).collect();
    edges.insert(0, min);
    edges.push(max);
    edges.dedup_by(|next, kept| *next <= *kept);
    edges
        .windows(2)
        .map(|e| Bar {
            label: format!("{} to {}", short(e[0]), short(e[1])),
            range: BarRange::Numbers(e[0], e[1]),
            count: 0,
        })
        .collect()
}

/// Four significant digits.
fn short(number: f64) -> String {
    let rounded: f64 = format!("{number:.3e}").parse().unwrap_or(number);
    format_number(rounded)
}

pub(super) fn counts_in(numbers: &QuantileSketch, bars: &[Bar]) -> Vec<u64> {
    let mut before = 0;
    bars.iter()
        .enumerate()
        .map(|(i, bar)| {
            let up_to = match bar.range {
                BarRange::Numbers(_, edge) if i + 1 < bars.len() => {
                    numbers.counts_at(edge).1.round() as u64
                }
                _ => numbers.n(),
            };
            let count = up_to - before;
            before = up_to;
            count
        })
        .collect()
}
