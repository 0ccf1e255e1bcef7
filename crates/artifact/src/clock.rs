//! The one clock of the workspace: wall time reaches manifests and reports, never a payload.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

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
