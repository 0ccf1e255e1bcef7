//! The feature store: snapshots of what was read, as Parquet, so that a remote source is read once.

mod key;
mod snapshot;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    time::UNIX_EPOCH,
};

use artifact::{
    Digest, StoreError,
    clock::{Timestamp, parse, rfc3339},
    create_directory, open_file, read_file, write_atomic,
};
use dataset::{Provenance, RawDataset, Schema};
use serde::{Deserialize, Serialize};

pub use key::SnapshotKey;
use snapshot::Description;

use crate::IngestionError;

/// A directory of snapshots: `<key>.parquet` with the rows, `<key>.json` with everything about them.
///
/// The JSON is written last and holds the Parquet file's digest, so that the two belong together or
/// count as absent.
#[derive(Debug, Clone)]
pub struct FeatureStore {
    directory: PathBuf,
}

/// Rows read earlier, as ingestion gave them then.
#[derive(Debug, Clone, PartialEq)]
pub struct Snapshot {
    /// The rows.
    pub raw: RawDataset,
    /// Where they came from.
    pub provenance: Provenance,
    /// When they were read.
    pub read_at: Timestamp,
}

/// What a look at a snapshot found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SnapshotCondition {
    /// Its key.
    pub name: String,
    /// When it was read, RFC 3339; empty when that is not known.
    pub read_at: String,
    /// Size of its rows in bytes.
    pub bytes: u64,
    /// Why it cannot be used, if so.
    pub problem: Option<String>,
}

/// What a caller knows about the reading that a snapshot keeps.
#[derive(Debug, Clone)]
pub struct SnapshotOrigin {
    /// When the source was read.
    pub read_at: Timestamp,
    /// The state of the file before it was read, for local files.
    pub file: Option<FileStamp>,
}

/// When a snapshot still stands for its source. To read anew regardless, do not look it up.
#[derive(Debug, Clone, Copy)]
pub enum Freshness<'a> {
    /// A local file: its size, times and identity are those of the snapshot or, if not, its content is.
    File(&'a Path),
    /// A remote source: read at most so many seconds before `now`.
    MaxAge {
        /// The present moment.
        now: Timestamp,
        /// The greatest age in seconds.
        seconds: u64,
    },
}

/// The state of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FileStamp {
    /// Size in bytes.
    pub bytes: u64,
    /// Last modification, in nanoseconds since 1970 (negative before); text, since JSON has no such numbers.
    pub modified: String,
    /// Which file it is and when its content or name last changed, where the platform tells; programs
    /// can set the times that everybody reads, but not this one.
    #[serde(default)]
    pub identity: Option<String>,
    /// SHA-256 of the content.
    pub sha256: Digest,
}

/// The content of `<key>.json`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Meta {
    key: String,
    read_at: String,
    file: Option<FileStamp>,
    parquet: Digest,
    description: Description,
}

impl Meta {
    fn read(path: &Path) -> Result<Self, String> {
        let text = read_file(path, MAX_META_BYTES).map_err(|e| e.to_string())?;
        serde_json::from_slice(&text).map_err(|e| e.to_string())
    }

    /// Checks that it belongs to a key, and the rows beside it to it.
    fn check(&self, key: &str, parquet: &Path) -> Result<(), String> {
        if self.key != key {
            return Err(format!("it describes the snapshot {}", self.key));
        }
        let found = open_file(parquet).and_then(Digest::of_reader);
        let found = found.map_err(|e| format!("{}: {e}", parquet.display()))?;
        if found != self.parquet {
            return Err(format!("{} has another digest", parquet.display()));
        }
        Ok(())
    }
}

/// No description is larger; unreadable cells and names make up most of it.
const MAX_META_BYTES: u64 = 1 << 30;

