//! What a run directory holds for its report.

use artifact::{Artifact, Manifest, Run, StoreError, read_file, yaml};
use dataset::{ReferenceProfile, SourceUri};
use registry::{Evaluation, PromotionRecord};
use serde::Deserialize;
use trainer::TrainingReport;
use transformation::SplitReport;
use validation::ValidationReport;

const MAX_BYTES: u64 = 1 << 30;

/// The stages' reports as far as the run came; what it did not reach is `None`.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// Name of the run: that of its directory.
    pub name: String,
    /// What the configuration says of the run as a whole.
    pub settings: Settings,
    /// The configuration in full.
    pub configuration: String,
    /// Manifests of the completed stages, in order.
    pub stages: Vec<Manifest>,
    /// The champion's training profile.
    pub reference: Option<ReferenceProfile>,
    /// Of the validation stage.
    pub validation: Option<ValidationReport>,
    /// Of the transformation stage.
    pub split: Option<SplitReport>,
    /// Of the training stage.
    pub training: Option<TrainingReport>,
    /// Of the evaluation stage.
    pub evaluation: Option<Evaluation>,
    /// Of the promotion stage.
    pub promotion: Option<PromotionRecord>,
    /// Why the run ended early, when whoever asks for the report knows.
    pub failure: Option<String>,
}

/// What the configuration says of the run as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Seed of everything random.
    pub seed: u64,
    /// Data set.
    pub dataset: String,
    /// Where the records are.
    pub source: SourceUri,
    /// A partition that was given as the holdout.
    pub holdout: Option<SourceUri>,
}

impl RunReport {
    /// Reads what a run directory holds.
    ///
    /// # Errors
    /// [`StoreError`] when something is there and cannot be read; what is not there is no error.
    pub fn read(run: &Run, failure: Option<String>) -> Result<Self, StoreError> {
        let directory = run.directory();
        let path = directory.join("config.yaml");
        let configuration = String::from_utf8_lossy(&read_file(&path, MAX_BYTES)?).into_owned();
        let settings =
            yaml::parse(&configuration).map_err(|reason| StoreError::Manifest { path, reason })?;
        let manifests = run.manifests()?;
        Ok(Self {
            name: directory
                .file_name()
                .map(|name| name.to_string_lossy().into_owned())
                .unwrap_or_default(),
            settings,
            configuration,
            stages: manifests
                .into_iter()
                .map(|(_, manifest)| manifest)
                .collect(),
            reference: artifact(run)?,
            validation: run.report("02-validation", "validation.json")?,
            split: run.report("03-transformation", "transformation.json")?,
            training: run.report("04-training", "training.json")?,
            evaluation: artifact(run)?,
            promotion: artifact(run)?,
            failure,
        })
    }

    /// Tells whether the rows were generated, as far as is known.
    pub fn simulated(&self) -> bool {
        let validated = self.validation.as_ref().map(|v| v.simulated);
        validated.unwrap_or_else(|| self.settings.source.scheme() == Some("synth"))
    }

    /// Returns the name of the data set: the schema's, or what the configuration calls it.
    pub fn dataset(&self) -> &str {
        let validated = self.validation.as_ref().map(|v| v.dataset.as_str());
        validated.unwrap_or(&self.settings.dataset)
    }
}

fn artifact<A: Artifact>(run: &Run) -> Result<Option<A>, StoreError> {
    match run.get() {
        Err(StoreError::Missing { .. }) => Ok(None),
        found => found.map(Some),
    }
}
