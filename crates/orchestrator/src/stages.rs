//! `netsec stage NAME --run DIR`: one stage again, by the same code as in a full run.

use std::path::PathBuf;

use artifact::{ErrorKind, Failure, Manifest, Run, Stage, StoreError, clock};
use clap::Args;
use dataset::{Schema, SourceUri, ValidatedDataset};
use harness::{RunConfig, config::SOURCE_VARIABLE};
use ingestion::{Ingestion, SCHEMA_FILE};
use registry::{Champion, Evaluating, Evaluation, Promotion, Registry};
use serde_json::json;
use trainer::Training;
use transformation::Transformation;
use validation::Validation;

use crate::{
    cli::{Progress, SealKeys},
    config::Config,
    given_holdout::{AdoptHoldout, given_holdout},
    inspect::find_run,
    kept_runs,
    output::print,
    registries,
};

/// The stages in the order of a run.
pub const NAMES: [&str; 8] = [
    Champion::NAME,
    Ingestion::NAME,
    Validation::NAME,
    AdoptHoldout::NAME,
    Transformation::NAME,
    Training::NAME,
    Evaluating::NAME,
    Promotion::NAME,
];

#[derive(Args)]
pub struct StageArguments {
    /// Stage to run
    #[arg(value_parser = NAMES)]
    name: String,
    /// Run directory, or its name under the artifacts directory
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    /// Directory with the registry; the one that the run directory lies in by default
    #[arg(long, value_name = "DIR")]
    artifacts: Option<PathBuf>,
    /// The registry, as for `netsec run`; the one that the run was made with by default
    #[arg(long, value_name = "DIR|URI")]
    registry: Option<SourceUri>,
    /// Progress on standard error: a bar on a terminal, JSON lines, or nothing
    #[arg(long, value_enum, default_value = "auto")]
    progress: Progress,
    /// Print JSON for programs instead of text for people
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    keys: SealKeys,
}

/// Runs one stage on what the run directory holds for it.
pub fn run(arguments: &StageArguments) -> Result<u8, Failure> {
    let directory = find_run(&arguments.run, arguments.artifacts.as_deref())?;
    let kept = RunConfig::of(&directory)?;
    let config: Config = kept.whole()?;
    let again = Again {
        run: Run::open(&directory, config.seed)?,
        config,
        arguments,
    };
    let step = again.execute()?;
    if arguments.json {
        let manifest = Manifest::read(&step)?.ok_or_else(|| StoreError::NotARun(step.clone()))?;
        print(&json!({"directory": step, "manifest": manifest}).to_string())?;
    } else {
        print(&step.display().to_string())?;
    }
    Ok(0)
}

/// A stage of a run, once more.
struct Again<'a> {
    run: Run,
    config: Config,
    arguments: &'a StageArguments,
}

impl Again<'_> {
    fn execute(&self) -> Result<PathBuf, Failure> {
        let config = self.config.clone();
        match self.arguments.name.as_str() {
            Champion::NAME => self.alone(&Champion::new(self.registry()?, self.model()?)),
            Ingestion::NAME => {
                let schema = Schema::read_kept(&self.run.directory().join(SCHEMA_FILE))?;
                let source = connectors::reopen(&config.source, SOURCE_VARIABLE, &schema)?;
                self.alone(&Ingestion::new(source, schema, config.ingestion))
            }
            Validation::NAME => self.alone(&Validation::new(config.validation)),
            AdoptHoldout::NAME => {
                let schema = self.run.get::<ValidatedDataset>()?.schema;
                self.alone(&given_holdout(&self.run, &config, &schema, &|_| {})?)
            }
            Transformation::NAME => self.alone(&Transformation::new(config.transformation)),
            Training::NAME => self.alone(&Training::new(config.training)),
            Evaluating::NAME => self.alone(&Evaluating::new(config.evaluation)),
            Promotion::NAME => self.promote(),
            other => Err(Failure::new(
                ErrorKind::Usage,
                format!("no stage `{other}`: {}", NAMES.join(", ")),
            )),
        }
    }

    fn alone<S: Stage>(&self, stage: &S) -> Result<PathBuf, Failure> {
        harness::execute_stage(&self.run, stage, self.arguments.progress.into())
    }

    /// Promotes once the registry keeps the run, and lets it keep what came of that as well.
    fn promote(&self) -> Result<PathBuf, Failure> {
        // A run that has come to nothing that could be promoted is not kept.
        self.run.find::<Evaluation>()?;
        let registry = self.registry()?;
        kept_runs::keep(&registry, &self.run)?;
        let step = self.alone(&Promotion::new(
            self.config.promotion.clone(),
            registry.clone(),
            self.model()?,
            self.run.name(),
            clock::now(),
        ))?;
        kept_runs::keep_rest(&registry, &self.run);
        Ok(step)
    }

    fn registry(&self) -> Result<Registry, Failure> {
        let root = match &self.arguments.artifacts {
            Some(root) => root.clone(),
            None => self.run.root()?,
        };
        let (flag, kept) = (self.arguments.registry.as_ref(), &self.config.registry);
        let location = registries::location(flag, kept.as_ref(), &root)?;
        registries::open(&location, &self.arguments.keys)
    }

    fn model(&self) -> Result<String, Failure> {
        self.config.model.clone().ok_or_else(|| {
            Failure::new(
                ErrorKind::Config,
                "the run's config.yaml names no `model`: write the registered name into it",
            )
        })
    }
}
