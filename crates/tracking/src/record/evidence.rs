//! What a run directory holds for the tracking server.

use std::path::PathBuf;

use artifact::{Artifact, Digest, Manifest, Run, StoreError, clock, read_file, yaml};
use dataset::SourceUri;
use registry::{Evaluation, PromotionRecord};
use serde_json::Value;
use trainer::TrainingReport;
use transformation::SplitReport;
use validation::ValidationReport;

use super::Registered;

const MAX_CONFIG_BYTES: u64 = 16 << 20;

/// The stages' reports as far as the run came; what it did not reach is `None`.
pub(crate) struct Evidence {
    pub name: String,
    pub configuration: Value,
    /// Name of the schema that the source was to be read under.
    pub schema: Option<String>,
    pub stages: Vec<(PathBuf, Manifest)>,
    pub validation: Option<ValidationReport>,
    pub split: Option<SplitReport>,
    pub training: Option<TrainingReport>,
    pub evaluation: Option<Evaluation>,
    pub promotion: Option<PromotionRecord>,
}

impl Evidence {
    pub(super) fn read(run: &Run) -> Result<Self, StoreError> {
        let schema = match run.directory().join("schema.yaml") {
            path if path.is_file() => document(path)?["name"].as_str().map(str::to_owned),
            _ => None,
        };
        Ok(Self {
            name: run.name(),
            configuration: document(run.directory().join("config.yaml"))?,
            schema,
            stages: run.manifests()?,
            validation: run.report("02-validation", "validation.json")?,
            split: run.report("03-transformation", "transformation.json")?,
            training: run.report("04-training", "training.json")?,
            evaluation: artifact(run)?,
            promotion: artifact(run)?,
        })
    }

    /// Returns one of the configuration's texts; empty where there is none.
    pub(super) fn setting(&self, key: &str) -> &str {
        self.configuration[key].as_str().unwrap_or_default()
    }

    pub(super) fn source(&self) -> SourceUri {
        SourceUri::new(self.setting("source"))
    }

    pub(super) fn is_simulated(&self) -> bool {
        let validated = self.validation.as_ref().map(|v| v.simulated);
        validated.unwrap_or_else(|| self.source().scheme() == Some("synth"))
    }

    /// Returns the name of the data set: the schema's, or what the configuration calls it.
    pub(super) fn dataset(&self) -> &str {
        let validated = self.validation.as_ref().map(|v| &v.dataset);
        let known = validated.or(self.schema.as_ref());
        known.map_or_else(|| self.setting("dataset"), String::as_str)
    }

    /// Returns the name of the experiment; simulated data never shares one with real data.
    pub(super) fn experiment(&self) -> String {
        let name = self.dataset();
        match self.is_simulated() && !name.ends_with("-simulated") {
            true => format!("{name}-simulated"),
            false => name.to_owned(),
        }
    }

    /// Returns the digest of the artifact of a kind.
    pub(super) fn digest(&self, kind: &str) -> Option<Digest> {
        let mut outputs = self.stages.iter().flat_map(|(_, stage)| &stage.outputs);
        outputs
            .find(|made| made.kind == kind)
            .map(|made| made.digest)
    }

    /// Returns what tells it from another run in a directory of the same name, such as an export for DVC has wherever it
    /// lies: its configuration and what came of it.
    pub(super) fn fingerprint(&self) -> Digest {
        let outputs = self.stages.iter().flat_map(|(_, stage)| &stage.outputs);
        let made = outputs.map(|made| format!("{} {}", made.kind, made.digest));
        let all: Vec<String> = made.chain([self.configuration.to_string()]).collect();
        Digest::of(all.join("\n").as_bytes())
    }

    /// Returns when the first stage began and the last one ended, in milliseconds since 1970.
    pub(super) fn times(&self) -> (i64, i64) {
        let began = |stage: &Manifest| {
            let moment = clock::parse(&stage.started).ok()?;
            Some(moment.timestamp_millis())
        };
        let ended = |stage: &Manifest| Some(began(stage)? + (stage.seconds * 1_000.0) as i64);
        let stages = || self.stages.iter().map(|(_, stage)| stage);
        let start = stages().find_map(began).or_else(|| self.named_time());
        let start = start.unwrap_or_default();
        (start, stages().filter_map(ended).max().unwrap_or(start))
    }

    /// Returns the time in the directory's name, `20260203T101112Z-1f9c04ab`, for a run that ended before its
    /// first stage did.
    fn named_time(&self) -> Option<i64> {
        let digits = self.name.get(..16)?;
        let part = |from: usize, to: usize| digits.get(from..to);
        let (date, time) = (part(0, 8)?, part(9, 15)?);
        let text = format!(
            "{}-{}-{}T{}:{}:{}Z",
            date.get(..4)?,
            date.get(4..6)?,
            date.get(6..)?,
            time.get(..2)?,
            time.get(2..4)?,
            time.get(4..)?
        );
        clock::parse(&text)
            .ok()
            .map(|moment| moment.timestamp_millis())
    }

    pub(super) fn registered(&self) -> Option<Registered> {
        Some(Registered {
            name: self.promotion.as_ref()?.model.clone(),
            bundle: self.evaluation.as_ref()?.bundle,
        })
    }
}

fn document(path: PathBuf) -> Result<Value, StoreError> {
    let text = read_file(&path, MAX_CONFIG_BYTES)?;
    let read = yaml::parse(&String::from_utf8_lossy(&text));
    read.map_err(|reason| StoreError::Manifest { path, reason })
}

fn artifact<A: Artifact>(run: &Run) -> Result<Option<A>, StoreError> {
    match run.get() {
        Err(StoreError::Missing { .. }) => Ok(None),
        found => found.map(Some),
    }
}
