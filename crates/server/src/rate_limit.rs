//! How many requests a key may make: a bucket of tokens each.

use std::{
    collections::BTreeMap,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use artifact::Digest;

/// Buckets from which on those that are full again are forgotten: keys that were taken out leave theirs.
const MANY: usize = 1000;

/// The buckets of all keys; where no keys exist, one for everybody.
pub struct RateLimit {
    /// Requests a second; as many may come at once.
    rate: f64,
    buckets: Mutex<BTreeMap<Option<Digest>, Bucket>>,
    refused: AtomicU64,
}

#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Instant,
}

impl RateLimit {
    /// Makes full buckets for so many requests a second.
    pub fn new(rate: f64) -> Self {
        Self {
            rate,
            buckets: Mutex::default(),
            refused: AtomicU64::new(0),
        }
    }

    /// Takes a token out of a key's bucket.
    ///
    /// # Errors
    /// How long to wait until there is one.
    pub fn take(&self, key: Option<Digest>, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.buckets.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MANY && !buckets.contains_key(&key) {
            buckets.retain(|_, bucket| self.tokens(bucket, now) < self.most());
        }
        let bucket = buckets.entry(key).or_insert(Bucket {
            tokens: self.most(),
            at: now,
        });
        let tokens = self.tokens(bucket, now);
        let left = if tokens >= 1.0 { tokens - 1.0 } else { tokens };
        *bucket = Bucket {
            tokens: left,
            at: now,
        };
        if tokens >= 1.0 {
            return Ok(());
        }
        self.refused.fetch_add(1, Relaxed);
        Err(Duration::from_secs_f64((1.0 - tokens) / self.rate))
    }

    /// Returns how many requests were refused.
    pub fn refused(&self) -> u64 {
        self.refused.load(Relaxed)
    }

    /// Returns how many tokens a bucket holds at most.
    fn most(&self) -> f64 {
        self.rate.max(1.0)
    }

    fn tokens(&self, bucket: &Bucket, now: Instant) -> f64 {
        let passed = now.saturating_duration_since(bucket.at).as_secs_f64();
        (bucket.tokens + passed * self.rate).min(self.most())
    }
}

#[cfg(test)]
mod tests;
