//! Stage `training`: a training set in, a complete model bundle out.
//!
//! Owns the search: folds, candidates, selection, refit, calibration and thresholds; with `trees` it is
//! the only code that learns. Must not know the holdout, which it does not depend on.

mod baselines;
mod config;
mod cross_validation;
mod error;
mod folds;
mod learner;
pub mod logistic;
mod prepared;
mod report;
mod search;

use artifact::{Context, Stage};
use dataset::TrainingSet;
use model::{ModelBundle, TrainingGroups};

pub use config::{CalibrationKind, SelectionMetric, TrainingConfig};
pub use error::TrainingError;
pub use folds::{grouped_stratified, row_wise_stratified};
pub use learner::{Family, Learner};
pub use report::{CandidateReport, FoldMetrics, MetricSummary, TrainingReport};

/// The training stage.
pub struct Training {
    config: TrainingConfig,
}

impl Training {
    /// Makes the stage.
    pub fn new(config: TrainingConfig) -> Self {
        Self { config }
    }
}

impl Stage for Training {
    const NAME: &'static str = "training";
    const ORDER: u8 = 4;
    type Config = TrainingConfig;
    type Inputs = (TrainingSet,);
    type Outputs = (ModelBundle, TrainingGroups);
    type Error = TrainingError;

    fn config(&self) -> &TrainingConfig {
        &self.config
    }

    fn run(
        &self,
        (training,): Self::Inputs,
        context: &mut Context,
    ) -> Result<Self::Outputs, TrainingError> {
        let (bundle, report) = search::run(&self.config, &training, context)?;
        context.count("rows", training.records.n_rows());
        context.count("candidates", report.candidates.len());
        context.report("training", &report);
        Ok((bundle, TrainingGroups::of(&training.records.groups)))
    }
}