impl FeatureStore {
    /// Opens a directory, made when it is not there.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        create_directory(directory)?;
        Ok(Self {
            directory: directory.to_owned(),
        })
    }

    /// Returns the snapshot of a key if there is a whole and fresh one.
    ///
    /// `schema` is the one that the key was made with; it may have changed in what does not decide how
    /// cells are read. A damaged snapshot is reported as a warning and counts as absent: the source
    /// can always be read again.
    pub fn lookup(
        &self,
        key: &SnapshotKey,
        schema: &Schema,
        freshness: Freshness<'_>,
    ) -> Option<Snapshot> {
        let path = self.path(key, "json");
        if !path.exists() {
            return None;
        }
        match self.read(key, schema, freshness) {
            Ok(snapshot) => snapshot,
            Err(reason) => {
                tracing::warn!(snapshot = %path.display(), %reason, "snapshot ignored, reading again");
                None
            }
        }
    }

    /// Keeps what was read under a key, in place of any earlier snapshot.
    ///
    /// # Errors
    /// [`IngestionError::Store`] and [`IngestionError::Snapshot`].
    pub fn save(
        &self,
        key: &SnapshotKey,
        raw: &RawDataset,
        provenance: &Provenance,
        origin: SnapshotOrigin,
    ) -> Result<(), IngestionError> {
        let parquet = snapshot::to_parquet(raw, provenance)?;
        let meta = Meta {
            key: key.to_string(),
            read_at: rfc3339(origin.read_at),
            file: origin.file,
            parquet: Digest::of(&parquet),
            description: Description::of(raw, provenance),
        };
        let text = serde_json::to_vec_pretty(&meta).expect("a description is plain data");
        write_atomic(&self.path(key, "parquet"), &parquet)?;
        write_atomic(&self.path(key, "json"), &text)?;
        Ok(())
    }

    /// Looks at every snapshot without using it, in the order of their names.
    ///
    /// # Errors
    /// [`StoreError::Io`] when the directory cannot be listed.
    pub fn conditions(&self) -> Result<Vec<SnapshotCondition>, StoreError> {
        let fail = |e| StoreError::io("list", &self.directory)(e);
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.directory).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            let is_description = path.extension().is_some_and(|e| e == "json");
            let stem = path.file_stem().filter(|_| is_description);
            names.extend(stem.map(|s| s.to_string_lossy().into_owned()));
        }
        names.sort();
        Ok(names.into_iter().map(|name| self.condition(name)).collect())
    }

    fn condition(&self, name: String) -> SnapshotCondition {
        let path = |ending: &str| self.directory.join(format!("{name}.{ending}"));
        let bytes = fs::metadata(path("parquet")).map_or(0, |m| m.len());
        let whole = || {
            let meta = Meta::read(&path("json"))?;
            meta.check(&name, &path("parquet"))?;
            Ok(meta.read_at)
        };
        let (read_at, problem) = match whole() {
            Ok(read_at) => (read_at, None),
            Err(problem) => (String::new(), Some(problem)),
        };
        SnapshotCondition {
            name,
            read_at,
            bytes,
            problem,
        }
    }

    /// Returns where the rows of a key lie, for people and other tools.
    pub fn parquet_path(&self, key: &SnapshotKey) -> PathBuf {
        self.path(key, "parquet")
    }

    fn path(&self, key: &SnapshotKey, ending: &str) -> PathBuf {
        self.directory.join(format!("{key}.{ending}"))
    }

    fn read(
        &self,
        key: &SnapshotKey,
        schema: &Schema,
        freshness: Freshness<'_>,
    ) -> Result<Option<Snapshot>, String> {
        let meta = Meta::read(&self.path(key, "json"))?;
        let read_at = parse(&meta.read_at)?;
        if !is_fresh(&meta, read_at, freshness) {
            return Ok(None);
        }
        let path = self.path(key, "parquet");
        meta.check(&key.to_string(), &path)?;
        let (raw, provenance) = snapshot::read(&path, meta.description, schema)?;
        Ok(Some(Snapshot {
            raw,
            provenance,
            read_at,
        }))
    }
}

fn is_fresh(meta: &Meta, read_at: Timestamp, freshness: Freshness<'_>) -> bool {
    match (freshness, &meta.file) {
        (Freshness::MaxAge { now, seconds }, _) => u64::try_from((now - read_at).num_seconds())
            .is_ok_and(|age| seconds > 0 && age <= seconds),
        (Freshness::File(path), Some(stamp)) => stamp.matches(path, read_at),
        (Freshness::File(_), None) => false,
    }
}

impl FileStamp {
    /// Takes the state of a file; take it before reading, so that a change meanwhile is noticed later.
    ///
    /// # Errors
    /// [`StoreError::Io`].
    pub fn of(path: &Path) -> Result<Self, StoreError> {
        let fail = |e| StoreError::io("read", path)(e);
        let state = FileState::of(path).map_err(fail)?;
        let file = File::open(path).map_err(fail)?;
        Ok(Self {
            bytes: state.bytes,
            modified: state.modified.to_string(),
            identity: state.identity,
            sha256: Digest::of_reader(file).map_err(fail)?,
        })
    }

    /// Returns whether a file is still as it was when it was read.
    ///
    /// A file changed within two seconds of the reading may have been changed again without its
    /// times showing it, so its content is looked at, too.
    fn matches(&self, path: &Path, read_at: Timestamp) -> bool {
        const UNCERTAIN: i128 = 2_000_000_000;
        let Ok(state) = FileState::of(path) else {
            return false;
        };
        let read_at = i128::from(read_at.timestamp_millis()) * 1_000_000;
        let is_settled = state.changed + UNCERTAIN < read_at;
        let is_same =
            state.modified.to_string() == self.modified && state.identity == self.identity;
        if state.bytes == self.bytes && is_same && is_settled {
            return true;
        }
        state.bytes == self.bytes
            && File::open(path)
                .and_then(Digest::of_reader)
                .is_ok_and(|digest| digest == self.sha256)
    }
}

/// What the file system says of a file, its content not looked at.
struct FileState {
    bytes: u64,
    /// Nanoseconds since 1970.
    modified: i128,
    /// The last change of any kind, in nanoseconds since 1970.
    changed: i128,
    identity: Option<String>,
}

impl FileState {
    fn of(path: &Path) -> std::io::Result<Self> {
        let metadata = fs::metadata(path)?;
        let modified = metadata.modified()?;
        let modified = match modified.duration_since(UNIX_EPOCH) {
            Ok(after) => after.as_nanos() as i128,
            Err(before) => -(before.duration().as_nanos() as i128),
        };
        let (changed, identity) = identity(&metadata, modified);
        Ok(Self {
            bytes: metadata.len(),
            modified,
            changed,
            identity,
        })
    }
}

/// Returns when a file was last changed, and device, inode and that time as one text. The time of a
/// change is the system's own: `touch -d` and `cp -p` do not set it.
#[cfg(unix)]
fn identity(metadata: &fs::Metadata, modified: i128) -> (i128, Option<String>) {
    use std::os::unix::fs::MetadataExt as _;

    let changed = i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec());
    let text = format!("{}:{}:{changed}", metadata.dev(), metadata.ino());
    (changed.max(modified), Some(text))
}

#[cfg(not(unix))]
fn identity(_: &fs::Metadata, modified: i128) -> (i128, Option<String>) {
    (modified, None)
}

#[cfg(test)]
mod tests;
