//! What a prediction answers, written as JSON without building it first.

use std::io::Write as _;

use model::RowScore;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    detector::{Detector, ModelRef},
    records::Rows,
};

/// The answer to `/v1/predict`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Answer {
    /// Who answers.
    pub model: ModelRef,
    /// The probability from which on a record is called a threat.
    pub threshold: f64,
    /// One verdict a record, in the request's order.
    pub predictions: Vec<Verdict>,
}

/// The verdict on one record.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Verdict {
    /// Name of the class.
    #[schema(example = "phishing")]
    pub label: String,
    /// Whether the class is a threat.
    pub threat: bool,
    /// Calibrated probability that the record is a threat, in [0, 1].
    pub threat_probability: f64,
    /// Columns without a value, for which the model used its own.
    pub imputed: Vec<String>,
}

/// Writes an [`Answer`] as JSON.
pub fn write(detector: &Detector, rows: &Rows<'_>, scores: &[RowScore]) -> Vec<u8> {
    let mut out = Vec::with_capacity(256 + 96 * scores.len());
    out.extend_from_slice(b"{\"model\":");
    put(&mut out, &detector.reference());
    out.extend_from_slice(b",\"threshold\":");
    put(&mut out, &detector.bundle.thresholds.operating);
    out.extend_from_slice(b",\"predictions\":[");
    let names = detector.bundle.class_names();
    let width = detector.columns().len();
    let cells = rows.cells().chunks_exact(width);
    for (at, (score, cells)) in scores.iter().zip(cells).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(b"{\"label\":");
        put(&mut out, names.name(score.label));
        let threat = score.label.is_threat();
        // Writing into memory does not fail.
        let _ = write!(out, ",\"threat\":{threat},\"threat_probability\":");
        put(&mut out, &score.threat);
        out.extend_from_slice(b",\"imputed\":");
        put(&mut out, &imputed(detector, cells));
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    out
}

/// Returns the names of the columns of a row that have no value.
pub fn imputed<'d>(detector: &'d Detector, cells: &[f64]) -> Vec<&'d str> {
    let columns = detector.columns().iter().zip(cells);
    columns
        .filter(|(_, cell)| cell.is_nan())
        .map(|(column, _)| column.name.as_str())
        .collect()
}

fn put<T: Serialize + ?Sized>(out: &mut Vec<u8>, value: &T) {
    // Plain data into memory does not fail.
    let _ = serde_json::to_writer(out, value);
}
