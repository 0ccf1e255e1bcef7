//! ONNX export: a model bundle as one graph from raw columns to threat probability, label and classes.
//!
//! Owns the graph and its encoding. Must not know how bundles are trained, where they are kept, nor any
//! runtime that executes what it writes. `docs/onnx.md` says what is in a graph, and how to use it.

mod calibration;
mod cell_type;
mod classifier;
mod columns;
mod derived;
mod error;
mod features;
mod graph;
mod limits;
mod messages;
mod metadata;
mod trees;
mod verdict;
mod wire;

use artifact::Digest;
use model::ModelBundle;

pub use cell_type::CellType;
pub use error::ExportError;
use graph::{Graph, ML_DOMAIN};
use messages::{Model, OperatorSet};
use wire::Message as _;

/// The version of the format's own layout: that of ONNX 1.12.
const IR_VERSION: i64 = 8;
/// The operators of ONNX 1.12, which every runtime since 2022 has.
const OPERATORS: i64 = 17;
/// The operators for fitted models, with trees of doubles.
const ML_OPERATORS: i64 = 3;
/// Protocol Buffers allows no message of more than 2 GiB.
const MAX_BYTES: usize = i32::MAX as usize;

/// Where a bundle comes from, written into the exported model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// Name that the model is registered under.
    pub model: String,
    /// Its version.
    pub version: u64,
    /// Digest of the bundle.
    pub bundle: Digest,
}

/// How a graph takes its rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inputs {
    /// Each column rows × 1, numbers as doubles: what [`export`] says.
    Columns,
    /// As the columns of a data frame come: vectors (rows × 1 where there is one column alone), of the types
    /// that [`CellType`] says. Outputs are vectors, too: there is no `probabilities`.
    Frame,
}

/// An exported model.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Exported {
    /// The `ModelProto`: the same bytes for the same bundle and origin.
    pub bytes: Vec<u8>,
    /// What whoever uses it has to know, a sentence each; also among its metadata.
    pub notes: Vec<String>,
}

/// Exports a bundle.
///
/// The graph has one input a feature column of the schema, under its name, rows × 1: doubles, NaN where
/// a value is missing (booleans are 0 and 1), or texts, trimmed, a missing token of the schema where a
/// value is missing. Its outputs are `threat_probability` (doubles, one a row), `label` (texts, one a
/// row) and, for more than two classes, `probabilities` (doubles, rows × classes).
///
/// They are what `model::scoring::predict` gives; a row that it refuses, with a value outside the
/// schema, has the probability NaN and an empty label.
///
/// # Errors
/// [`ExportError`] for what a graph cannot say; nothing is left out silently.
pub fn export(bundle: &ModelBundle, origin: &Origin) -> Result<Exported, ExportError> {
    export_for(Inputs::Columns, bundle, origin)
}

/// Exports a bundle as [`export`] does, for rows that come otherwise.
///
/// # Errors
/// As [`export`].
pub fn export_for(
    inputs: Inputs,
    bundle: &ModelBundle,
    origin: &Origin,
) -> Result<Exported, ExportError> {
    let mut graph = Graph::new(&verdict::OUTPUTS);
    let columns = columns::read(&mut graph, bundle, inputs)?;
    let features = features::encode(&mut graph, &columns, bundle);
    let scores = classifier::score(&mut graph, features, bundle)?;
    verdict::decide(&mut graph, &scores, columns.refused, bundle, inputs);
    let notes = metadata::notes(bundle);
    let model = Model {
        ir_version: IR_VERSION,
        producer_name: "netsec",
        producer_version: env!("CARGO_PKG_VERSION"),
        model_version: origin.version.cast_signed(),
        doc_string: notes.join("\n"),
        graph: graph.finish(&origin.model),
        operator_sets: vec![
            OperatorSet {
                domain: "",
                version: OPERATORS,
            },
            OperatorSet {
                domain: ML_DOMAIN,
                version: ML_OPERATORS,
            },
        ],
        metadata: metadata::of(bundle, origin, &notes),
    };
    let bytes = model.to_bytes();
    if bytes.len() > MAX_BYTES {
        return Err(ExportError::TooLarge { bytes: bytes.len() });
    }
    Ok(Exported { bytes, notes })
}

#[cfg(test)]
mod tests;
