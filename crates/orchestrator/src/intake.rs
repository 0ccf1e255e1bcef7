//! Where a run's rows come from: the source itself, or the feature store's snapshot of it.

use artifact::{Failure, clock};
use dataset::{Provenance, RawDataset, Schema};
use ingestion::{
    FeatureStore, FileStamp, Freshness, Ingestion, Snapshot, SnapshotKey, SnapshotOrigin,
};

use crate::{cli::RunArguments, config::Config, sources};

/// The rows' origin, decided before the run begins.
pub enum Intake {
    /// The source is read; local files are kept as a snapshot afterwards.
    Source(Box<dyn dataset::Source>, Box<Schema>, Option<Keep>),
    /// The source has not changed since it was read.
    Snapshot(Box<Snapshot>),
}

/// Where what was read is to be kept.
pub struct Keep {
    store: FeatureStore,
    key: SnapshotKey,
    origin: SnapshotOrigin,
}

impl Intake {
    /// Looks a local file up in the feature store, and opens the source when it is not there.
    pub fn of(arguments: &RunArguments, config: &Config, schema: &Schema) -> Result<Self, Failure> {
        let source = || sources::open(&config.source, schema);
        let Some(path) = sources::local_path(&config.source).filter(|path| path.is_file()) else {
            return Ok(Self::Source(source()?, Box::new(schema.clone()), None));
        };
        let store = FeatureStore::open(&arguments.place.artifacts.join("feature-store"))?;
        let name = path
            .canonicalize()
            .unwrap_or_else(|_| path.to_owned())
            .display()
            .to_string();
        let key = SnapshotKey::new(&name, None, schema, &config.ingestion);
        if !arguments.refresh
            && let Some(snapshot) = store.lookup(&key, schema, Freshness::File(path))
        {
            return Ok(Self::Snapshot(Box::new(snapshot)));
        }
        let opened = source()?;
        let origin = SnapshotOrigin {
            read_at: clock::now(),
            file: Some(FileStamp::of(path)?),
        };
        Ok(Self::Source(
            opened,
            Box::new(schema.clone()),
            Some(Keep { store, key, origin }),
        ))
    }

    /// Says when the snapshot was taken, if there is one.
    pub fn snapshot_line(&self) -> Option<String> {
        let Self::Snapshot(snapshot) = self else {
            return None;
        };
        let age = (clock::now() - snapshot.read_at).num_seconds();
        let when = clock::rfc3339(snapshot.read_at);
        Some(format!(
            "from the feature store: read {when}, {age} s ago; --refresh reads it again"
        ))
    }

    /// Makes the stage, and says where its outputs are to be kept.
    pub fn stage(self, config: &Config) -> Result<(Ingestion, Option<Keep>), Failure> {
        let section = config.ingestion.clone();
        Ok(match self {
            Self::Source(source, schema, keep) => (Ingestion::new(source, *schema, section), keep),
            Self::Snapshot(snapshot) => (Ingestion::from_snapshot(*snapshot, section), None),
        })
    }
}

impl Keep {
    /// Keeps what was read, for the next run.
    pub fn save(self, raw: &RawDataset, provenance: &Provenance) -> Result<(), Failure> {
        Ok(self.store.save(&self.key, raw, provenance, self.origin)?)
    }
}
