//! What a version consists of, in a small file that is signed and that other tools can check.

use artifact::Digest;
use serde::{Deserialize, Serialize};

use crate::Entry;

/// The digests of all that belongs to an evaluated bundle of a model.
///
/// Its text is a function of its content, so that writing it again changes nothing and an older
/// signature stays valid.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// What this file is; also keeps a signature of something else from counting here.
    pub kind: Kind,
    /// The name under which the model is registered.
    pub model: String,
    /// The bundle that serves.
    pub bundle: ManifestBlob,
    /// The groups that it was trained on.
    pub training_groups: ManifestBlob,
    /// Its evaluation.
    pub evaluation: ManifestBlob,
}

/// The only kind there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The manifest of a version.
    #[serde(rename = "netsec-version-manifest-1")]
    Version,
}

/// One file of a version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ManifestBlob {
    /// The artifact's digest, as it stands in its envelope and in the history: `blobs/DIGEST.bin`.
    pub digest: Digest,
    /// SHA-256 of the whole file, as `sha256sum` computes it.
    pub sha256: Digest,
    /// The file's length.
    pub bytes: u64,
}

impl Manifest {
    /// Returns the text that is written and signed.
    pub fn to_text(&self) -> Vec<u8> {
        let mut text = serde_json::to_vec_pretty(self).expect("a manifest is plain data");
        text.push(b'\n');
        text
    }

    /// Returns how many bytes one of its files has.
    pub(crate) fn bytes_of(&self, digest: Digest) -> Option<u64> {
        let blobs = [&self.bundle, &self.training_groups, &self.evaluation];
        let found = blobs.into_iter().find(|blob| blob.digest == digest);
        found.map(|blob| blob.bytes)
    }

    /// Says in what a manifest is not that of an entry of a model.
    pub(crate) fn differs_from(&self, model: &str, entry: &Entry) -> Option<String> {
        if self.model != model {
            return Some(format!("it is of the model `{}`", self.model));
        }
        let pairs = [
            ("bundle", self.bundle.digest, entry.bundle),
            (
                "training groups",
                self.training_groups.digest,
                entry.training_groups,
            ),
            ("evaluation", self.evaluation.digest, entry.evaluation),
        ];
        let (what, named, registered) = pairs.into_iter().find(|(_, a, b)| a != b)?;
        Some(format!(
            "it names the {what} {}, the history {}",
            named.short(),
            registered.short()
        ))
    }
}

impl ManifestBlob {
    pub(crate) fn of(digest: Digest, bytes: &[u8]) -> Self {
        Self {
            digest,
            sha256: Digest::of(bytes),
            bytes: bytes.len() as u64,
        }
    }
}
