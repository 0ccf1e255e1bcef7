//! `netsec stage NAME --run DIR`: one stage again, by the same code as in a full run.

use std::path::PathBuf;

use artifact::{ErrorKind, Failure, Run, Stage, clock};
use clap::Args;
use dataset::{RawDataset, Schema};
use ingestion::Ingestion;
use registry::{Champion, Evaluating, Promotion};
use trainer::Training;
use transformation::Transformation;
use validation::Validation;

use crate::{cli::Place, config::Config, pipeline, sources};

#[derive(Args)]
pub struct StageArguments {
    /// champion, ingestion, validation, transformation, training, evaluation or promotion
    name: String,
    /// Run directory
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
    #[command(flatten)]
    place: Place,
}

/// Runs one stage on what the run directory holds for it.
pub fn run(arguments: &StageArguments) -> Result<u8, Failure> {
    let config: Config = harness::config::load(Some(&arguments.run.join("config.yaml")), &[])?;
    let run = Run::open(&arguments.run, config.seed)?;
    let step = match arguments.name.as_str() {
        Champion::NAME => {
            let (registry, name) = (
                pipeline::registry(&arguments.place),
                model_name(&config, &run)?,
            );
            alone(&run, &Champion::new(registry, name))
        }
        Ingestion::NAME => {
            let schema = config.schema()?;
            let source = sources::open(&config.source, &schema)?;
            alone(&run, &Ingestion::new(source, schema, config.ingestion))
        }
        Validation::NAME => alone(&run, &Validation::new(config.validation)),
        Transformation::NAME => alone(&run, &Transformation::new(config.transformation)),
        Training::NAME => alone(&run, &Training::new(config.training)),
        Evaluating::NAME => alone(&run, &Evaluating::new(config.evaluation)),
        Promotion::NAME => {
            let (registry, name) = (
                pipeline::registry(&arguments.place),
                model_name(&config, &run)?,
            );
            let stage = Promotion::new(
                config.promotion.clone(),
                registry,
                name,
                pipeline::run_name(&run),
                clock::now(),
            );
            alone(&run, &stage)
        }
        other => Err(Failure::new(
            ErrorKind::Usage,
            format!(
                "no stage `{other}`: champion, ingestion, validation, transformation, training, \
                 evaluation, promotion"
            ),
        )),
    }?;
    pipeline::print(&step)?;
    Ok(0)
}

fn alone<S: Stage>(run: &Run, stage: &S) -> Result<String, Failure> {
    run.execute_alone(stage, &|_, _, _| {})?;
    Ok(run.step::<S>().display().to_string())
}

fn model_name(config: &Config, run: &Run) -> Result<String, Failure> {
    let schema: Schema = config.schema()?;
    let simulated = match run.get::<RawDataset>() {
        Ok(raw) => raw.simulated,
        Err(_) => config.source.starts_with("synth://"),
    };
    Ok(config.model_name(&schema, simulated))
}
