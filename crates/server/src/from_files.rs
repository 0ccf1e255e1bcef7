//! What the configuration keeps in files, read again when they change: keys and certificates.

use std::{
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use arc_swap::{ArcSwap, Guard};
use artifact::{Digest, is_no_file, read_bounded};

/// Bytes of a file at most.
const MAX_BYTES: u64 = 1 << 20;

/// A value from files, swapped by pointer when they hold another sound one.
pub struct FromFiles<T> {
    /// What it is, for the log.
    what: &'static str,
    paths: Vec<PathBuf>,
    parse: Parse<T>,
    current: ArcSwap<T>,
    /// Digest of what the last look has found; nothing when it could not be read.
    seen: Mutex<Option<Digest>>,
}

/// Makes the value of the files' contents, one a path.
type Parse<T> = Box<dyn Fn(&[Vec<u8>]) -> Result<T, String> + Send + Sync>;

impl<T> FromFiles<T> {
    /// Reads the value for the first time.
    ///
    /// # Errors
    /// When a file cannot be read, or what `parse` says; never a file's content.
    pub fn read(
        what: &'static str,
        paths: Vec<PathBuf>,
        parse: impl Fn(&[Vec<u8>]) -> Result<T, String> + Send + Sync + 'static,
    ) -> Result<Self, String> {
        let contents = contents(&paths)?;
        let first = parse(&contents)?;
        Ok(Self {
            what,
            paths,
            parse: Box::new(parse),
            current: ArcSwap::from_pointee(first),
            seen: Mutex::new(Some(digest(&contents))),
        })
    }

    /// Returns the value.
    pub fn current(&self) -> Guard<Arc<T>> {
        self.current.load()
    }

    /// Takes up what the files hold by now. While it is not sound, the log says so once, and the old
    /// value stays: files may be replaced one after the other.
    pub fn look(&self) {
        let found = contents(&self.paths);
        let now = found.as_ref().ok().map(|contents| digest(contents));
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if *seen == now {
            return;
        }
        *seen = now;
        match found.and_then(|contents| (self.parse)(&contents)) {
            Ok(value) => {
                self.current.store(Arc::new(value));
                tracing::info!(what = self.what, "taken up from its files");
            }
            Err(error) => {
                tracing::warn!(what = self.what, %error, "files refused, what they held before stays");
            }
        }
    }
}

impl<T> std::fmt::Debug for FromFiles<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // Not the value: it may be secret.
        f.debug_tuple("FromFiles").field(&self.paths).finish()
    }
}

fn contents(paths: &[PathBuf]) -> Result<Vec<Vec<u8>>, String> {
    paths.iter().map(|path| content(path)).collect()
}

fn content(path: &Path) -> Result<Vec<u8>, String> {
    check_file(path)?;
    read_bounded(path, MAX_BYTES).map_err(|e| e.to_string())
}

/// Refuses what is there, but no file: to open a pipe would wait for its other end, and the service with it.
///
/// # Errors
/// The path, and that it is none.
pub fn check_file(path: &Path) -> Result<(), String> {
    match is_no_file(path) {
        true => Err(format!("{}: it is no file", path.display())),
        false => Ok(()),
    }
}

fn digest(contents: &[Vec<u8>]) -> Digest {
    let digests = contents.iter().map(|bytes| Digest::of(bytes).to_string());
    Digest::of(digests.collect::<String>().as_bytes())
}
