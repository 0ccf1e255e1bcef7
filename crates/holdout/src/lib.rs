//! The holdout: rows that no model has seen.
//!
//! A crate of its own so that the trainer, which does not depend on it, cannot name the type.

use artifact::Artifact;
use dataset::{Records, Schema};
use serde::{Deserialize, Serialize};

/// Rows kept for the one evaluation of the chosen model. Only `transformation` makes one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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

impl Artifact for HoldoutSet {
    const KIND: &'static str = "holdout-set";
    const LAYOUT: u16 = 1;

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
