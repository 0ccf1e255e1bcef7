//! Temporary files of this process: each becomes a file or is removed, also when a signal ends it.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    sync::{Mutex, MutexGuard, PoisonError},
};

/// Those that are neither renamed nor removed yet.
static PENDING: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

/// Makes an empty file of its own beside a path, for content that is renamed to the path once whole:
/// `.name.PID-N.tmp`, a name under which nothing is ever looked for.
///
/// # Errors
/// The operating system's.
pub fn create_temporary(path: &Path) -> io::Result<(PathBuf, File)> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let process = std::process::id();
    let mut pending = pending();
    let mut attempt = 0;
    loop {
        let temporary = path.with_file_name(format!(".{name}.{process}-{attempt}.tmp"));
        // The number of the process alone does not tell: two containers may share a volume.
        match File::create_new(&temporary) {
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => attempt += 1,
            made => {
                let file = made?;
                pending.insert(temporary.clone());
                return Ok((temporary, file));
            }
        }
    }
}

/// Returns whether a file's name is one that [`create_temporary`] gives, in this process or another.
pub fn is_temporary(name: &str) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let inner = name.strip_prefix('.').and_then(|n| n.strip_suffix(".tmp"));
    let Some((meant, writer)) = inner.and_then(|inner| inner.rsplit_once('.')) else {
        return false;
    };
    let numbers = writer.split_once('-');
    !meant.is_empty() && numbers.is_some_and(|(process, n)| is_number(process) && is_number(n))
}

/// Gives a temporary file its name.
///
/// # Errors
/// The operating system's; the temporary file is there still.
pub fn rename_temporary(temporary: &Path, path: &Path) -> io::Result<()> {
    let mut pending = pending();
    fs::rename(temporary, path)?;
    pending.remove(temporary);
    Ok(())
}

/// Removes a temporary file that is done with.
pub fn remove_temporary(temporary: &Path) {
    let mut pending = pending();
    // Whoever gave up has its own error to report; a left-over is harmless and has a telling name.
    let _ = fs::remove_file(temporary);
    pending.remove(temporary);
}

/// Removes every temporary file of this process, which is about to end: whoever would make, rename or
/// remove one waits for that.
pub fn remove_temporaries() {
    let pending = pending();
    for temporary in pending.iter() {
        let _ = fs::remove_file(temporary);
    }
    std::mem::forget(pending);
}

fn pending() -> MutexGuard<'static, BTreeSet<PathBuf>> {
    PENDING.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_temporary_file_is_known_as_such_and_no_other() {
        let directory = tempfile::tempdir().unwrap();
        let (temporary, _) = create_temporary(&directory.path().join("a.b.csv")).unwrap();
        let name = temporary.file_name().unwrap().to_str().unwrap();
        assert!(is_temporary(name), "{name}");
        for other in [
            "a.1-0.tmp",
            ".a.tmp",
            ".a.1.tmp",
            ".a.1-x.tmp",
            "..1-0.tmp",
            ".a.1-0.csv",
        ] {
            assert!(!is_temporary(other), "{other}");
        }
        remove_temporary(&temporary);
    }
}
