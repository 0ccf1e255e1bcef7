//! Figures of the run as a whole: on the holdout, in cross-validation, of rows and times.

use registry::{Comparison, Decision, Evaluation, HoldoutMetrics};
use trainer::{MetricSummary, TrainingReport};

use super::Evidence;
use crate::batch::Batch;

pub(super) fn log(batch: &mut Batch, evidence: &Evidence, at: i64) {
    let mut measures = Measures { batch, at };
    if let Some(validation) = &evidence.validation {
        let rows = &validation.rows;
        measures.add("rows/total", rows.total as f64);
        measures.add("rows/quarantined", rows.quarantined as f64);
        measures.add("rows/duplicates", rows.duplicates as f64);
        measures.add("rows/threat_share", validation.threat_share);
    }
    if let Some(split) = &evidence.split {
        measures.add("rows/train", split.train.rows as f64);
        measures.add("rows/holdout", split.holdout.rows as f64);
    }
    if let Some(training) = &evidence.training {
        measures.training(training);
    }
    if let Some(evaluation) = &evidence.evaluation {
        measures.evaluation(evaluation);
    }
    for (_, stage) in &evidence.stages {
        measures.add(&format!("seconds/{}", stage.stage), stage.seconds);
    }
}

struct Measures<'a> {
    batch: &'a mut Batch,
    at: i64,
}

impl Measures<'_> {
    fn add(&mut self, key: &str, value: f64) {
        self.batch.metric(key, value, 0, self.at);
    }

    fn training(&mut self, training: &TrainingReport) {
        self.summary("cv", &training.grouped_cv);
        self.summary("row_wise_cv", &training.row_wise_cv);
        let chosen = training.candidates.iter();
        for candidate in chosen.filter(|c| c.name == training.chosen) {
            for (name, folds) in &candidate.folds {
                for (fold, value) in folds.iter().enumerate() {
                    let key = format!("cv_fold/{name}");
                    self.batch.metric(&key, *value, fold, self.at);
                }
            }
        }
        self.add("threshold/operating", training.thresholds.operating);
        self.add("threshold/f1", training.thresholds.f1);
    }

    fn summary(&mut self, prefix: &str, summary: &MetricSummary) {
        for (name, spread) in &summary.0 {
            self.add(&format!("{prefix}/{name}"), spread.mean);
            self.add(&format!("{prefix}/{name}_std"), spread.std);
        }
    }

    fn evaluation(&mut self, evaluation: &Evaluation) {
        self.holdout("holdout", &evaluation.metrics);
        if let Some(unseen) = &evaluation.without_overlap {
            self.holdout("holdout_without_overlap", unseen);
        }
        let f1 = Decision::from(&evaluation.at_f1);
        let at_f1 = [
            ("accuracy", f1.accuracy),
            ("precision", f1.precision),
            ("recall", f1.recall),
            ("f1", f1.f1),
            ("fpr", f1.fpr),
        ];
        for (name, value) in at_f1 {
            self.add(&format!("holdout_at_f1_threshold/{name}"), value);
        }
        if let Comparison::Compared { difference, .. } = &evaluation.comparison {
            self.add("champion/pr_auc_difference", difference.value);
            self.add("champion/pr_auc_difference_low", difference.low);
        }
    }

    fn holdout(&mut self, prefix: &str, metrics: &HoldoutMetrics) {
        for (name, interval) in metrics.named() {
            self.add(&format!("{prefix}/{name}"), interval.value);
            // Without resamples there are no bounds.
            if !interval.low.is_nan() {
                self.add(&format!("{prefix}/{name}_low"), interval.low);
                self.add(&format!("{prefix}/{name}_high"), interval.high);
            }
        }
    }
}
