//! Entries name the file of the one before them, so that none is changed without those behind it.

use artifact::Digest;

use super::{Registry, Seal};
use crate::{Entry, History, RegistryError};

/// The entries of a history as they are read, one after the other, with the digests of their files.
#[derive(Clone, Default)]
pub(super) struct Chain {
    entries: Vec<Entry>,
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

    /// Takes the next entry with the text of its file.
    pub(super) fn take(&mut self, entry: Entry, text: &[u8]) {
        self.files.push(Digest::of(text));
        self.entries.push(entry);
    }

    /// Makes a history of them.
    ///
    /// # Errors
    /// As [`History::new`].
    pub(super) fn history(&self) -> Result<History, (u64, String)> {
        History::new(self.entries.clone(), self.files.clone())
    }
}

impl Registry {
    /// Checks that the entries of a history were written behind one another, when it is said whom to trust. An unsigned
    /// refusal counts as well, so that by what was made of a promotion another champion would serve.
    pub(super) fn check_links(&self, name: &str, history: &History) -> Result<(), RegistryError> {
        let Some(entry) = history.first_out_of_place().filter(|_| self.trusts()) else {
            return Ok(());
        };
        let seal = Seal::Unlinked(entry.sequence - 1);
        Err(self.untrusted(name, entry, seal, put_back(name)))
    }
}

/// What is done about a history of which an entry was changed, or is missing. A copy is older than what it is a copy of.
pub(super) const PUT_OVER: &str = "put what a copy of the registry has of the model's `history` and `signatures` over what is \
                                   there, and remove nothing";

/// Says that, and who says more.
pub(super) fn put_back(name: &str) -> String {
    format!(
        "{PUT_OVER}; where no copy has it, `netsec models verify {name}`, with --trusted-keys FILE where entries are signed, \
         says how far the history is certain and what is to be decided anew"
    )
}
