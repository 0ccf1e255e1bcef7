//! Entries name the file of the one before them, so that none is changed without those behind it.

use std::collections::BTreeSet;

use artifact::Digest;

use super::{
    Registry, Seal,
    manifests::{COMPARE, disown, disown_all, disowned},
};
use crate::{Entry, History, RegistryError};

/// The entries of a history as they are read, one after the other.
#[derive(Clone, Default)]
pub(super) struct Chain {
    entries: Vec<Entry>,
    unlinked: BTreeSet<u64>,
    /// The entries that disown others than stand in their places.
    void: BTreeSet<u64>,
    files: Vec<Digest>,
}

impl Chain {
    /// Returns the number of the next entry.
    pub(super) fn next(&self) -> u64 {
        self.entries.len() as u64 + 1
    }

    /// Returns the last entry.
    pub(super) fn last(&self) -> Option<&Entry> {
        self.entries.last()
    }

    /// Returns the digest of the last entry's file.
    pub(super) fn end(&self) -> Option<Digest> {
        self.files.last().copied()
    }

    /// Takes the next entry with the text of its file. Those that programs wrote before entries were chained name none,
    /// and stand before those that do: such a program reads no further.
    pub(super) fn take(&mut self, entry: Entry, text: &[u8]) {
        let is_chained =
            entry.previous.is_some() || self.entries.last().is_some_and(|e| e.previous.is_some());
        if is_chained && entry.previous.as_ref() != self.files.last() {
            self.unlinked.insert(entry.sequence);
        }
        if entry.is_disowning() && self.is_void(&entry, is_chained) {
            self.void.insert(entry.sequence);
        }
        self.files.push(Digest::of(text));
        self.entries.push(entry);
    }

    /// Returns whether an entry disowns others than are there: by one that was signed elsewhere, or of what stood there
    /// before, whoever may write there would take away what others have decided, or give it back.
    fn is_void(&self, entry: &Entry, is_chained: bool) -> bool {
        let taken = entry.taken();
        let Some(meant) = &entry.disowns else {
            // Those from before say of none which it is: the chain up to them has to.
            return is_chained && self.is_cut(taken.start, entry.sequence);
        };
        let file = |number: u64| {
            let at = number.checked_sub(1)?;
            self.files.get(usize::try_from(at).ok()?)
        };
        let is_there = file(meant.last) == Some(&meant.file)
            && file(taken.start.saturating_sub(1)) == meant.behind.as_ref();
        let is_whole = taken.contains(&meant.last) && !self.is_cut(taken.start, meant.last);
        !(is_there && is_whole)
    }

    /// Returns whether some entry behind the first of two, up to the second, was written behind another one. The numbers
    /// may be anybody's.
    fn is_cut(&self, first: u64, last: u64) -> bool {
        first < last && self.unlinked.range(first + 1..=last).next().is_some()
    }

    /// Makes a history of them.
    ///
    /// # Errors
    /// As [`History::new`].
    pub(super) fn history(&self) -> Result<History, (u64, String)> {
        let history = History::new(self.entries.clone(), self.void.clone())?;
        Ok(history.chained(self.unlinked.clone(), self.files.clone()))
    }
}

impl Registry {
    /// Checks that the entries of a history were written behind one another, when it is said whom to trust. An unsigned
    /// refusal counts as well, so that by what was made of a promotion another champion would serve.
    pub(super) fn check_links(&self, name: &str, history: &History) -> Result<(), RegistryError> {
        if let Some(first) = first_out_of_place(history) {
            let advice = format!("{FIRST}: {COMPARE}; {}", disowned(name, first.sequence));
            return Err(self.untrusted(name, first, self.entry_seal(name, first)?, advice));
        }
        for (before, entry) in history.breaks() {
            self.check_break(name, history, before, entry)?;
        }
        match history.open_void().next() {
            // Whoever has written that may say anything of the others.
            Some(entry) if !self.is_signed(name, entry)? => self.check_entry(name, entry),
            Some(entry) => Err(self.untrusted_void(name, history, entry)),
            None => Ok(()),
        }
    }

    /// Says what is not what an entry was about that disowns.
    fn untrusted_void(&self, name: &str, history: &History, entry: &Entry) -> RegistryError {
        let first = entry.taken().start;
        let again = history.given_back(entry);
        let again = again.map(|e| disown_all(name, e.sequence, history.end_of_tail(e)));
        let changed = history.changed_before(entry);
        let what = match changed {
            Some(before) => format!("entry {before} is another one than stood before it then"),
            None => "somebody has changed what it was about".to_owned(),
        };
        let ways = [
            changed.map(|before| format!("{} says so", disown(name, before))),
            again.map(|again| format!("{again} disowns what stands there now")),
        ];
        let ways: Vec<String> = ways.into_iter().flatten().collect();
        let advice = format!(
            "{what}: {COMPARE}, and put that back; where there is no copy, {}",
            ways.join(", and ")
        );
        self.untrusted(name, entry, Seal::Void(first), advice)
    }

