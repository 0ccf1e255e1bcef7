//! Entries name the file of the one before them, so that none is changed without those behind it.

use artifact::Digest;

use super::{Registry, Seal, entry_key, entry_signatures};
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

/// Names among the entries that a key has signed behind what is certain.
const MAX_NAMED: usize = 5;

impl Registry {
    /// Checks that the entries of a history were written behind one another, when it is said whom to trust. An unsigned
    /// refusal counts as well, so that by what was made of a promotion another champion would serve.
    pub(super) fn check_links(&self, name: &str, history: &History) -> Result<(), RegistryError> {
        let Some(entry) = history.first_out_of_place().filter(|_| self.trusts()) else {
            return Ok(());
        };
        let advice = format!(
            "{}; where there is none, `netsec models verify {name}` says how far the history is certain",
            put_back(name)
        );
        Err(self.untrusted(name, entry, Seal::Unlinked(entry.sequence - 1), advice))
    }

    /// Says of a history that is broken how far it is certain: up to the last entry before the break that a trusted key
    /// has signed, and which so binds all those before it. What stands behind that may be anybody's.
    ///
    /// # Errors
    /// As [`Registry::entry_seal`].
    pub(super) fn broken_link(
        &self,
        name: &str,
        history: &History,
    ) -> Result<Option<Broken>, RegistryError> {
        let Some(at) = history.first_out_of_place() else {
            return Ok(None);
        };
        let before = history.entries().iter().take(at.sequence as usize - 1);
        let mut certain = 0;
        for entry in before.rev() {
            if !self.trusts() || self.is_signed(name, entry)? {
                certain = entry.sequence;
                break;
            }
        }
        let mut signed = Vec::new();
        for entry in history.entries().iter().skip(certain as usize) {
            if self.trusts() && signed.len() <= MAX_NAMED && self.is_signed(name, entry)? {
                signed.push(entry.title());
            }
        }
        Ok(Some(Broken {
            certain,
            said: format!(
                "{} {}; {}; where there is none, {}",
                at.title(),
                Seal::Unlinked(at.sequence - 1),
                put_back(name),
                self.way_on(name, certain, signed)
            ),
        }))
    }

    /// Says how a history goes on that is certain up to an entry and of which there is no copy.
    fn way_on(&self, name: &str, certain: u64, mut signed: Vec<String>) -> String {
        let first = entry_key(name, certain + 1);
        let why = match (certain, self.trusts()) {
            (0, _) => "nothing before it is certain".to_owned(),
            (n, true) => format!("entry {n} is the last before it that a trusted key has signed"),
            (n, false) => format!("entry {n} is the last that fits"),
        };
        if signed.len() > MAX_NAMED {
            signed[MAX_NAMED] = "others".to_owned();
        }
        let lost = match signed.is_empty() {
            true => String::new(),
            false => format!(
                ", first what a trusted key has signed there: {}",
                signed.join(", ")
            ),
        };
        format!(
            "{why}: move `{first}` and all entries behind it away, with the signatures of their numbers, and decide anew what they \
             decided{lost}"
        )
    }

    /// Returns whether a trusted key has signed an entry as it stands there. Other signatures of its number are not looked
    /// for: there may be as many as somebody likes.
    fn is_signed(&self, name: &str, entry: &Entry) -> Result<bool, RegistryError> {
        let text = self.entry_text(name, entry.sequence)?;
        let key = entry_signatures::signature_key(name, entry.sequence, &text);
        let seal = self.judged(&text, self.blobs.get(&key)?);
        Ok(matches!(seal, Seal::Trusted(_)))
    }
}

/// What is wrong with a history of which an entry was written behind another one than stands before it.
pub(super) struct Broken {
    /// The number of the last entry that is certain, 0 for none.
    pub(super) certain: u64,
    /// What is to be said of it.
    pub(super) said: String,
}

fn put_back(name: &str) -> String {
    format!(
        "somebody has changed, removed or exchanged entries: put `models/{name}/history` and `signatures` back from a copy \
         of the registry"
    )
}
