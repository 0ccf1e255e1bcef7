//! Stage `transformation`: proven rows in, a training set and a holdout out, with no group on both sides.
//!
//! Owns the split, the derived columns and the choice of preprocessing.
//! Must not fit anything: whatever learns is fitted by the trainer, inside each fold.

mod error;
mod partitions;
mod split;

use artifact::{Context, Stage};
use dataset::{Preprocessing, TrainingSet, ValidatedDataset, derived};
use holdout::{GivenHoldout, HoldoutSet};
use serde::{Deserialize, Serialize};

pub use error::TransformationError;
pub use split::{SplitReport, holdout_rows};

/// Configuration of the stage.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TransformationConfig {
    /// Share of groups held out, in (0, 1).
    pub holdout_share: f64,
    /// How each model family's preprocessor is to be made.
    pub preprocessing: Preprocessing,
    /// Whether the two partitions are also written as Parquet, for other tools.
    pub export_partitions: bool,
}

impl Default for TransformationConfig {
    fn default() -> Self {
        Self {
            holdout_share: 0.2,
            preprocessing: Preprocessing::default(),
            export_partitions: true,
        }
    }
}

impl TransformationConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`TransformationError`] that names the key.
    pub fn check(&self) -> Result<(), TransformationError> {
        let share = self.holdout_share;
        if !(share > 0.0 && share < 1.0) {
            return Err(TransformationError::HoldoutShare { share });
        }
        let specs = &self.preprocessing;
        let specs = [
            ("linear", &specs.linear),
            ("trees", &specs.trees),
            ("baselines", &specs.baselines),
        ];
        match specs.iter().find(|(_, spec)| spec.knn.k == 0) {
            Some((family, _)) => Err(TransformationError::NoNeighbours { family }),
            None => Ok(()),
        }
    }
}

/// The transformation stage.
pub struct Transformation {
    config: TransformationConfig,
}

impl Transformation {
    /// Makes the stage.
    pub fn new(config: TransformationConfig) -> Self {
        Self { config }
    }
}

impl Stage for Transformation {
    const NAME: &'static str = "transformation";
    const ORDER: u8 = 3;
    type Config = TransformationConfig;
    type Inputs = (ValidatedDataset, GivenHoldout);
    type Outputs = (TrainingSet, HoldoutSet);
    type Error = TransformationError;

    fn config(&self) -> &TransformationConfig {
        &self.config
    }

    fn run(
        &self,
        (validated, given): Self::Inputs,
        context: &mut Context,
    ) -> Result<Self::Outputs, TransformationError> {
        self.config.check()?;
        let share = self.config.holdout_share;
        let ValidatedDataset {
            schema,
            records,
            simulated,
            ..
        } = validated;
        let (mut training, holdout) = match given.dataset {
            None => {
                let (train, held) = split::by_group(&records, share, context.seed);
                (
                    train,
                    HoldoutSet::split_off(schema.clone(), held, simulated),
                )
            }
            Some(given) => {
                let overlaps = split::overlaps(&given.records, &records);
                let held = given.records;
                (
                    records,
                    HoldoutSet::adopt(schema.clone(), held, overlaps, given.simulated),
                )
            }
        };
        let report = SplitReport::of(&schema, &training, &holdout);
        context.report("transformation", &report);
        context.count("train", report.train.rows);
        context.count("holdout", report.holdout.rows);
        report.check()?;
        if self.config.export_partitions {
            context.attach("train.parquet", partitions::to_parquet(&schema, &training)?);
            context.attach(
                "holdout.parquet",
                partitions::to_parquet(&schema, &holdout.records)?,
            );
        }
        derived::append(&schema, &mut training.table);
        let preprocessing = self.config.preprocessing.clone();
        let training = TrainingSet::without_holdout(schema, training, preprocessing, simulated);
        Ok((training, holdout))
    }
}

#[cfg(test)]
mod tests;
