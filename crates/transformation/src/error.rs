//! Why rows cannot be split.

use artifact::{Classified, ErrorKind};
use dataset::SinkError;
use thiserror::Error;

/// Error of the transformation stage.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum TransformationError {
    #[error("transformation.holdout_share is {share}: use a share between 0 and 1, such as 0.2")]
    HoldoutShare { share: f64 },
    #[error("transformation.preprocessing.{family}.knn.k is 0: use 1 or more")]
    NoNeighbours { family: &'static str },
    #[error(
        "the {side} set has {threats} threats and {benign} benign rows: both are needed; \
         give more rows or another holdout_share"
    )]
    OneClass {
        side: &'static str,
        threats: usize,
        benign: usize,
    },
    #[error("cannot write a partition: {0}")]
    Partition(#[from] SinkError),
}

impl Classified for TransformationError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::HoldoutShare { .. } | Self::NoNeighbours { .. } => ErrorKind::Config,
            Self::OneClass { .. } => ErrorKind::Rejected,
            Self::Partition(_) => ErrorKind::Internal,
        }
    }
}
