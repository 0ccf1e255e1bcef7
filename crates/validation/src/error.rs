//! Why validation refuses data.

use artifact::{Classified, ErrorKind};
use thiserror::Error;

/// Error of the validation stage.
#[derive(Debug, Error)]
pub enum ValidationError {
    /// The gate refused the data; the report says all that was found.
    #[error("data refused: {}", reasons.join("; "))]
    Rejected {
        /// Every reason, not only the first.
        reasons: Vec<String>,
    },
    /// The configuration is out of range.
    #[error("validation.{problem}")]
    Config {
        /// The key and what is wrong with it.
        problem: String,
    },
    /// The quarantine file could not be put together.
    #[error("cannot write the quarantine file: {0}")]
    Quarantine(#[from] csv::Error),
}

impl Classified for ValidationError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Rejected { .. } => ErrorKind::Rejected,
            Self::Config { .. } => ErrorKind::Config,
            Self::Quarantine(_) => ErrorKind::Internal,
        }
    }
}
