//! Stage `validation`: raw rows in, proven rows out, every problem reported.
//!
//! Owns the gate: what makes a row bad, how many bad rows are too many, and what is said about them.
//! Must not know where rows come from, nor what is learned from them.

mod error;
mod gate;
mod quarantine;
mod report;
mod rows;

use std::collections::BTreeSet;

use artifact::{Context, Stage};
use dataset::{
    Provenance, RawBatch, RawDataset, ReferenceProfile, Schema, ValidatedDataset,
    drift::{self, DriftConfig},
    profile::Profile,
};
use serde::{Deserialize, Serialize};

pub use error::ValidationError;
pub use report::{ColumnFindings, ProblemCount, RowCounts, ValidationReport};

/// Configuration of the stage.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ValidationConfig {
    /// Largest share of quarantined rows; the schema's when left out.
    pub max_bad_share: Option<f64>,
    /// How drift is judged.
    pub drift: DriftConfig,
    /// What drift means for training.
    pub on_drift: OnDrift,
}

impl ValidationConfig {
    /// Checks the ranges.
    ///
    /// # Errors
    /// [`ValidationError::Config`] that names the key.
    pub fn check(&self) -> Result<(), ValidationError> {
        let drift = self.drift.check().map_err(|e| format!("drift.{e}"));
        let share = match self.max_bad_share {
            Some(share) if !(0.0..=1.0).contains(&share) => {
                Err(format!("max_bad_share {share} is not between 0 and 1"))
            }
            _ => Ok(()),
        };
        let checked = share.and(drift);
        checked.map_err(|problem| ValidationError::Config { problem })
    }
}

/// What drift against the champion's training data means for a training run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDrift {
    /// It is reported: drifted data is what one retrains on.
    #[default]
    Warn,
    /// The run is refused.
    Reject,
}

/// The validation stage.
pub struct Validation {
    config: ValidationConfig,
    /// A schema resolved elsewhere, whose text levels are used instead of those in the rows.
    resolved: Option<Schema>,
}

impl Validation {
    /// Makes the stage.
    pub fn new(config: ValidationConfig) -> Self {
        Self {
            config,
            resolved: None,
        }
    }

    /// Uses a schema that another data set has resolved, so that both have the same level codes.
    pub fn under(mut self, resolved: Schema) -> Self {
        self.resolved = Some(resolved);
        self
    }
}

impl Stage for Validation {
    const NAME: &'static str = "validation";
    const ORDER: u8 = 2;
    type Config = ValidationConfig;
    type Inputs = (RawDataset, Provenance, ReferenceProfile);
    type Outputs = (ValidatedDataset,);
    type Error = ValidationError;

    fn config(&self) -> &ValidationConfig {
        &self.config
    }

    fn run(
        &self,
        (raw, provenance, reference): Self::Inputs,
        context: &mut Context,
    ) -> Result<Self::Outputs, ValidationError> {
        self.config.check()?;
        let schema = self
            .resolved
            .clone()
            .unwrap_or_else(|| rows::resolve_levels(&raw));
        let judged = rows::judge(&schema, &raw);
        let records = judged.accepted(&schema, &raw);
        let profile = Profile::of(&schema, &records.table);
        let drift = drift::compare(reference.profile.as_ref(), &profile, &self.config.drift);
        let report = ValidationReport::build(
            &schema,
            &raw,
            &provenance,
            &judged,
            &records,
            profile,
            drift,
        );
        let reasons = gate::reasons(&self.config, &schema, &report);
        let report = report.with_verdict(reasons);

        context.count("rows", report.rows.total);
        context.count("quarantined", report.rows.quarantined);
        context.report("validation", &report);
        if !judged.bad.is_empty() {
            let csv = quarantine::to_csv(&raw, &provenance, &judged)?;
            context.attach("quarantine.csv", csv);
        }
        if !report.passed {
            return Err(ValidationError::Rejected {
                reasons: report.reasons,
            });
        }
        Ok((ValidatedDataset::passed_gate(
            schema,
            records,
            raw.simulated,
        ),))
    }
}

/// Rows of a part of a data set that are bad, with their problems.
pub struct Screening {
    /// Canonical indices of the bad rows.
    pub bad: BTreeSet<usize>,
    /// The bad rows as texts, in row-number order: `row`, `problems`, then the cells as they were read.
    pub quarantine: RawBatch,
}

/// Judges the rows of a part of a data set, as the stage judges those of the whole.
pub fn screen(raw: &RawDataset, provenance: &Provenance) -> Screening {
    let judged = rows::judge_part(raw);
    Screening {
        quarantine: quarantine::rows(raw, provenance, &judged),
        bad: judged.bad.into_keys().collect(),
    }
}

#[cfg(test)]
mod tests;