    /// Where one of the two is disowned, what stands before them is bound by nothing behind: its own signature has to do
    /// that.
    fn check_break(
        &self,
        name: &str,
        history: &History,
        before: &Entry,
        entry: &Entry,
    ) -> Result<(), RegistryError> {
        if history.is_disowned(before) || history.is_disowned(entry) {
            let bound = history.counting_before(entry);
            return bound.map_or(Ok(()), |bound| self.check_entry(name, bound));
        }
        let changed = Seal::Unlinked(entry.sequence);
        let number = before.sequence;
        match self.blame(name, history, entry)? {
            // No signature mends that.
            Blame::Later => {
                let seal = self.entry_seal(name, entry)?;
                let way = disown_all(name, entry.sequence, history.end_of_tail(entry));
                let advice = format!(
                    "{}; {way} says that it does not count",
                    out_of_place(before)
                );
                Err(self.untrusted(name, entry, seal, advice))
            }
            Blame::Either => {
                let first = disown(name, number);
                let second = disown_all(name, entry.sequence, history.end_of_tail(entry));
                let [this, next] = [
                    self.entry_seal(name, before)?,
                    self.entry_seal(name, entry)?,
                ];
                let next_number = entry.sequence;
                let mut ways = [
                    format!(
                        "where entry {number} is not what it was, put it back, or {first} says so"
                    ),
                    format!(
                        "where entry {next_number} is from elsewhere, {second} takes it away with those that were written \
                         behind it"
                    ),
                ];
                // Whoever has put the other there has put this before it, as a rule.
                if !matches!(this, Seal::Trusted(_)) {
                    ways.reverse();
                }
                let advice = format!(
                    "entry {number} {this}, entry {next_number} {next}, and either may have been changed or put there \
                     from elsewhere: {COMPARE}; {}{}",
                    ways.join("; "),
                    disowned_before(history, entry)
                );
                Err(self.untrusted(name, before, changed, advice))
            }
        }
    }

    /// Says which of two entries that do not follow one another may not be what was written there.
    fn blame(&self, name: &str, history: &History, entry: &Entry) -> Result<Blame, RegistryError> {
        // Else anybody may have put it there, who need not have changed the other.
        let stands = self.is_signed(name, entry)? || self.is_bound(name, history, entry)?;
        Ok(match stands {
            true => Blame::Either,
            false => Blame::Later,
        })
    }

    fn is_signed(&self, name: &str, entry: &Entry) -> Result<bool, RegistryError> {
        let seal = self.entry_seal(name, entry)?;
        Ok(matches!(seal, Seal::Trusted(_) | Seal::Unchecked))
    }

    /// Returns whether one that is signed follows an entry, link by link, so that the entry is what it was then.
    fn is_bound(
        &self,
        name: &str,
        history: &History,
        entry: &Entry,
    ) -> Result<bool, RegistryError> {
        let behind = history.entries().iter().skip(entry.sequence as usize);
        for next in behind.take_while(|next| !history.is_out_of_place(next)) {
            if self.is_signed(name, next)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Returns each two entries that do not follow one another, of which both count, with which is to blame.
    fn open_breaks<'a>(
        &self,
        name: &str,
        history: &'a History,
    ) -> Result<Vec<(&'a Entry, &'a Entry, Blame)>, RegistryError> {
        let blamed = |(before, entry)| {
            let blame = self.blame(name, history, entry)?;
            Ok((before, entry, blame))
        };
        history.open_breaks().map(blamed).collect()
    }

    /// Says what is wrong with those among some entries that were not written behind one another.
    pub(super) fn broken_links(
        &self,
        name: &str,
        history: &History,
        entries: &[&Entry],
    ) -> Result<Vec<String>, RegistryError> {
        let mut said = Vec::new();
        let first = first_out_of_place(history).filter(|first| entries.contains(first));
        said.extend(first.map(|first| format!("{}: {FIRST}: {COMPARE}", first.title())));
        for entry in history.open_void().filter(|entry| entries.contains(entry)) {
            let what = Seal::Void(entry.taken().start);
            said.push(format!("{} {what}: {COMPARE}", entry.title()));
        }
        for (before, entry, blame) in self.open_breaks(name, history)? {
            if blame != Blame::Later && entries.contains(&before) {
                let what = Seal::Unlinked(entry.sequence);
                said.push(format!("{} {what}: {COMPARE}", before.title()));
            }
            if entries.contains(&entry) {
                said.push(format!("{}: {}", entry.title(), out_of_place(before)));
            }
        }
        Ok(said)
    }

    /// Returns whether an entry may not be what was written there, by whomever it is signed.
    pub(super) fn is_suspect(
        &self,
        name: &str,
        history: &History,
        suspect: &Entry,
    ) -> Result<bool, RegistryError> {
        if first_out_of_place(history) == Some(suspect) {
            return Ok(true);
        }
        for entry in history.open_void() {
            // The disowning itself may be from elsewhere.
            let is_about = entry == suspect
                || entry.taken().contains(&suspect.sequence)
                || history.changed_before(entry) == Some(suspect.sequence);
            if is_about && self.is_signed(name, entry)? {
                return Ok(true);
            }
        }
        // Also where the one before it was disowned: that says nothing for this one.
        let mut breaks = history.breaks();
        if breaks.any(|(_, later)| later == suspect) {
            return Ok(true);
        }
        let breaks = self.open_breaks(name, history)?.into_iter();
        let mut earlier = breaks.filter(|(_, _, blame)| *blame == Blame::Either);
        Ok(earlier.any(|(before, ..)| before == suspect))
    }
}

/// Which of two entries that do not follow one another may not be what was written there.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Blame {
    Later,
    Either,
}

/// What is said of a first entry that names one before it.
const FIRST: &str = "it was written behind another entry, and none stands before it";

fn first_out_of_place(history: &History) -> Option<&Entry> {
    let first = history.entries().first()?;
    (history.is_out_of_place(first) && !history.is_disowned(first)).then_some(first)
}

/// Says by which entry another was disowned as it stood then.
fn disowned_before(history: &History, entry: &Entry) -> String {
    let mut void = history.open_void();
    let known = void.find(|void| void.taken().contains(&entry.sequence));
    known.map_or(String::new(), |known| {
        format!("; {}, as they stood then", known.title())
    })
}

/// Says of an entry that another stands before it than when it was written.
fn out_of_place(before: &Entry) -> String {
    let of = before.sequence;
    format!("it was written behind another entry {of} than the one that stands there: {COMPARE}")
}
