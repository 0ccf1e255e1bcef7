//! What the search found, for people and programs.

use std::collections::BTreeMap;

use model::{metrics::RankedScores, threshold::Thresholds};
use serde::{Deserialize, Serialize};

/// The report of the training stage, `training.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct TrainingReport {
    /// What candidates were compared by.
    pub selected_by: String,
    /// Number of folds.
    pub folds: usize,
    /// Every candidate in the order of the search space.
    pub candidates: Vec<CandidateReport>,
    /// k-NN and naive Bayes on a sample; never promoted.
    pub baselines: Vec<CandidateReport>,
    /// Rows that the baselines were scored on.
    pub baseline_rows: usize,
    /// Name of the chosen candidate.
    pub chosen: String,
    /// Its parameters.
    pub parameters: serde_json::Value,
    /// Its metrics under grouped folds.
    pub grouped_cv: MetricSummary,
    /// Its metrics under row-wise folds, where equal feature vectors stand on both sides: the leak.
    pub row_wise_cv: MetricSummary,
    /// Thresholds chosen on calibrated out-of-fold probabilities.
    pub thresholds: Thresholds,
    /// Features with their importance, the most important first.
    pub importance: Vec<(String, f64)>,
}

/// One candidate's cross-validated scores.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CandidateReport {
    /// Family and parameters.
    pub name: String,
    /// Family.
    pub family: String,
    /// Scores over the folds.
    pub cv: MetricSummary,
    /// Scores in each fold, by metric; empty in reports of earlier versions.
    #[serde(default)]
    pub folds: BTreeMap<String, Vec<f64>>,
    /// Of boosting, log-loss on the scored side after some numbers of rounds: means over the folds. Candidates
    /// that share a fit share its curve, each up to its own rounds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub log_loss_by_round: Vec<(usize, f64)>,
    /// Mean seconds of a fit, on one thread, beside other candidates.
    pub fit_seconds: f64,
}

/// Metrics of one fold; decisions at 0.5, before calibration.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FoldMetrics(pub [f64; METRICS.len()]);

/// Names of the metrics in [`FoldMetrics`], in order.
pub const METRICS: [&str; 9] = [
    "average_precision",
    "roc_auc",
    "recall_at_fpr_1pct",
    "accuracy",
    "precision",
    "recall",
    "f1",
    "log_loss",
    "brier",
];

impl FoldMetrics {
    /// Returns the scores of folds by metric.
    pub(crate) fn by_metric(folds: &[Self]) -> BTreeMap<String, Vec<f64>> {
        let of = |at: usize| folds.iter().map(|fold| fold.0[at]).collect();
        let named = METRICS.iter().enumerate();
        named
            .map(|(at, name)| ((*name).to_owned(), of(at)))
            .collect()
    }

    /// Computes all metrics of raw threat scores.
    pub fn of(scores: &[f64], truth: &[bool]) -> Self {
        let ranked = RankedScores::new(scores, truth);
        let decided = ranked.confusion(0.5, None);
        Self([
            ranked.average_precision(None),
            ranked.roc_auc(None),
            ranked.recall_at_fpr(0.01, None),
            decided.accuracy(),
            decided.precision(),
            decided.recall(),
            decided.f1(),
            ranked.log_loss(None),
            ranked.brier(None),
        ])
    }
}

/// Mean and standard deviation of every metric over folds, by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MetricSummary(pub BTreeMap<String, Spread>);

/// Mean and (population) standard deviation.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Mean over the folds.
    pub mean: f64,
    /// Standard deviation over the folds.
    pub std: f64,
}

impl MetricSummary {
    /// Summarises folds.
    pub fn of(folds: &[FoldMetrics]) -> Self {
        let n = folds.len() as f64;
        let spread = |at: usize| {
            let mean = folds.iter().map(|f| f.0[at]).sum::<f64>() / n;
            let variance = folds.iter().map(|f| (f.0[at] - mean).powi(2)).sum::<f64>() / n;
            Spread {
                mean,
                std: variance.sqrt(),
            }
        };
        Self(
            METRICS
                .iter()
                .enumerate()
                .map(|(at, name)| ((*name).to_owned(), spread(at)))
                .collect(),
        )
    }

    /// Returns the mean of a metric; NaN for an unknown name.
    pub fn mean(&self, name: &str) -> f64 {
        self.0.get(name).map_or(f64::NAN, |spread| spread.mean)
    }
}
