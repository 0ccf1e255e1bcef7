//! What a stage leaves beside its artifacts: who made them, from what, when and how long it took.

use std::path::{Component, Path};

use serde::{Deserialize, Serialize};

use crate::{Digest, StoreError, file::read_file};

/// The record of one execution of one stage; written last, so that it is the stage's commit point.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// Name of the stage.
    pub stage: String,
    /// Version of the program that ran it.
    pub code_version: String,
    /// The stage's section of the configuration.
    pub parameters: serde_json::Value,
    /// The seed of everything random.
    pub seed: u64,
    /// The artifacts that went in.
    pub inputs: Vec<ArtifactRecord>,
    /// The artifacts that came out.
    pub outputs: Vec<ArtifactRecord>,
    /// Reports and files for other tools that lie beside them.
    pub files: Vec<FileRecord>,
    /// Row counts and other whole numbers that the stage wants seen.
    pub counts: std::collections::BTreeMap<String, u64>,
    /// When the stage began, RFC 3339.
    pub started: String,
    /// Wall time in seconds.
    pub seconds: f64,
}

/// One artifact in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ArtifactRecord {
    /// Kind of the artifact.
    pub kind: String,
    /// Digest from its envelope.
    pub digest: Digest,
}

/// One plain file in a manifest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FileRecord {
    /// Name within the stage's directory.
    pub name: String,
    /// SHA-256 of the content.
    pub sha256: Digest,
    /// Size in bytes.
    pub bytes: u64,
}

impl FileRecord {
    pub(crate) fn of(name: &str, bytes: &[u8]) -> Self {
        Self {
            name: name.to_owned(),
            sha256: Digest::of(bytes),
            bytes: bytes.len() as u64,
        }
    }

    /// Returns whether the name is that of a file in the directory, and no path to elsewhere.
    pub(crate) fn is_inside(&self) -> bool {
        let mut parts = Path::new(&self.name).components();
        let is_name =
            matches!(parts.next(), Some(Component::Normal(name)) if name == self.name.as_str());
        is_name && parts.next().is_none()
    }
}

impl Manifest {
    /// Reads the manifest of a stage's directory; `None` when the stage has not been completed there.
    ///
    /// # Errors
    /// [`StoreError::Manifest`] when it is damaged.
    pub fn read(step: &Path) -> Result<Option<Self>, StoreError> {
        let path = step.join("manifest.json");
        if !path.exists() {
            return Ok(None);
        }
        let bytes = read_file(&path, 16 << 20)?;
        let damaged = |reason: String| StoreError::Manifest {
            path: path.clone(),
            reason: format!("{reason}; remove it, and run its stage again"),
        };
        let manifest: Self = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
        match manifest.files.iter().find(|file| !file.is_inside()) {
            Some(file) => Err(damaged(format!("{:?} is no file of the stage", file.name))),
            None => Ok(Some(manifest)),
        }
    }
}
