//! Manifests of versions: written before a version enters the history, signed, and asked for before it is used.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use artifact::{Digest, codec};
use serde::{Serialize, Serializer};

use super::{Registry, blob_key, find};
use crate::{
    Entry, History, Manifest, RegistryError, SigningKey, TrustedKeys,
    manifest::{Kind, ManifestBlob},
};

/// How a version is vouched for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Seal {
    /// It has no manifest: it was registered before there were any, or the manifest is lost.
    Lacking,
    /// It has a manifest without a signature.
    Unsigned,
    /// It is signed, and nothing was said of whom to trust.
    Unchecked,
    /// The signature is by none of the trusted keys, or of another text.
    Foreign,
    /// It is signed by this one of the trusted keys.
    Trusted(String),
}

impl std::fmt::Display for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Lacking => f.write_str("has no manifest"),
            Self::Unsigned => f.write_str("is not signed"),
            Self::Unchecked => f.write_str("is signed, by whom was not checked"),
            Self::Foreign => f.write_str("is not signed by a trusted key"),
            Self::Trusted(key) => write!(f, "is signed by {key}"),
        }
    }
}

impl Serialize for Seal {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(match self {
            Self::Lacking => "lacking",
            Self::Unsigned => "unsigned",
            Self::Unchecked => "unchecked",
            Self::Foreign => "foreign",
            Self::Trusted(_) => "trusted",
        })
    }
}

/// What looking at all bytes of a version has shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct VersionCheck {
    /// The version.
    pub version: u64,
    /// Digest of its bundle.
    pub bundle: Digest,
    /// Digest of the evaluation; a version that was evaluated again stands here twice.
    pub evaluation: Digest,
    /// Bytes that were hashed.
    pub bytes: u64,
    /// How it is vouched for.
    pub seal: Seal,
    /// All that is wrong; nothing when it is whole.
    pub problems: Vec<String>,
}

