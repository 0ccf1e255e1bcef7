//! Stage `ingestion`: a source in, raw rows in canonical order out.
//!
//! Owns the reading of cells under a schema and the canonical order of rows.
//! Must not judge rows: that is validation's.

mod builder;
mod canonical;
mod error;

use std::sync::Mutex;

use artifact::{Context, Stage};
use dataset::{Provenance, RawDataset, Schema, Source};
use serde::{Deserialize, Serialize};

pub use error::IngestionError;

/// Configuration of the stage.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct IngestionConfig {
    /// Reads no more rows than this; all when left out.
    pub max_rows: Option<u64>,
}

/// The ingestion stage.
pub struct Ingestion {
    config: IngestionConfig,
    schema: Schema,
    source: Mutex<Box<dyn Source>>,
}

impl Ingestion {
    /// Makes the stage for one source, which is read once.
    pub fn new(config: IngestionConfig, schema: Schema, source: Box<dyn Source>) -> Self {
        Self {
            config,
            schema,
            source: Mutex::new(source),
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
        let mut source = self.source.lock().unwrap_or_else(|e| e.into_inner());
        let limit = self.config.max_rows.unwrap_or(u64::MAX);
        let mut builder = builder::DatasetBuilder::new(&self.schema);
        while builder.n_rows() < limit
            && let Some(batch) = source.next_batch()?
        {
            builder.push(&batch, limit)?;
            context.progress()("ingestion", builder.n_rows(), builder.n_rows());
        }
        let simulated = source.is_simulated();
        let description = source.description().to_owned();
        let (mut raw, mut provenance) = builder.finish(simulated, description);
        canonical::sort(&mut raw, &mut provenance);
        context.count("rows", raw.n_rows as usize);
        Ok((raw, provenance))
    }
}

#[cfg(test)]
mod tests;
