//! Manifests of versions: written before a version enters the history, signed, and asked for before it is used.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use artifact::{Digest, clock, codec, printable};
use serde::{Serialize, Serializer};

use super::{Registry, blob_key};
use crate::{
    Entry, History, Manifest, RegistryError, SigningKey, TrustedKeys,
    manifest::{Kind, ManifestBlob},
};

/// What to do where a signature no longer fits: signing it anew would vouch for the change.
pub(super) const COMPARE: &str = "compare with a copy of the registry and do not sign it before";
/// What to do where nobody can tell whether an entry was changed or a signature was left. Neither can keys: what they have
/// signed is known by its digest alone.
const CHANGED_OR_LEFT: &str = "the entry was changed after it was signed, or a decision that was killed or came too late \
                               has left that signature: compare with a copy of the registry and do not sign it before; \
                               where the `sha256sum` of the entry's file there is in the signature's name, put that file \
                               back, else remove the signature";
/// Names that are told of what may be many.
const MAX_NAMED: usize = 3;
const SIGNATURE_BYTES: usize = 64;

/// How a version is vouched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seal {
    /// It has no manifest: it was registered before there were any, or the manifest is lost.
    Lacking,
    /// It has a manifest without a signature.
    Unsigned,
    /// What stands in the place of its signature is none.
    Malformed,
    /// It carries a signature, and nothing was said of whom to trust.
    Unchecked,
    /// The signature is by none of the trusted keys, or of another text.
    Foreign,
    /// What was signed is gone, or something else.
    Changed,
    /// An entry without a signature, where these of other texts stand: it was changed, or they were left.
    Unmatched(Vec<String>),
    /// An entry that was written behind another one than that of this number; 0 where none stands before it.
    Unlinked(u64),
    /// It is signed by this one of the trusted keys.
    Trusted(String),
}

impl Seal {
    /// Returns whether somebody has had a hand in it, whomever one trusts.
    pub(super) fn is_broken(&self) -> bool {
        matches!(self, Self::Malformed | Self::Changed)
    }

    /// Says it with what to do, where that is to be said of each.
    pub(super) fn in_full(&self) -> String {
        match self {
            Self::Unmatched(_) => format!("{self}: {CHANGED_OR_LEFT}"),
            _ => self.to_string(),
        }
    }

    /// Says what to do about a version that is not trusted.
    fn advice_on_version(&self, name: &str, version: u64) -> String {
        match self {
            Self::Malformed | Self::Foreign | Self::Changed => tampered(),
            _ => format!(
                "once it is looked at, `netsec models sign {name} --version {version}` signs it with the key that \
                 NETSEC_SIGNING_KEY names; `netsec models withdraw {name} --version {version} --why TEXT` takes it away"
            ),
        }
    }

    /// Says what to do about an entry of a history that is not trusted: nobody but those who decide knows whether
    /// it is theirs.
    pub(super) fn advice_on_entry(&self, name: &str, entry: &Entry) -> String {
        let number = entry.sequence;
        let taken_away = format!(
            "`netsec models disown {name} --entry {number} --why TEXT` says that it does not count"
        );
        match self {
            Self::Malformed | Self::Foreign | Self::Changed => {
                format!("{}; {taken_away}", tampered())
            }
            Self::Unmatched(_) => format!(
                "{CHANGED_OR_LEFT}; then `netsec models sign {name} --entry {number}` signs the entry if one of you has decided \
                 that, else {taken_away}"
            ),
            _ => format!(
                "if one of you has decided that, `netsec models sign {name} --entry {number}` signs it with the key that \
                 NETSEC_SIGNING_KEY names, else {taken_away}"
            ),
        }
    }
}

fn tampered() -> String {
    format!("somebody has changed it, or signed it with a key that is not trusted: {COMPARE}")
}

impl std::fmt::Display for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lacking => f.write_str("has no manifest"),
            Self::Unsigned => f.write_str("is not signed"),
            Self::Malformed => f.write_str("has a signature file that holds no signature"),
            Self::Unchecked => {
                f.write_str("carries a signature that was not checked, as --trusted-keys does")
            }
            Self::Foreign => f.write_str("is not signed by a trusted key"),
            Self::Changed => f.write_str("is not what was signed"),
            Self::Unmatched(keys) => {
                let named = keys.iter().take(MAX_NAMED);
                let named: Vec<String> = named.map(|key| format!("`{}`", printable(key))).collect();
                let more = match keys.len() - named.len() {
                    0 => String::new(),
                    n => format!(" and {n} more"),
                };
                let named = named.join(", ");
                write!(
                    f,
                    "is not signed, but {named}{more} is there, of another text"
                )
            }
            Self::Unlinked(0) => {
                f.write_str("was written behind another entry, and none stands before it")
            }
            Self::Unlinked(before) => write!(
                f,
                "was written behind another entry {before} than the one that stands there"
            ),
            Self::Trusted(key) => write!(f, "is signed by {key}"),
        }
    }
}

