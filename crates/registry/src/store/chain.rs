//! Entries name the file of the one before them, so that none is changed without those behind it.

use std::collections::BTreeSet;

use artifact::Digest;

use super::{
    Registry, Seal,
    manifests::{COMPARE, disowned},
};
use crate::{Action, Entry, History, RegistryError};

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

    /// Takes the next entry with the text of its file. Those that programs wrote before entries were chained name none,
    /// and stand before those that do: such a program reads no further.
    pub(super) fn take(&mut self, entry: Entry, text: &[u8]) {
        let is_chained =
            entry.previous.is_some() || self.entries.last().is_some_and(|e| e.previous.is_some());
        if is_chained && entry.previous.as_ref() != self.files.last() {
            self.unlinked.insert(entry.sequence);
        }
        if let Action::Disowned(other) = entry.action
            && self.is_void(&entry, other, is_chained)
        {
            self.void.insert(entry.sequence);
        }
        self.files.push(Digest::of(text));
        self.entries.push(entry);
    }

    /// Returns whether an entry disowns none that is there: by one that was signed elsewhere, or of what stood there
    /// before, whoever may write there would take away what others have decided.
    fn is_void(&self, entry: &Entry, other: u64, is_chained: bool) -> bool {
        let at = other.checked_sub(1).map(|at| at as usize);
        let there = at.and_then(|at| self.files.get(at));
        match &entry.disowned_file {
            Some(meant) => there != Some(meant),
            // Those from before say of none which it is.
            None => is_chained,
        }
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
        for (before, entry) in history.breaks() {
            self.check_break(name, history, before, entry)?;
        }
        Ok(())
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
        let later = self.entry_seal(name, entry)?;
        if !matches!(later, Seal::Trusted(_)) {
            // Whoever has forged this one need not have changed the other. No signature mends that.
            let disown = disowned(name, entry.sequence);
            let advice = format!("{}; {disown}", out_of_place(before));
            return Err(self.untrusted(name, entry, later, advice));
        }
        let changed = Seal::Unlinked(entry.sequence);
        let earlier = self.entry_seal(name, before)?;
        let advice = match earlier {
            Seal::Trusted(_) => format!(
                "trusted keys have signed both, so that either may have been put there from elsewhere: {COMPARE}; of \
                 the one that is not of this history {}, {}",
                disowned(name, before.sequence),
                disowned(name, entry.sequence)
            ),
            _ => changed.advice_on_entry(name, before.sequence),
        };
        Err(self.untrusted(name, before, changed, advice))
    }

    /// Says what is wrong with those among some entries that were not written behind one another. Which of two is not
    /// as it was, the later one tells where it is signed by whoever is trusted, if that was said.
    pub(super) fn broken_links(
        &self,
        name: &str,
        history: &History,
        entries: &[&Entry],
    ) -> Result<Vec<String>, RegistryError> {
        let mut said = Vec::new();
        for (before, entry) in history.open_breaks() {
            let seal = self.entry_seal(name, entry)?;
            let is_signed = matches!(seal, Seal::Trusted(_) | Seal::Unchecked);
            if is_signed && entries.contains(&before) {
                let what = Seal::Unlinked(entry.sequence);
                said.push(format!("{} {what}: {COMPARE}", before.title()));
            }
            if !is_signed && entries.contains(&entry) {
                said.push(format!("{}: {}", entry.title(), out_of_place(before)));
            }
        }
        Ok(said)
    }

    /// Returns whether an entry and one beside it were not written behind one another, though a trusted key has signed
    /// that other.
    pub(super) fn is_out_of_place(
        &self,
        name: &str,
        history: &History,
        entry: &Entry,
    ) -> Result<bool, RegistryError> {
        for (before, later) in history.open_breaks() {
            let other = match entry {
                _ if before == entry => later,
                _ if later == entry => before,
                _ => continue,
            };
            if matches!(self.entry_seal(name, other)?, Seal::Trusted(_)) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

/// Says of an entry that another stands before it than when it was written.
fn out_of_place(before: &Entry) -> String {
    let of = before.sequence;
    format!("it was written behind another entry {of} than the one that stands there: {COMPARE}")
}
