//! What a run logs, read from its directory: the same each time, however often it is sent.

mod candidates;
mod evidence;
mod files;
mod inputs;
mod measures;
mod settings;
mod tags;

use artifact::{Digest, Run, StoreError};
use serde_json::Value;

use crate::{Origin, batch::Batch};

pub(crate) use evidence::Evidence;
pub(crate) use files::{Content, File};
pub(crate) use inputs::columns;

/// Everything that one run of the pipeline logs.
pub(crate) struct Record {
    /// Name of the experiment: the data set's, unless another was asked for.
    pub experiment: String,
    /// Name of the run's directory.
    pub name: String,
    /// What it is found again by.
    pub id: String,
    pub batch: Batch,
    pub inputs: Vec<Value>,
    pub files: Vec<File>,
    pub candidates: Vec<Candidate>,
    /// Milliseconds since 1970.
    pub start: i64,
    pub end: i64,
    /// What MLflow calls the outcome.
    pub status: &'static str,
    pub model: Option<Registered>,
}

/// A candidate of the search: a nested run.
pub(crate) struct Candidate {
    pub name: String,
    pub batch: Batch,
}

/// The model that a run has registered.
pub(crate) struct Registered {
    pub name: String,
    pub bundle: Digest,
}

impl Record {
    /// Reads what a run has left, as far as it came.
    ///
    /// # Errors
    /// [`StoreError`] when something is there and cannot be read.
    pub(crate) fn read(run: &Run, origin: &Origin) -> Result<Self, StoreError> {
        let evidence = Evidence::read(run)?;
        let (start, end) = evidence.times();
        let mut batch = Batch::default();
        tags::log(&mut batch, &evidence, origin);
        settings::log(&mut batch, &evidence.configuration);
        measures::log(&mut batch, &evidence, end);
        Ok(Self {
            experiment: (origin.experiment.clone()).unwrap_or_else(|| evidence.experiment()),
            name: run.name(),
            id: match run.is_as_made()? {
                true => run.name(),
                false => format!("{}-{}", run.name(), evidence.fingerprint().short()),
            },
            batch,
            inputs: inputs::of(&evidence),
            files: files::of(run, &evidence)?,
            candidates: candidates::of(&evidence, end),
            start,
            end,
            status: match evidence.promotion {
                Some(_) => "FINISHED",
                None => "FAILED",
            },
            model: evidence.registered(),
        })
    }
}

#[cfg(test)]
mod tests;
