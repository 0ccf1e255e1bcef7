//! The history of a model: one append-only list of entries, whose last word is every alias.

mod past;

use std::collections::{BTreeMap, BTreeSet};

use artifact::{Digest, clock, printable, shell_word};
use serde::{Deserialize, Serialize};

use past::Past;

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
    /// From here on nobody loads the version.
    Withdrawn,
    /// The entry of this number, which nobody who is trusted has made, does not count.
    Disowned(u64),
}

/// One entry of a history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Position in the history, from 1.
    pub sequence: u64,
    /// SHA-256 of the file of the entry before it, which cannot be changed then without this one; none in the first
    /// entry, and in those of programs that did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous: Option<Digest>,
    /// The model whose history it is of; none in those of programs that did not write it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
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

/// Clocks of machines that write to one registry differ by less, unless one of them is wrong.
const MAX_MINUTES_AHEAD: i64 = 5;

/// Characters of each of an entry's words that are read.
const MAX_WORD: usize = 1000;
/// Reasons that are read.
const MAX_REASONS: usize = 50;

impl Entry {
    /// Escapes control and invisible characters in its words, and cuts them: they are anybody's, and reach terminals
    /// and logs.
    pub(crate) fn printable(self) -> Self {
        let reasons = self.reasons.into_iter().take(MAX_REASONS);
        Self {
            at: shown(&self.at),
            model: self.model.as_deref().map(shown),
            run: shown(&self.run),
            reasons: reasons.map(|reason| shown(&reason)).collect(),
            why: self.why.as_deref().map(shown),
            ..self
        }
    }

    /// Returns whether it decides whether a version serves; the others are notes on versions and entries.
    pub fn is_decision(&self) -> bool {
        matches!(
            self.action,
            Action::Promoted | Action::Declined | Action::RolledBack
        )
    }

    /// Returns whether it takes a version away for good.
    pub fn withdraws(&self, version: u64) -> bool {
        self.action == Action::Withdrawn && self.version == version
    }

    /// Returns whether it was written behind the one before it, if there is one, whose file has a digest. Those that
    /// programs wrote before entries were linked name none, and stand before those that do: such a program reads no
    /// further.
    pub(crate) fn follows(&self, before: Option<&Self>, file: Option<&Digest>) -> bool {
        match &self.previous {
            Some(previous) => Some(previous) == file,
            None => before.is_none_or(|before| before.previous.is_none()),
        }
    }

    /// Returns whether it may be of a model's history: those of programs that did not write it name none.
    pub(crate) fn may_be_of(&self, model: &str) -> bool {
        self.model.as_deref().is_none_or(|named| named == model)
    }

    /// Says in words what was done.
    pub fn deed(&self) -> String {
        let version = self.version;
        match self.action {
            Action::Promoted => format!("promoted version {version}"),
            Action::Declined => format!("declined version {version}"),
            Action::RolledBack => format!("rolled back to version {version}"),
            Action::Withdrawn => format!("withdrew version {version}"),
            Action::Disowned(other) => format!("disowned entry {other}, about version {version}"),
        }
    }

    /// Names it among the others, with what was done and why, for those who are to sign it or not.
    pub fn title(&self) -> String {
        let why = self.why.as_ref();
        let why = why.map_or(String::new(), |why| format!(", because: {why}"));
        let (sequence, deed) = (self.sequence, self.deed());
        format!("entry {sequence} of the history ({deed}{why})")
    }

    /// Returns the name of its run as one word for a shell.
    pub fn run_word(&self) -> String {
        shell_word(&self.run)
    }

    /// Returns whether its time lies minutes ahead of a moment that cannot come before it: a clock is
    /// wrong then.
    pub fn lies_ahead_of(&self, moment: clock::Timestamp) -> bool {
        clock::parse(&self.at).is_ok_and(|at| (at - moment).num_minutes() >= MAX_MINUTES_AHEAD)
    }
}

