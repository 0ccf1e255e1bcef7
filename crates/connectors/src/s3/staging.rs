//! Where a file lies before it is sent.

use std::{
    collections::BTreeSet,
    fs::{self, Permissions},
    io,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A temporary directory into which nobody else can look; gone with what is in it, also when a signal ends
/// the program.
pub(super) struct Staging(PathBuf);

/// Those of this process.
static ALL: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

impl Staging {
    pub(super) fn new() -> io::Result<Self> {
        let mut all = all();
        let made = tempfile::Builder::new()
            .prefix("netsec-")
            .permissions(Permissions::from_mode(0o700))
            .tempdir()?;
        let path = made.keep();
        all.insert(path.clone());
        Ok(Self(path))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Staging {
    fn drop(&mut self) {
        let mut all = all();
        remove(&self.0);
        all.remove(&self.0);
    }
}

/// Removes those of this process, which is about to end.
pub(super) fn abandon() {
    all().iter().for_each(|path| remove(path));
}

fn remove(path: &Path) {
    if let Err(error) = fs::remove_dir_all(path) {
        let (path, error) = (path.display(), error.to_string());
        tracing::warn!(%path, error, "a temporary directory is left");
    }
}

fn all() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    ALL.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nobody_else_may_look_and_nothing_stays() {
        let staging = Staging::new().unwrap();
        let path = staging.path().to_owned();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        fs::write(path.join("x.csv"), "a").unwrap();
        drop(staging);
        assert!(!path.exists());
    }
}
