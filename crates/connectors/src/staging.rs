//! Where a file lies before it takes its place or is sent.

use std::{
    collections::BTreeSet,
    fs::{self, DirBuilder},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// A temporary directory into which nobody else can look; gone with what is in it, also when a signal ends
/// the program.
pub(crate) struct Staging(PathBuf);

/// Those of this process.
static ALL: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

impl Staging {
    /// Makes one among the system's temporary files.
    #[cfg(feature = "s3")]
    pub(crate) fn elsewhere() -> io::Result<Self> {
        Self::beside(&std::env::temp_dir().join("netsec"))
    }

    /// Makes one beside a path, for what is renamed to the path: `.NAME.PID-N.tmp`, as temporary files are
    /// named.
    pub(crate) fn beside(path: &Path) -> io::Result<Self> {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let process = std::process::id();
        let mut all = all();
        let mut attempt = 0;
        loop {
            let made = path.with_file_name(format!(".{name}.{process}-{attempt}.tmp"));
            match private().create(&made) {
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => attempt += 1,
                outcome => {
                    outcome?;
                    all.insert(made.clone());
                    return Ok(Self(made));
                }
            }
        }
    }

    pub(crate) fn path(&self) -> &Path {
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

/// Removes those of this process, which is about to end: whoever would make or remove one waits for that.
pub(crate) fn abandon() {
    let all = all();
    all.iter().for_each(|path| remove(path));
    std::mem::forget(all);
}

fn private() -> DirBuilder {
    #[cfg_attr(not(unix), expect(unused_mut))]
    let mut builder = DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
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

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn nobody_else_may_look_and_nothing_stays() {
        let place = std::env::temp_dir().join("netsec-staging-test.csv");
        let (staging, other) = (Staging::beside(&place), Staging::beside(&place));
        let (staging, other) = (staging.unwrap(), other.unwrap());
        assert_ne!(staging.path(), other.path());
        let path = staging.path().to_owned();
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o700);
        fs::write(path.join("x.csv"), "a").unwrap();
        drop(staging);
        assert!(!path.exists());
    }
}
