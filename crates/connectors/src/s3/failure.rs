//! What an error of the SDK means.

use std::error::Error;

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::{
    aws::{chain, of_connecting},
    failure::Cause,
};

/// What to look at when key or secret are wrong.
pub(super) const LOGIN_ADVICE: &str = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or \
                                       AWS_PROFILE and its files; ?anonymous=true asks without any";

/// Tells cause and reason of an error.
pub(super) fn judge<E>(error: &SdkError<E>) -> (Cause, String)
where
    E: ProvideErrorMetadata + Error + 'static,
{
    match error {
        SdkError::ServiceError(said) => {
            let (status, headers) = (said.raw().status().as_u16(), said.raw().headers());
            let code = said.err().code().unwrap_or_default();
            let mut reason = format!("it answers {status} {code}").trim_end().to_owned();
            if let Some(message) = said.err().message() {
                reason += &format!(", {message}");
            }
            let is_elsewhere = matches!(status, 301 | 307 | 400);
            if let Some(region) = headers.get("x-amz-bucket-region").filter(|_| is_elsewhere) {
                reason += &format!(" (the bucket is in {region}: set AWS_REGION)");
            }
            reason += advice(code);
            (cause(code, status), reason)
        }
        SdkError::TimeoutError(_) => (Cause::TimedOut, chain(error)),
        SdkError::ResponseError(_) => (Cause::Interrupted, chain(error)),
        SdkError::DispatchFailure(failure) => {
            let (is_timeout, is_io) = (failure.is_timeout(), failure.is_io());
            of_connecting(chain(error), is_timeout, is_io, failure.is_user())
        }
        _ => (Cause::Wrong, chain(error)),
    }
}

fn cause(code: &str, status: u16) -> Cause {
    match (code, status) {
        (
            "InvalidAccessKeyId"
            | "SignatureDoesNotMatch"
            | "ExpiredToken"
            | "InvalidToken"
            | "InvalidClientTokenId"
            | "NotSignedUp"
            | "TokenRefreshRequired",
            _,
        )
        | (_, 401) => Cause::Credentials,
        ("RequestTimeTooSkewed", _) => Cause::Refused,
        // A digest that does not fit was spoiled on the way.
        (
            "SlowDown" | "InternalError" | "ServiceUnavailable" | "RequestTimeout" | "BadDigest",
            _,
        )
        | (_, 408 | 429 | 500 | 502..=504) => Cause::Interrupted,
        ("InvalidObjectState", _) => Cause::Refused,
        (_, 403) => Cause::Permission,
        (_, 409 | 412) => Cause::Changed,
        (_, 404) => Cause::Missing,
        (_, 301 | 307 | 400 | 405) => Cause::Wrong,
        _ => Cause::Refused,
    }
}

fn advice(code: &str) -> &'static str {
    match code {
        "NoSuchBucket" => "; check its name, AWS_ENDPOINT_URL and AWS_REGION",
        "NoSuchKey" => "; a prefix ends with `/`",
        "InvalidObjectState" => "; it is archived: restore it first",
        "RequestTimeTooSkewed" => "; set this machine's clock",
        _ => "",
    }
}
