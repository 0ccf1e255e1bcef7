//! From what is pending to what the server knows.

use std::path::{Path, PathBuf};

use artifact::Run;
use dataset::SourceUri;
use registry::Registry;

use crate::{
    Origin, Pending, Settings, Subject, TrackingError, aliases,
    record::Record,
    server::Server,
    spool::{Progress, Spool},
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
        let _lock = self.spool.lock()?;
        match self.spool.read(subject)? {
            Some(pending) => self.spool.write(&pending.put_off(reason)),
            None => Ok(()),
        }
    }

    /// Lists what is pending: runs before models, the oldest first.
    ///
    /// # Errors
    /// [`TrackingError::Store`], [`TrackingError::Spool`].
    pub fn pending(&self) -> Result<Vec<Pending>, TrackingError> {
        self.spool.list()
    }

    /// Sends something, whether or not it is pending, and forgets that it is. When that fails, it is pending
    /// from then on.
    ///
    /// # Errors
    /// [`TrackingError`]; what was sent until then need not be sent again.
    pub fn send(&self, settings: &Settings, subject: &Subject) -> Result<Sent, TrackingError> {
        let lock = self.spool.lock()?;
        let known = self.spool.read(subject)?;
        let mut pending = known.unwrap_or_else(|| Pending::new(subject.clone(), Origin::default()));
        let server = Server::new(settings.clone());
        let result = match subject {
            Subject::Run(name) => self.send_run(&server, name, &mut pending),
            Subject::Model(name) => self.send_aliases(&server, name),
        };
        match &result {
            Ok(_) => self.spool.remove(subject)?,
            Err(error) => self.spool.write(&pending.put_off(&error.to_string()))?,
        }
        drop(lock);
        result.map(|page| Sent {
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
    ) -> Result<String, TrackingError> {
        let run = Run::open(&self.root.join(name), 0)?;
        let mut record = Record::read(&run, &pending.origin)?;
        let files = std::mem::take(&mut record.files);
        let mut progress = pending.progress.clone();
        let kept = pending.clone();
        let keep = |progress: &Progress| {
            let progress = progress.clone();
            self.spool.write(&Pending {
                progress,
                ..kept.clone()
            })
        };
        let version = server.version()?;
        tracing::debug!(server = server.location(), version, run = name, "tracking");
        let upload = Upload {
            server,
            registry: &self.registry,
            record: &record,
        };
        let sent = upload.send(files, &mut progress, &keep);
        pending.progress = progress;
        sent.map(|sent| {
            let (experiment, run) = (sent.experiment, sent.run.id);
            format!(
                "{}/#/experiments/{experiment}/runs/{run}",
                server.location()
            )
        })
    }

    fn send_aliases(&self, server: &Server, name: &str) -> Result<String, TrackingError> {
        let history = self.registry.existing(name)?;
        if server.keeps_models()? {
            aliases::align(server, name, &history)?;
        }
        Ok(format!("{}/#/models/{name}", server.location()))
    }
}
