//! How long to wait before something is tried again.

use std::time::Duration;

pub(crate) use artifact::clock::backoff as wait;

#[cfg(any(
    feature = "dynamodb",
    feature = "mongodb",
    feature = "s3",
    feature = "sql"
))]
use crate::failure::Trouble;

/// Attempts at one request, the first included.
pub(crate) const ATTEMPTS: u32 = 5;

/// Waits before the next attempt when there is to be one.
#[cfg(any(feature = "mongodb", feature = "sql"))]
pub(crate) fn may_try_again(trouble: &Trouble, failed: &mut u32) -> bool {
    let wait = next(trouble, failed);
    wait.map(std::thread::sleep).is_some()
}

/// Returns the wait before the next attempt, and says so, when there is to be one.
#[cfg(any(
    feature = "dynamodb",
    feature = "mongodb",
    feature = "s3",
    feature = "sql"
))]
pub(crate) fn next(trouble: &Trouble, failed: &mut u32) -> Option<Duration> {
    *failed += 1;
    if !trouble.cause.is_transient() || *failed >= attempts(trouble) {
        return None;
    }
    let wait = wait(*failed);
    let reason = format!("{}: {}", trouble.asked, trouble.reason);
    announce(&trouble.location, &reason, *failed, wait);
    Some(wait)
}

/// Returns how often a request is made: capacity that is used up comes back with time, a server may not.
#[cfg(any(
    feature = "dynamodb",
    feature = "mongodb",
    feature = "s3",
    feature = "sql"
))]
fn attempts(trouble: &Trouble) -> u32 {
    match trouble.cause {
        #[cfg(feature = "dynamodb")]
        crate::failure::Cause::Busy => 2 * ATTEMPTS,
        _ => ATTEMPTS,
    }
}

/// Says that something has failed, and waits.
#[cfg(feature = "http")]
pub(crate) fn rest(location: &str, reason: &str, attempt: u32, wait: Duration) {
    announce(location, reason, attempt, wait);
    std::thread::sleep(wait);
}

fn announce(location: &str, reason: &str, attempt: u32, wait: Duration) {
    let wait_ms = wait.as_millis() as u64;
    tracing::warn!(location, reason, attempt, wait_ms, "failed, trying again");
}
