//! Why something was not tracked.

use std::path::PathBuf;

use artifact::{Classified, ErrorKind, StoreError, shell_word};
use registry::RegistryError;
use thiserror::Error;

/// Why something was not tracked.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum TrackingError {
    #[error("{variable}: {reason}")]
    Setting {
        variable: &'static str,
        reason: String,
    },
    #[error("tracking server {location}: {reason}")]
    Unavailable { location: String, reason: String },
    /// The server has no such call: it is an older one, or another program.
    #[error("tracking server {location}: it has no call {call} ({status})")]
    Absent {
        location: String,
        call: String,
        status: u16,
    },
    #[error("tracking server {location} refuses {call}: {code}: {reason}")]
    Refused {
        location: String,
        call: String,
        code: String,
        reason: String,
    },
    #[error(
        "tracking server {location}: it answers {call} with something else than MLflow does: {reason}"
    )]
    Answer {
        location: String,
        call: String,
        reason: String,
    },
    #[error("artifacts at {location}: cannot write `{path}`: {reason}")]
    Artifact {
        location: String,
        path: String,
        reason: String,
    },
    #[error(
        "{}: another process is sending what is pending: wait for it, or look at it with `netsec tracking status`",
        .0.display()
    )]
    Busy(PathBuf),
    #[error("{}: {reason}: remove it, and send what it was about with `{again}`", path.display())]
    Spool {
        path: PathBuf,
        reason: String,
        again: String,
    },
    #[error("{}: the run is gone: `rm {}` forgets that it was to be sent", run.display(), shell_word(&note.display().to_string()))]
    Gone { run: PathBuf, note: PathBuf },
    #[error("the aliases of `{name}` stay as they are: {source}")]
    Unaligned {
        name: String,
        source: Box<RegistryError>,
    },
    #[error(
        "{what} is not in the registry {location}: mount it, or name the place to which it was moved with --registry"
    )]
    Moved { what: String, location: String },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Registry(#[from] RegistryError),
}

impl TrackingError {
    /// Says that a model's aliases wait for a signature, where it is one that is missing.
    pub(crate) fn unaligned(name: &str, error: RegistryError) -> Self {
        match error {
            unsigned @ RegistryError::Untrusted { .. } => Self::Unaligned {
                name: name.to_owned(),
                source: Box::new(unsigned),
            },
            other => other.into(),
        }
    }

    /// Returns whether the server has said so by this code.
    pub(crate) fn is(&self, expected: &str) -> bool {
        matches!(self, Self::Refused { code, .. } if code == expected)
    }

    /// Returns whether the server lacks the call altogether.
    pub(crate) fn is_absence(&self) -> bool {
        matches!(self, Self::Absent { .. })
    }
}

impl Classified for TrackingError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Setting { .. } => ErrorKind::Config,
            Self::Unavailable { .. } | Self::Absent { .. } | Self::Busy(_) => {
                ErrorKind::Unavailable
            }
            Self::Refused { .. } | Self::Answer { .. } | Self::Artifact { .. } => {
                ErrorKind::Unavailable
            }
            Self::Spool { .. } => ErrorKind::Internal,
            Self::Gone { .. } => ErrorKind::Usage,
            Self::Store(error) => error.kind(),
            Self::Registry(error) => error.kind(),
            Self::Unaligned { source, .. } => source.kind(),
            Self::Moved { .. } => ErrorKind::Unavailable,
        }
    }
}