fn shown(word: &str) -> String {
    let plain = printable(word);
    match plain.char_indices().nth(MAX_WORD) {
        Some((end, _)) => format!("{}…", &plain[..end]),
        None => plain.into_owned(),
    }
}

/// All entries of a model, in order.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct History {
    entries: Vec<Entry>,
    /// SHA-256 of each entry's file.
    files: Vec<Digest>,
    /// The first that was written behind another one than stands before it.
    broken_at: Option<u64>,
    /// The entries that do not count, each with the one that says so.
    disowned: BTreeMap<u64, u64>,
    /// The versions that nobody loads, each with the entry that says so.
    withdrawn: BTreeMap<u64, u64>,
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
    /// `champion`, `challenger`, `withdrawn`, `undone` where no decision on it counts, or nothing.
    pub alias: Option<&'static str>,
}

impl History {
    /// Makes a history of entries, and of the digests of their files.
    ///
    /// # Errors
    /// The number of the first that no program can have written there, and why.
    pub(crate) fn new(entries: Vec<Entry>, files: Vec<Digest>) -> Result<Self, (u64, String)> {
        let mut past = Past::of(&entries);
        for entry in &entries {
            let problem = past.problem(entry);
            problem.map_or(Ok(()), |reason| Err((entry.sequence, reason)))?;
            past.take(entry);
        }
        Ok(Self::of(entries, files))
    }

    fn of(entries: Vec<Entry>, files: Vec<Digest>) -> Self {
        let mut disowned = BTreeMap::new();
        // From behind: what is disowned itself disowns nothing.
        for entry in entries.iter().rev() {
            if let (Action::Disowned(other), None) = (entry.action, disowned.get(&entry.sequence)) {
                disowned.insert(other, entry.sequence);
            }
        }
        let mut history = Self {
            broken_at: first_out_of_place(&entries, &files),
            entries,
            files,
            disowned,
            withdrawn: BTreeMap::new(),
        };
        history.withdrawn = withdrawn(&history);
        history
    }

    /// Says why nobody could read the history with an entry behind it.
    pub(crate) fn problem_of(&self, entry: &Entry) -> Option<String> {
        let entries = [&self.entries[..], std::slice::from_ref(entry)].concat();
        // Whatever its file is: the next names it.
        let files = [&self.files[..], &[Digest::of(b"")]].concat();
        let (_, reason) = Self::new(entries, files).err()?;
        Some(reason)
    }

    /// Returns what tells the history from that of a model of the same name in another registry, wherever this one is
    /// moved or copied to: the digest of the file of its first entry.
    pub fn origin(&self) -> Option<Digest> {
        self.files.first().copied()
    }

    /// Returns the digest of an entry's file, as it was when the history was read.
    pub(crate) fn file(&self, sequence: u64) -> Option<Digest> {
        let at = usize::try_from(sequence.checked_sub(1)?).ok()?;
        self.files.get(at).copied()
    }

    /// Returns the first entry that was written behind another one than stands before it.
    pub fn first_out_of_place(&self) -> Option<&Entry> {
        self.numbered(self.broken_at?)
    }

    /// Returns whether an entry counts.
    pub(crate) fn counts(&self, entry: &Entry) -> bool {
        !self.disowned.contains_key(&entry.sequence)
    }

    /// Returns all entries, the oldest first.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// Returns the entry of a number.
    pub fn numbered(&self, sequence: u64) -> Option<&Entry> {
        let at = usize::try_from(sequence.checked_sub(1)?).ok()?;
        self.entries.get(at)
    }

    /// Returns the number of the entry by which another one is disowned.
    pub fn disowned_by(&self, sequence: u64) -> Option<u64> {
        self.disowned.get(&sequence).copied()
    }

    /// Returns the entries that count.
    fn counting(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.entries.iter().filter(|entry| self.counts(entry))
    }

    /// Returns the decisions that count.
    pub(crate) fn decisions(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.counting().filter(|e| e.is_decision())
    }

