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
    #[error("all of {features} features are constant: there is nothing to tell rows apart by")]
    Constant { features: usize },
    #[error("categorical feature {feature} of {features}: list features that exist")]
    NoSuchFeature { feature: u16, features: usize },
    #[error(
        "row {row}, categorical feature {feature} is {value}: code categories as whole numbers 0 to 254"
    )]
    Category {
        row: usize,
        feature: usize,
        value: f32,
    },
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
        "row {row} weighs {weight:e}, with its class: {rows} rows weigh at most {most:e} each, scale the weights down"
    )]
    HeavyWeight {
        row: usize,
        weight: f32,
        rows: usize,
        most: f32,
    },
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
    #[error("{have} class weights for {n_classes} classes: give one a class")]
    ClassWeights { have: usize, n_classes: usize },
    #[error("fold {fold} holds out {rows} of {of} rows: give each fold some, and leave it some")]
    Fold { fold: usize, rows: usize, of: usize },
    #[error("without fold {fold} every row has label {label}: stratify the folds")]
    FoldClass { fold: usize, label: u16 },
    #[error("validation rows have {have} features where the training rows have {need}")]
    ValidationFeatures { have: usize, need: usize },
    #[error("no validation row has a positive weight: give at least one")]
    NoValidation,
}

impl Classified for TreesError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Parameter { .. } | Self::ClassWeights { .. } => ErrorKind::Config,
            Self::NoRows
            | Self::TooManyRows { .. }
            | Self::Features { .. }
            | Self::Infinite { .. }
            | Self::Constant { .. }
            | Self::Category { .. }
            | Self::OneClass { .. } => ErrorKind::Rejected,
            Self::NoSuchFeature { .. }
            | Self::Fold { .. }
            | Self::FoldClass { .. }
            | Self::Length { .. }
            | Self::Classes { .. }
            | Self::Label { .. }
            | Self::Weight { .. }
            | Self::HeavyWeight { .. }
            | Self::NoValidation
            | Self::ValidationFeatures { .. } => ErrorKind::Internal,
        }
    }
}
