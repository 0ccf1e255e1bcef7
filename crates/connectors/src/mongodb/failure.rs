//! What a driver's error means.

use mongodb::error::{Error, ErrorKind};

use crate::failure::Cause;

/// What to look at when user or password are wrong.
pub(crate) const LOGIN_ADVICE: &str = "check user, password and authSource; NETSEC_MONGODB_USERNAME and \
                                       NETSEC_MONGODB_PASSWORD supply them";

/// Finds the cause of a driver's error.
pub(crate) fn cause_of(error: &Error) -> Cause {
    match error.kind.as_ref() {
        ErrorKind::Authentication { .. } => Cause::Credentials,
        ErrorKind::ServerSelection { .. } | ErrorKind::DnsResolve { .. } => Cause::Unreachable,
        ErrorKind::Io(_) | ErrorKind::ConnectionPoolCleared { .. } => Cause::Interrupted,
        ErrorKind::InvalidArgument { .. } | ErrorKind::InvalidTlsConfig { .. } => Cause::Wrong,
        ErrorKind::Command(command) => of_code(command.code),
        _ if error.contains_label("RetryableWriteError")
            || error.contains_label("RetryableError") =>
        {
            Cause::Interrupted
        }
        _ => Cause::Refused,
    }
}

fn of_code(code: i32) -> Cause {
    match code {
        18 => Cause::Credentials,
        13 | 8000 => Cause::Permission,
        50 => Cause::TimedOut,
        // Stepping down, shutting down, network, a cursor that its server has lost.
        6 | 7 | 43 | 89 | 91 | 134 | 189 | 262 | 9001 | 10107 | 11600 | 11602 | 13435 | 13436 => {
            Cause::Interrupted
        }
        _ => Cause::Refused,
    }
}

/// Says what a driver's error is, without the parts that are for its developers.
pub(crate) fn reason(error: &Error) -> String {
    error.kind.to_string()
}
