//! Who vouches for a version: Ed25519 keys (RFC 8032) in the PEM that OpenSSL writes.
//!
//! `openssl genpkey -algorithm ed25519` makes a key, `openssl pkey -pubout` the public half that others
//! trust, and `openssl pkeyutl -verify -rawin` checks what is signed here.

use std::{fmt, path::Path};

use artifact::{Digest, read_bounded};
use ed25519_compact::{KeyPair, PublicKey, Signature};

use crate::RegistryError;

/// Thousands of keys fit; what is larger is some other file.
const MAX_KEY_FILE_BYTES: u64 = 1 << 20;
const PUBLIC_KEY_END: &str = "-----END PUBLIC KEY-----";

/// The private key that new versions are signed with.
pub struct SigningKey {
    pair: KeyPair,
    /// That others may read it, and what to do.
    warning: Option<String>,
}

impl SigningKey {
    /// Reads a private key from a PEM file (PKCS #8).
    ///
    /// # Errors
    /// [`RegistryError::Key`].
    pub fn read(path: &Path) -> Result<Self, RegistryError> {
        let text = read(path)?;
        let others = others_rights(path);
        if others & 0o002 != 0 {
            let reason = "anybody may write to it, and so sign in your name: `chmod 600` it";
            return Err(key_error(path, reason));
        }
        let refused = |_| {
            let reason = if text.contains("ENCRYPTED") {
                "it is encrypted, and nobody is there to type its password: `openssl pkey` decrypts it"
            } else {
                "it holds no private Ed25519 key: `openssl genpkey -algorithm ed25519` makes one"
            };
            key_error(path, reason)
        };
        Ok(Self {
            pair: KeyPair::from_pem(&text).map_err(refused)?,
            warning: (others != 0).then(|| {
                let path = path.display();
                format!(
                    "others than its owner have rights to the private key {path}, and may sign in your name: `chmod 600 {path}`"
                )
            }),
        })
    }

    /// Signs bytes; the same bytes get the same signature.
    pub fn sign(&self, bytes: &[u8]) -> Vec<u8> {
        self.pair.sk.sign(bytes, None).to_vec()
    }

    /// Says what is wrong with where the key lies, though it can be used. Files that are mounted into a container often
    /// have such rights, where nobody else is; so it is no error.
    pub fn warning(&self) -> Option<&str> {
        self.warning.as_deref()
    }

    /// Returns the name of the key, as [`TrustedKeys`] names it.
    pub fn name(&self) -> String {
        name(&self.pair.pk)
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({})", self.name())
    }
}

/// The public keys whose signatures count.
#[derive(Debug, Clone, Default)]
pub struct TrustedKeys(Vec<PublicKey>);

impl TrustedKeys {
    /// Reads public keys from a PEM file, one after the other.
    ///
    /// # Errors
    /// [`RegistryError::Key`], also when there is none.
    pub fn read(path: &Path) -> Result<Self, RegistryError> {
        let text = read(path)?;
        let mut keys = Vec::new();
        for (at, pem) in text.split_inclusive(PUBLIC_KEY_END).enumerate() {
            // Words around the keys are anybody's; `openssl pkey -text` writes some behind them.
            let is_block = pem.contains("-----BEGIN ");
            if pem.trim().is_empty() || (!is_block && !keys.is_empty()) {
                continue;
            }
            // A weak key is one for which anybody can make a signature.
            let key = PublicKey::from_pem(pem).and_then(|key| key.validate().map(|()| key));
            keys.push(key.map_err(|_| no_public_key(path, at + 1))?);
        }
        if keys.is_empty() {
            return Err(key_error(
                path,
                "it is empty, so that nothing could be trusted",
            ));
        }
        Ok(Self(keys))
    }

    /// Trusts the public half of a key as well.
    pub(crate) fn with(mut self, key: &SigningKey) -> Self {
        self.0.push(key.pair.pk);
        self
    }

    /// Returns the name of the key that has signed the bytes, or `None` when none of these has.
    pub fn signer(&self, bytes: &[u8], signature: &[u8]) -> Option<String> {
        let signature = Signature::from_slice(signature).ok()?;
        let signer = self
            .0
            .iter()
            .find(|key| key.verify(bytes, &signature).is_ok());
        signer.map(name)
    }
}

fn no_public_key(path: &Path, nth: usize) -> RegistryError {
    let reason = format!(
        "what stands {nth}. there is no public Ed25519 key: `openssl pkey -in KEY -pubout` writes that of a private one"
    );
    key_error(path, &reason)
}

/// Names a key by the first digits of the SHA-256 of its DER form, which
/// `openssl pkey -pubin -outform der | sha256sum` prints as well.
fn name(key: &PublicKey) -> String {
    Digest::of(&key.to_der()).short()
}

fn read(path: &Path) -> Result<String, RegistryError> {
    let bytes = read_bounded(path, MAX_KEY_FILE_BYTES);
    let bytes = bytes.map_err(|e| key_error(path, &e.to_string()))?;
    String::from_utf8(bytes).map_err(|_| key_error(path, "it is not PEM, but binary"))
}

/// Returns what others than the owner may do with a file.
#[cfg(unix)]
fn others_rights(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt as _;
    let found = path.metadata();
    found.map_or(0, |found| found.permissions().mode() & 0o077)
}

#[cfg(not(unix))]
fn others_rights(_: &Path) -> u32 {
    0
}

fn key_error(path: &Path, reason: &str) -> RegistryError {
    RegistryError::Key {
        path: path.display().to_string(),
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests;
