//! The split: whole groups go to one side, by a keyed hash.

use std::collections::BTreeSet;

use dataset::{GroupKey, Records, Schema};
use holdout::HoldoutSet;
use serde::{Deserialize, Serialize};

use crate::TransformationError;

/// Returns for each row whether its group belongs to the holdout.
///
/// Membership depends on the group's key and the seed alone: it does not move when rows are added,
/// removed or reordered.
pub fn holdout_rows(groups: &[GroupKey], share: f64, seed: u64) -> Vec<bool> {
    groups
        .iter()
        .map(|group| group.unit(seed) < share)
        .collect()
}

/// Splits records into training and holdout rows.
pub(crate) fn by_group(records: &Records, share: f64, seed: u64) -> (Records, Records) {
    let held = holdout_rows(&records.groups, share, seed);
    let rows = |side: bool| -> Vec<usize> {
        (0..records.n_rows())
            .filter(|&row| held[row] == side)
            .collect()
    };
    (records.select(&rows(false)), records.select(&rows(true)))
}

/// Marks the rows of a given holdout whose feature vector also stands among the training rows.
pub(crate) fn overlaps(holdout: &Records, training: &Records) -> Vec<bool> {
    let seen: BTreeSet<GroupKey> = training.groups.iter().copied().collect();
    holdout
        .groups
        .iter()
        .map(|group| seen.contains(group))
        .collect()
}

/// What the split gave, `transformation.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct SplitReport {
    /// The training side.
    pub train: SideCounts,
    /// The holdout.
    pub holdout: SideCounts,
    /// Whether the holdout was given rather than split off.
    pub given: bool,
    /// Holdout rows whose feature vector also stands in training: 0 unless the holdout was given.
    pub overlapping_rows: usize,
    /// Names of the derived columns.
    pub derived: Vec<String>,
}

/// Counts of one side of the split.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct SideCounts {
    /// Rows.
    pub rows: usize,
    /// Distinct feature vectors.
    pub groups: usize,
    /// Rows that are threats.
    pub threats: usize,
}

impl SplitReport {
    pub(crate) fn of(schema: &Schema, training: &Records, holdout: &HoldoutSet) -> Self {
        Self {
            train: SideCounts::of(schema, training),
            holdout: SideCounts::of(schema, &holdout.records),
            given: holdout.given,
            overlapping_rows: holdout.overlaps_training.iter().filter(|&&o| o).count(),
            derived: schema.derived.iter().map(|d| d.name.clone()).collect(),
        }
    }

    /// Checks that both sides have both classes.
    pub(crate) fn check(&self) -> Result<(), TransformationError> {
        for (side, counts) in [("training", self.train), ("holdout", self.holdout)] {
            let (threats, benign) = (counts.threats, counts.rows - counts.threats);
            if threats == 0 || benign == 0 {
                return Err(TransformationError::OneClass {
                    side,
                    threats,
                    benign,
                });
            }
        }
        Ok(())
    }
}

impl SideCounts {
    fn of(schema: &Schema, records: &Records) -> Self {
        Self {
            rows: records.n_rows(),
            groups: records.groups.iter().collect::<BTreeSet<_>>().len(),
            threats: records
                .labels(schema)
                .iter()
                .filter(|label| label.is_threat())
                .count(),
        }
    }
}
