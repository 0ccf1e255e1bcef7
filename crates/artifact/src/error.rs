//! How every error of the workspace is classified, once: exit code and HTTP status.

use std::fmt;

/// What kind of failure an error is, from the point of view of whoever has to act on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ErrorKind {
    /// The caller asked for something that makes no sense: a bad flag, an unknown name.
    Usage,
    /// The data or the model was examined and refused.
    Rejected,
    /// Something outside (a file, a server, a disk) could not be reached or gave up.
    Unavailable,
    /// A damaged artifact or a defect of ours.
    Internal,
    /// The configuration or the schema is wrong.
    Config,
}

impl ErrorKind {
    /// Returns the process exit code, after `sysexits.h`.
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Usage => 64,
            Self::Rejected => 65,
            Self::Unavailable => 69,
            Self::Internal => 70,
            Self::Config => 78,
        }
    }

    /// Returns the HTTP status code that a service answers with.
    pub fn http_status(self) -> u16 {
        match self {
            Self::Usage => 400,
            Self::Rejected => 422,
            Self::Unavailable => 503,
            Self::Internal | Self::Config => 500,
        }
    }
}

/// An error that knows its [`ErrorKind`].
pub trait Classified {
    /// Returns the kind of this error.
    fn kind(&self) -> ErrorKind;
}

/// Any classified error, with its type forgotten and its kind kept.
///
/// Deliberately not `Classified` itself, so that every classified error converts into it with `?`.
#[derive(Debug)]
pub struct Failure {
    kind: ErrorKind,
    error: Box<dyn std::error::Error + Send + Sync>,
}

impl Failure {
    /// Makes a failure from a message.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            error: message.into().into(),
        }
    }

    /// Returns what kind of failure it is.
    pub fn kind(&self) -> ErrorKind {
        self.kind
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

// Without a source: the messages of this workspace tell their causes themselves.
impl std::error::Error for Failure {}

impl<E: Classified + std::error::Error + Send + Sync + 'static> From<E> for Failure {
    fn from(error: E) -> Self {
        Self {
            kind: error.kind(),
            error: Box::new(error),
        }
    }
}
