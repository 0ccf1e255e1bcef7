//! Why rows could not be ingested.

use artifact::{Classified, ErrorKind, StoreError};
use dataset::{SinkError, SourceError};
use thiserror::Error;

/// Why ingestion gave nothing, or a snapshot was not saved.
#[derive(Debug, Error)]
pub enum IngestionError {
    /// The source failed.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A connector broke its promise.
    #[error("{location} gave a batch that does not hold together: {reason}")]
    Batch {
        /// Where the rows come from.
        location: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Rows are numbered with 32 bits while they are sorted.
    #[error("{location} has more than {limit} rows: set `ingestion.max_rows` or split it")]
    TooManyRows {
        /// Where the rows come from.
        location: String,
        /// The most that is taken.
        limit: u64,
    },
    /// A source can be read once.
    #[error("this ingestion stage has run already: make a new one for another run")]
    AlreadyRun,
    /// The feature store's directory failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The snapshot could not be laid out.
    #[error("the snapshot for the feature store: {0}")]
    Snapshot(#[from] SinkError),
}

impl Classified for IngestionError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Source(error) => error.kind(),
            Self::Store(error) => error.kind(),
            Self::Snapshot(error) => error.kind(),
            Self::TooManyRows { .. } => ErrorKind::Rejected,
            Self::Batch { .. } | Self::AlreadyRun => ErrorKind::Internal,
        }
    }
}
