//! What a driver's error means: whether to try again, and what to do about it.

use dataset::{SinkError, SourceError};
use mongodb::error::{Error, ErrorKind};

/// Why a request failed, for people.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    pub location: String,
    /// What was asked of the server.
    pub asked: String,
    pub reason: String,
    pub cause: Cause,
}

/// What is behind a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// No server could be reached.
    Unreachable,
    /// The connection or the server gave up for a moment.
    Interrupted,
    /// No answer came within the time limit.
    TimedOut,
    /// User or password are wrong.
    Credentials,
    /// The user may not do this.
    Permission,
    /// The address or what was asked is wrong.
    Wrong,
    /// The server refused, or answered what it should not.
    Refused,
}

impl Cause {
    /// Finds the cause of a driver's error.
    pub(crate) fn of(error: &Error) -> Self {
        match error.kind.as_ref() {
            ErrorKind::Authentication { .. } => Self::Credentials,
            ErrorKind::ServerSelection { .. } | ErrorKind::DnsResolve { .. } => Self::Unreachable,
            ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. } => Self::Interrupted,
            ErrorKind::InvalidArgument { .. } | ErrorKind::InvalidTlsConfig { .. } => Self::Wrong,
            ErrorKind::Command(command) => Self::of_code(command.code),
            _ if error.contains_label("RetryableWriteError")
                || error.contains_label("RetryableError") =>
            {
                Self::Interrupted
            }
            _ => Self::Refused,
        }
    }

    fn of_code(code: i32) -> Self {
        match code {
            18 => Self::Credentials,
            13 | 8000 => Self::Permission,
            50 => Self::TimedOut,
            // Stepping down, shutting down, network, a cursor that its server has lost.
            6 | 7 | 43 | 89 | 91 | 134 | 189 | 262 | 9001 | 10107 | 11600 | 11602 | 13435
            | 13436 => Self::Interrupted,
            _ => Self::Refused,
        }
    }

    /// Returns whether the same request may succeed a moment later.
    pub(crate) fn is_transient(self) -> bool {
        matches!(self, Self::Unreachable | Self::Interrupted | Self::TimedOut)
    }

    fn advice(self) -> &'static str {
        match self {
            Self::Unreachable => {
                "check host and port and whether the server runs; `netsec doctor --source` with this \
                 address looks at one step after another"
            }
            Self::Interrupted => "run it again",
            Self::TimedOut => "run it again, or set time_limit=SECONDS in the address",
            Self::Credentials => {
                "check user, password and authSource; NETSEC_MONGODB_USERNAME and \
                 NETSEC_MONGODB_PASSWORD supply them"
            }
            Self::Permission => "let this user do that, or use another",
            Self::Wrong => "docs/connectors.md lists what an address may hold",
            Self::Refused => "",
        }
    }
}

impl Trouble {
    fn said(self) -> (String, String) {
        let Self {
            location,
            asked,
            reason,
            cause,
        } = self;
        let advice = cause.advice();
        let colon = if advice.is_empty() { "" } else { ": " };
        (location, format!("{asked}: {reason}{colon}{advice}"))
    }
}

impl From<Trouble> for SourceError {
    fn from(trouble: Trouble) -> Self {
        let is_wrong = trouble.cause == Cause::Wrong;
        let (location, reason) = trouble.said();
        match is_wrong {
            true => Self::Unsupported { location, reason },
            false => Self::Unavailable { location, reason },
        }
    }
}

impl From<Trouble> for SinkError {
    fn from(trouble: Trouble) -> Self {
        let is_refused = trouble.cause == Cause::Refused;
        let (location, reason) = trouble.said();
        match is_refused {
            true => Self::Rejected { location, reason },
            false => Self::Unavailable { location, reason },
        }
    }
}

/// Says what a driver's error is, without the parts that are for its developers.
pub(crate) fn reason(error: &Error) -> String {
    error.kind.to_string()
}
