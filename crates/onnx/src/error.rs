//! Why a bundle cannot be exported.

use artifact::{Classified, ErrorKind};
use thiserror::Error;

/// Why a bundle cannot be exported.
#[derive(Debug, Error, PartialEq, Eq)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum ExportError {
    #[error(
        "column `{column}` cannot be an input: inputs need names, each its own, and none of threat_probability, label, probabilities; rename it in the schema and train again"
    )]
    InputName { column: String },
    #[error("column `{column}` is text without levels in the bundle's schema: train it again")]
    NoLevels { column: String },
    #[error("column `{column}` is asked for by the preprocessor, but not in the bundle's schema")]
    UnknownColumn { column: String },
    #[error(
        "node {node} of tree {tree} is neither a split at a threshold nor a leaf, and this export knows no other kind: export the bundle itself with `--format bundle`"
    )]
    Node { tree: usize, node: usize },
    #[error(
        "the model takes {bytes} bytes as ONNX, which allows 2147483647: train with fewer or smaller trees"
    )]
    TooLarge { bytes: usize },
}

impl Classified for ExportError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownColumn { .. } | Self::NoLevels { .. } => ErrorKind::Internal,
            Self::InputName { .. } | Self::Node { .. } | Self::TooLarge { .. } => {
                ErrorKind::Rejected
            }
        }
    }
}
