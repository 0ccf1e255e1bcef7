//! The command line.

use std::{path::PathBuf, sync::Once};

use artifact::Failure;
use clap::{
    Args, Parser, Subcommand, ValueEnum,
    builder::{OsStringValueParser, TypedValueParser as _},
};
use dataset::SourceUri;
use registry::Registry;

use crate::{
    diff, doctor, duration::Seconds, export, inspect, kept_runs, models, output::note, pipeline,
    predict, push, schema_file, simulation, stages, tracking,
};

/// Trains, evaluates, promotes and applies detectors of network threats.
///
/// Without a command it trains on the embedded, simulated phishing sample.
#[derive(Parser)]
#[command(name = "netsec", version, args_conflicts_with_subcommands = true)]
pub struct Arguments {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArguments,
}

#[derive(Subcommand)]
enum Command {
    /// Run the whole pipeline: ingest, validate, transform, train, evaluate, promote
    Run(RunArguments),
    /// Run one stage again on an existing run directory
    Stage(stages::StageArguments),
    /// List the run directories, or fetch one that the registry keeps
    Runs(kept_runs::RunsArguments),
    /// Show the stages of a run, their artifacts, counts and times
    Show(inspect::RunArgument),
    /// Check every artifact and file of a run against its manifest
    Verify(inspect::RunArgument),
    /// Write the HTML report of a run again
    Report(inspect::RunArgument),
    /// Compare two runs, from their configuration to their verdict
    Diff(diff::DiffArguments),
    /// Check that everything that a run needs is there
    Doctor(doctor::DoctorArguments),
    /// Score a file with the champion
    Predict(predict::PredictArguments),
    /// Push records into a database: clean, check, load, read back
    Push(push::PushArguments),
    /// Write schema files
    #[command(subcommand)]
    Schema(schema_file::SchemaCommand),
    /// Write simulated rows, and fit recipes for them
    #[command(subcommand)]
    Synth(simulation::SynthCommand),
    /// List, show, promote and roll back registered models
    #[command(subcommand)]
    Models(models::ModelsCommand),
    /// Write a run, or data, in the form that other programs read
    #[command(subcommand)]
    Export(export::ExportCommand),
    /// Tell a tracking server, MLflow or DagsHub, what it does not know yet
    #[command(subcommand)]
    Tracking(tracking::TrackingCommand),
}

/// Where artifacts lie.
#[derive(Args, Clone)]
pub struct Place {
    /// Directory of runs, feature store and registry
    #[arg(
        long,
        env = "NETSEC_ARTIFACTS",
        default_value = "artifacts",
        value_name = "DIR"
    )]
    pub artifacts: PathBuf,
    /// The registry: a directory or, built with the feature s3, s3://BUCKET/PREFIX; the directory `registry`
    /// below the artifacts by default
    #[arg(long, env = "NETSEC_REGISTRY", value_name = "DIR|URI")]
    pub registry: Option<SourceUri>,
    /// Print JSON for programs instead of text for people
    #[arg(long)]
    pub json: bool,
    #[command(flatten)]
    pub keys: SealKeys,
}

/// Who vouches for the registry's versions.
#[derive(Args, Clone)]
pub struct SealKeys {
    /// Load only versions that one of these public keys has signed: a PEM file
    #[arg(
        long,
        env = "NETSEC_TRUSTED_KEYS",
        value_name = "FILE",
        value_parser = OsStringValueParser::new().map(PathBuf::from),
        hide_short_help = true
    )]
    trusted_keys: Option<PathBuf>,
    /// Sign what is registered with this private key: a PEM file
    #[arg(
        long,
        env = "NETSEC_SIGNING_KEY",
        value_name = "FILE",
        value_parser = OsStringValueParser::new().map(PathBuf::from),
        hide_short_help = true
    )]
    signing_key: Option<PathBuf>,
}

impl SealKeys {
    /// Lets a registry sign and trust as was asked for.
    ///
    /// # Errors
    /// [`registry::RegistryError::Key`].
    pub fn given_to(&self, registry: Registry) -> Result<Registry, Failure> {
        let (signing, trusted) = (self.signing_key.as_deref(), self.trusted_keys.as_deref());
        let registry = registry.keyed(signing, trusted)?;
        let key = registry.signing_key();
        if let Some(warning) = key.as_ref().and_then(|key| key.warning()) {
            // A command may open several registries.
            static ONCE: Once = Once::new();
            ONCE.call_once(|| note(warning));
        }
        Ok(registry)
    }
}

