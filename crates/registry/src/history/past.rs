//! Whether an entry follows from those before it.

use std::collections::{BTreeMap, BTreeSet};

use artifact::{Digest, clock};

use super::{Action, Entry};

/// What an entry is judged by: those before it. It is told each in turn, and not counted anew: there may be many, of
/// whoever may write there.
pub(super) struct Past<'a> {
    entries: &'a [Entry],
    bundles: BTreeMap<u64, Digest>,
    versions: BTreeMap<Digest, u64>,
    /// How many entries that count disown each, in their order.
    disowned: Vec<usize>,
    /// How many decisions that count each version has, how often it became the champion by one, and how many
    /// withdrawals.
    decisions: BTreeMap<u64, usize>,
    champions: BTreeMap<u64, usize>,
    withdrawals: BTreeMap<u64, usize>,
    /// The numbers of the entries that count and made a champion.
    turns: BTreeSet<u64>,
    last: u64,
    /// How often an entry was taken away or given back.
    changes: u64,
}

/// Changes beyond which a history is none: those of people are few, and whoever may write there could have each of
/// many entries take all others away, over and over.
const MAX_CHANGES: u64 = 100_000_000;

impl<'a> Past<'a> {
    /// Is of nothing yet, of entries that are numbered in their order.
    pub(super) fn of(entries: &'a [Entry]) -> Self {
        Self {
            entries,
            bundles: BTreeMap::new(),
            versions: BTreeMap::new(),
            disowned: vec![0; entries.len()],
            decisions: BTreeMap::new(),
            champions: BTreeMap::new(),
            withdrawals: BTreeMap::new(),
            turns: BTreeSet::new(),
            last: 0,
            changes: 0,
        }
    }

    pub(super) fn take(&mut self, entry: &Entry) {
        self.bundles.insert(entry.version, entry.bundle);
        self.versions.insert(entry.bundle, entry.version);
        self.last = entry.sequence;
        self.count(entry);
    }

    /// Lets an entry count. One that disowns another takes that away, which gives back what that has disowned, and so
    /// forth.
    fn count(&mut self, entry: &Entry) {
        let entries = self.entries;
        let (mut entry, mut counts) = (entry, true);
        while let Action::Disowned(other) = entry.action {
            self.changes += 1;
            let at = other as usize - 1;
            let before = self.disowned[at];
            change(&mut self.disowned[at], counts);
            if before != usize::from(!counts) || self.changes > MAX_CHANGES {
                return;
            }
            (entry, counts) = (&entries[at], !counts);
        }
        self.tally(entry, counts);
    }

    /// Adds an entry about a version, or takes it away.
    fn tally(&mut self, entry: &Entry, counts: bool) {
        let of_version = |numbers: &mut BTreeMap<u64, usize>| {
            change(numbers.entry(entry.version).or_default(), counts);
        };
        match entry.action {
            Action::Withdrawn => return of_version(&mut self.withdrawals),
            _ => of_version(&mut self.decisions),
        }
        if entry.action == Action::Declined {
            return;
        }
        of_version(&mut self.champions);
        match counts {
            true => self.turns.insert(entry.sequence),
            false => self.turns.remove(&entry.sequence),
        };
    }

    fn is_withdrawn(&self, version: u64) -> bool {
        let none = |counted: &BTreeMap<u64, usize>| counted.get(&version).is_none_or(|n| *n == 0);
        !none(&self.withdrawals) || (self.bundles.contains_key(&version) && none(&self.decisions))
    }

    fn was_champion(&self, version: u64) -> bool {
        self.champions.get(&version).is_some_and(|n| *n > 0)
    }

    fn is_champion(&self, version: u64) -> bool {
        let last = self
            .turns
            .last()
            .map(|turn| &self.entries[*turn as usize - 1]);
        last.is_some_and(|e| e.version == version) && !self.is_withdrawn(version)
    }

    /// Returns why no program can have appended an entry.
    pub(super) fn problem(&self, entry: &Entry) -> Option<String> {
        let version = entry.version;
        // Times may run back: a registry may have been written on several clocks.
        if let Err(reason) = clock::parse(&entry.at) {
            return Some(reason);
        }
        if self.changes > MAX_CHANGES {
            return Some(
                "those before it take one another away more often than is followed".to_owned(),
            );
        }
        if let Some(reason) = self.note_problem(entry) {
            return Some(reason);
        }
        if entry.action == Action::RolledBack && !self.was_champion(version) {
            return Some(format!(
                "it rolls back to version {version}, which was never the champion"
            ));
        }
        if entry.action == Action::Declined && self.is_champion(version) {
            return Some(format!("it declines version {version}, the champion"));
        }
        self.version_problem(entry)
    }

    /// Returns why an entry cannot take something away, or cannot be made of what was taken away.
    fn note_problem(&self, entry: &Entry) -> Option<String> {
        let version = entry.version;
        let is_known = self.bundles.contains_key(&version);
        match entry.action {
            Action::Disowned(other) if other == 0 || other > self.last => {
                Some(format!("it disowns entry {other}, which is not before it"))
            }
            Action::Disowned(_) | Action::Withdrawn if !is_known => Some(format!(
                "it is about version {version}, which is not before it"
            )),
            Action::Disowned(_) => None,
            // One of which no decision counts may come anew.
            _ if self.withdrawals.get(&version).is_some_and(|n| *n > 0) => Some(format!(
                "it is about version {version}, which was withdrawn"
            )),
            _ => None,
        }
    }

    /// Returns in what a version's number and its bundle do not belong together.
    fn version_problem(&self, entry: &Entry) -> Option<String> {
        let (version, bundle) = (entry.version, entry.bundle.short());
        match self.bundles.get(&version) {
            Some(known) if *known != entry.bundle => Some(format!(
                "it gives version {version} the bundle {bundle}, an entry before it {}",
                known.short()
            )),
            Some(_) => None,
            None => {
                let next = self.bundles.len() as u64 + 1;
                if version != next {
                    return Some(format!(
                        "it makes version {version} where {next} is the next"
                    ));
                }
                let other = self.versions.get(&entry.bundle)?;
                Some(format!(
                    "it makes version {version} of the bundle {bundle}, which is version {other}"
                ))
            }
        }
    }
}

fn change(number: &mut usize, adds: bool) {
    match adds {
        true => *number += 1,
        false => *number -= 1,
    }
}