impl Registry {
    /// Signs with a private key, and trusts public ones, from PEM files where such are given; an empty name, that of a
    /// variable without a value, gives none.
    ///
    /// # Errors
    /// [`RegistryError::Key`].
    pub fn keyed<'a>(
        self,
        signing: Option<&'a Path>,
        trusted: Option<&'a Path>,
    ) -> Result<Self, RegistryError> {
        let named = |path: Option<&'a Path>| path.filter(|path| !path.as_os_str().is_empty());
        let (signing, trusted) = (named(signing), named(trusted));
        let signs = match signing {
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
    /// [`RegistryError::Key`].
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

    /// Returns whether somebody has signed a version, whoever that is.
    ///
    /// # Errors
    /// [`RegistryError::Blob`].
    pub fn is_signed(&self, name: &str, entry: &Entry) -> Result<bool, RegistryError> {
        Ok(self.blobs.get(&signature_key(name, entry))?.is_some())
    }

    /// Returns the name of the key that versions are signed with, if any.
    pub fn signer(&self) -> Option<String> {
        self.signing.as_ref().map(|key| key.name())
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

    /// Checks that a version is signed by a trusted key, when it is said whom to trust.
    pub(super) fn check_seal(&self, name: &str, entry: &Entry) -> Result<(), RegistryError> {
        if self.trusted.is_none() {
            return Ok(());
        }
        let seal = self.seal_of(name, entry)?;
        if matches!(seal, Seal::Trusted(_)) {
            return Ok(());
        }
        Err(RegistryError::Untrusted {
            location: self.location(),
            name: name.to_owned(),
            version: entry.version,
            seal,
        })
    }

    /// Hashes all that belongs to the versions of a model, or to one of them, and looks at who signed them.
    ///
    /// # Errors
    /// As [`Registry::existing`], and [`RegistryError::NoVersion`]; what is damaged or cannot be read is among the
    /// answers' problems.
    pub fn verify(
        &self,
        name: &str,
        version: Option<u64>,
    ) -> Result<Vec<VersionCheck>, RegistryError> {
        let history = self.existing(name)?;
        if let Some(version) = version {
            find(&history, name, version)?;
        }
        let evaluated = evaluated_versions(&history);
        let asked = evaluated
            .into_iter()
            .filter(|entry| version.is_none_or(|version| entry.version == version));
        asked
            .map(|entry| self.verify_version(name, entry))
            .collect()
    }

    fn verify_version(&self, name: &str, entry: &Entry) -> Result<VersionCheck, RegistryError> {
        let mut problems = Vec::new();
        let mut bytes = 0;
        for digest in [entry.bundle, entry.training_groups, entry.evaluation] {
            match self.summary(digest) {
                Ok(blob) => bytes += blob.bytes,
                Err(error) => problems.push(error.to_string()),
            }
        }
        if problems.is_empty() {
            problems.extend(self.manifest_problem(name, entry)?);
        }
        let seal = self.seal_of(name, entry)?;
        if self.trusted.is_some() && !matches!(seal, Seal::Trusted(_)) {
            problems.push(format!("version {} {seal}", entry.version));
        }
        Ok(VersionCheck {
            version: entry.version,
            bundle: entry.bundle,
            evaluation: entry.evaluation,
            bytes,
            seal,
            problems,
        })
    }

    /// Says in what the manifest that lies there is not that of the version.
    fn manifest_problem(&self, name: &str, entry: &Entry) -> Result<Option<String>, RegistryError> {
        let key = manifest_key(name, entry);
        let found = self.blobs.get(&key)?;
        let whole = self.manifest(name, entry)?.to_text();
        Ok(found.filter(|found| *found != whole).map(|_| {
            format!(
                "`{key}` is not the manifest of version {0}: `netsec models sign {name} --version {0}` writes it \
                 anew",
                entry.version
            )
        }))
    }

    fn seal_of(&self, name: &str, entry: &Entry) -> Result<Seal, RegistryError> {
        let Some(text) = self.blobs.get(&manifest_key(name, entry))? else {
            return Ok(Seal::Lacking);
        };
        let signature = self.blobs.get(&signature_key(name, entry))?;
        let (signature, trusted) = match (signature, &self.trusted) {
            (None, _) => return Ok(Seal::Unsigned),
            (Some(_), None) => return Ok(Seal::Unchecked),
            (Some(signature), Some(trusted)) => (signature, trusted),
        };
        let manifest: Option<Manifest> = serde_json::from_slice(&text).ok();
        let is_of_entry = manifest.is_some_and(|m| m.differs_from(name, entry).is_none());
        let signer = trusted.signer(&text, &signature).filter(|_| is_of_entry);
        Ok(signer.map_or(Seal::Foreign, Seal::Trusted))
    }

    fn manifest(&self, name: &str, entry: &Entry) -> Result<Manifest, RegistryError> {
        Ok(Manifest {
            kind: Kind::Version,
            model: name.to_owned(),
            bundle: self.summary(entry.bundle)?,
            training_groups: self.summary(entry.training_groups)?,
            evaluation: self.summary(entry.evaluation)?,
        })
    }

    /// Reads and hashes a blob.
    fn summary(&self, digest: Digest) -> Result<ManifestBlob, RegistryError> {
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
    fn put_unless_there(&self, key: &str, bytes: &[u8]) -> Result<(), RegistryError> {
        if self.blobs.get(key)?.is_none_or(|found| found != bytes) {
            self.blobs.put(key, bytes)?;
        }
        Ok(())
    }
}

/// Returns an entry for each pair of a version and an evaluation of it, in order.
fn evaluated_versions(history: &History) -> Vec<&Entry> {
    let mut entries: Vec<&Entry> = history.entries().iter().collect();
    entries.sort_by_key(|e| (e.version, e.sequence));
    entries.dedup_by_key(|e| (e.version, e.evaluation, e.training_groups));
    entries
}

/// An evaluation names its bundle: its digest stands for both.
fn manifest_key(name: &str, entry: &Entry) -> String {
    format!("models/{name}/manifests/{}.json", entry.evaluation)
}

fn signature_key(name: &str, entry: &Entry) -> String {
    format!("models/{name}/manifests/{}.sig", entry.evaluation)
}

#[cfg(test)]
mod tests;
