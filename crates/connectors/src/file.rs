//! A file as a destination: written beside its place, read back, and then put there in one step.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use dataset::{
    Destination, LoadMode, Loaded, RawBatch, Remains, Schema, Sink, SinkError, SourceError,
    SourceUri, Tally,
};
use formats::{FileFormat, Layout};

use crate::{
    staging::Staging,
    written::{as_sink_error, tally, whole},
};

/// Where records are loaded.
///
/// A file is written as a whole, whatever the mode: `append` makes a new one and leaves one that is there
/// alone, which is fine when it holds these very records, as after an attempt that has come to its end.
pub(crate) struct FileDestination {
    location: String,
    path: PathBuf,
    schema: Schema,
    format: FileFormat,
    is_addition: bool,
    state: State,
}

enum State {
    New,
    /// There is a file, which must hold what was to be written: this.
    There(Tally),
    /// The file goes before its directory.
    Writing(Box<dyn Sink>, Staging),
    /// What has been read back from it.
    Written(Staging, Tally),
    Done,
}

/// Whether a file has got its name.
enum Placed {
    Here,
    /// Another has it.
    Occupied,
}

impl FileDestination {
    pub(crate) fn open(
        uri: &SourceUri,
        path: PathBuf,
        schema: &Schema,
        mode: &LoadMode,
    ) -> Result<Self, SourceError> {
        let location = uri.to_string();
        if let LoadMode::Upsert(_) = mode {
            return Err(SourceError::Unsupported {
                location,
                reason:
                    "a file is written as a whole: --mode replace writes it anew; databases take \
                         records one by one"
                        .to_owned(),
            });
        }
        let layout = Layout::of(&schema.file, schema.file_columns());
        let format = FileFormat::to_write(&path, &layout)?;
        Ok(Self {
            location,
            // A link stays one.
            path: path.canonicalize().unwrap_or(path),
            schema: schema.clone(),
            format,
            is_addition: *mode == LoadMode::Append,
            state: State::New,
        })
    }

    fn create(&self) -> Result<State, SinkError> {
        let staging = Staging::beside(&self.path).map_err(|e| self.failed(&e))?;
        let sink = formats::create(&self.within(&staging), &self.format);
        Ok(State::Writing(sink.map_err(|e| self.located(e))?, staging))
    }

    /// Returns where the file is written, under a name that tells the format as its own does.
    fn within(&self, staging: &Staging) -> PathBuf {
        staging
            .path()
            .join(self.path.file_name().unwrap_or_default())
    }

    fn read(&self, path: &Path) -> Result<Tally, SinkError> {
        let file = File::open(path).map_err(|e| self.failed(&e))?;
        let source = formats::read_file(file, self.location.clone(), &self.format);
        tally(source.map_err(as_sink_error)?.as_mut(), &self.schema)
    }

    /// Compares a file that was there before with what was to be written.
    fn compare(&self, sent: Tally) -> Result<Tally, SinkError> {
        match self.read(&self.path) {
            Ok(found) if found == sent => Ok(found),
            Err(error @ (SinkError::Unavailable { .. } | SinkError::Unread { .. })) => Err(error),
            _ => Err(self.occupied()),
        }
    }

    fn place(&self, written: &Path) -> Result<Placed, SinkError> {
        if let Ok(old) = fs::metadata(&self.path) {
            fs::set_permissions(written, old.permissions()).map_err(|e| self.failed(&e))?;
        }
        let placed = match self.is_addition {
            true => add(written, &self.path),
            false => fs::rename(written, &self.path),
        };
        match placed {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Ok(Placed::Occupied);
            }
            placed => placed.map_err(|e| self.failed(&e))?,
        }
        let directory = self.path.parent().filter(|p| !p.as_os_str().is_empty());
        let directory = File::open(directory.unwrap_or(Path::new(".")));
        let synced = directory.and_then(|directory| directory.sync_all());
        synced.map_err(|e| self.failed(&e))?;
        Ok(Placed::Here)
    }

    fn occupied(&self) -> SinkError {
        self.rejected("there is another file already: --mode replace writes over it")
    }

    fn rejected(&self, reason: &str) -> SinkError {
        SinkError::Rejected {
            location: self.location.clone(),
            reason: reason.to_owned(),
        }
    }

    fn failed(&self, error: &io::Error) -> SinkError {
        SinkError::Unavailable {
            location: self.location.clone(),
            reason: format!("{error}{}", artifact::remedy(error)),
        }
    }

    /// Names the file for what went wrong beside it.
    fn located(&self, error: SinkError) -> SinkError {
        let location = self.location.clone();
        match error {
            SinkError::Rejected { reason, .. } => SinkError::Rejected { location, reason },
            SinkError::Unavailable { reason, .. }
            | SinkError::Interrupted { reason, .. }
            | SinkError::Unread { reason, .. } => SinkError::Unavailable { location, reason },
        }
    }
}

impl Destination for FileDestination {
    fn description(&self) -> &str {
        &self.location
    }

    fn begin(&mut self, _load: &str) -> Result<Option<u64>, SinkError> {
        self.state = match fs::metadata(&self.path) {
            Ok(found) if !found.is_file() => {
                return Err(self.rejected("it is there and no file: give the name of one"));
            }
            Ok(_) if self.is_addition => State::There(Tally::default()),
            _ => self.create()?,
        };
        // Telling their number would be reading them all.
        Ok(None)
    }

    fn load(&mut self, batch: &RawBatch) -> Result<Loaded, SinkError> {
        let n_rows = batch.n_rows() as u64;
        let mut loaded = Loaded::default();
        let outcome = match &mut self.state {
            State::There(sent) => {
                sent.add_batch(batch);
                loaded.already_there = n_rows;
                Ok(())
            }
            State::Writing(sink, _) => {
                loaded.written = n_rows;
                sink.write(&whole(batch, &self.schema, &self.format))
            }
            _ => Err(self.rejected("the load has not begun")),
        };
        outcome.map_err(|e| self.located(e))?;
        Ok(loaded)
    }

    fn read_back(&mut self) -> Result<Tally, SinkError> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Writing(sink, staging) => {
                sink.finish().map_err(|e| self.located(e))?;
                let found = self.read(&self.within(&staging))?;
                self.state = State::Written(staging, found);
                Ok(found)
            }
            State::There(sent) => self.compare(sent),
            _ => Err(self.rejected("the load has not begun")),
        }
    }

    fn publish(&mut self) -> Result<(), SinkError> {
        match std::mem::replace(&mut self.state, State::Done) {
            State::Written(staging, found) => match self.place(&self.within(&staging))? {
                Placed::Here => Ok(()),
                // An equal push may have been quicker.
                Placed::Occupied => self.compare(found).map(|_| ()),
            },
            _ => Ok(()),
        }
    }

    fn remains(&self) -> Remains {
        Remains::Nothing
    }

    fn take_back(&mut self, _earlier: bool) -> Result<bool, SinkError> {
        // Nobody sees it before it is whole.
        Ok(true)
    }
}

/// Gives a file a name that no other has.
fn add(written: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(written, path) {
        // Not every file system knows two names of one file.
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists && !path.exists() => {
            fs::rename(written, path)
        }
        linked => linked,
    }
}

#[cfg(test)]
mod tests;
