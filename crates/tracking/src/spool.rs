//! What is still to be sent: a small file each, below the artifacts, which are the data themselves.

use std::{
    collections::BTreeSet,
    fs::{self, File, TryLockError},
    io::ErrorKind,
    path::{Path, PathBuf},
    time::Duration,
};

use artifact::{
    StoreError, clock, create_directory, lock_within, open_lock, read_file, shell_word,
    write_atomic,
};
use dataset::SourceUri;
use serde::{Deserialize, Serialize};

use crate::{Origin, TrackingError};

const MAX_BYTES: u64 = 1 << 20;
const ENDING: &str = ".json";

/// The directory of what is pending.
#[derive(Debug, Clone)]
pub(crate) struct Spool {
    directory: PathBuf,
}

/// Something that the tracking server does not know yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pending {
    /// What it is.
    pub subject: Subject,
    /// Since when, RFC 3339.
    pub since: String,
    /// Tells it from what is noted of the same subject at the same time.
    #[serde(default)]
    pub(crate) mark: String,
    /// Where the registry of a model is; nothing for the one beside the runs, and for a run, which keeps it itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registry: Option<SourceUri>,
    /// What cannot be found out later.
    pub origin: Origin,
    /// How often it was tried.
    pub attempts: u32,
    /// What was in the way the last time.
    pub reason: Option<String>,
    /// How far it came.
    pub progress: Progress,
}

/// All that is noted.
#[derive(Debug, Default)]
pub struct Noted {
    /// What can be sent: runs before models, the oldest first.
    pub pending: Vec<Pending>,
    /// Why others cannot be read; none of them keeps the rest from being sent.
    pub damaged: Vec<TrackingError>,
}

/// What is to be told to the server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Subject {
    /// A run, by its directory's name.
    Run(String),
    /// The aliases of a model, by its name.
    Model(String),
}

/// How far the sending of a run came, on one server.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Progress {
    server: String,
    run_id: String,
    sent: BTreeSet<String>,
}

impl Progress {
    /// Keeps what was sent to this run of this server, and forgets what was sent elsewhere.
    pub(crate) fn continue_on(&mut self, server: &str, run_id: &str) {
        if self.server != server || self.run_id != run_id {
            *self = Self {
                server: server.to_owned(),
                run_id: run_id.to_owned(),
                sent: BTreeSet::new(),
            };
        }
    }

    pub(crate) fn has(&self, part: &str) -> bool {
        self.sent.contains(part)
    }

    pub(crate) fn add(&mut self, part: impl Into<String>) {
        self.sent.insert(part.into());
    }
}

/// Characters of a reason that a note keeps: what a server has said may be as long as a note is at most.
const MAX_REASON: usize = 2000;

impl Subject {
    /// Returns its name.
    pub fn name(&self) -> &str {
        let (Self::Run(name) | Self::Model(name)) = self;
        name
    }

    fn file_name(&self) -> String {
        match self {
            Self::Run(name) => format!("run-{name}{ENDING}"),
            Self::Model(name) => format!("model-{name}{ENDING}"),
        }
    }
}

impl Pending {
    /// Makes a note that something is to be sent from now on.
    pub(crate) fn new(subject: Subject, origin: Origin) -> Self {
        let now = clock::now();
        Self {
            subject,
            since: clock::rfc3339(now),
            mark: format!("{}-{}", std::process::id(), now.timestamp_subsec_nanos()),
            registry: None,
            origin,
            attempts: 0,
            reason: None,
            progress: Progress::default(),
        }
    }

    /// Counts an attempt that has failed.
    pub(crate) fn put_off(self, reason: &str) -> Self {
        Self {
            attempts: self.attempts + 1,
            reason: Some(reason.chars().take(MAX_REASON).collect()),
            ..self
        }
    }
}

impl Spool {
    /// Uses the spool of an artifacts root.
    pub(crate) fn of(root: &Path) -> Self {
        Self {
            directory: root.join("tracking"),
        }
    }

    /// Writes one down; what was known of it before is replaced.
    pub(crate) fn write(&self, pending: &Pending) -> Result<(), TrackingError> {
        let _turn = self.turn()?;
        self.put(pending)
    }

    fn put(&self, pending: &Pending) -> Result<(), TrackingError> {
        let text = serde_json::to_vec_pretty(pending).expect("a note is plain data");
        Ok(write_atomic(&self.path(&pending.subject), &text)?)
    }

    /// Reads one, if it is pending.
    pub(crate) fn read(&self, subject: &Subject) -> Result<Option<Pending>, TrackingError> {
        let path = self.path(subject);
        match path.exists() {
            true => read(&path).map(Some),
            false => Ok(None),
        }
    }

