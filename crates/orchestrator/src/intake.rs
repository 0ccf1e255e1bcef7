//! Where a run's rows come from: the source itself, or the feature store's snapshot of it.

use std::path::Path;

use artifact::{ErrorKind, Failure, clock};
use dataset::{Provenance, RawDataset, Schema, SourceUri};
use ingestion::{
    FeatureStore, FileStamp, Freshness, Ingestion, Snapshot, SnapshotKey, SnapshotOrigin,
};
use serde::Serialize;

use crate::{cli::RunArguments, config::Config};

/// The rows' origin, decided before the run begins.
pub enum Intake {
    /// The source is read; unless it is generated, what was read is kept as a snapshot afterwards.
    Source(Box<dyn dataset::Source>, Box<Schema>, Option<Keep>),
    /// A snapshot still stands for the source.
    Snapshot(Box<Snapshot>),
}

/// Where what was read is to be kept.
pub struct Keep {
    store: FeatureStore,
    key: SnapshotKey,
    origin: SnapshotOrigin,
}

/// The snapshot that a run took its rows from.
#[derive(Debug, Clone, Serialize)]
pub struct SnapshotUsed {
    /// When its source was read, RFC 3339.
    pub read_at: String,
    /// How long before the run that was.
    pub age_seconds: i64,
}

/// Refuses simulated rows that lack columns of the schema: whoever names a data set alone gets the
/// default source, which has rows of another.
pub fn check_simulated(uri: &SourceUri, schema: &Schema) -> Result<(), Failure> {
    if !connectors::is_simulated(uri) {
        return Ok(());
    }
    let Some(batch) = connectors::open(uri, schema)?.next_batch()? else {
        return Ok(());
    };
    let mut lacking = schema.file_columns();
    lacking.retain(|name| schema.needs(name) && batch.position(name).is_none());
    let Some(first) = lacking.first() else {
        return Ok(());
    };
    let (n, name) = (lacking.len(), &schema.name);
    let message = format!(
        "{uri} has rows of another data set: it lacks {n} columns of `{name}`, `{first}` first; give \
         --source with rows of `{name}`"
    );
    Err(Failure::new(ErrorKind::Usage, message))
}

impl Intake {
    /// Looks the source up in the feature store, and opens it when it is not there or no longer fresh.
    pub fn of(arguments: &RunArguments, config: &Config, schema: &Schema) -> Result<Self, Failure> {
        let uri = &config.source;
        let kept = arguments.place.artifacts.join("feature-store");
        let open = || connectors::open_keeping(uri, schema, &kept.join("downloads"));
        let local = uri.local_path();
        let local = local.as_deref();
        let is_kept = local.map_or(!connectors::is_simulated(uri), Path::is_file);
        if !is_kept {
            return Ok(Self::Source(open()?, Box::new(schema.clone()), None));
        }
        let store = FeatureStore::open(&kept)?;
        let name = local.map_or_else(|| uri.clone(), |path| SourceUri::new(whole_path(path)));
        let identity = connectors::identity(uri).map(|digest| digest.to_string());
        let key = SnapshotKey::new(&name, identity.as_deref(), schema, &config.ingestion);
        let now = clock::now();
        let freshness = local.map_or(
            Freshness::MaxAge {
                now,
                seconds: arguments.max_age.0,
            },
            Freshness::File,
        );
        if !arguments.refresh
            && let Some(snapshot) = store.lookup(&key, schema, freshness)
        {
            return Ok(Self::Snapshot(Box::new(snapshot)));
        }
        // Stamped before it is opened: a file that is replaced in between is read again next time.
        let origin = SnapshotOrigin {
            read_at: now,
            file: local.map(FileStamp::of).transpose()?,
        };
        let opened = open()?;
        let keep = Keep { store, key, origin };
        Ok(Self::Source(opened, Box::new(schema.clone()), Some(keep)))
    }

    /// Returns the snapshot's time and age, if there is one.
    pub fn snapshot(&self) -> Option<SnapshotUsed> {
        let Self::Snapshot(snapshot) = self else {
            return None;
        };
        Some(SnapshotUsed {
            read_at: clock::rfc3339(snapshot.read_at),
            age_seconds: (clock::now() - snapshot.read_at).num_seconds(),
        })
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

impl SnapshotUsed {
    /// Says so to people.
    pub fn line(&self) -> String {
        let Self {
            read_at,
            age_seconds,
        } = self;
        format!("snapshot read {read_at}, {age_seconds} s ago (--refresh reads anew)")
    }
}

/// Names a local file the same way from wherever it is looked at.
fn whole_path(path: &Path) -> String {
    let whole = path.canonicalize();
    whole.as_deref().unwrap_or(path).display().to_string()
}

impl Keep {
    /// Keeps what was read, for the next run.
    pub fn save(self, raw: &RawDataset, provenance: &Provenance) -> Result<(), Failure> {
        Ok(self.store.save(&self.key, raw, provenance, self.origin)?)
    }
}
