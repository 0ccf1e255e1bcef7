//! Where the registry's bytes lie: a blocking trait, so that a directory and a bucket look alike.

use artifact::{Classified, ErrorKind, codec::MAX_BYTES};
use thiserror::Error;

/// An entry, a manifest, a signature: whoever looks for a champion reads them, whatever somebody has put there.
const MOST_OF_A_TEXT: u64 = 1 << 20;
/// An envelope comes on top of the largest payload.
const MOST_OF_A_BLOB: u64 = MAX_BYTES + (1 << 16);

/// Keeps named bytes. Keys are `/`-separated words of letters, digits, `.`, `-` and `_`.
pub trait BlobStore: Send + Sync {
    /// Returns where the bytes lie, for people; never with a secret in it.
    fn location(&self) -> String;

    /// Returns whether it is asked by requests, which take time and cost money: what never changes is then asked for
    /// once.
    fn is_remote(&self) -> bool {
        false
    }

    /// Returns the bytes of a key, or `None` when there is no such key.
    ///
    /// # Errors
    /// [`BlobError`].
    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, BlobError>;

    /// Returns how many bytes a key has, or `None` when there is no such key; they are not read.
    ///
    /// # Errors
    /// [`BlobError`].
    fn length(&self, key: &str) -> Result<Option<u64>, BlobError>;

    /// Writes bytes under a key, whole or not at all; what was there is replaced.
    ///
    /// # Errors
    /// [`BlobError`].
    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), BlobError>;

    /// Writes bytes under a key unless there is one already; returns whether it was written.
    ///
    /// This is the registry's only means of deciding between two writers.
    ///
    /// # Errors
    /// [`BlobError`].
    fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Result<bool, BlobError>;

    /// Returns all keys that begin with a prefix, ascending.
    ///
    /// # Errors
    /// [`BlobError`].
    fn list(&self, prefix: &str) -> Result<Vec<String>, BlobError>;
}

/// Returns whether a text is a key.
pub fn is_key(text: &str) -> bool {
    let is_word = |part: &str| {
        !part.is_empty()
            && !part.starts_with('.')
            && part
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || ".-_".contains(c))
    };
    text.split('/').all(is_word)
}

/// Returns how many bytes a key may have at most.
pub fn most_bytes(key: &str) -> u64 {
    match key.starts_with("models/") {
        true => MOST_OF_A_TEXT,
        false => MOST_OF_A_BLOB,
    }
}

/// Why the registry's bytes could not be read or written.
#[derive(Debug, Error)]
#[error("registry at {location}: cannot {action} `{key}`: {reason}")]
pub struct BlobError {
    /// Where.
    pub location: String,
    /// What was tried.
    pub action: &'static str,
    /// On which key.
    pub key: String,
    /// Why it failed.
    pub reason: String,
}

impl Classified for BlobError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::Unavailable
    }
}
