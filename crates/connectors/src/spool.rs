//! Temporary files that hold what comes and what goes.

use std::io;
#[cfg(feature = "s3")]
use std::{
    collections::BTreeSet,
    fs::Permissions,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

#[cfg(feature = "s3")]
use tempfile::TempDir;

/// A directory into which nobody else can look; gone with what is in it, also when a signal ends the
/// program.
#[cfg(feature = "s3")]
pub(crate) struct Spool(TempDir);

/// Those of this process.
#[cfg(feature = "s3")]
static SPOOLS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

#[cfg(feature = "s3")]
impl Spool {
    pub(crate) fn new() -> io::Result<Self> {
        let mut spools = spools();
        let directory = tempfile::Builder::new()
            .prefix("netsec-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()?;
        spools.insert(directory.path().to_owned());
        Ok(Self(directory))
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }
}

#[cfg(feature = "s3")]
impl Drop for Spool {
    fn drop(&mut self) {
        spools().remove(self.0.path());
    }
}

/// Removes those of this process, which is about to end; whoever makes another waits for that end.
#[cfg(feature = "s3")]
pub(crate) fn abandon() {
    let spools = spools();
    for path in spools.iter() {
        // Better left than a reason not to end.
        let _ = std::fs::remove_dir_all(path);
    }
    std::mem::forget(spools);
}

#[cfg(feature = "s3")]
fn spools() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    SPOOLS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says that a temporary file failed, and what to do about it.
pub(crate) fn no_room(what: &str, error: &io::Error) -> String {
    let folder = std::env::temp_dir();
    format!(
        "cannot keep {what} in a temporary file in {}: {error}: make room there, or set TMPDIR to another \
         folder",
        folder.display()
    )
}
