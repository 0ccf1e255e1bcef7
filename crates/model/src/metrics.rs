//! How good threat probabilities are: metrics of ranking, of calibration and of decisions.

mod confusion;
mod curves;
#[cfg(test)]
mod tests;

pub use confusion::{Confusion, ConfusionMatrix};
pub use curves::{PrPoint, ReliabilityBin, RocPoint};

/// How many bins of equal width the expected calibration error and the reliability curve have.
pub const CALIBRATION_BINS: usize = 15;

/// Scores and truth, sorted once, so that every metric is one pass over the rows under any weights.
///
/// A score is a row's probability of being a threat; the ranking metrics take any finite number. The
/// positive class is the threat. Weights are one whole number a row, in the order of the rows, and mean
/// repetition: a row of weight 3 counts as three equal rows, a row of weight 0 is not there; `None`
/// weighs every row 1. Equal scores are one step of every curve, as in scikit-learn.
///
/// What is undefined (no rows at all or, where both are needed, no threat or no benign row) is NaN.
///
/// # Panics
/// Every method panics when there are not as many weights as rows.
#[derive(Debug, Clone)]
pub struct RankedScores {
    /// Rows by descending score, equal scores by ascending row.
    rows: Vec<u32>,
    /// Scores and truth in the order of `rows`.
    scores: Vec<f64>,
    threats: Vec<bool>,
    /// Score minus truth, loss and bin of each row, in the order of the rows.
    residuals: Vec<f64>,
    losses: Vec<f64>,
    bins: Vec<u8>,
}

/// A point where the sorted scores change: what deciding `score >= threshold` flags.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Step {
    pub(crate) threshold: f64,
    pub(crate) tp: u64,
    pub(crate) fp: u64,
}

impl RankedScores {
    /// Sorts scores; `truth` says of each row whether it is a threat.
    ///
    /// # Panics
    /// When the lengths differ or a score is not finite: a classifier gives neither.
    pub fn new(scores: &[f64], truth: &[bool]) -> Self {
        assert_eq!(scores.len(), truth.len(), "one score a row");
        assert!(
            scores.iter().all(|score| score.is_finite()),
            "scores are finite"
        );
        let n_rows = u32::try_from(scores.len()).expect("tables have under 2^32 rows");
        let mut rows: Vec<u32> = (0..n_rows).collect();
        // Adding 0.0 makes the two zeros equal.
        let score = |row: u32| scores[row as usize] + 0.0;
        rows.sort_unstable_by(|&a, &b| score(b).total_cmp(&score(a)).then(a.cmp(&b)));
        let pairs = || scores.iter().zip(truth);
        Self {
            scores: rows.iter().map(|&row| score(row)).collect(),
            threats: rows.iter().map(|&row| truth[row as usize]).collect(),
            rows,
            residuals: pairs().map(|(&p, &t)| p - f64::from(u8::from(t))).collect(),
            losses: pairs().map(|(&p, &t)| loss(p, t)).collect(),
            bins: scores.iter().map(|&p| bin(p)).collect(),
        }
    }

    /// Returns the number of rows.
    pub fn n_rows(&self) -> usize {
        self.rows.len()
    }

    /// Returns the area under the ROC curve: the chance that a threat scores above a benign row, ties
    /// counting half. scikit-learn's `roc_auc_score`, in whole numbers up to the last division.
    pub fn roc_auc(&self, weights: Option<&[u32]>) -> f64 {
        let (mut twice_area, mut last) = (0, (0, 0));
        self.for_each_step(weights, |step| {
            twice_area += (step.fp - last.1) * (step.tp + last.0);
            last = (step.tp, step.fp);
        });
        twice_area as f64 / 2.0 / (last.0 as f64 * last.1 as f64)
    }

    /// Returns the average precision, the step-wise area under the precision-recall curve ("PR AUC"):
    /// scikit-learn's `average_precision_score`.
    pub fn average_precision(&self, weights: Option<&[u32]>) -> f64 {
        let (mut sum, mut found) = (0.0, 0);
        self.for_each_step(weights, |step| {
            let precision = step.tp as f64 / (step.tp + step.fp) as f64;
            sum += (step.tp - found) as f64 * precision;
            found = step.tp;
        });
        sum / found as f64
    }

    /// Returns the highest recall among the thresholds whose false-positive rate is at most `max_fpr`,
    /// at points that the ROC curve has, without interpolation.
    pub fn recall_at_fpr(&self, max_fpr: f64, weights: Option<&[u32]>) -> f64 {
        let (threats, benign) = self.totals(weights);
        if threats == 0 || benign == 0 {
            return f64::NAN;
        }
        let mut found = 0;
        self.for_each_step(weights, |step| {
            if step.fp as f64 / benign as f64 <= max_fpr {
                found = step.tp;
            }
        });
        found as f64 / threats as f64
    }