impl Serialize for Seal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Lacking => "lacking",
            Self::Unsigned => "unsigned",
            Self::Malformed => "malformed",
            Self::Unchecked => "unchecked",
            Self::Foreign => "foreign",
            Self::Changed => "changed",
            Self::Unmatched(_) => "unmatched",
            Self::Unlinked(_) => "unlinked",
            Self::Trusted(_) => "trusted",
        })
    }
}

impl Registry {
    /// Signs with a private key, and trusts public ones, from PEM files where such are given. An empty name, that of a
    /// variable without a value, is no key to sign with; whom to trust is said by it neither way, so that it is refused.
    ///
    /// # Errors
    /// [`RegistryError::Key`], [`RegistryError::TrustsNobody`].
    pub fn keyed(
        self,
        signing: Option<&Path>,
        trusted: Option<&Path>,
    ) -> Result<Self, RegistryError> {
        let is_named = |path: &&Path| !path.as_os_str().is_empty();
        if trusted.is_some_and(|path| !is_named(&path)) {
            return Err(RegistryError::TrustsNobody);
        }
        let signs = match signing.filter(is_named) {
            Some(path) => self.signing(SigningKey::read(path)?),
            None => self,
        };
        match trusted {
            Some(path) => Ok(signs.trusting(TrustedKeys::read(path)?)),
            None => Ok(signs),
        }
    }

    /// As [`Registry::keyed`], with the files that `NETSEC_SIGNING_KEY` and `NETSEC_TRUSTED_KEYS` name.
    ///
    /// # Errors
    /// As [`Registry::keyed`].
    pub fn keyed_by_environment(self) -> Result<Self, RegistryError> {
        let file = |variable| std::env::var_os(variable).map(PathBuf::from);
        let (signing, trusted) = (file("NETSEC_SIGNING_KEY"), file("NETSEC_TRUSTED_KEYS"));
        self.keyed(signing.as_deref(), trusted.as_deref())
    }

    /// Signs every version that is registered from now on.
    pub fn signing(mut self, key: SigningKey) -> Self {
        self.signing = Some(Arc::new(key));
        self
    }

    /// Refuses every version that none of these keys has signed.
    pub fn trusting(mut self, keys: TrustedKeys) -> Self {
        self.trusted = Some(Arc::new(keys));
        self
    }

    /// Trusts the public half of a private key, besides whom it trusts.
    pub(super) fn trusting_also(mut self, key: &SigningKey) -> Self {
        let trusted = self.trusted.as_deref().cloned().unwrap_or_default();
        self.trusted = Some(Arc::new(trusted.with(key)));
        self
    }

    /// Returns the key that versions are signed with, if any.
    pub fn signing_key(&self) -> Option<Arc<SigningKey>> {
        self.signing.clone()
    }

    /// Returns whether it was said whom to trust.
    pub fn trusts(&self) -> bool {
        self.trusted.is_some()
    }

