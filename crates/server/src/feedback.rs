//! What predictions turned out to be: live precision and recall from labels that come late.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Instant,
};

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Versions whose counts are kept; the one that was labelled longest ago goes first.
const MOST_VERSIONS: usize = 100;

/// Counts of every version of the model that serves.
#[derive(Debug, Default)]
pub struct Feedback(Mutex<BTreeMap<u64, Counts>>);

#[derive(Debug, Clone, Copy)]
struct Counts {
    labelled_at: Instant,
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
        let labelled_at = Instant::now();
        let counts = versions.entry(version).or_insert(Counts::none(labelled_at));
        counts.labelled_at = labelled_at;
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
            let oldest = versions.iter().min_by_key(|(_, counts)| counts.labelled_at);
            let oldest = oldest.map(|(version, _)| *version);
            versions.retain(|version, _| Some(*version) != oldest);
        }
    }

    /// Returns what is known of every version.
    pub fn quality(&self) -> Vec<LiveQuality> {
        let versions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        versions.iter().map(|(v, c)| c.quality(*v)).collect()
    }
}

impl Counts {
    fn none(labelled_at: Instant) -> Self {
        Self {
            labelled_at,
            true_threats: 0,
            false_threats: 0,
            missed_threats: 0,
            true_benign: 0,
        }
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_more_versions_than_are_kept_the_one_labelled_longest_ago_goes() {
        let feedback = Feedback::default();
        let label = |version| feedback.add(version, [(true, true)].into_iter());
        (1..=MOST_VERSIONS as u64).for_each(label);
        [1, 1000].into_iter().for_each(label);
        let kept: Vec<u64> = feedback.quality().iter().map(|q| q.version).collect();
        assert_eq!(kept.len(), MOST_VERSIONS);
        assert_eq!((kept[..2].to_vec(), kept.last()), (vec![1, 3], Some(&1000)));
    }
}
