//! Signatures of entries of a history: who decided what, and that it stands there as it was decided.

use artifact::Digest;

use super::{Registry, Seal, entry_key};
use crate::{Entry, RegistryError};

impl Registry {
    /// Signs an entry that is about to be written, when this registry signs.
    ///
    /// The signature comes first, so that an entry which is there never lacks it, and under the digest of what it
    /// signs, so that of two who write at once neither signs the other's.
    pub(super) fn sign_entry(
        &self,
        name: &str,
        sequence: u64,
        text: &[u8],
    ) -> Result<(), RegistryError> {
        match &self.signing {
            Some(key) => {
                self.put_unless_there(&signature_key(name, sequence, text), &key.sign(text))
            }
            None => Ok(()),
        }
    }

    /// Says how an entry of the history is vouched for.
    ///
    /// # Errors
    /// [`RegistryError::Blob`], [`RegistryError::Damaged`].
    pub fn entry_seal(&self, name: &str, entry: &Entry) -> Result<Seal, RegistryError> {
        let text = self.entry_text(name, entry.sequence)?;
        self.seal_of_text(name, entry, &text)
    }

    /// Says how the text of an entry is vouched for, as it was read.
    pub(super) fn seal_of_text(
        &self,
        name: &str,
        entry: &Entry,
        text: &[u8],
    ) -> Result<Seal, RegistryError> {
        let sequence = entry.sequence;
        if self.parsed_entry(&entry_key(name, sequence), sequence, text)? != *entry {
            return Ok(Seal::Changed);
        }
        // Another model's, whoever has signed it.
        if !entry.may_be_of(name) {
            return Ok(Seal::Foreign);
        }
        let signature = self.blobs.get(&signature_key(name, sequence, text))?;
        if signature.is_none() {
            let others = self.blobs.list(&prefix(name, sequence))?;
            return Ok(match others.is_empty() {
                true => Seal::Unsigned,
                false => Seal::Unmatched(others),
            });
        }
        Ok(self.judged(text, signature))
    }

    /// Reads an entry as it was written.
    pub(super) fn entry_text(&self, name: &str, sequence: u64) -> Result<Vec<u8>, RegistryError> {
        let key = entry_key(name, sequence);
        let text = self.blobs.get(&key)?;
        text.ok_or_else(|| self.damaged_entry(&key, "is missing".to_owned()))
    }
}

/// Returns where the signature of an entry lies: `sha256sum` of the entry's file ends its name.
pub(super) fn signature_key(name: &str, sequence: u64, text: &[u8]) -> String {
    format!("{}{}.sig", prefix(name, sequence), Digest::of(text))
}

fn prefix(name: &str, sequence: u64) -> String {
    format!("models/{name}/signatures/{sequence:08}-")
}
