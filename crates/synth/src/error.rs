//! Why a recipe could not be read, fitted or opened.

use artifact::{Classified, ErrorKind};
use thiserror::Error;

/// Why there is no simulated data.
#[derive(Debug, Error, PartialEq, Eq)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum SynthError {
    #[error("no recipe is called `{name}`; known: {known}")]
    UnknownRecipe { name: String, known: String },
    #[error("`{uri}`: {problem}; write synth://NAME?rows=N&seed=S, NAME one of {known}")]
    Uri {
        uri: String,
        problem: String,
        known: String,
    },
    #[error("recipe {origin}: {problem}")]
    Recipe { origin: String, problem: String },
    #[error("class `{class}` has {rows} rows, at least {needed} are needed to fit a recipe")]
    TooFewRows {
        class: String,
        rows: usize,
        needed: usize,
    },
    #[error(
        "column `{column}` is text without levels: fit under the schema that validation resolved"
    )]
    OpenText { column: String },
    #[error("column `{column}` of the schema is not among the rows")]
    AbsentColumn { column: String },
}

impl Classified for SynthError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::UnknownRecipe { .. } | Self::Uri { .. } => ErrorKind::Usage,
            Self::Recipe { .. } | Self::OpenText { .. } => ErrorKind::Config,
            Self::TooFewRows { .. } | Self::AbsentColumn { .. } => ErrorKind::Rejected,
        }
    }
}
