//! Curves for plotting: ROC, precision-recall, reliability.

use serde::{Deserialize, Serialize};

use super::{CALIBRATION_BINS, RankedScores, bin, bin_edge, weight};
use crate::threshold::NEVER;

/// A point of the ROC curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RocPoint {
    /// What a score must reach to be flagged; [`NEVER`] at the first point.
    pub threshold: f64,
    /// Share of the benign rows that is flagged.
    pub fpr: f64,
    /// Share of the threats that is flagged.
    pub recall: f64,
}

/// A point of the precision-recall curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PrPoint {
    /// What a score must reach to be flagged; [`NEVER`] at the first point.
    pub threshold: f64,
    /// Share of the threats that is flagged.
    pub recall: f64,
    /// Share of threats among what is flagged; 1 at the first point.
    pub precision: f64,
}

/// A bin of the reliability curve, which has rows.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ReliabilityBin {
    /// Lower edge of the bin, not in it but for 0.
    pub low: f64,
    /// Upper edge of the bin, in it.
    pub high: f64,
    /// Mean score of the rows.
    pub mean_score: f64,
    /// Share of threats among the rows.
    pub threat_share: f64,
    /// Number of rows.
    pub count: u64,
}

impl RankedScores {
    /// Returns the ROC curve from (0, 0) to (1, 1), at most `max_points` (no fewer than 2) of its points
    /// spread evenly along its length; empty when undefined.
    pub fn roc_curve(&self, max_points: usize, weights: Option<&[u32]>) -> Vec<RocPoint> {
        let (threats, benign) = self.totals(weights);
        if threats == 0 || benign == 0 {
            return Vec::new();
        }
        let mut points = vec![RocPoint {
            threshold: NEVER,
            fpr: 0.0,
            recall: 0.0,
        }];
        self.for_each_step(weights, |step| {
            points.push(RocPoint {
                threshold: step.threshold,
                fpr: step.fp as f64 / benign as f64,
                recall: step.tp as f64 / threats as f64,
            });
        });
        thin(points, max_points, |p| (p.fpr, p.recall))
    }

    /// Returns the precision-recall curve by rising recall, at most `max_points` (no fewer than 2) of
    /// its points spread evenly along its length; empty when there is no threat.
    pub fn pr_curve(&self, max_points: usize, weights: Option<&[u32]>) -> Vec<PrPoint> {
        let (threats, _) = self.totals(weights);
        if threats == 0 {
            return Vec::new();
        }
        let mut points = vec![PrPoint {
            threshold: NEVER,
            recall: 0.0,
            precision: 1.0,
        }];
        self.for_each_step(weights, |step| {
            points.push(PrPoint {
                threshold: step.threshold,
                recall: step.tp as f64 / threats as f64,
                precision: step.tp as f64 / (step.tp + step.fp) as f64,
            });
        });
        thin(points, max_points, |p| (p.recall, p.precision))
    }

    /// Returns the reliability curve: of the [`CALIBRATION_BINS`] bins of equal width those that have
    /// rows, ascending.
    pub fn reliability(&self, weights: Option<&[u32]>) -> Vec<ReliabilityBin> {
        self.check_weights(weights);
        let mut sums = [(0.0, 0, 0); CALIBRATION_BINS];
        for ((&row, &score), &threat) in self.rows.iter().zip(&self.scores).zip(&self.threats) {
            let (weight, sum) = (
                weight(weights, row as usize),
                &mut sums[usize::from(bin(score))],
            );
            sum.0 += weight as f64 * score;
            sum.1 += weight * u64::from(threat);
            sum.2 += weight;
        }
        let bins = sums.iter().enumerate().filter(|(_, sum)| sum.2 > 0);
        bins.map(|(bin, &(scores, threats, count))| ReliabilityBin {
            low: bin_edge(bin),
            high: bin_edge(bin + 1),
            mean_score: scores / count as f64,
            threat_share: threats as f64 / count as f64,
            count,
        })
        .collect()
    }
}

/// Keeps the first point, the last one, and those that are next along the curve at even distances.
fn thin<P: Copy>(points: Vec<P>, max_points: usize, place: impl Fn(&P) -> (f64, f64)) -> Vec<P> {
    if points.len() <= max_points.max(2) {
        return points;
    }
    let mut lengths = vec![0.0];
    for pair in points.windows(2) {
        let ((x0, y0), (x1, y1)) = (place(&pair[0]), place(&pair[1]));
        lengths.push(lengths[lengths.len() - 1] + (x1 - x0).abs() + (y1 - y0).abs());
    }
    let (last, gaps) = (points.len() - 1, max_points.max(2) - 1);
    let mut kept = vec![0];
    for gap in 1..gaps {
        let goal = lengths[last] * gap as f64 / gaps as f64;
        kept.push(lengths.partition_point(|&length| length < goal));
    }
    kept.push(last);
    kept.dedup();
    kept.into_iter().map(|at| points[at]).collect()
}
