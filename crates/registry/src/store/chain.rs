//! Entries name the file of the one before them, so that none is changed without those behind it.

use std::collections::BTreeSet;

use artifact::Digest;

use super::{
    Registry, Seal,
    manifests::{COMPARE, disowned},
};
use crate::{Entry, History, RegistryError};

/// The entries of a history as they are read, one after the other.
#[derive(Clone, Default)]
pub(super) struct Chain {
    entries: Vec<Entry>,
    unlinked: BTreeSet<u64>,
    end: Option<Digest>,
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
        if is_chained && entry.previous != self.end {
            self.unlinked.insert(entry.sequence);
        }
        self.end = Some(Digest::of(text));
        self.entries.push(entry);
    }

    /// Makes a history of them.
    ///
    /// # Errors
    /// As [`History::new`].
    pub(super) fn history(&self) -> Result<History, (u64, String)> {
        let history = History::new(self.entries.clone())?;
        Ok(history.chained(self.unlinked.clone(), self.end))
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
        let seal = self.entry_seal(name, entry)?;
        let changed = Seal::Unlinked(entry.sequence);
        let (culprit, seal, advice) = match seal {
            Seal::Trusted(_) => {
                let advice = changed.advice_on_entry(name, before.sequence);
                (before, changed, advice)
            }
            // Whoever has forged the one need not have changed the other. No signature mends that.
            _ => {
                let disown = disowned(name, entry.sequence);
                let advice = format!("{}; {disown}", out_of_place(before));
                (entry, seal, advice)
            }
        };
        Err(RegistryError::Untrusted {
            location: self.location(),
            what: format!("`{name}`, {}", culprit.title()),
            advice,
            seal,
        })
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

    /// Returns whether a trusted key has signed an entry that was written behind another one than this.
    pub(super) fn is_replaced(
        &self,
        name: &str,
        history: &History,
        entry: &Entry,
    ) -> Result<bool, RegistryError> {
        let mut breaks = history.open_breaks();
        let Some((_, later)) = breaks.find(|(before, _)| *before == entry) else {
            return Ok(false);
        };
        Ok(matches!(self.entry_seal(name, later)?, Seal::Trusted(_)))
    }
}

/// Says of an entry that another stands before it than when it was written.
fn out_of_place(before: &Entry) -> String {
    let of = before.sequence;
    format!("it was written behind another entry {of} than the one that stands there: {COMPARE}")
}
