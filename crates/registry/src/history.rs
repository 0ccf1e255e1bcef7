//! The history of a model: one append-only list of entries, whose last word is every alias.

use std::collections::BTreeMap;

use artifact::{Digest, clock};
use serde::{Deserialize, Serialize};

/// What an entry did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The version became the champion.
    Promoted,
    /// The version was not good enough; it is the challenger.
    Declined,
    /// The version, a former champion, is the champion again.
    RolledBack,
}

/// One entry of a history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Position in the history, from 1.
    pub sequence: u64,
    /// When, RFC 3339.
    pub at: String,
    /// What was done.
    pub action: Action,
    /// The version that it was done to.
    pub version: u64,
    /// Digest of the version's bundle.
    pub bundle: Digest,
    /// Digest of the groups that it was trained on.
    pub training_groups: Digest,
    /// Digest of its evaluation.
    pub evaluation: Digest,
    /// The run that made it.
    pub run: String,
    /// Whether it learned from generated rows.
    pub simulated: bool,
    /// The rules' reasons: why it was declined, or what an override set aside.
    pub reasons: Vec<String>,
    /// Who overrode the rules and why, when someone did.
    pub why: Option<String>,
}

/// All entries of a model, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    entries: Vec<Entry>,
}

/// What is known of a version.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct VersionState {
    /// The number.
    pub version: u64,
    /// Digest of the bundle.
    pub bundle: Digest,
    /// When it was registered.
    pub registered: String,
    /// The run that made it.
    pub run: String,
    /// `champion`, `challenger`, or neither.
    pub alias: Option<&'static str>,
}

impl History {
    pub(crate) fn new(entries: Vec<Entry>) -> Self {
        Self { entries }
    }

    /// Returns all entries, the oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the entry that made the present champion.
    pub fn champion(&self) -> Option<&Entry> {
        self.entries
            .iter()
            .rev()
            .find(|e| e.action != Action::Declined)
    }

    /// Returns the entry of the candidate that was declined since the champion was made, the latest.
    pub fn challenger(&self) -> Option<&Entry> {
        self.entries.last().filter(|e| e.action == Action::Declined)
    }

    /// Returns the entry that made the champion of a moment in the past.
    pub fn champion_at(&self, moment: clock::Timestamp) -> Option<&Entry> {
        self.entries
            .iter()
            .rev()
            .filter(|e| e.action != Action::Declined)
            .find(|e| clock::parse(&e.at).is_ok_and(|at| at <= moment))
    }

    /// Returns the champion before the present one: what a rollback goes back to.
    pub fn previous_champion(&self) -> Option<&Entry> {
        let present = self.champion()?;
        let mut stack: Vec<&Entry> = Vec::new();
        for entry in self.entries.iter().filter(|e| e.action != Action::Declined) {
            match entry.action {
                Action::RolledBack => {
                    // One that was rolled back from before is a champion on top of the present ones.
                    match stack.iter().rposition(|e| e.version == entry.version) {
                        Some(at) => stack.truncate(at + 1),
                        None => stack.push(entry),
                    }
                }
                _ => stack.push(entry),
            }
        }
        stack
            .into_iter()
            .rev()
            .find(|e| e.version != present.version)
    }

    /// Returns the last entry of a version: what was last done to it.
    pub fn version(&self, version: u64) -> Option<&Entry> {
        self.entries.iter().rev().find(|e| e.version == version)
    }

    /// Returns the last entry of the version that has this bundle.
    pub fn with_bundle(&self, bundle: Digest) -> Option<&Entry> {
        self.entries.iter().rev().find(|e| e.bundle == bundle)
    }

    /// Returns the number that the next version gets.
    pub fn next_version(&self) -> u64 {
        self.entries.iter().map(|e| e.version).max().unwrap_or(0) + 1
    }

    /// Returns every version with its alias, ascending.
    pub fn versions(&self) -> Vec<VersionState> {
        let champion = self.champion().map(|e| e.version);
        let challenger = self.challenger().map(|e| e.version);
        let mut versions = BTreeMap::new();
        for entry in &self.entries {
            versions
                .entry(entry.version)
                .or_insert_with(|| VersionState {
                    version: entry.version,
                    bundle: entry.bundle,
                    registered: entry.at.clone(),
                    run: entry.run.clone(),
                    alias: match Some(entry.version) {
                        version if version == champion => Some("champion"),
                        version if version == challenger => Some("challenger"),
                        _ => None,
                    },
                });
        }
        versions.into_values().collect()
    }
}

#[cfg(test)]
mod tests;
