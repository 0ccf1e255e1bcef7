//! Where written bytes go: a file that appears whole or not at all, or memory.

use std::{
    error::Error,
    fs::File,
    io::{self, BufWriter, Write},
    path::{Path, PathBuf},
};

use artifact::{create_temporary, remedy, remove_temporary, rename_temporary};
use dataset::SinkError;
use flate2::{Compression, write::GzEncoder};

use crate::format::is_compressed;

/// A file under a temporary name beside its place, removed again unless it is committed.
pub(crate) struct PendingFile {
    writer: BufWriter<File>,
    temporary: PathBuf,
    path: PathBuf,
    is_committed: bool,
}

impl PendingFile {
    pub(crate) fn create(path: &Path) -> Result<Self, SinkError> {
        if path.is_dir() {
            // Otherwise noticed only once everything has been written.
            return Err(SinkError::Unavailable {
                location: path.display().to_string(),
                reason: "it is a directory: name a file in it".to_owned(),
            });
        }
        let (temporary, file) = create_temporary(path).map_err(|e| unavailable(path, &e))?;
        Ok(Self {
            writer: BufWriter::with_capacity(1 << 16, file),
            temporary,
            path: path.to_owned(),
            is_committed: false,
        })
    }

    /// Makes the file durable, then visible.
    pub(crate) fn commit(mut self) -> io::Result<()> {
        self.writer.flush()?;
        self.writer.get_ref().sync_all()?;
        rename_temporary(&self.temporary, &self.path)?;
        self.is_committed = true;
        let directory = self.path.parent().filter(|p| !p.as_os_str().is_empty());
        File::open(directory.unwrap_or(Path::new(".")))?.sync_all()
    }
}

impl Write for PendingFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.writer.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.writer.flush()
    }
}

impl Drop for PendingFile {
    fn drop(&mut self) {
        if !self.is_committed {
            remove_temporary(&self.temporary);
        }
    }
}

/// A file of text, compressed or not.
pub(crate) enum TextFile {
    Plain(PendingFile),
    /// Its header holds neither a name nor a time.
    Gzip(GzEncoder<PendingFile>),
}

impl TextFile {
    pub(crate) fn create(path: &Path) -> Result<Self, SinkError> {
        let file = PendingFile::create(path)?;
        Ok(match is_compressed(path) {
            true => Self::Gzip(GzEncoder::new(file, Compression::default())),
            false => Self::Plain(file),
        })
    }

    pub(crate) fn commit(self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.commit(),
            Self::Gzip(encoder) => encoder.finish()?.commit(),
        }
    }
}

impl Write for TextFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Self::Plain(file) => file.write(bytes),
            Self::Gzip(encoder) => encoder.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Self::Plain(file) => file.flush(),
            Self::Gzip(encoder) => encoder.flush(),
        }
    }
}

/// Says why a file cannot be written and, where that is known, what to do about it.
pub(crate) fn unavailable(path: &Path, error: &(dyn Error + 'static)) -> SinkError {
    let is_of_system = |error: &&(dyn Error + 'static)| error.is::<io::Error>();
    // Parquet's errors hold those of the system.
    let cause = Some(error).filter(is_of_system).or_else(|| error.source());
    let cause = cause.and_then(|cause| cause.downcast_ref::<io::Error>());
    SinkError::Unavailable {
        location: path.display().to_string(),
        reason: match cause {
            Some(cause) => format!("{cause}{}", remedy(cause)),
            None => error.to_string(),
        },
    }
}

pub(crate) fn rejected(location: &str, reason: impl Into<String>) -> SinkError {
    SinkError::Rejected {
        location: location.to_owned(),
        reason: reason.into(),
    }
}
