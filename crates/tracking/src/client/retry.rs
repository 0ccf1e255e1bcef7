//! How long a server asks to wait before a request is made again.

use std::time::Duration;

use artifact::clock;
use ureq::http::{HeaderMap, header};

/// The longest wait that a server may ask for.
pub(super) const LONGEST: Duration = Duration::from_secs(120);

/// Reads `Retry-After`: seconds, or a date.
pub(super) fn asked_for(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let until = until.duration_since(std::time::UNIX_EPOCH).ok()?;
    let now = Duration::from_millis(clock::now().timestamp_millis().try_into().ok()?);
    Some(until.saturating_sub(now))
}
