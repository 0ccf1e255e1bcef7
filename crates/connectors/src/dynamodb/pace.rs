//! How quickly capacity may be used.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use tokio::time::{Instant, sleep_until};

/// Lets requests wait until what earlier ones have used is paid off.
#[derive(Debug)]
pub(super) struct Pace {
    /// Units a second; any number where there is none.
    rate: Option<u32>,
    free_at: Mutex<Option<Instant>>,
}

impl Pace {
    pub(super) fn new(rate: Option<u32>) -> Self {
        Self {
            rate,
            free_at: Mutex::new(None),
        }
    }

    pub(super) async fn wait(&self) {
        let at = *self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(at) = at {
            sleep_until(at).await;
        }
    }

    /// Notes what a request has used.
    pub(super) fn note(&self, units: f64) {
        let Some(rate) = self.rate else {
            return;
        };
        let seconds = (units / f64::from(rate)).clamp(0.0, 3600.0);
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        let from = free_at.map_or(now, |at| at.max(now));
        *free_at = Some(from + Duration::from_secs_f64(seconds));
    }
}