    /// Returns the entries that take something away: by which versions and entries do not count.
    pub(crate) fn notes(&self) -> impl Iterator<Item = &Entry> {
        self.counting().filter(|e| !e.is_decision())
    }

    /// Returns the entry by which nobody loads a version: it is withdrawn, or all that was decided of it does not count.
    pub fn withdrawal(&self, version: u64) -> Option<&Entry> {
        self.numbered(*self.withdrawn.get(&version)?)
    }

    fn is_withdrawn(&self, entry: &Entry) -> bool {
        self.withdrawn.contains_key(&entry.version)
    }

    /// Returns the entry that made the present champion.
    pub fn champion(&self) -> Option<&Entry> {
        self.last_champion().filter(|e| !self.is_withdrawn(e))
    }

    /// Returns the entry that made the last champion, withdrawn since or not: there is none behind it.
    pub(crate) fn last_champion(&self) -> Option<&Entry> {
        self.successions().next_back()
    }

    /// Returns the decisions by which a version became the champion.
    fn successions(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        self.decisions().filter(|e| e.action != Action::Declined)
    }

    /// Returns the rollbacks, and the promotions of the versions that they went back to: what lies between the two, no
    /// other rollback goes back to.
    pub(crate) fn ways_back(&self) -> impl Iterator<Item = &Entry> {
        let rollbacks = self
            .successions()
            .filter(|e| e.action == Action::RolledBack);
        let versions: BTreeSet<u64> = rollbacks.map(|e| e.version).collect();
        self.successions()
            .filter(move |e| versions.contains(&e.version))
    }

    /// Returns the entry of the candidate that was declined since the champion was made, the latest.
    pub fn challenger(&self) -> Option<&Entry> {
        let last = self.decisions().next_back()?;
        (last.action == Action::Declined && !self.is_withdrawn(last)).then_some(last)
    }

    /// Returns the entries that count and by which a champion comes or goes. No other bounds a time: a refusal changes
    /// nothing, and what was disowned never counted, whenever that was said.
    pub(crate) fn turns(&self) -> impl DoubleEndedIterator<Item = &Entry> {
        let is_turn = |e: &&Entry| !matches!(e.action, Action::Declined | Action::Disowned(_));
        self.counting().filter(is_turn)
    }

    /// Returns the entry that ends what served at a moment in the past.
    pub(crate) fn next_turn(&self, moment: clock::Timestamp) -> Option<&Entry> {
        let is_later = |e: &&Entry| clock::parse(&e.at).is_ok_and(|at| at > moment);
        self.turns().find(is_later)
    }

    /// Returns the entry that made the champion of a moment in the past. Where times run back, an entry
    /// counts from the latest time among it and those before it, since entries were made in order. A version that was
    /// withdrawn counted until then.
    pub fn champion_at(&self, moment: clock::Timestamp) -> Option<&Entry> {
        let end = self.next_turn(moment).map_or(u64::MAX, |e| e.sequence);
        let past = self.turns().take_while(|e| e.sequence < end);
        let last = past.filter(|e| e.is_decision()).last()?;
        let withdrawal = self.withdrawal(last.version);
        let is_past = withdrawal.is_some_and(|note| note.sequence < end);
        (!is_past).then_some(last)
    }

    /// Returns the first turn of a time after a moment, and an entry of no such time that was made behind it: on one of two
    /// clocks that turn had come by then, on the other it had not.
    pub(crate) fn uncertain_at(&self, moment: clock::Timestamp) -> Option<(&Entry, &Entry)> {
        let turn = self.next_turn(moment)?;
        let behind = |e: &&Entry| e.sequence > turn.sequence;
        let has_come = |e: &&Entry| clock::parse(&e.at).is_ok_and(|at| at <= moment);
        let mut behind = self.counting().filter(behind);
        Some((turn, behind.find(has_come)?))
    }