/// What `netsec run` takes.
#[derive(Args, Clone)]
pub struct RunArguments {
    /// Data set: phishing, nsl_kdd, or the path of a schema file
    #[arg(long, value_name = "NAME|PATH.yaml")]
    pub dataset: Option<String>,
    /// Where the records are: a path, file://…, synth://NAME?rows=N or, built with the feature
    /// mongodb, mongodb://HOST/DATABASE?collection=NAME, with s3, s3://BUCKET/KEY, or with sql,
    /// postgres://HOST/DATABASE?table=NAME, mysql:// or sqlite://
    #[arg(long, value_name = "URI")]
    pub source: Option<SourceUri>,
    /// Use this partition as the holdout, as it is, instead of splitting one off
    #[arg(long, value_name = "FILE")]
    pub holdout: Option<SourceUri>,
    /// Name to register the model under; the schema's name by default
    #[arg(long, value_name = "NAME", value_parser = model_name)]
    pub model: Option<String>,
    /// Configuration file
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Seed of everything random
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Set a configuration key, such as training.folds=3
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub settings: Vec<String>,
    /// Read the source anew, whatever the feature store holds
    #[arg(long)]
    pub refresh: bool,
    /// Age (90s, 30m, 24h, 7d) at which a remote source's snapshot is no longer used
    #[arg(long, value_name = "DURATION", default_value = "24h")]
    pub max_age: Seconds,
    /// Exit with 65 when the candidate is not promoted
    #[arg(long)]
    pub require_promotion: bool,
    /// Promote whatever the rules say; needs --why
    #[arg(long, requires = "why")]
    pub force: bool,
    /// Why the rules are set aside; recorded in the history
    #[arg(long, value_name = "TEXT", requires = "force", value_parser = reason)]
    pub why: Option<String>,
    /// Progress on standard error: a bar on a terminal, JSON lines, or nothing
    #[arg(long, value_enum, default_value = "auto")]
    pub progress: Progress,
    #[command(flatten)]
    pub place: Place,
}

/// Parses the name of a model.
fn model_name(text: &str) -> Result<String, String> {
    registry::check_name(text)
        .map(|()| text.to_owned())
        .map_err(|e| e.to_string())
}

/// Parses the reason of a decision: some words.
pub fn reason(text: &str) -> Result<String, String> {
    let words = text.trim();
    if words.is_empty() {
        return Err("say why, in words that others will read in the history".to_owned());
    }
    Ok(words.to_owned())
}

/// How progress is shown.
#[derive(Clone, Copy, ValueEnum)]
pub enum Progress {
    // Without a word each, which would turn the help of every flag into a paragraph.
    Auto,
    Json,
    Off,
}

impl From<Progress> for harness::ProgressMode {
    fn from(progress: Progress) -> Self {
        match progress {
            Progress::Auto => Self::Auto,
            Progress::Json => Self::Json,
            Progress::Off => Self::Off,
        }
    }
}

/// Carries out what the command line asks for; returns the exit code.
pub fn dispatch(arguments: Arguments) -> Result<u8, Failure> {
    match arguments.command {
        None => pipeline::run(&arguments.run),
        Some(Command::Run(run)) => pipeline::run(&run),
        Some(Command::Stage(stage)) => stages::run(&stage),
        Some(Command::Runs(runs)) => kept_runs::run(&runs),
        Some(Command::Show(run)) => inspect::show(&run),
        Some(Command::Verify(run)) => inspect::verify(&run),
        Some(Command::Report(run)) => inspect::report(&run),
        Some(Command::Diff(diff)) => diff::run(&diff),
        Some(Command::Doctor(doctor)) => doctor::run(&doctor),
        Some(Command::Predict(predict)) => predict::run(&predict),
        Some(Command::Push(push)) => push::run(&push),
        Some(Command::Schema(command)) => schema_file::run(&command),
        Some(Command::Synth(command)) => simulation::run(&command),
        Some(Command::Models(command)) => models::run(&command),
        Some(Command::Export(command)) => export::run(&command),
        Some(Command::Tracking(command)) => tracking::run(&command),
    }
}
