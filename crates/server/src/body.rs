//! Bodies of requests: how many bytes they may have, how long they may take, what they claim to be.

use std::time::Duration;

use actix_web::{
    HttpRequest,
    http::{StatusCode, header},
    rt::time::timeout,
    web::{Bytes, Payload},
};

use crate::problem::Problem;

/// Reads a JSON body into memory.
///
/// # Errors
/// As [`read`].
pub async fn read_json(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
    time: Duration,
) -> Result<Bytes, Problem> {
    read(request, payload, &JSON, (limit, time)).await
}

/// Reads a body of some kind into memory.
///
/// # Errors
/// Status 413 when it is too large, 415 when it is something else or compressed, 408 when it does not
/// come in time, 400 when it breaks off.
pub async fn read(
    request: &HttpRequest,
    payload: Payload,
    kind: &Kind,
    (limit, time): (usize, Duration),
) -> Result<Bytes, Problem> {
    check_type(request, kind)?;
    check_length(request, limit as u64)?;
    let read = timeout(time, payload.to_bytes_limited(limit)).await;
    let read = read.map_err(|_| {
        let time = time.as_secs_f64();
        Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            format!("the body did not come within {time} seconds"),
        )
    })?;
    match read {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(error)) => {
            tracing::debug!(%error, "a body cannot be read");
            Err(Problem::bad_request(
                "the body breaks off before its end: send it again",
            ))
        }
        Err(_) => Err(too_large(limit as u64)),
    }
}

/// What a path takes.
pub struct Kind {
    /// Media types, the usual one first.
    pub types: &'static [&'static str],
    /// Codings that it is unpacked from (`Content-Encoding`).
    pub encodings: &'static [&'static str],
    /// What to do about another coding.
    pub advice: &'static str,
}

/// What a browser sends of a form.
pub const FORM: Kind = Kind {
    types: &["application/x-www-form-urlencoded"],
    encodings: &[],
    advice: "a form comes uncompressed: send it so, without `Content-Encoding`",
};

const JSON: Kind = Kind {
    types: &["application/json"],
    encodings: &[],
    advice: "JSON comes uncompressed: send it so, without `Content-Encoding`",
};

/// Checks what a body claims to be; one that claims nothing is taken for what is expected.
///
/// # Errors
/// Status 415.
pub fn check_type(request: &HttpRequest, expected: &Kind) -> Result<(), Problem> {
    let refuse = |detail: String| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
    let is_in = |given: &str, known: &[&str]| known.iter().any(|k| given.eq_ignore_ascii_case(k));
    if let Some(encoding) = text_of(request, &header::CONTENT_ENCODING)?
        && !is_in(encoding, &["identity"])
        && !is_in(encoding, expected.encodings)
    {
        return Err(refuse(expected.advice.to_owned()));
    }
    let Some(given) = text_of(request, &header::CONTENT_TYPE)? else {
        return Ok(());
    };
    let mut parts = given.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    if !is_in(kind, expected.types) {
        return Err(refuse(format!("send {}", expected.types.join(" or "))));
    }
    if !is_text(kind) {
        return Ok(());
    }
    let charset = parts.find_map(charset).unwrap_or("utf-8");
    if is_in(charset, &["utf-8", "utf8", "us-ascii"]) {
        return Ok(());
    }
    Err(refuse(
        "text is read as UTF-8 alone: convert it, and send it with `charset=utf-8`".to_owned(),
    ))
}

/// Returns whether a media type is one of characters.
fn is_text(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    kind.starts_with("text/") || ["application/csv", "application/json"].contains(&kind.as_str())
}

/// Returns the value of a parameter of a media type, where that is the character set.
fn charset(parameter: &str) -> Option<&str> {
    let (name, value) = parameter.split_once('=')?;
    let is_charset = name.trim().eq_ignore_ascii_case("charset");
    is_charset.then(|| value.trim().trim_matches('"'))
}

/// Checks the length that a body claims, before any of it is read.
///
/// # Errors
/// Status 413.
pub fn check_length(request: &HttpRequest, limit: u64) -> Result<(), Problem> {
    let length = text_of(request, &header::CONTENT_LENGTH)?.and_then(|text| text.parse().ok());
    match length {
        Some(length) if u64::gt(&length, &limit) => Err(too_large(limit)),
        _ => Ok(()),
    }
}

/// A body beyond what is allowed, status 413.
pub fn too_large(limit: u64) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("the body has more than {limit} bytes: send it in parts"),
    )
}

fn text_of<'r>(
    request: &'r HttpRequest,
    name: &header::HeaderName,
) -> Result<Option<&'r str>, Problem> {
    let value = request.headers().get(name).map(|value| value.to_str());
    value
        .transpose()
        .map_err(|_| Problem::bad_request(format!("the header `{name}` is no text")))
}
