//! Runs as a registry keeps them: every committed file under its digest, and a list that names them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use artifact::{Digest, Run, StoreError, codec, create_directory, read_bounded, write_atomic};
use serde::{Deserialize, Serialize};

use super::{Registry, blob_key};
use crate::{RegistryError, is_key};

/// What a directory is a run by; written last, so that a run that is half there is none.
const CONFIG: &str = "config.yaml";
/// Digest and envelope may come on top of an artifact's largest payload.
const MAX_FILE_BYTES: u64 = codec::MAX_BYTES + (1 << 16);

/// The files of a run, by their paths within it; the same run gives the same list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptRun {
    /// Name of the run.
    pub run: String,
    /// What it has left.
    pub files: BTreeMap<String, KeptFile>,
}

/// A file of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeptFile {
    /// Its length.
    pub bytes: u64,
    /// What its blob is named by: the digest in an artifact's envelope, else that of all bytes.
    pub blob: Digest,
}

impl Registry {
    /// Keeps what a run has committed so far; what is there already is not sent again.
    ///
    /// The list is written last, so that it never names a file that is not there.
    ///
    /// # Errors
    /// [`RegistryError::Store`], also for an artifact that is damaged; [`RegistryError::Blob`].
    pub fn keep_run(&self, run: &Run) -> Result<KeptRun, RegistryError> {
        let mut files = BTreeMap::new();
        for path in committed(run.directory())? {
            let bytes = read_bounded(&path, MAX_FILE_BYTES)?;
            let blob = sound_digest(&path, &bytes)?;
            let key = blob_key(blob);
            if self.blobs.length(&key)?.is_none() {
                self.blobs.put(&key, &bytes)?;
            }
            let inside = path.strip_prefix(run.directory()).unwrap_or(&path);
            let name = inside.to_string_lossy().replace('\\', "/");
            let bytes = bytes.len() as u64;
            files.insert(name, KeptFile { bytes, blob });
        }
        let kept = KeptRun {
            run: run.name(),
            files,
        };
        let text = serde_json::to_vec_pretty(&kept).expect("a list is plain data");
        self.blobs.put(&run_key(&kept.run), &text)?;
        Ok(kept)
    }

    /// Returns the names of the runs that are kept, ascending.
    ///
    /// # Errors
    /// [`RegistryError::Blob`].
    pub fn kept_runs(&self) -> Result<Vec<String>, RegistryError> {
        let keys = self.blobs.list("runs/")?.into_iter();
        let name = |key: String| Some(key.strip_prefix("runs/")?.strip_suffix(".json")?.to_owned());
        Ok(keys.filter_map(name).collect())
    }

    /// Writes a run that is kept to a directory of its name below `root`, every file checked against its digest.
    ///
    /// An attempt that was cut short leaves no run, and is completed by another.
    ///
    /// # Errors
    /// [`RegistryError::NoRun`], [`RegistryError::RunIsThere`], [`RegistryError::Damaged`], or what reading and
    /// writing fail with.
    pub fn fetch_run(&self, name: &str, root: &Path) -> Result<PathBuf, RegistryError> {
        let kept = self.kept_run(name)?;
        let directory = root.join(name);
        if directory.join(CONFIG).exists() {
            return Err(RegistryError::RunIsThere { directory });
        }
        let last = kept.files.iter().filter(|(path, _)| *path == CONFIG);
        let others = kept.files.iter().filter(|(path, _)| *path != CONFIG);
        for (path, file) in others.chain(last) {
            let bytes = self.file_of_run(name, path, file)?;
            let path = directory.join(path);
            create_directory(path.parent().unwrap_or(&directory))?;
            write_atomic(&path, &bytes)?;
        }
        Ok(directory)
    }

    /// Reads the list of a run's files.
    fn kept_run(&self, name: &str) -> Result<KeptRun, RegistryError> {
        let no_run = || RegistryError::NoRun {
            location: self.location(),
            run: name.to_owned(),
        };
        if !is_key(name) || name.contains('/') {
            return Err(no_run());
        }
        let key = run_key(name);
        let bytes = self.blobs.get(&key)?.ok_or_else(no_run)?;
        let damaged = |reason: String| self.damaged_run(name, &key, reason);
        let kept: KeptRun = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
        // Words of a key lead to no place outside, and are no commands of a shell or a terminal.
        let foreign = kept.files.keys().find(|path| !is_key(path));
        match foreign {
            _ if kept.run != name => Err(damaged(format!("it is of the run {:?}", kept.run))),
            Some(path) => Err(damaged(format!("{path:?} is no file of a run"))),
            None => Ok(kept),
        }
    }

    fn file_of_run(
        &self,
        run: &str,
        path: &str,
        file: &KeptFile,
    ) -> Result<Vec<u8>, RegistryError> {
        let key = blob_key(file.blob);
        let damaged = |what: &str| {
            let reason = format!("{what}, but `{}` names it as `{path}`", run_key(run));
            Err(self.damaged_run(run, &key, reason))
        };
        match self.blobs.get(&key)? {
            None => damaged("is missing"),
            Some(bytes) if content_digest(&bytes) != file.blob => damaged("holds something else"),
            Some(bytes) => Ok(bytes),
        }
    }

    fn damaged_run(&self, run: &str, key: &str, reason: String) -> RegistryError {
        RegistryError::Damaged {
            location: self.location(),
            key: key.to_owned(),
            reason,
            advice: format!(
                "put an earlier version of it back, or remove it and give `netsec stage promotion --run {run}` \
                 where the run still is"
            ),
        }
    }
}

fn run_key(name: &str) -> String {
    format!("runs/{name}.json")
}

/// Returns what content is named by, which says whether it is whole as well.
fn content_digest(bytes: &[u8]) -> Digest {
    codec::verify_any(bytes).unwrap_or_else(|_| Digest::of(bytes))
}

/// Returns what a file is named by. A damaged artifact is not kept in place of the sound one under another name.
fn sound_digest(path: &Path, bytes: &[u8]) -> Result<Digest, StoreError> {
    if path.extension().is_none_or(|extension| extension != "bin") {
        return Ok(content_digest(bytes));
    }
    codec::verify_any(bytes).map_err(|source| StoreError::Codec {
        path: path.to_owned(),
        source,
    })
}

/// Lists the files of a run, but nothing of a stage that is not committed, and nothing that a killed writer or a
/// visitor has left.
fn committed(directory: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let (mut found, mut open) = (Vec::new(), vec![directory.to_owned()]);
    while let Some(directory) = open.pop() {
        let fail = |e| StoreError::io("list", &directory)(e);
        for entry in fs::read_dir(&directory).map_err(fail)? {
            let entry = entry.map_err(fail)?;
            let (path, kind) = (entry.path(), entry.file_type().map_err(fail)?);
            let name = entry.file_name().to_string_lossy().into_owned();
            if !is_key(&name) || name.ends_with(".tmp") {
                continue;
            }
            if kind.is_dir() && (!is_step(&name) || path.join("manifest.json").is_file()) {
                open.push(path);
            } else if kind.is_file() {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

/// Returns whether a directory's name is that of a stage: `02-validation`.
fn is_step(name: &str) -> bool {
    let number = name.split_once('-').map(|(number, _)| number);
    number.is_some_and(|n| n.len() == 2 && n.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests;
