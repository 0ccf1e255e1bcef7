//! Stage `ingestion`: a source of rows in, a canonical snapshot of them out.
//!
//! Owns how batches become typed columns, the canonical order of rows, and the feature store.
//! Must not know connectors, nor whether a value is allowed: validation judges.

mod builder;
mod error;
mod order;
mod reading;
mod store;

use std::sync::{Mutex, PoisonError};

use artifact::{Context, Stage};
use dataset::{Provenance, RawDataset, Schema, Source};
use serde::{Deserialize, Serialize};

pub use error::IngestionError;
pub use reading::ingest;
pub use store::{
    FeatureStore, FileStamp, Freshness, Snapshot, SnapshotCondition, SnapshotKey, SnapshotOrigin,
};

/// Name of the file in a run directory that keeps the schema that its source is read under.
pub const SCHEMA_FILE: &str = "schema.yaml";

/// Configuration of the stage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IngestionConfig {
    /// Reads the first rows of the source alone, for trying things out: which rows these are depends
    /// on the source's order, and so then does the result.
    pub max_rows: Option<u64>,
}

/// The ingestion stage: rows of one source, or a snapshot of them taken earlier.
pub struct Ingestion {
    config: IngestionConfig,
    /// Taken by the one run; a stage is run through a shared reference.
    origin: Mutex<Option<Origin>>,
}

enum Origin {
    Source(Box<dyn Source>, Box<Schema>),
    Snapshot(Box<Snapshot>),
}

impl Ingestion {
    /// Makes the stage over a source, which it reads to its end, once.
    pub fn new(source: Box<dyn Source>, schema: Schema, config: IngestionConfig) -> Self {
        Self {
            config,
            origin: Mutex::new(Some(Origin::Source(source, Box::new(schema)))),
        }
    }

    /// Makes the stage over what the feature store had; the configuration is recorded, the rows are
    /// those of the snapshot, whose key has vouched for it.
    pub fn from_snapshot(snapshot: Snapshot, config: IngestionConfig) -> Self {
        Self {
            config,
            origin: Mutex::new(Some(Origin::Snapshot(Box::new(snapshot)))),
        }
    }
}

impl Stage for Ingestion {
    const NAME: &'static str = "ingestion";
    const ORDER: u8 = 1;
    type Config = IngestionConfig;
    type Inputs = ();
    type Outputs = (RawDataset, Provenance);
    type Error = IngestionError;

    fn config(&self) -> &IngestionConfig {
        &self.config
    }

    fn run(&self, (): (), context: &mut Context) -> Result<Self::Outputs, IngestionError> {
        let mut origin = self.origin.lock().unwrap_or_else(PoisonError::into_inner);
        let (raw, provenance) = match origin.take().ok_or(IngestionError::AlreadyRun)? {
            Origin::Source(mut source, schema) => {
                ingest(source.as_mut(), *schema, &self.config, context.progress())?
            }
            Origin::Snapshot(snapshot) => (snapshot.raw, snapshot.provenance),
        };
        context.count("rows", raw.n_rows as usize);
        context.count("columns", raw.columns.len());
        context.count("absent_columns", raw.absent.len());
        context.count("unknown_columns", provenance.unknown_names.len());
        context.count("defective_rows", raw.defects.len());
        Ok((raw, provenance))
    }
}

#[cfg(test)]
mod tests;
