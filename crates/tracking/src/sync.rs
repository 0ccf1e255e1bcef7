//! From what is pending to what the server knows.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use artifact::{Run, StoreError};
use dataset::SourceUri;
use registry::Registry;

use crate::{
    Origin, Pending, Settings, Subject, TrackingError, aliases,
    record::Record,
    server::Server,
    spool::{Note, Noted, Progress, Spool},
    upload::Upload,
};

/// Tracking of the runs and models below one artifacts root.
pub struct Tracking {
    root: PathBuf,
    registry: Registry,
    spool: Spool,
}

/// What was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// Where people look at it.
    pub page: String,
    /// What the server did not take, and what to know about the rest.
    pub remarks: Vec<String>,
    /// Requests that it took.
    pub requests: u64,
}

impl Tracking {
    /// Tracks what lies below an artifacts root.
    pub fn new(root: &Path, registry: Registry) -> Self {
        Self {
            root: root.to_owned(),
            registry,
            spool: Spool::of(root),
        }
    }

    /// Notes that something is to be sent, before it is tried: a kill in between loses nothing. A model's registry is
    /// named unless it is beside the runs.
    ///
    /// # Errors
    /// [`TrackingError::Store`].
    pub fn note(
        &self,
        subject: Subject,
        registry: Option<SourceUri>,
        origin: Origin,
    ) -> Result<(), TrackingError> {
        self.spool.write(&Pending {
            registry,
            ..Pending::new(subject, origin)
        })
    }

    /// Notes what was in the way of something that is pending before it could be sent.
    ///
    /// # Errors
    /// [`TrackingError::Store`], [`TrackingError::Spool`], [`TrackingError::Busy`].
    pub fn put_off(&self, subject: &Subject, reason: &str) -> Result<(), TrackingError> {
        let _lock = self.spool.lock(Duration::ZERO)?;
        let mut note = self.spool.note(subject)?;
        match note.pending().cloned() {
            Some(pending) => note.replace(Some(pending.put_off(reason))).map(drop),
            None => Ok(()),
        }
    }

    /// Returns whether something is noted.
    pub fn is_pending(&self, subject: &Subject) -> bool {
        matches!(self.spool.read(subject), Ok(Some(_)))
    }

    /// Lists what is pending, and which notes cannot be read.
    ///
    /// # Errors
    /// [`TrackingError::Store`] when no note can be.
    pub fn pending(&self) -> Result<Noted, TrackingError> {
        self.spool.list()
    }

    /// Sends something, whether or not it is pending, and forgets that it is, unless it was noted anew meanwhile. When
    /// that fails, it is pending from then on where there is room for a note. `origin` counts where none is there,
    /// and the experiment that it asks for in any case.
    ///
    /// # Errors
    /// [`TrackingError`]; what was sent until then need not be sent again.
    pub fn send(
        &self,
        settings: &Settings,
        subject: &Subject,
        origin: &Origin,
    ) -> Result<Sent, TrackingError> {
        // Several runs that end at once have their turn, one after the other.
        let _lock = self.spool.lock(settings.limit.unwrap_or_default())?;
        let mut note = self.spool.note(subject)?;
        let known = note.pending().cloned();
        let mut pending = known.unwrap_or_else(|| Pending::new(subject.clone(), origin.clone()));
        if origin.experiment.is_some() {
            pending.origin.experiment.clone_from(&origin.experiment);
        }
        let server = Server::new(settings.clone());
        let result = match subject {
            Subject::Run(name) => self.send_run(&server, name, &mut pending, &mut note),
            Subject::Model(name) => self.send_aliases(&server, name),
        };
        let page = result.inspect_err(|error| {
            keep(&mut note, pending.put_off(&error.to_string()));
        })?;
        if !note.replace(None)? {
            server.remark("more was noted meanwhile: `netsec tracking sync` sends it");
        }
        Ok(Sent {
            page,
            remarks: server.remarks(),
            requests: server.requests(),
        })
    }

    fn send_run(
        &self,
        server: &Server,
        name: &str,
        pending: &mut Pending,
        note: &mut Note<'_>,
    ) -> Result<String, TrackingError> {
        let run = self.run(name)?;
        let mut record = Record::read(&run, &pending.origin)?;
        let files = std::mem::take(&mut record.files);
        let mut progress = pending.progress.clone();
        let kept = pending.clone();
        let mut keep = |progress: &Progress| {
            let progress = progress.clone();
            let kept = kept.clone();
            keep(note, Pending { progress, ..kept });
        };
        let version = server.version()?;
        tracing::debug!(server = server.location(), version, run = name, "tracking");
        let upload = Upload {
            server,
            registry: &self.registry,
            record: &record,
        };
        let sent = upload.send(files, &mut progress, &mut keep);
        pending.progress = progress;
        sent.map(|sent| {
            let (experiment, run) = (sent.experiment, sent.run.id);
            format!(
                "{}/#/experiments/{experiment}/runs/{run}",
                server.location()
            )
        })
    }

    fn run(&self, name: &str) -> Result<Run, TrackingError> {
        let directory = self.root.join(name);
        let note = self.spool.path(&Subject::Run(name.to_owned()));
        match Run::open(&directory, 0) {
            Err(StoreError::NotARun(run)) if note.exists() => {
                Err(TrackingError::Gone { run, note })
            }
            opened => Ok(opened?),
        }
    }

    fn send_aliases(&self, server: &Server, name: &str) -> Result<String, TrackingError> {
        let history = self.registry.history(name)?;
        // Of a model that never was nothing is noted.
        if history.entries().is_empty() {
            return Err(TrackingError::Moved {
                what: format!("the model `{name}`"),
                location: self.registry.location(),
            });
        }
        let align = || aliases::align(server, &self.registry, name, &history);
        Ok(match server.if_it_keeps_models(align)? {
            true => format!("{}/#/models/{name}", server.location()),
            false => server.location(),
        })
    }
}

/// Keeps how far the sending came. Where there is no room for that it goes on all the same: what is sent again is there
/// once.
fn keep(note: &mut Note<'_>, pending: Pending) {
    if let Err(error) = note.replace(Some(pending)) {
        tracing::warn!(%error, "progress is not noted");
    }
}

#[cfg(test)]
mod tests;
