//! A registry in a local directory.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use artifact::{create_directory, read_bounded, write_atomic, write_new};

use crate::{
    BlobError, BlobStore,
    blob::{is_key, most_bytes},
};

/// Keeps blobs as files below a directory. Safe between processes: a key is claimed by a hard
/// link, which the file system makes once only.
#[derive(Debug, Clone)]
pub struct LocalDirectory {
    root: PathBuf,
}

impl LocalDirectory {
    /// Uses a directory; it is made when something is first written.
    pub fn new(root: impl Into<PathBuf>) -> Self {
        Self { root: root.into() }
    }

    fn path(&self, key: &str) -> Result<PathBuf, BlobError> {
        if is_key(key) {
            Ok(self.root.join(key))
        } else {
            Err(self.error(
                "use",
                key,
                "not a key of letters, digits, `.`, `-`, `_` and `/`",
            ))
        }
    }

    fn error(&self, action: &'static str, key: &str, reason: impl ToString) -> BlobError {
        BlobError {
            location: self.location(),
            action,
            key: key.to_owned(),
            reason: reason.to_string(),
        }
    }

    fn prepare(&self, key: &str, path: &Path) -> Result<(), BlobError> {
        let parent = path.parent().unwrap_or(&self.root);
        create_directory(parent).map_err(|e| self.error("create the directory of", key, e))
    }
}

impl BlobStore for LocalDirectory {
    fn location(&self) -> String {
        self.root.display().to_string()
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, BlobError> {
        // A pipe that nobody writes to would never be read to its end.
        if self.length(key)?.is_none() {
            return Ok(None);
        }
        read_bounded(&self.path(key)?, most_bytes(key))
            .map(Some)
            .map_err(|e| self.error("read", key, e))
    }

    fn length(&self, key: &str) -> Result<Option<u64>, BlobError> {
        match fs::metadata(self.path(key)?) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(self.error("read", key, e)),
            Ok(found) if found.is_file() => Ok(Some(found.len())),
            Ok(_) => Err(self.error("read", key, "it is no file: move it out of there")),
        }
    }

    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), BlobError> {
        let path = self.path(key)?;
        self.prepare(key, &path)?;
        write_atomic(&path, bytes).map_err(|e| self.error("write", key, e))
    }

    fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Result<bool, BlobError> {
        let path = self.path(key)?;
        self.prepare(key, &path)?;
        write_new(&path, bytes).map_err(|e| self.error("write", key, e))
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, BlobError> {
        let mut keys = Vec::new();
        // Not from the root: what cannot be read elsewhere does not matter here.
        let place = prefix.rsplit_once('/').map_or("", |(place, _)| place);
        let mut open = vec![self.root.join(place)];
        while let Some(directory) = open.pop() {
            let entries = match fs::read_dir(&directory) {
                Ok(entries) => entries,
                Err(e) if e.kind() == io::ErrorKind::NotFound => continue,
                Err(e) => return Err(self.error("list", prefix, e)),
            };
            for entry in entries {
                let entry = entry.map_err(|e| self.error("list", prefix, e))?;
                let path = entry.path();
                // Not by a link, which may lead back to here: it is listed as what is no directory.
                if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                    open.push(path);
                } else if let Ok(relative) = path.strip_prefix(&self.root) {
                    keys.push(relative.to_string_lossy().replace('\\', "/"));
                }
            }
        }
        keys.retain(|key| key.starts_with(prefix) && !is_passing(key));
        keys.sort();
        Ok(keys)
    }
}

/// Returns whether a path is no key, but what a killed writer, a network file system (`.nfs0000…`) or
/// a desktop (`.DS_Store`) has left.
fn is_passing(path: &str) -> bool {
    path.ends_with(".tmp") || path.split('/').any(|part| part.starts_with('.'))
}
