//! How long to wait before something is tried again.

use std::time::Duration;

use artifact::clock;

#[cfg(any(
    feature = "dynamodb",
    feature = "mongodb",
    feature = "s3",
    feature = "sql"
))]
use crate::failure::Trouble;

/// Attempts at one request, the first included.
pub(crate) const ATTEMPTS: u32 = 5;
const FIRST: Duration = Duration::from_millis(200);

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

/// Returns the wait before the attempt after the `failed`th: it doubles each time, and varies by half
/// so that clients that failed together do not come back together.
pub(crate) fn wait(failed: u32) -> Duration {
    let nanoseconds = clock::now().timestamp_subsec_nanos();
    // The last digits of the clock are as good as chance here, and reach no result.
    jittered(failed, f64::from(nanoseconds % 100_000) / 100_000.0)
}

fn jittered(failed: u32, chance: f64) -> Duration {
    let doubled = FIRST * 2u32.saturating_pow(failed.clamp(1, 10) - 1);
    doubled.mul_f64(0.5 + chance)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_and_vary_by_half() {
        let between = |failed| [0.0, 1.0].map(|chance| jittered(failed, chance).as_millis());
        assert_eq!(between(1), [100, 300]);
        assert_eq!(between(2), [200, 600]);
        assert_eq!(between(4), [800, 2400]);
        assert!(jittered(u32::MAX, 1.0) < Duration::from_secs(200));
    }
}
