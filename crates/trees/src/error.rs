//! Why a fit is refused.

use artifact::{Classified, ErrorKind};
use thiserror::Error;

/// Why rows cannot be binned or learned from; each message carries the values and says what to do.
#[derive(Debug, Clone, PartialEq, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum TreesError {
    #[error("no rows to learn from: give at least one row of each of two classes")]
    NoRows,
    #[error("{rows} rows, at most {max}: learn from a sample")]
    TooManyRows { rows: usize, max: usize },
    #[error("{features} features, 1 to {max}: select features first")]
    Features { features: usize, max: usize },
    #[error("row {row}, feature {feature} is {value}: replace infinite values before the fit")]
    Infinite {
        row: usize,
        feature: usize,
        value: f32,
    },
    #[error("row {row} of {rows}: select rows that exist")]
    NoSuchRow { row: u32, rows: usize },
    #[error("{have} {what} for {rows} rows: give one a row")]
    Length {
        what: &'static str,
        have: usize,
        rows: usize,
    },
    #[error("{n_classes} classes, 2 to 65535: class 0 is benign")]
    Classes { n_classes: usize },
    #[error("row {row} has label {label}, with {n_classes} classes labels end at {}", n_classes - 1)]
    Label {
        row: usize,
        label: u16,
        n_classes: usize,
    },
    #[error("row {row} has weight {weight}: weights are finite and not negative")]
    Weight { row: usize, weight: f32 },
    #[error(
        "every row of positive weight has label {label}: at least two classes are needed to learn"
    )]
    OneClass { label: u16 },
    #[error("{name} is {value}, it must be {expected}")]
    Parameter {
        name: &'static str,
        value: String,
        expected: &'static str,
    },
    #[error("validation rows have {have} features where the training rows have {need}")]
    ValidationFeatures { have: usize, need: usize },
}

impl Classified for TreesError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Parameter { .. } => ErrorKind::Config,
            Self::NoRows
            | Self::TooManyRows { .. }
            | Self::Features { .. }
            | Self::Infinite { .. }
            | Self::OneClass { .. } => ErrorKind::Rejected,
            Self::NoSuchRow { .. }
            | Self::Length { .. }
            | Self::Classes { .. }
            | Self::Label { .. }
            | Self::Weight { .. }
            | Self::ValidationFeatures { .. } => ErrorKind::Internal,
        }
    }
}
