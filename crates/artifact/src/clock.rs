//! The one clock of the workspace: wall time reaches manifests and reports, never a payload.

use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use chrono::{DateTime, SecondsFormat, Utc};

/// A moment in UTC.
pub type Timestamp = DateTime<Utc>;

/// Returns the present moment.
pub fn now() -> Timestamp {
    #[expect(
        clippy::disallowed_methods,
        reason = "this is the one place that reads the clock"
    )]
    let since_epoch = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .expect("the clock stands after 1970");
    DateTime::from_timestamp(since_epoch.as_secs() as i64, since_epoch.subsec_nanos())
        .expect("the clock stands before the year 262,000")
}

/// Measures how long something takes, for manifests and reports.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Starts measuring.
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// Returns the seconds since the start.
    pub fn seconds(&self) -> f64 {
        self.0.elapsed().as_secs_f64()
    }
}

/// The wait before a second attempt, without its chance.
const FIRST_WAIT: Duration = Duration::from_millis(200);

/// Returns the wait before the attempt after the `failed`th: 200 ms that double each time, to 102 s at most, and vary
/// by half so that clients that failed together do not come back together.
pub fn backoff(failed: u32) -> Duration {
    let nanoseconds = now().timestamp_subsec_nanos();
    // The last digits of the clock are as good as chance here, and reach no result.
    jittered(failed, f64::from(nanoseconds % 100_000) / 100_000.0)
}

fn jittered(failed: u32, chance: f64) -> Duration {
    let doubled = FIRST_WAIT * 2u32.saturating_pow(failed.clamp(1, 10) - 1);
    doubled.mul_f64(0.5 + chance)
}

/// Formats a moment as RFC 3339 in UTC with milliseconds: `2026-02-03T10:11:12.345Z`.
pub fn rfc3339(moment: Timestamp) -> String {
    moment.to_rfc3339_opts(SecondsFormat::Millis, true)
}

/// Formats a moment so that names sort by time: `20260203T101112Z`.
pub fn compact(moment: Timestamp) -> String {
    moment.format("%Y%m%dT%H%M%SZ").to_string()
}

/// Parses what [`rfc3339`] writes, any other RFC 3339 moment, or a bare date (its first second).
///
/// # Errors
/// The text, when it is none of these.
pub fn parse(text: &str) -> Result<Timestamp, String> {
    if let Ok(moment) = DateTime::parse_from_rfc3339(text) {
        return Ok(moment.with_timezone(&Utc));
    }
    chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d")
        .ok()
        .and_then(|date| date.and_hms_opt(0, 0, 0))
        .map(|naive| naive.and_utc())
        .ok_or_else(|| format!("`{text}` is not a time: write 2026-02-03T10:11:12Z or 2026-02-03"))
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
