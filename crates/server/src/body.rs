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
/// Status 413 when it is too large, 415 when it is something else or compressed, 408 when it does not
/// come in time, 400 when it breaks off.
pub async fn read_json(
    request: &HttpRequest,
    payload: Payload,
    limit: usize,
    time: Duration,
) -> Result<Bytes, Problem> {
    check_type(request, &["application/json"])?;
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

/// Checks what a body claims to be; one that claims nothing is taken for what is expected.
///
/// # Errors
/// Status 415.
pub fn check_type(request: &HttpRequest, expected: &[&str]) -> Result<(), Problem> {
    let refuse = |detail: String| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
    if let Some(encoding) = text_of(request, &header::CONTENT_ENCODING)?
        && !encoding.eq_ignore_ascii_case("identity")
    {
        return Err(refuse("send the body uncompressed".to_owned()));
    }
    let Some(given) = text_of(request, &header::CONTENT_TYPE)? else {
        return Ok(());
    };
    let given = given.split(';').next().unwrap_or_default().trim();
    if expected.iter().any(|e| given.eq_ignore_ascii_case(e)) {
        return Ok(());
    }
    Err(refuse(format!("send {}", expected.join(" or "))))
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
