//! How quickly capacity may be used.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use artifact::clock::Stopwatch;
use tokio::time::sleep;

/// Lets requests wait until what earlier ones have used is paid off.
pub(super) struct Pace {
    /// Units a second; any number where there is none.
    rate: Option<u32>,
    clock: Stopwatch,
    /// By the clock, in seconds.
    free_at: Mutex<f64>,
}

impl Pace {
    pub(super) fn new(rate: Option<u32>) -> Self {
        Self {
            rate,
            clock: Stopwatch::start(),
            free_at: Mutex::new(0.0),
        }
    }

    pub(super) async fn wait(&self) {
        let at = *self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        let left = at - self.clock.seconds();
        if left > 0.0 {
            sleep(Duration::from_secs_f64(left)).await;
        }
    }

    /// Notes what a request has used.
    pub(super) fn note(&self, units: f64) {
        let Some(rate) = self.rate else {
            return;
        };
        let seconds = (units / f64::from(rate)).clamp(0.0, 3600.0);
        let mut free_at = self.free_at.lock().unwrap_or_else(PoisonError::into_inner);
        *free_at = free_at.max(self.clock.seconds()) + seconds;
    }
}