    /// Returns the entries whose time lies before that of the entry before them, each behind that one:
    /// they were made on two clocks, or on one that was set.
    pub fn times_that_run_back(&self) -> Vec<(&Entry, &Entry)> {
        let pairs = self.entries.iter().zip(self.entries.iter().skip(1));
        let runs_back =
            |(before, entry): &(&Entry, &Entry)| clock::parse(&entry.at) < clock::parse(&before.at);
        pairs.filter(runs_back).collect()
    }

    /// Returns the champion before the present one: what a rollback goes back to.
    pub fn previous_champion(&self) -> Option<&Entry> {
        self.predecessors().first().copied()
    }

    /// Returns the champions before the present one that rollbacks go back to, one after the other: none that was rolled
    /// back from, and none that was withdrawn. None where there is no champion.
    pub fn predecessors(&self) -> Vec<&Entry> {
        let Some(present) = self.champion() else {
            return Vec::new();
        };
        let mut stack: Vec<&Entry> = Vec::new();
        for entry in self.successions() {
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
        let older = stack.into_iter().rev();
        older
            .filter(|e| e.version != present.version && !self.is_withdrawn(e))
            .collect()
    }

    /// Returns whether a version has ever been the champion.
    pub(crate) fn was_champion(&self, version: u64) -> bool {
        self.reigns(version).next().is_some()
    }

    /// Returns the decisions by which a version became the champion.
    pub(crate) fn reigns(&self, version: u64) -> impl Iterator<Item = &Entry> {
        self.successions().filter(move |e| e.version == version)
    }

    /// Returns what was last decided of a version, of all that counts.
    pub fn version(&self, version: u64) -> Option<&Entry> {
        self.decisions().rfind(|e| e.version == version)
    }

    /// Returns what was last decided of the version that has this bundle; where none of it counts, the last of it.
    pub fn with_bundle(&self, bundle: Digest) -> Option<&Entry> {
        let is_of = |e: &&Entry| e.bundle == bundle;
        let decided = self.decisions().rfind(is_of);
        decided.or_else(|| self.entries.iter().rfind(is_of))
    }

    /// Returns the number that the next version gets.
    pub fn next_version(&self) -> u64 {
        self.entries.iter().map(|e| e.version).max().unwrap_or(0) + 1
    }

    /// Returns why nobody loads a version, in a word.
    fn state(&self, version: u64) -> Option<&'static str> {
        let note = self.withdrawal(version)?;
        Some(match note.withdraws(version) {
            true => "withdrawn",
            false => "undone",
        })
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
                        _ => self.state(entry.version),
                    },
                });
        }
        versions.into_values().collect()
    }
}

/// Returns the number of the first entry that was written behind another one than stands before it.
fn first_out_of_place(entries: &[Entry], files: &[Digest]) -> Option<u64> {
    let (mut before, mut file) = (None, None);
    for (entry, own) in entries.iter().zip(files) {
        if !entry.follows(before, file) {
            return Some(entry.sequence);
        }
        (before, file) = (Some(entry), Some(own));
    }
    None
}

/// Returns the versions that were withdrawn, and those of which no decision counts, with the entry by which it is so.
fn withdrawn(history: &History) -> BTreeMap<u64, u64> {
    let mut withdrawn = BTreeMap::new();
    for note in history.notes().filter(|e| e.action == Action::Withdrawn) {
        withdrawn.entry(note.version).or_insert(note.sequence);
    }
    let decided: BTreeSet<u64> = history.decisions().map(|entry| entry.version).collect();
    let mut undone: BTreeMap<u64, u64> = BTreeMap::new();
    for entry in history.entries.iter().filter(|e| e.is_decision()) {
        let (number, version) = (entry.sequence, entry.version);
        if let (Some(by), false) = (history.disowned_by(number), decided.contains(&version)) {
            let last = undone.entry(version).or_insert(by);
            *last = by.max(*last);
        }
    }
    undone.extend(withdrawn);
    undone
}

#[cfg(test)]
mod tests;
