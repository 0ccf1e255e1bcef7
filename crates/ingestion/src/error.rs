//! Why ingestion fails.

use artifact::{Classified, ErrorKind};
use dataset::SourceError;
use thiserror::Error;

/// Error of the ingestion stage.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum IngestionError {
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(
        "column `{column}` has over {limit} distinct texts: is it an identifier? mark it never_use"
    )]
    TooManyTexts { column: String, limit: usize },
}

impl Classified for IngestionError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Source(source) => source.kind(),
            Self::TooManyTexts { .. } => ErrorKind::Rejected,
        }
    }
}
