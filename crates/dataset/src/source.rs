//! Where rows come from and where they go: blocking traits that connectors and formats implement.

use artifact::{Classified, ErrorKind};
use thiserror::Error;

use crate::RawBatch;

/// Gives rows in batches. Implementations hide their runtime: every call blocks.
pub trait Source: Send {
    /// Returns where the rows come from, for people; never with a secret in it.
    fn description(&self) -> &str;

    /// Returns whether the rows were generated rather than observed.
    fn is_simulated(&self) -> bool {
        false
    }

    /// Returns the next rows, or `None` at the end. Batches hold a bounded number of rows.
    ///
    /// # Errors
    /// [`SourceError`]; the source is not asked again after one.
    fn next_batch(&mut self) -> Result<Option<RawBatch>, SourceError>;
}

/// Takes rows in batches.
pub trait Sink: Send {
    /// Returns where the rows go, for people; never with a secret in it.
    fn description(&self) -> &str;

    /// Writes some rows.
    ///
    /// # Errors
    /// [`SinkError`].
    fn write(&mut self, batch: &RawBatch) -> Result<(), SinkError>;

    /// Makes everything written durable and visible.
    ///
    /// # Errors
    /// [`SinkError`].
    fn finish(self: Box<Self>) -> Result<(), SinkError>;
}

/// Why a source gave no (more) rows.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum SourceError {
    #[error("cannot read {location}: {reason}")]
    Unavailable { location: String, reason: String },
    #[error("{location}: {reason}")]
    Malformed { location: String, reason: String },
    #[error("{location}: {reason}")]
    Unsupported { location: String, reason: String },
}

impl Classified for SourceError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Unavailable { .. } => ErrorKind::Unavailable,
            Self::Malformed { .. } => ErrorKind::Rejected,
            Self::Unsupported { .. } => ErrorKind::Usage,
        }
    }
}

/// Why a sink did not take rows.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum SinkError {
    #[error("cannot write {location}: {reason}")]
    Unavailable { location: String, reason: String },
    /// The same may succeed a moment later.
    #[error("cannot write {location}: {reason}")]
    Interrupted { location: String, reason: String },
    #[error("cannot read {location} back: {reason}")]
    Unread {
        location: String,
        reason: String,
        is_transient: bool,
    },
    #[error("{location}: {reason}")]
    Rejected { location: String, reason: String },
}

impl SinkError {
    /// Returns whether the same may succeed a moment later.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Interrupted { .. } => true,
            Self::Unread { is_transient, .. } => *is_transient,
            Self::Unavailable { .. } | Self::Rejected { .. } => false,
        }
    }
}

impl Classified for SinkError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Rejected { .. } => ErrorKind::Rejected,
            _ => ErrorKind::Unavailable,
        }
    }
}
