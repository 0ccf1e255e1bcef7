//! The holdout: rows that no model has seen.
//!
//! A crate of its own so that the trainer, which does not depend on it, cannot name the type.

use artifact::Artifact;
use dataset::{Records, Schema, ValidatedDataset};
use serde::{Deserialize, Serialize};

/// Rows kept for the one evaluation of the chosen model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HoldoutSet {
    /// The schema, resolved.
    #[serde(with = "dataset::schema::as_yaml")]
    pub schema: Schema,
    /// The rows, without derived columns: the bundle under evaluation computes its own.
    pub records: Records,
    /// For each row, whether its feature vector also stands among the training rows; only possible
    /// when the partition was given, never when it was split by group.
    pub overlaps_training: Vec<bool>,
    /// Whether the partition was given as a file rather than split off.
    pub given: bool,
    /// Whether the rows were generated rather than observed.
    pub simulated: bool,
}

impl HoldoutSet {
    /// Makes the holdout of rows whose groups no training row shares; called by the transformation
    /// stage alone.
    pub fn split_off(schema: Schema, records: Records, simulated: bool) -> Self {
        let overlaps_training = vec![false; records.n_rows()];
        Self {
            schema,
            records,
            overlaps_training,
            given: false,
            simulated,
        }
    }

    /// Makes the holdout of a partition that was given, with a mark on every row whose group also
    /// stands among the training rows; called by the transformation stage alone.
    pub fn adopt(
        schema: Schema,
        records: Records,
        overlaps_training: Vec<bool>,
        simulated: bool,
    ) -> Self {
        Self {
            schema,
            records,
            overlaps_training,
            given: true,
            simulated,
        }
    }
}

/// A partition given from outside (`--holdout FILE`), validated; empty when there is none.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GivenHoldout {
    /// The validated rows, under the same resolved schema as the training rows.
    pub dataset: Option<ValidatedDataset>,
}

impl Artifact for GivenHoldout {
    const KIND: &'static str = "given-holdout";
    const LAYOUT: u16 = 1;
    artifact::payload!();

    fn check(&self) -> Result<(), String> {
        self.dataset.as_ref().map_or(Ok(()), Artifact::check)
    }
}

impl Artifact for HoldoutSet {
    const KIND: &'static str = "holdout-set";
    const LAYOUT: u16 = 1;
    artifact::payload!();

    fn check(&self) -> Result<(), String> {
        self.records.check(&self.schema)?;
        let (marks, rows) = (self.overlaps_training.len(), self.records.n_rows());
        if marks == rows {
            Ok(())
        } else {
            Err(format!("{marks} overlap marks for {rows} rows"))
        }
    }
}