    /// Returns the mean negative log-likelihood in nats, probabilities clipped to [2⁻⁵², 1 - 2⁻⁵²]:
    /// scikit-learn's `log_loss`.
    pub fn log_loss(&self, weights: Option<&[u32]>) -> f64 {
        mean(weights, self.losses.iter().copied())
    }

    /// Returns the mean squared distance of probability and truth, after Brier (1950).
    pub fn brier(&self, weights: Option<&[u32]>) -> f64 {
        mean(weights, self.residuals.iter().map(|r| r * r))
    }

    /// Returns the expected calibration error of Naeini et al. (2015): the mean distance between score
    /// and share of threats over [`CALIBRATION_BINS`] bins of equal width, weighted by their rows.
    pub fn expected_calibration_error(&self, weights: Option<&[u32]>) -> f64 {
        self.check_weights(weights);
        let (mut gaps, mut total) = ([0.0; CALIBRATION_BINS], 0);
        for (row, (&bin, residual)) in self.bins.iter().zip(&self.residuals).enumerate() {
            let weight = weight(weights, row);
            gaps[usize::from(bin)] += weight as f64 * residual;
            total += weight;
        }
        gaps.iter().map(|gap| gap.abs()).sum::<f64>() / total as f64
    }

    /// Counts the four outcomes of the decision `score >= threshold`.
    pub fn confusion(&self, threshold: f64, weights: Option<&[u32]>) -> Confusion {
        let flagged = self.scores.partition_point(|&score| score >= threshold);
        let (tp, fp) = self.count(0..flagged, weights);
        let (fn_, tn) = self.count(flagged..self.n_rows(), weights);
        Confusion { tp, fp, tn, fn_ }
    }

    /// Returns how many threats and how many benign rows there are.
    pub fn totals(&self, weights: Option<&[u32]>) -> (u64, u64) {
        self.count(0..self.n_rows(), weights)
    }

    fn count(&self, ranks: std::ops::Range<usize>, weights: Option<&[u32]>) -> (u64, u64) {
        self.check_weights(weights);
        let (mut threats, mut benign) = (0, 0);
        for (&row, &threat) in self.rows[ranks.clone()].iter().zip(&self.threats[ranks]) {
            let weight = weight(weights, row as usize);
            threats += weight * u64::from(threat);
            benign += weight * u64::from(!threat);
        }
        (threats, benign)
    }

    /// Visits the distinct scores of rows that have weight, descending.
    pub(crate) fn for_each_step(&self, weights: Option<&[u32]>, mut visit: impl FnMut(Step)) {
        self.check_weights(weights);
        let (mut tp, mut fp, mut seen) = (0, 0, 0);
        for (rank, (&row, &threat)) in self.rows.iter().zip(&self.threats).enumerate() {
            let weight = weight(weights, row as usize);
            tp += weight * u64::from(threat);
            fp += weight * u64::from(!threat);
            let threshold = self.scores[rank];
            let ends = self
                .scores
                .get(rank + 1)
                .is_none_or(|&next| next != threshold);
            if ends && tp + fp > seen {
                seen = tp + fp;
                visit(Step { threshold, tp, fp });
            }
        }
    }

    fn check_weights(&self, weights: Option<&[u32]>) {
        assert!(
            weights.is_none_or(|w| w.len() == self.n_rows()),
            "one weight a row"
        );
    }
}

fn weight(weights: Option<&[u32]>, row: usize) -> u64 {
    weights.map_or(1, |weights| u64::from(weights[row]))
}

fn mean(weights: Option<&[u32]>, values: impl ExactSizeIterator<Item = f64>) -> f64 {
    let Some(weights) = weights else {
        let n_rows = values.len();
        return values.sum::<f64>() / n_rows as f64;
    };
    assert_eq!(weights.len(), values.len(), "one weight a row");
    let (mut sum, mut total) = (0.0, 0);
    for (value, &weight) in values.zip(weights) {
        sum += f64::from(weight) * value;
        total += u64::from(weight);
    }
    sum / total as f64
}

/// Returns the log-loss of one row, as scikit-learn bounds it.
pub(crate) fn loss(probability: f64, threat: bool) -> f64 {
    let p = probability.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
    if threat { -p.ln() } else { -(1.0 - p).ln() }
}

/// Returns the bin of a score. A bin holds its upper edge and not its lower one, but for the first,
/// which holds 0, as in scikit-learn's `calibration_curve`.
fn bin(score: f64) -> u8 {
    let above = (1..CALIBRATION_BINS).filter(|&edge| score > bin_edge(edge));
    above.count() as u8
}

fn bin_edge(edge: usize) -> f64 {
    edge as f64 * (1.0 / CALIBRATION_BINS as f64)
}