    /// Reads what is noted of a subject, to be replaced later.
    pub(crate) fn note(&self, subject: &Subject) -> Result<Note<'_>, TrackingError> {
        Ok(Note {
            spool: self,
            subject: subject.clone(),
            known: self.read(subject)?,
        })
    }

    fn remove(&self, subject: &Subject) -> Result<(), TrackingError> {
        let path = self.path(subject);
        match fs::remove_file(&path) {
            Err(e) if e.kind() != ErrorKind::NotFound => {
                Err(StoreError::io("remove", &path)(e).into())
            }
            _ => Ok(()),
        }
    }

    /// Lists all of them.
    pub(crate) fn list(&self) -> Result<Noted, TrackingError> {
        let mut found = Noted::default();
        // What is there and no directory may stand in the way of notes.
        if fs::symlink_metadata(&self.directory).is_err_and(|e| e.kind() == ErrorKind::NotFound) {
            return Ok(found);
        }
        let fail = |e| StoreError::io("list", &self.directory)(e);
        for entry in fs::read_dir(&self.directory).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            // A temporary file begins with a dot.
            if !name.ends_with(ENDING) || name.starts_with('.') {
                continue;
            }
            match read(&path) {
                Ok(pending) => found.pending.push(pending),
                // Somebody has sent it meanwhile.
                Err(_) if !path.exists() => {}
                Err(error) => found.damaged.push(error),
            }
        }
        let is_model = |pending: &Pending| matches!(pending.subject, Subject::Model(_));
        let order = |p: &Pending| (is_model(p), p.since.clone(), p.subject.clone());
        found.pending.sort_by_key(order);
        found.damaged.sort_by_key(ToString::to_string);
        Ok(found)
    }

    /// Keeps other processes from sending at the same time, for as long as the file is open: two that look
    /// for a run before either has made it would both make it.
    ///
    /// Another one is waited for as long as `patience` says.
    pub(crate) fn lock(&self, patience: Duration) -> Result<File, TrackingError> {
        let (path, file) = self.lock_file("lock")?;
        match lock_within(&file, patience) {
            Ok(()) => Ok(file),
            Err(TryLockError::WouldBlock) => Err(TrackingError::Busy(path)),
            Err(TryLockError::Error(e)) => Err(StoreError::io("lock", &path)(e).into()),
        }
    }

    /// Waits until no other process changes a note, which takes each a moment.
    fn turn(&self) -> Result<File, TrackingError> {
        let (path, file) = self.lock_file("turn")?;
        file.lock().map_err(StoreError::io("lock", &path))?;
        Ok(file)
    }

    fn lock_file(&self, name: &str) -> Result<(PathBuf, File), TrackingError> {
        create_directory(&self.directory)?;
        let path = self.directory.join(name);
        let file = open_lock(&path).map_err(StoreError::io("lock", &path))?;
        Ok((path, file))
    }

    pub(crate) fn path(&self, subject: &Subject) -> PathBuf {
        self.directory.join(subject.file_name())
    }
}

/// What is noted of a subject, as whoever sends it has read or written it last.
pub(crate) struct Note<'a> {
    spool: &'a Spool,
    subject: Subject,
    known: Option<Pending>,
}

impl Note<'_> {
    pub(crate) fn pending(&self) -> Option<&Pending> {
        self.known.as_ref()
    }

    /// Writes another in its place, or none; returns `false`, and changes nothing, where somebody has noted something
    /// new meanwhile.
    pub(crate) fn replace(&mut self, by: Option<Pending>) -> Result<bool, TrackingError> {
        let _turn = self.spool.turn()?;
        if self.spool.read(&self.subject)? != self.known {
            return Ok(false);
        }
        match &by {
            Some(pending) => self.spool.put(pending)?,
            None => self.spool.remove(&self.subject)?,
        }
        self.known = by;
        Ok(true)
    }
}

/// Reads a note, which must be about what its file is named after: else it would never be removed.
fn read(path: &Path) -> Result<Pending, TrackingError> {
    let damaged = |reason: String| TrackingError::Spool {
        path: path.to_owned(),
        reason,
        again: command(path),
    };
    let bytes = read_file(path, MAX_BYTES).map_err(|e| damaged(e.to_string()))?;
    let found: Pending = serde_json::from_slice(&bytes).map_err(|e| damaged(e.to_string()))?;
    let name = found.subject.file_name();
    match path.file_name().is_some_and(|file| file == &*name) {
        true => Ok(found),
        false => Err(damaged(format!("it is the note `{name}`"))),
    }
}

/// Returns the command that sends what a damaged note was about.
fn command(path: &Path) -> String {
    let name = path.file_stem().unwrap_or_default().to_string_lossy();
    let subject = match (name.strip_prefix("run-"), name.strip_prefix("model-")) {
        (Some(run), _) => word(run, "RUN"),
        (_, Some(model)) => format!("--model {}", word(model, "NAME")),
        _ => "RUN".to_owned(),
    };
    format!("netsec tracking sync {subject}")
}

/// Returns a name as a word of a command, or a stand-in for what would be a directory or a flag there.
fn word(name: &str, stand_in: &str) -> String {
    match name.is_empty() || name.starts_with(['.', '-']) {
        true => stand_in.to_owned(),
        false => shell_word(name),
    }
}

#[cfg(test)]
mod tests;
