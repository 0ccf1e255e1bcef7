//! The metrics of a holdout with their intervals.

use model::{
    metrics::{Confusion, RankedScores},
    resampling::{Bounds, GroupBootstrap, Interval},
    threshold::Thresholds,
};
use serde::{Deserialize, Serialize};

/// Every metric with its 95 % interval over resampled groups; decisions at the operating threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's standard terms")]
pub struct HoldoutMetrics {
    pub accuracy: Interval,
    pub precision: Interval,
    pub recall: Interval,
    pub f1: Interval,
    pub fpr: Interval,
    pub roc_auc: Interval,
    pub pr_auc: Interval,
    pub recall_at_fpr_1pct: Interval,
    pub log_loss: Interval,
    pub brier: Interval,
    pub ece: Interval,
}

/// Decisions at one threshold, without intervals.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are the field's standard terms")]
pub struct Decision {
    pub accuracy: f64,
    pub precision: f64,
    pub recall: f64,
    pub f1: f64,
    pub fpr: f64,
}

impl From<&Confusion> for Decision {
    fn from(c: &Confusion) -> Self {
        Self {
            accuracy: c.accuracy(),
            precision: c.precision(),
            recall: c.recall(),
            f1: c.f1(),
            fpr: c.fpr(),
        }
    }
}

impl HoldoutMetrics {
    pub(crate) fn of(
        ranked: &RankedScores,
        thresholds: &Thresholds,
        bootstrap: &GroupBootstrap,
    ) -> Self {
        let mut bounds = [Bounds::Percentile; 11];
        // The calibration error, alone of them, adds up absolute differences.
        bounds[10] = Bounds::Centred;
        let all = bootstrap.intervals(bounds, |weights| {
            let weights = Some(weights);
            let decided = ranked.confusion(thresholds.operating, weights);
            [
                decided.accuracy(),
                decided.precision(),
                decided.recall(),
                decided.f1(),
                decided.fpr(),
                ranked.roc_auc(weights),
                ranked.average_precision(weights),
                ranked.recall_at_fpr(0.01, weights),
                ranked.log_loss(weights),
                ranked.brier(weights),
                ranked.expected_calibration_error(weights),
            ]
        });
        let [
            accuracy,
            precision,
            recall,
            f1,
            fpr,
            roc_auc,
            pr_auc,
            recall_at_fpr_1pct,
            log_loss,
            brier,
            ece,
        ] = all;
        Self {
            accuracy,
            precision,
            recall,
            f1,
            fpr,
            roc_auc,
            pr_auc,
            recall_at_fpr_1pct,
            log_loss,
            brier,
            ece,
        }
    }

    /// Returns all metrics with the names that reports use.
    pub fn named(&self) -> [(&'static str, Interval); 11] {
        [
            ("accuracy", self.accuracy),
            ("precision", self.precision),
            ("recall", self.recall),
            ("f1", self.f1),
            ("fpr", self.fpr),
            ("roc_auc", self.roc_auc),
            ("pr_auc", self.pr_auc),
            ("recall_at_fpr_1pct", self.recall_at_fpr_1pct),
            ("log_loss", self.log_loss),
            ("brier", self.brier),
            ("ece", self.ece),
        ]
    }
}
