//! Files that are there whole or not at all.

use std::{
    fs::{self, File, TryLockError},
    io::{self, Read as _, Write as _},
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use thiserror::Error;

use crate::{
    Classified, CodecError, ErrorKind,
    clock::Stopwatch,
    codec,
    temporary::{create_temporary, remove_temporary, rename_temporary},
};

/// Between two attempts at a lock.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

/// Why something could not be stored or read back.
#[derive(Debug, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum StoreError {
    #[error("cannot {action} {}: {source}{}", path.display(), remedy(source))]
    Io {
        action: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("{}: {source}{}", path.display(), again(source))]
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

/// Says what to do about an artifact of a run that cannot be read, as the end of a sentence.
fn again(error: &CodecError) -> &'static str {
    match error {
        // A newer program's is right as it is.
        CodecError::Newer { .. } => "",
        _ => "; make it again from its stage",
    }
}

/// Says what to do about an input/output error, as the end of a sentence; empty when nothing general
/// can be said.
pub fn remedy(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            ": free some space there, or choose another directory"
        }
        io::ErrorKind::PermissionDenied => ": check who may use it",
        io::ErrorKind::ReadOnlyFilesystem => ": choose a directory that can be written",
        _ => "",
    }
}

/// Writes a file so that at any moment, even after a kill or a power cut, either the old or the new
/// content is there: temporary file beside it, sync, rename, sync of the directory.
///
/// # Errors
/// [`StoreError::Io`]; the temporary file is removed then.
pub fn write_atomic(path: &Path, bytes: &[u8]) -> Result<(), StoreError> {
    let temporary = write_temporary(path, bytes)?;
    if let Err(error) = rename_temporary(&temporary, path) {
        remove_temporary(&temporary);
        return Err(StoreError::io("write", path)(error));
    }
    sync_directory(parent_of(path))
}

/// Writes a file unless there is one already, whole and durable as [`write_atomic`] does; returns
/// whether it was written. Of several writers, in whatever process, one alone is told so.
///
/// # Errors
/// [`StoreError::Io`].
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<bool, StoreError> {
    let temporary = write_temporary(path, bytes)?;
    let linked = fs::hard_link(&temporary, path);
    // The content has its name now, or another's stands there: either way this one is done with.
    remove_temporary(&temporary);
    match linked {
        Ok(()) => sync_directory(parent_of(path)).map(|()| true),
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(e) => Err(StoreError::io("write", path)(e)),
    }
}

/// Makes a directory and those above it that are not there yet, and makes their names durable.
///
/// # Errors
/// [`StoreError::Io`].
pub fn create_directory(path: &Path) -> Result<(), StoreError> {
    if path.is_dir() {
        return Ok(());
    }
    let parent = parent_of(path);
    if parent != path {
        create_directory(parent)?;
    }
    match fs::create_dir(path) {
        // Another process may have been quicker.
        Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(()),
        Err(e) => Err(StoreError::io("create", path)(e)),
        Ok(()) => sync_directory(parent),
    }
}

fn write_temporary(path: &Path, bytes: &[u8]) -> Result<PathBuf, StoreError> {
    let fail = |e| StoreError::io("write", path)(e);
    let (temporary, mut file) = create_temporary(path).map_err(fail)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    if let Err(error) = written {
        remove_temporary(&temporary);
        return Err(fail(error));
    }
    Ok(temporary)
}

/// Returns the directory that a path stands in.
fn parent_of(path: &Path) -> &Path {
    path.parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."))
}

/// Makes renames in a directory durable.
pub(crate) fn sync_directory(directory: &Path) -> Result<(), StoreError> {
    File::open(directory)
        .and_then(|d| d.sync_all())
        .map_err(StoreError::io("sync", directory))
}

/// Returns whether something is there, but no file: to open a pipe waits for its other end, which may be for ever.
pub fn is_no_file(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| !found.is_file())
}

fn check_file(path: &Path) -> io::Result<()> {
    match is_no_file(path) {
        true => Err(io::Error::other("it is no file: move it out of there")),
        false => Ok(()),
    }
}

/// Opens a file where programs of ours alone write: what is no file is refused.
///
/// # Errors
/// The operating system's, and that it is none.
pub fn open_file(path: &Path) -> io::Result<File> {
    check_file(path)?;
    File::open(path)
}

/// Opens a file that processes lock, made where there is none: what is no file is refused.
///
/// # Errors
/// The operating system's, and that it is none.
pub fn open_lock(path: &Path) -> io::Result<File> {
    check_file(path)?;
    let mut options = File::options();
    options.write(true).create(true).truncate(false).open(path)
}

/// Locks a file for this process alone; whoever has it is waited for.
///
/// # Errors
/// [`TryLockError::WouldBlock`] where it is still another's after `patience`, else the operating system's.
pub fn lock_within(file: &File, patience: Duration) -> Result<(), TryLockError> {
    let since = Stopwatch::start();
    loop {
        match file.try_lock() {
            Err(TryLockError::WouldBlock) if since.seconds() < patience.as_secs_f64() => {
                thread::sleep(LOOK_AGAIN);
            }
            tried => return tried,
        }
    }
}

/// Reads a whole file where programs of ours alone write: as [`read_bounded`], but what is no file is refused.
///
/// # Errors
/// [`StoreError::Io`], also for a larger file.
pub fn read_file(path: &Path, limit: u64) -> Result<Vec<u8>, StoreError> {
    check_file(path).map_err(StoreError::io("read", path))?;
    read_bounded(path, limit)
}

/// Reads a whole file of at most `limit` bytes; nothing is allocated for a larger one. What a person names may be a
/// pipe, which is read to its end.
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
    let mut bytes = Vec::new();
    let room = bytes.try_reserve_exact(length as usize);
    room.map_err(|e| fail(e.into()))?;
    file.take(limit).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

/// Reads the file of an artifact, of whatever kind it is. What does not begin as an artifact of the
/// file's size is refused before more than its head is read.
///
/// # Errors
/// [`StoreError::Io`], [`StoreError::Codec`].
pub(crate) fn read_artifact(path: &Path) -> Result<Vec<u8>, StoreError> {
    let fail = |e| StoreError::io("read", path)(e);
    let file = open_file(path).map_err(fail)?;
    let length = file.metadata().map_err(fail)?.len();
    let mut head = Vec::new();
    (&file)
        .take(codec::MAX_HEAD_BYTES)
        .read_to_end(&mut head)
        .map_err(fail)?;
    codec::check_head(&head, length).map_err(|source| StoreError::Codec {
        path: path.to_owned(),
        source,
    })?;
    let mut bytes = Vec::with_capacity(length as usize);
    bytes.append(&mut head);
    file.take(length).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
