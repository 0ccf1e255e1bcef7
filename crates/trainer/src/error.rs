//! Why training fails.

use artifact::{Classified, ErrorKind};
use model::preprocessor::PreprocessingError;
use thiserror::Error;
use trees::TreesError;

use crate::logistic::LogisticError;

/// Error of the training stage.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum TrainingError {
    #[error("training.{key}: {problem}")]
    Config { key: String, problem: String },
    #[error(
        "cannot make {folds} folds: class `{class}` has {groups} distinct feature vectors; \
         lower training.folds or give more rows"
    )]
    TooFewGroups {
        folds: usize,
        class: String,
        groups: usize,
    },
    #[error(
        "transformation.preprocessing.{section}.imputer is `none`, but cells may be missing, which its \
         learners do not take: set median, most_frequent or knn, or {instead}"
    )]
    NotImputed {
        section: &'static str,
        instead: &'static str,
    },
    #[error("preprocessing for {family}: {source}")]
    Preprocessing {
        family: &'static str,
        source: PreprocessingError,
    },
    #[error("candidate {candidate}: {source}")]
    Trees {
        candidate: String,
        source: TreesError,
    },
    #[error("candidate {candidate}: {source}")]
    Logistic {
        candidate: String,
        source: LogisticError,
    },
    #[error("baseline {name}: {reason}")]
    Baseline { name: &'static str, reason: String },
}

impl TrainingError {
    pub(crate) fn logistic(candidate: &str, source: LogisticError) -> Self {
        let candidate = candidate.to_owned();
        Self::Logistic { candidate, source }
    }

    pub(crate) fn trees(candidate: &str, source: TreesError) -> Self {
        let candidate = candidate.to_owned();
        Self::Trees { candidate, source }
    }
}

impl Classified for TrainingError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Config { .. } | Self::NotImputed { .. } => ErrorKind::Config,
            Self::TooFewGroups { .. } => ErrorKind::Rejected,
            Self::Preprocessing { source, .. } => source.kind(),
            Self::Trees { source, .. } => source.kind(),
            Self::Logistic { source, .. } => source.kind(),
            Self::Baseline { .. } => ErrorKind::Internal,
        }
    }
}
