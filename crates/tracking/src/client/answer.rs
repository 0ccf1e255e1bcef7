//! What an answer means.

use std::time::Duration;

use artifact::{printable, without_secrets};
use serde_json::Value;
use ureq::{
    Body,
    http::{Response, StatusCode, header},
};

use super::{Call, Client, Trouble, retry};
use crate::TrackingError;

/// Errors beyond this length are pages.
const MAX_REASON: usize = 300;
const MAX_WORDS: usize = 50;
/// Codes by which a server says that it has no such call.
const ABSENT: [&str; 2] = ["ENDPOINT_NOT_FOUND", "NOT_IMPLEMENTED"];

/// Returns the object of a good answer, and what else one means.
pub(super) fn judge(
    client: &Client,
    call: &Call<'_>,
    mut answer: Response<Body>,
) -> Result<Value, Trouble> {
    let status = answer.status();
    let broken = |error: ureq::Error| Trouble::Passing {
        reason: format!("the answer to {} broke off: {error}", call.path),
        wait: None,
    };
    let body = answer.body_mut().read_to_vec().map_err(broken)?;
    if status.is_success() {
        return object(client, call, &body);
    }
    if status.is_redirection() {
        let place = answer.headers().get(header::LOCATION);
        let place = place.and_then(|place| place.to_str().ok()).unwrap_or("-");
        let place = without_secrets(place);
        return Err(client.lasting(format!(
            "it redirects to {place}: write the address that it has now"
        )));
    }
    let wait = retry::asked_for(answer.headers());
    Err(failure(client, call, status, &body, wait))
}

/// Reads an object, or a few plain words such as a version; artifacts are answered with nothing.
fn object(client: &Client, call: &Call<'_>, body: &[u8]) -> Result<Value, Trouble> {
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Value::Null);
    }
    let error = match serde_json::from_slice(body) {
        Ok(value) => return Ok(value),
        Err(error) => error,
    };
    if body.len() <= MAX_WORDS && body.first() != Some(&b'<') {
        return Ok(Value::String(
            String::from_utf8_lossy(body).trim().to_owned(),
        ));
    }
    Err(Trouble::Lasting(TrackingError::Answer {
        location: client.location(),
        call: call.path.to_owned(),
        reason: error.to_string(),
    }))
}

fn failure(
    client: &Client,
    call: &Call<'_>,
    status: StatusCode,
    body: &[u8],
    wait: Option<Duration>,
) -> Trouble {
    let said: Value = serde_json::from_slice(body).unwrap_or_default();
    let code = said["error_code"].as_str();
    let reason = said["message"]
        .as_str()
        .map_or_else(|| plain(body), shorten);
    let location = client.location();
    let called = call.path.to_owned();
    match (status.as_u16(), code) {
        (401 | 403, _) => client.lasting(format!("{status} to {called}: {}", advice(&reason))),
        (408 | 425 | 429 | 500 | 502..=504, _) => match wait {
            Some(wait) if wait > retry::LONGEST => client.lasting(format!(
                "{status} to {called}; it asks to wait {} s",
                wait.as_secs()
            )),
            wait => Trouble::Passing {
                reason: format!("{status} to {called}: {reason}"),
                wait,
            },
        },
        (404 | 405 | 501, code) if code.is_none_or(|code| ABSENT.contains(&code)) => {
            Trouble::Lasting(TrackingError::Absent {
                location,
                call: called,
                status: status.as_u16(),
            })
        }
        (status, code) => Trouble::Lasting(TrackingError::Refused {
            location,
            call: called,
            code: code.map_or_else(|| status.to_string(), str::to_owned),
            reason,
        }),
    }
}

fn advice(reason: &str) -> &'static str {
    if reason.contains("Host header") {
        return "it does not go by this name: start it with --allowed-hosts";
    }
    "it does not accept who asks, or not for this: set MLFLOW_TRACKING_USERNAME and \
     MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN"
}

/// Returns the words of an error that is no object: not those of a page.
fn plain(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    match text.trim_start().starts_with('<') {
        true => "without a reason".to_owned(),
        false => shorten(&text),
    }
}

fn shorten(text: &str) -> String {
    let short: String = text.chars().take(MAX_REASON).collect();
    printable(&without_secrets(short.trim())).to_string()
}
