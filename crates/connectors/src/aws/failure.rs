//! What errors mean that are not of one service alone.

use std::error::Error;

use crate::{failure::Cause, tls};

/// Tells what is behind a request that has come to no answer, and why; the time limit of a request is ours, so
/// that one of the transport's is of connecting.
pub(crate) fn of_connecting(
    reason: String,
    is_timeout: bool,
    is_io: bool,
    is_user: bool,
) -> (Cause, String) {
    if let Some(said) = tls::explain(&reason, "AWS_CA_BUNDLE=FILE") {
        return (Cause::Tls, said);
    }
    let cause = match () {
        () if is_timeout || is_io || reason.contains("tcp connect") => Cause::Unreachable,
        () if is_user => Cause::Wrong,
        () => Cause::Interrupted,
    };
    (cause, reason)
}

/// Tells what is behind a code that services of JSON answer with, and a status.
#[cfg(feature = "dynamodb")]
pub(crate) fn of_code(code: &str, status: u16) -> Cause {
    match (code.trim_end_matches("Exception"), status) {
        (
            "UnrecognizedClient"
            | "InvalidSignature"
            | "IncompleteSignature"
            | "ExpiredToken"
            | "MissingAuthenticationToken"
            | "InvalidClientTokenId",
            _,
        ) => Cause::Credentials,
        ("AccessDenied" | "NotAuthorized", _) => Cause::Permission,
        ("ResourceNotFound", _) => Cause::Missing,
        (
            "ProvisionedThroughputExceeded"
            | "Throttling"
            | "ThrottlingError"
            | "RequestLimitExceeded"
            | "LimitExceeded"
            | "TooManyRequests",
            _,
        )
        | (_, 429) => Cause::Busy,
        (
            "InternalServerError"
            | "ServiceUnavailable"
            | "InternalFailure"
            | "TransactionInProgress",
            _,
        )
        | (_, 408 | 500 | 502..=504) => Cause::Interrupted,
        (_, 401) => Cause::Credentials,
        (_, 403) => Cause::Permission,
        _ => Cause::Refused,
    }
}

/// Says what an error is and what is behind it, each once.
pub(crate) fn chain(error: &dyn Error) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut next = error.source().or(Some(error));
    while let Some(error) = next {
        let text = error.to_string();
        if !said.iter().any(|before| before.contains(&text)) {
            said.push(text);
        }
        next = error.source();
    }
    said.join(": ")
}
