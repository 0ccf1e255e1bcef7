//! Signing by hand: versions that somebody has looked at, and all again when a key takes over from another.

use std::sync::Arc;

use serde::Serialize;

use super::{
    Registry, Seal, entry_signatures, find,
    manifests::{COMPARE, manifest_key, signature_key},
    verification::evaluated_versions,
};
use crate::{Entry, RegistryError, SigningKey};

/// What came of signing a version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Signed {
    /// The version.
    pub version: u64,
    /// Whether its manifest is signed now.
    pub is_signed: bool,
    /// The entries of its history that are signed now.
    pub entries: Vec<u64>,
    /// What was not signed before, and stays so.
    pub left: Vec<String>,
    /// Why nothing of it was signed.
    pub refused: Vec<String>,
}

impl Registry {
    /// Signs a version, the champion when none is given, and what the history says of it, once all its bytes are hashed.
    ///
    /// What somebody else has signed counts where that key is trusted; nothing is signed where another signature is.
    ///
    /// # Errors
    /// As [`Registry::entry`], and [`RegistryError::Unsignable`].
    pub fn sign(
        &self,
        key: &Arc<SigningKey>,
        name: &str,
        version: Option<u64>,
    ) -> Result<Signed, RegistryError> {
        let version = self.entry(name, version)?.version;
        let signed = self.sign_version(key, name, version, true)?;
        if signed.refused.is_empty() {
            return Ok(signed);
        }
        Err(RegistryError::Unsignable {
            name: name.to_owned(),
            reasons: signed.refused.join("; "),
            advice: match self.trusts() {
                true => COMPARE.to_owned(),
                false => {
                    format!("--trusted-keys says whose signatures are in order, else {COMPARE}")
                }
            },
        })
    }

    /// Signs again what a trusted key has signed; nothing else.
    ///
    /// # Errors
    /// As [`Registry::existing`].
    pub fn sign_again(
        &self,
        key: &Arc<SigningKey>,
        name: &str,
    ) -> Result<Vec<Signed>, RegistryError> {
        let versions = self.existing(name)?.versions().into_iter();
        versions
            .map(|state| self.sign_version(key, name, state.version, false))
            .collect()
    }

    fn sign_version(
        &self,
        key: &Arc<SigningKey>,
        name: &str,
        version: u64,
        adds: bool,
    ) -> Result<Signed, RegistryError> {
        // One's own signature is in order wherever it stands.
        let registry = self.clone().trusting_also(key);
        let history = registry.existing(name)?;
        find(&history, name, version)?;
        let mut work = Work::new(version, adds);
        let evaluated = evaluated_versions(&history).into_iter();
        for (_, entries) in evaluated.filter(|((of, ..), _)| *of == version) {
            registry.plan(&mut work, name, &entries)?;
        }
        if work.signed.refused.is_empty() {
            for (key_of_manifest, text) in &work.manifests {
                registry.put_unless_there(key_of_manifest, text)?;
            }
            for (at, text) in &work.texts {
                registry.put_unless_there(at, &key.sign(text))?;
            }
        } else {
            (work.signed.is_signed, work.signed.entries) = (false, Vec::new());
        }
        Ok(work.signed)
    }

    /// Decides what is to be signed of one evaluation of a version.
    fn plan(&self, work: &mut Work, name: &str, entries: &[&Entry]) -> Result<(), RegistryError> {
        let (_, problems) = self.content(name, entries)?;
        if !problems.is_empty() {
            work.signed.refused.extend(problems);
            return Ok(());
        }
        let entry = entries[0];
        let text = self.manifest(name, entry)?.to_text();
        let seal = self.seal_of(name, entry)?;
        if work.takes(&seal, &format!("version {}", entry.version)) {
            work.signed.is_signed = true;
            work.manifests
                .push((manifest_key(name, entry), text.clone()));
            work.texts.push((signature_key(name, entry), text));
        }
        for entry in entries {
            let (sequence, seal) = (entry.sequence, self.entry_seal(name, entry)?);
            if work.takes(&seal, &format!("entry {sequence} of the history")) {
                let text = self.entry_text(name, sequence)?;
                let at = entry_signatures::signature_key(name, sequence, &text);
                work.signed.entries.push(sequence);
                work.texts.push((at, text));
            }
        }
        Ok(())
    }
}

/// What is to be written when nothing speaks against it.
struct Work {
    signed: Signed,
    /// Whether what nobody has signed is signed as well.
    adds: bool,
    manifests: Vec<(String, Vec<u8>)>,
    /// Where each signature goes, and of what it is.
    texts: Vec<(String, Vec<u8>)>,
}

impl Work {
    fn new(version: u64, adds: bool) -> Self {
        Self {
            signed: Signed {
                version,
                ..Signed::default()
            },
            adds,
            manifests: Vec::new(),
            texts: Vec::new(),
        }
    }

    fn takes(&mut self, seal: &Seal, what: &str) -> bool {
        let noted = match seal {
            Seal::Trusted(_) => return true,
            Seal::Lacking | Seal::Unsigned if self.adds => return true,
            Seal::Lacking | Seal::Unsigned => &mut self.signed.left,
            _ => &mut self.signed.refused,
        };
        noted.push(format!("{what} {seal}"));
        false
    }
}
