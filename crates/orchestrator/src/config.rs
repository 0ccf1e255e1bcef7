//! The configuration of a run: one section a stage, and what the run as a whole needs.

use std::path::Path;

use artifact::{ErrorKind, Failure};
use dataset::{Schema, SourceUri};
use ingestion::IngestionConfig;
use registry::{EvaluationConfig, PromotionConfig};
use serde::{Deserialize, Serialize};
use trainer::TrainingConfig;
use transformation::TransformationConfig;
use validation::ValidationConfig;

use crate::{cli::RunArguments, registries};

/// The configuration as a file, the environment and `--set` give it; kept in every run directory.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a map of configuration keys, such as seed: 7"
)]
pub struct Config {
    /// Seed of everything random.
    pub seed: u64,
    /// Data set: an embedded name or the path of a schema file.
    pub dataset: String,
    /// Where the records are.
    pub source: SourceUri,
    /// A partition to use as the holdout.
    pub holdout: Option<SourceUri>,
    /// Name to register under; the schema's when left out.
    pub model: Option<String>,
    /// Where the registry is; below the artifacts when left out.
    pub registry: Option<SourceUri>,
    pub ingestion: IngestionConfig,
    pub validation: ValidationConfig,
    pub transformation: TransformationConfig,
    pub training: TrainingConfig,
    pub evaluation: EvaluationConfig,
    pub promotion: PromotionConfig,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            seed: 42,
            dataset: "phishing".to_owned(),
            source: SourceUri::new("synth://phishing?rows=11055"),
            holdout: None,
            model: None,
            registry: None,
            ingestion: IngestionConfig::default(),
            validation: ValidationConfig::default(),
            transformation: TransformationConfig::default(),
            training: TrainingConfig::default(),
            evaluation: EvaluationConfig::default(),
            promotion: PromotionConfig::default(),
        }
    }
}

impl Config {
    /// Builds the configuration of a run: flags over `--set` over environment over file over default.
    pub fn of(arguments: &RunArguments) -> Result<Self, Failure> {
        let mut config: Self =
            harness::config::load(arguments.config.as_deref(), &arguments.settings)?;
        if let Some(seed) = arguments.seed {
            config.seed = seed;
        }
        if let Some(dataset) = &arguments.dataset {
            config.dataset.clone_from(dataset);
        }
        if let Some(source) = &arguments.source {
            config.source.clone_from(source);
        }
        if arguments.holdout.is_some() {
            config.holdout.clone_from(&arguments.holdout);
        }
        if arguments.model.is_some() {
            config.model.clone_from(&arguments.model);
        }
        Ok(config)
    }

    /// Checks every range, as the stages will, so that nothing is read in vain.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] with the first key at fault.
    pub fn check(&self) -> Result<(), Failure> {
        if self.ingestion.max_rows == Some(0) {
            let message = "ingestion.max_rows is 0: use 1 or more, or null for all";
            return Err(Failure::new(ErrorKind::Config, message));
        }
        registries::check(self.registry.as_ref())?;
        self.validation.check()?;
        self.transformation.check()?;
        self.training.candidates()?;
        self.evaluation.check()?;
        self.promotion.check()?;
        Ok(())
    }

    /// Checks what depends on the schema as well.
    ///
    /// # Errors
    /// As [`Self::check`].
    pub fn check_for(&self, schema: &Schema) -> Result<(), Failure> {
        Ok(self
            .training
            .check_classes(schema.target.class_names().len())?)
    }

    /// Returns the schema that the configuration names.
    pub fn schema(&self) -> Result<Schema, Failure> {
        schema_of(&self.dataset)
    }

    /// Returns the name to register under: simulated data never shares a name with real data.
    pub fn model_name(&self, schema: &Schema, simulated: bool) -> String {
        let name = self.model.clone().unwrap_or_else(|| schema.name.clone());
        if simulated && !name.ends_with("-simulated") {
            format!("{name}-simulated")
        } else {
            name
        }
    }
}

/// Returns the schema of a data set: an embedded name, or the path of a schema file.
pub fn schema_of(dataset: &str) -> Result<Schema, Failure> {
    let embedded = match dataset {
        "phishing" => Some(include_str!("../../../schema/phishing.yaml")),
        "nsl_kdd" => Some(include_str!("../../../schema/nsl_kdd.yaml")),
        _ => None,
    };
    match embedded {
        Some(text) => Ok(Schema::parse(text, "embedded")?),
        None => read_schema(Path::new(dataset)),
    }
}

fn read_schema(path: &Path) -> Result<Schema, Failure> {
    let shown = path.display();
    if path.extension().is_none_or(|e| e != "yaml" && e != "yml") {
        let message =
            format!("no data set `{shown}`: give phishing, nsl_kdd, or the path of a .yaml file");
        return Err(Failure::new(ErrorKind::Usage, message));
    }
    Schema::read(path)
}

#[cfg(test)]
mod tests;
