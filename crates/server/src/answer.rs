//! What a prediction answers, written as JSON without building it first.

use dataset::Label;
use model::{ModelBundle, RowScore};
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

/// The parts of an answer that are the same for all requests, as JSON.
#[derive(Debug)]
pub struct Parts {
    /// Everything before the first verdict.
    head: String,
    /// Everything of a verdict before its probability, by class.
    verdicts: Vec<String>,
    /// Names of the columns.
    columns: Vec<String>,
}

impl Parts {
    /// Writes them for a bundle.
    pub fn of(reference: &ModelRef, bundle: &ModelBundle) -> Self {
        let threshold = text(&bundle.thresholds.operating);
        let verdict = |(class, name)| {
            let (label, is_threat) = (text(name), Label::from_class(class).is_threat());
            format!("{{\"label\":{label},\"threat\":{is_threat},\"threat_probability\":")
        };
        let columns = bundle.schema.features();
        Self {
            head: format!(
                "{{\"model\":{},\"threshold\":{threshold},\"predictions\":[",
                text(reference)
            ),
            verdicts: bundle
                .class_names()
                .iter()
                .enumerate()
                .map(verdict)
                .collect(),
            columns: columns.map(|column| text(&column.name)).collect(),
        }
    }

    /// Writes an [`Answer`] as JSON.
    pub fn write(&self, rows: &Rows<'_>, scores: &[RowScore]) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.head.len() + 96 * scores.len());
        out.extend_from_slice(self.head.as_bytes());
        let cells = rows.cells().chunks_exact(self.columns.len());
        for (at, (score, cells)) in scores.iter().zip(cells).enumerate() {
            if at > 0 {
                out.push(b',');
            }
            self.write_verdict(&mut out, *score, cells);
        }
        out.extend_from_slice(b"]}");
        out
    }

    fn write_verdict(&self, out: &mut Vec<u8>, score: RowScore, cells: &[f64]) {
        out.extend_from_slice(self.verdicts[score.label.class()].as_bytes());
        // A number into memory does not fail.
        let _ = serde_json::to_writer(&mut *out, &score.threat);
        out.extend_from_slice(b",\"imputed\":[");
        let missing = cells.iter().zip(&self.columns).filter(|(c, _)| c.is_nan());
        for (at, (_, name)) in missing.enumerate() {
            if at > 0 {
                out.push(b',');
            }
            out.extend_from_slice(name.as_bytes());
        }
        out.extend_from_slice(b"]}");
    }
}

fn text<T: Serialize + ?Sized>(value: &T) -> String {
    // Plain data has a JSON form.
    serde_json::to_string(value).unwrap_or_default()
}

/// Returns the names of the columns of a row that have no value.
pub fn imputed<'d>(detector: &'d Detector, cells: &[f64]) -> Vec<&'d str> {
    let columns = detector.columns().iter().zip(cells);
    columns
        .filter(|(_, cell)| cell.is_nan())
        .map(|(column, _)| column.name.as_str())
        .collect()
}
