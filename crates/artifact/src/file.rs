//! Files that are there whole or not at all.

use std::{
    fs::{self, File},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

use thiserror::Error;

use crate::{Classified, CodecError, ErrorKind};

/// Why something could not be stored or read back.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum StoreError {
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{}: {source}", path.display())]
    Codec { path: PathBuf, source: CodecError },
    #[error("{}: {reason}", path.display())]
    Manifest { path: PathBuf, reason: String },
    #[error("{} has no `{kind}`: run the stage that makes it first ({stage_hint})", run.display())]
    Missing {
        run: PathBuf,
        kind: &'static str,
        stage_hint: &'static str,
    },
    #[error("{} holds {found} of `{kind}`, but {expected} was asked for", path.display())]
    Changed {
        path: PathBuf,
        kind: String,
        found: String,
        expected: String,
    },
    #[error("{} is not a run directory: it has no config.yaml", .0.display())]
    NotARun(PathBuf),
}

impl Classified for StoreError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Io { .. } => ErrorKind::Unavailable,
            Self::NotARun(_) | Self::Missing { .. } => ErrorKind::Usage,
            Self::Codec { .. } | Self::Manifest { .. } | Self::Changed { .. } => {
                ErrorKind::Internal
            }
        }
    }
}

impl StoreError {
    /// Wraps an input/output error with what was tried on which path.
    pub fn io<'a>(action: &'static str, path: &'a Path) -> impl FnOnce(io::Error) -> Self + 'a {
        move |source| Self::Io {
            action,
            path: path.to_owned(),
            source,
        }
    }
}

/// Writes a file so that at any moment, even after a kill or a power cut, either the old or the new
/// content is there: temporary file beside it, sync, rename, sync of the directory.
///
/// # Errors
/// [`StoreError::Io`]; the temporary file is removed then.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    static COUNTER: AtomicU64 = AtomicU64::new(0);
    let directory = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    let name = path
        .file_name()
        .map(|n| n.to_string_lossy().into_owned())
        .unwrap_or_default();
    let unique = COUNTER.fetch_add(1, Ordering::Relaxed);
    let temporary = directory.join(format!(".{name}.{}-{unique}.tmp", std::process::id()));
    let written = (|| {
        let mut file = File::create(&temporary)?;
        file.write_all(bytes)?;
        file.sync_all()
    })();
    if let Err(error) = written.and_then(|()| fs::rename(&temporary, path)) {
        // The first error is the one to report; a left-over is harmless and has a telling name.
        let _ = fs::remove_file(&temporary);
        return Err(StoreError::io("write", path)(error));
    }
    sync_directory(directory)
}

/// Makes renames in a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    File::open(directory)
        .and_then(|d| d.sync_all())
        .map_err(StoreError::io("sync", directory))
}

/// Reads a whole file of at most `limit` bytes; nothing is allocated for a larger one.
///
/// # Errors
/// [`StoreError::Io`], also for a larger file.
pub fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, StoreError> {
    let fail = |e| StoreError::io("read", path)(e);
    let file = File::open(path).map_err(fail)?;
    let length = file.metadata().map_err(fail)?.len();
    if length > limit {
        let message = format!("{length} bytes, at most {limit}");
        return Err(fail(io::Error::other(message)));
    }
    let mut bytes = Vec::with_capacity(length as usize);
    file.take(limit).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}