    /// Returns whether what is promoted here would be loaded where the same keys are trusted.
    pub(crate) fn vouches(&self) -> bool {
        match (&self.trusted, &self.signing) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(trusted), Some(key)) => trusted.signer(b"", &key.sign(b"")).is_some(),
        }
    }

    /// Writes the manifest of an entry's version, and the signature when this registry signs.
    ///
    /// The history is appended to after it, so that a version which serves never lacks what a kill in
    /// between has kept from being written.
    ///
    /// # Errors
    /// As [`Registry::bundle`].
    pub fn seal(&self, name: &str, entry: &Entry) -> Result<Seal, RegistryError> {
        let text = self.manifest(name, entry)?.to_text();
        self.put_unless_there(&manifest_key(name, entry), &text)?;
        if let Some(key) = &self.signing {
            self.put_unless_there(&signature_key(name, entry), &key.sign(&text))?;
        }
        self.seal_of(name, entry)
    }

    /// Checks that a version, and what the history says of it, are signed by trusted keys, when it is said whom to trust.
    /// An entry that is yet to be appended has no signature.
    pub(super) fn check_seal(&self, name: &str, entry: &Entry) -> Result<(), RegistryError> {
        if self.trusted.is_none() {
            return Ok(());
        }
        // First: which manifest is asked for, and of what it has to be, is what the entry says.
        if entry.sequence > 0 {
            self.check_entry(name, entry)?;
        }
        let version = entry.version;
        let seal = self.seal_of(name, entry)?;
        match seal {
            Seal::Trusted(_) => Ok(()),
            _ => {
                self.doubt(name, &seal);
                Err(RegistryError::Untrusted {
                    location: self.location(),
                    what: format!("version {version} of `{name}`"),
                    advice: seal.advice_on_version(name, version),
                    seal,
                })
            }
        }
    }

    /// Lets a history be read anew before long where somebody may put back what was refused. What is only not signed is
    /// what it is: a signature is looked for each time.
    fn doubt(&self, name: &str, seal: &Seal) {
        if !matches!(seal, Seal::Lacking | Seal::Unsigned) {
            self.memory.doubt(name);
        }
    }

    /// Says that an entry is not trusted.
    pub(super) fn untrusted(
        &self,
        name: &str,
        entry: &Entry,
        seal: Seal,
        advice: String,
    ) -> RegistryError {
        self.doubt(name, &seal);
        RegistryError::Untrusted {
            location: self.location(),
            what: format!("`{name}`, {}", entry.title()),
            advice,
            seal,
        }
    }

    /// Checks that an entry of the history is signed by a trusted key, when it is said whom to trust.
    ///
    /// # Errors
    /// [`RegistryError::Untrusted`].
    pub fn check_entry(&self, name: &str, entry: &Entry) -> Result<(), RegistryError> {
        if self.trusted.is_none() {
            return Ok(());
        }
        let seal = self.entry_seal(name, entry)?;
        if matches!(seal, Seal::Trusted(_)) {
            return Ok(());
        }
        let advice = seal.advice_on_entry(name, entry);
        Err(self.untrusted(name, entry, seal, advice))
    }

    /// Checks that trusted keys have signed the entries of a history by which versions and other entries do not count,
    /// and that none was changed behind which another was written: else nothing that it says can be relied on, not even
    /// that there is no champion.
    ///
    /// # Errors
    /// [`RegistryError::Untrusted`].
    pub fn check_notes(&self, name: &str, history: &History) -> Result<(), RegistryError> {
        if self.trusted.is_none() {
            return Ok(());
        }
        // First: what an entry that was changed asks for is not to sign the one behind it.
        self.check_links(name, history)?;
        for note in history.notes() {
            let Some(file) = history.file(note.sequence) else {
                continue;
            };
            if !self.memory.is_vouched(name, note.sequence, file) {
                self.check_entry(name, note)?;
                self.memory.vouch(name, note.sequence, file);
            }
        }
        Ok(())
    }

    /// Checks that the champion of a history is one that would be loaded, as far as signatures go.
    ///
    /// # Errors
    /// [`RegistryError::Untrusted`].
    pub fn check_champion(&self, name: &str, history: &History) -> Result<(), RegistryError> {
        match self.standing(name, history)? {
            Some(champion) => self.check_seal(name, champion),
            None => Ok(()),
        }
    }

    /// Returns the entry of the challenger.
    ///
    /// # Errors
    /// [`RegistryError::Untrusted`] for one that would not be loaded, as far as signatures go.
    pub fn challenger<'a>(
        &self,
        name: &str,
        history: &'a History,
    ) -> Result<Option<&'a Entry>, RegistryError> {
        self.check_notes(name, history)?;
        let challenger = history.challenger();
        challenger.map_or(Ok(()), |entry| self.check_seal(name, entry))?;
        Ok(challenger)
    }

    /// Returns the entry that made the champion. That there is none, as the version of the last one was withdrawn, is
    /// believed only where trusted keys have signed that it was the last: with a forged one, the withdrawal of a version
    /// that never served would take away the champion before it.
    pub(super) fn standing<'a>(
        &self,
        name: &str,
        history: &'a History,
    ) -> Result<Option<&'a Entry>, RegistryError> {
        self.check_notes(name, history)?;
        match (history.champion(), history.last_champion()) {
            (None, Some(last)) => self.check_entry(name, last).map(|()| None),
            (champion, _) => Ok(champion),
        }
    }

    /// Returns the entry that made the champion of a moment, where trusted keys have signed it, its version, unless that
    /// was withdrawn since and its files may be gone, and the entry that ends its time: with a late time, that one
    /// would hide those behind it.
    ///
    /// # Errors
    /// [`RegistryError::Untrusted`]; [`RegistryError::TwoClocks`] where entries were made on clocks that differ by more than
    /// a while, and the moment lies in between.
    pub fn champion_at<'a>(
        &self,
        name: &str,
        history: &'a History,
        moment: clock::Timestamp,
    ) -> Result<Option<&'a Entry>, RegistryError> {
        self.check_notes(name, history)?;
        if let Some((before, entry)) = history.uncertain_at(moment) {
            self.check_entry(name, before)?;
            self.check_entry(name, entry)?;
            let said = |entry: &Entry| format!("{} is of {}", entry.title(), entry.at);
            return Err(RegistryError::TwoClocks {
                name: name.to_owned(),
                before: said(before),
                after: said(entry),
            });
        }
        let found = history.champion_at(moment);
        for entry in found.into_iter().chain(history.next_turn(moment)) {
            self.check_entry(name, entry)?;
        }
        let present = found.filter(|e| history.withdrawal(e.version).is_none());
        present.map_or(Ok(()), |entry| self.check_seal(name, entry))?;
        Ok(found)
    }

    /// Says in what the manifest that lies there is not that of the version.
    pub(super) fn manifest_problem(
        &self,
        name: &str,
        entry: &Entry,
    ) -> Result<Option<String>, RegistryError> {
        let key = manifest_key(name, entry);
        let found = self.blobs.get(&key)?;
        let whole = self.manifest(name, entry)?.to_text();
        Ok(found.filter(|found| *found != whole).map(|_| {
            format!(
                "`{key}` is not the manifest of version {}: somebody has changed it or the history, {COMPARE}",
                entry.version
            )
        }))
    }

    /// Reads the manifest that lies there, if it is one.
    pub(super) fn kept_manifest(
        &self,
        name: &str,
        entry: &Entry,
    ) -> Result<Option<Manifest>, RegistryError> {
        let text = self.blobs.get(&manifest_key(name, entry))?;
        Ok(text.and_then(|text| serde_json::from_slice(&text).ok()))
    }

    /// Says how a version is vouched for.
    pub(super) fn seal_of(&self, name: &str, entry: &Entry) -> Result<Seal, RegistryError> {
        let signature = self.blobs.get(&signature_key(name, entry))?;
        let Some(text) = self.blobs.get(&manifest_key(name, entry))? else {
            return Ok(match signature {
                Some(_) => Seal::Changed,
                None => Seal::Lacking,
            });
        };
        let manifest: Option<Manifest> = serde_json::from_slice(&text).ok();
        let is_of_entry = manifest.is_some_and(|m| m.differs_from(name, entry).is_none());
        Ok(match self.judged(&text, signature) {
            Seal::Unchecked | Seal::Foreign | Seal::Trusted(_) if !is_of_entry => Seal::Changed,
            seal => seal,
        })
    }

    /// Says whose signature of a text another one is.
    pub(super) fn judged(&self, text: &[u8], signature: Option<Vec<u8>>) -> Seal {
        match (signature, &self.trusted) {
            (None, _) => Seal::Unsigned,
            (Some(found), _) if found.len() != SIGNATURE_BYTES => Seal::Malformed,
            (Some(_), None) => Seal::Unchecked,
            (Some(found), Some(trusted)) => {
                let signer = trusted.signer(text, &found);
                signer.map_or(Seal::Foreign, Seal::Trusted)
            }
        }
    }

    pub(super) fn manifest(&self, name: &str, entry: &Entry) -> Result<Manifest, RegistryError> {
        Ok(Manifest {
            kind: Kind::Version,
            model: name.to_owned(),
            bundle: self.summary(entry.bundle)?,
            training_groups: self.summary(entry.training_groups)?,
            evaluation: self.summary(entry.evaluation)?,
        })
    }

    /// Reads and hashes a blob.
    pub(super) fn summary(&self, digest: Digest) -> Result<ManifestBlob, RegistryError> {
        let key = blob_key(digest);
        let damaged = |reason: String| RegistryError::Damaged {
            location: self.location(),
            key: key.clone(),
            reason,
            advice: "put it back from a copy of the registry".to_owned(),
        };
        let bytes = self.blobs.get(&key)?;
        let bytes = bytes.ok_or_else(|| damaged("is missing".to_owned()))?;
        match codec::verify_any(&bytes) {
            Ok(found) if found == digest => Ok(ManifestBlob::of(digest, &bytes)),
            Ok(found) => Err(damaged(format!("holds {found}"))),
            Err(error) => Err(damaged(error.to_string())),
        }
    }

    /// Leaves alone what is there already: of a bucket, a new version would be made.
    pub(super) fn put_unless_there(&self, key: &str, bytes: &[u8]) -> Result<(), RegistryError> {
        if self.blobs.get(key)?.is_none_or(|found| found != bytes) {
            self.blobs.put(key, bytes)?;
        }
        Ok(())
    }
}

/// An evaluation names its bundle: its digest stands for both.
pub(super) fn manifest_key(name: &str, entry: &Entry) -> String {
    format!("models/{name}/manifests/{}.json", entry.evaluation)
}

pub(super) fn signature_key(name: &str, entry: &Entry) -> String {
    format!("models/{name}/manifests/{}.sig", entry.evaluation)
}

#[cfg(test)]
mod tests;
