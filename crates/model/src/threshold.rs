//! From which probability on a row is called a threat.

#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use crate::metrics::RankedScores;

/// The threshold that no probability reaches: the number after 1.
pub const NEVER: f64 = 1.0 + f64::EPSILON;

/// The two thresholds of a detector; the decision is `probability >= threshold`.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Thresholds {
    /// The lowest threshold that keeps the false-positive rate within what is allowed, and so of the
    /// highest recall; what the detector decides by.
    pub operating: f64,
    /// The threshold of the highest F1.
    pub f1: f64,
}

impl Thresholds {
    /// Chooses both thresholds from out-of-fold probabilities and truth (whether a row is a threat).
    ///
    /// A threshold lies midway between two neighbouring distinct scores, the lowest one midway between
    /// 0 and the lowest score, so that it does not hang on the last digit of one row's score. Of equal
    /// F1, the higher threshold is taken. Rows that score 0 are never flagged.
    ///
    /// It is [`NEVER`] where flagging anything is wrong: `operating` when the best-scored rows, already,
    /// hold too many benign ones, `f1` when there is no threat, both when there are no rows. Without
    /// benign rows no false-positive rate is exceeded, and `operating` flags every row.
    ///
    /// # Panics
    /// When the lengths differ or a score is not finite, as [`RankedScores::new`].
    pub fn choose(scores: &[f64], truth: &[bool], max_fpr: f64) -> Self {
        let ranked = RankedScores::new(scores, truth);
        let (threats, benign) = ranked.totals(None);
        let mut steps = Vec::new();
        ranked.for_each_step(None, |step| steps.push(step));
        let (mut operating, mut f1, mut best) = (NEVER, NEVER, 0.0);
        for (at, step) in steps.iter().enumerate().filter(|(_, s)| s.threshold > 0.0) {
            let below = steps.get(at + 1).map_or(0.0, |next| next.threshold);
            if step.fp as f64 / benign.max(1) as f64 <= max_fpr {
                operating = midway(below, step.threshold);
            }
            let score = 2.0 * step.tp as f64 / (step.tp + step.fp + threats) as f64;
            if score > best {
                (best, f1) = (score, midway(below, step.threshold));
            }
        }
        Self { operating, f1 }
    }

    /// Checks thresholds after decoding: each in (0, 1], or [`NEVER`].
    ///
    /// # Errors
    /// A sentence with the value.
    pub fn check(&self) -> Result<(), String> {
        for (name, value) in [("operating", self.operating), ("F1", self.f1)] {
            if !(value > 0.0 && value <= NEVER) {
                return Err(format!("{name} threshold {value} is not in (0, 1]"));
            }
        }
        Ok(())
    }
}

/// Returns a number above `low` and at most `high`, in their middle if there is one.
fn midway(low: f64, high: f64) -> f64 {
    let middle = low.max(0.0) + (high - low.max(0.0)) / 2.0;
    if middle > low && middle > 0.0 {
        middle
    } else {
        high
    }
}
