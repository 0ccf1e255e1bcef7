//! What predictions turned out to be: live precision and recall from labels that come late.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Versions whose counts are kept; the oldest goes first.
const MOST_VERSIONS: usize = 100;

/// Counts a version of the model that serves.
#[derive(Debug, Default)]
pub struct Feedback(Mutex<BTreeMap<u64, Counts>>);

#[derive(Debug, Clone, Copy, Default)]
struct Counts {
    true_threats: u64,
    false_threats: u64,
    missed_threats: u64,
    true_benign: u64,
}

/// How good a version is by the labels that came.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct LiveQuality {
    /// The version.
    pub version: u64,
    /// Predictions whose outcome was told.
    pub labelled: u64,
    /// Share of the threats among what was called one; nothing when nothing was.
    pub precision: Option<f64>,
    /// Share of the threats that were called one; nothing when there were none.
    pub recall: Option<f64>,
    /// Share of what is benign that was called a threat; nothing when there was none.
    pub false_positive_rate: Option<f64>,
}

impl Feedback {
    /// Counts predictions of a version: whether each was called a threat, and whether it was one.
    pub fn add(&self, version: u64, outcomes: impl Iterator<Item = (bool, bool)>) {
        let mut versions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let counts = versions.entry(version).or_default();
        for (called, is_threat) in outcomes {
            let counter = match (called, is_threat) {
                (true, true) => &mut counts.true_threats,
                (true, false) => &mut counts.false_threats,
                (false, true) => &mut counts.missed_threats,
                (false, false) => &mut counts.true_benign,
            };
            *counter += 1;
        }
        if versions.len() > MOST_VERSIONS {
            versions.pop_first();
        }
    }

    /// Returns what is known of every version.
    pub fn quality(&self) -> Vec<LiveQuality> {
        let versions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        versions.iter().map(|(v, c)| c.quality(*v)).collect()
    }
}

impl Counts {
    fn quality(&self, version: u64) -> LiveQuality {
        let share = |part: u64, rest: u64| {
            let all = part + rest;
            (all > 0).then(|| part as f64 / all as f64)
        };
        LiveQuality {
            version,
            labelled: self.true_threats
                + self.false_threats
                + self.missed_threats
                + self.true_benign,
            precision: share(self.true_threats, self.false_threats),
            recall: share(self.true_threats, self.missed_threats),
            false_positive_rate: share(self.false_threats, self.true_benign),
        }
    }
}
