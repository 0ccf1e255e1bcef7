//! How long to wait before a request is made again.

use std::time::Duration;

use artifact::clock;
use ureq::http::{HeaderMap, header};

const FIRST: Duration = Duration::from_millis(200);
/// The longest wait that a server may ask for.
pub(super) const LONGEST: Duration = Duration::from_secs(120);

/// Returns the wait before the attempt after the `failed`th: it doubles each time, and varies by half
/// so that clients that failed together do not come back together.
pub(super) fn wait(failed: u32) -> Duration {
    let nanoseconds = clock::now().timestamp_subsec_nanos();
    // The last digits of the clock are as good as chance here.
    let chance = f64::from(nanoseconds % 100_000) / 100_000.0;
    let doubled = FIRST * 2u32.saturating_pow(failed.clamp(1, 8) - 1);
    doubled.mul_f64(0.5 + chance)
}

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
