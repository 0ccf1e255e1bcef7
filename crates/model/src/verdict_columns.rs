//! The columns that a scored batch gains.

use dataset::{RawBatch, RawColumn, free_name};

use crate::scoring::Prediction;

/// What the appended columns are called where the input has none of that name.
pub const USUAL_NAMES: [&str; 5] = [
    "label",
    "threat_probability",
    "model_version",
    "problem",
    "imputed",
];

/// The names of the appended columns: none is called as one of the input's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerdictColumns {
    names: [String; USUAL_NAMES.len()],
}

impl VerdictColumns {
    /// Names the columns that are appended to these.
    pub fn beside(input: &[String]) -> Self {
        Self {
            names: USUAL_NAMES.map(|name| appended_name(name, input)),
        }
    }

    /// Returns the names, in the order of [`USUAL_NAMES`].
    pub fn names(&self) -> &[String; USUAL_NAMES.len()] {
        &self.names
    }

    /// Appends the verdicts to a batch, one prediction a row. The problem of a row that was scored
    /// names cells that the verdict does not need and that could not be read; columns without a value, which were
    /// imputed, are named apart.
    pub fn append(&self, batch: &mut RawBatch, predictions: &[Prediction], version: &str) {
        let label = predictions.iter().map(|p| match p {
            Prediction::Scored { label, .. } => Some(label.as_str()),
            Prediction::Refused { .. } => None,
        });
        let probability = predictions.iter().map(|p| match p {
            Prediction::Scored {
                threat_probability, ..
            } => *threat_probability,
            Prediction::Refused { .. } => f64::NAN,
        });
        let mut lost = batch.lost_cells();
        let problems: Vec<Option<String>> = predictions
            .iter()
            .enumerate()
            .map(|(row, p)| match p {
                Prediction::Scored { .. } => lost.remove(&row),
                Prediction::Refused { problems } => Some(problems.join("; ")),
            })
            .collect();
        let imputed: Vec<Option<String>> = predictions
            .iter()
            .map(|p| match p {
                Prediction::Scored { imputed, .. } if !imputed.is_empty() => {
                    Some(imputed.join("; "))
                }
                _ => None,
            })
            .collect();
        let columns = [
            RawColumn::Text(label.collect()),
            RawColumn::Number(probability.collect()),
            RawColumn::Text(predictions.iter().map(|_| Some(version)).collect()),
            RawColumn::Text(problems.iter().map(Option::as_deref).collect()),
            RawColumn::Text(imputed.iter().map(Option::as_deref).collect()),
        ];
        batch.names.extend(self.names.iter().cloned());
        batch.columns.extend(columns);
        // A row that could not be taken apart has said so in its problem.
        batch.defects.clear();
    }
}

/// Appends the reasons of each verdict; empty for a row that was refused.
pub fn append_reasons(batch: &mut RawBatch, reasons: &[Option<String>]) {
    let name = appended_name("reasons", &batch.names);
    batch.names.push(name);
    let texts = reasons.iter().map(Option::as_deref).collect();
    batch.columns.push(RawColumn::Text(texts));
}

fn appended_name(name: &str, input: &[String]) -> String {
    // In Parquet, `label.id` is a part of `label`.
    let is_taken = |name: &str| {
        let mut taken = input.iter().map(|n| (n.as_str(), n.split('.').next()));
        taken.any(|(whole, outermost)| whole == name || outermost == Some(name))
    };
    free_name(name, "predicted_", is_taken)
}
