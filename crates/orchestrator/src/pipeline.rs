//! `netsec run`: the stages, typed end to end.

use std::path::PathBuf;

use artifact::{ErrorKind, Failure, Run, clock, yaml};
use dataset::{Schema, SourceUri};
use harness::ProgressReporter;
use ingestion::SCHEMA_FILE;
use registry::{Champion, Evaluating, Override, Promotion, Registry};
use serde_json::json;
use trainer::Training;
use transformation::Transformation;
use validation::Validation;

use crate::{
    cli::RunArguments,
    config::Config,
    given_holdout::{check_holdout, given_holdout},
    intake::{Intake, check_simulated},
    kept_runs,
    output::{note, print},
    registries,
    summary::Summary,
    tracking,
};

/// Runs the whole pipeline; returns the exit code.
///
/// Programs get their one object however a run ends, with what stood in its way.
pub fn run(arguments: &RunArguments) -> Result<u8, Failure> {
    let mut directory = None;
    let ended = attempt(arguments, &mut directory);
    if let (Err(failure), true) = (&ended, arguments.place.json) {
        let report = directory
            .as_ref()
            .map(|run: &PathBuf| run.join(report::FILE_NAME));
        let object = json!({
            "run": directory,
            "report": report.filter(|path| path.is_file()),
            "error": {"message": failure.to_string(), "exit_code": failure.kind().exit_code()},
        });
        print(&object.to_string())?;
    }
    if let Some(run) = &directory {
        tracking::after_run(&arguments.place, run, ended.as_ref().err());
    }
    ended
}

/// Runs the whole pipeline; `directory` is that of the run once there is one.
fn attempt(arguments: &RunArguments, directory: &mut Option<PathBuf>) -> Result<u8, Failure> {
    let stopwatch = clock::Stopwatch::start();
    harness::unread_variables()
        .iter()
        .for_each(|said| note(said));
    let mut config = Config::of(arguments)?;
    config.check()?;
    let schema = config.schema()?;
    config.check_for(&schema)?;
    let simulated = connectors::is_simulated(&config.source);
    let name = config.model_name(&schema, simulated);
    registry::check_name(&name)?;
    // Kept in the run directory, where stages that run alone look it up.
    config.model = Some(name.clone());
    let (place, configured) = (&arguments.place, config.registry.as_ref());
    let location = registries::location(place.registry.as_ref(), configured, &place.artifacts)?;
    let registry = registries::open(&location, &place.keys)?;
    config.registry = registries::kept(&location, &place.artifacts)?;
    check_simulated(&config.source, &schema)?;
    check_holdout(&config, &schema)?;
    let intake = Intake::of(arguments, &config, &schema)?;
    let snapshot = intake.snapshot();
    if !arguments.place.json {
        print(&opening_line(&schema, &config.source, simulated))?;
        snapshot
            .as_ref()
            .map_or(Ok(()), |used| print(&used.line()))?;
    }
    let run = Run::create(&arguments.place.artifacts, &config, config.seed)?;
    *directory = Some(run.directory().to_owned());
    keep_schema(&run, &schema)?;
    let progress = ProgressReporter::new(arguments.progress.into());
    let chain = Chain {
        run: &run,
        config: &config,
        registry: registry.clone(),
        name: &name,
        forced: arguments.force.then(|| Override {
            why: arguments.why.clone().unwrap_or_default(),
        }),
        report: &|advance| progress.report(advance),
    };
    let outcome = chain.execute(intake);
    progress.finish();
    outcome.map_err(|e| with_report(e, &run))?;
    report::write(&run, None)?;
    kept_runs::keep_rest(&registry, &run);
    let mut summary = Summary::of(&run, &config, &name, stopwatch.seconds())?;
    summary.snapshot = snapshot;
    print(&if arguments.place.json {
        summary.to_json()
    } else {
        summary.to_text()
    })?;
    Ok(exit_code(arguments, &summary))
}

struct Chain<'a> {
    run: &'a Run,
    config: &'a Config,
    registry: Registry,
    name: &'a str,
    forced: Option<Override>,
    report: &'a artifact::Watch<'a>,
}

impl Chain<'_> {
    /// The chain itself: what each stage takes is what earlier ones have given.
    fn execute(&self, intake: Intake) -> Result<(), Failure> {
        let (run, config, report) = (self.run, self.config, self.report);
        let champion = Champion::new(self.registry.clone(), self.name);
        let (incumbent, reference) = run.execute(&champion, (), report)?;

        let (ingestion, keep) = intake.stage(config)?;
        let (raw, provenance) = run.execute(&ingestion, (), report)?;
        if let Some(keep) = keep {
            keep.save(&run.load(raw)?, &run.load(provenance)?)?;
        }

        let validation = Validation::new(config.validation.clone());
        let (validated,) = run.execute(&validation, (raw, provenance, reference), report)?;

        let resolved = run.load(validated)?.schema;
        let given = given_holdout(run, config, &resolved, report)?;
        let (given,) = run.execute(&given, (), report)?;

        let transformation = Transformation::new(config.transformation.clone());
        let (training, holdout) = run.execute(&transformation, (validated, given), report)?;

        let trainer = Training::new(config.training.clone());
        let (bundle, groups) = run.execute(&trainer, (training,), report)?;

        let evaluating = Evaluating::new(config.evaluation.clone());
        let (evaluation,) = run.execute(&evaluating, (bundle, holdout, incumbent), report)?;

        // What is promoted can be looked into, whatever happens from now on.
        kept_runs::keep(&self.registry, run)?;
        let promotion = Promotion::new(
            config.promotion.clone(),
            self.registry.clone(),
            self.name,
            run.name(),
            clock::now(),
        );
        let promotion = promotion.forced(self.forced.clone());
        run.execute(&promotion, (bundle, groups, evaluation), report)?;
        Ok(())
    }
}

/// Keeps the schema in the run directory: the file that it came from may change later.
fn keep_schema(run: &Run, schema: &Schema) -> Result<(), Failure> {
    let text = yaml::to_text(schema).map_err(|e| Failure::new(ErrorKind::Internal, e))?;
    run.keep(SCHEMA_FILE, text.as_bytes())?;
    Ok(())
}

fn opening_line(schema: &Schema, source: &SourceUri, simulated: bool) -> String {
    if simulated {
        format!(
            "SIMULATED data of the `{}` data set, not real traffic\n{source}",
            schema.name
        )
    } else {
        format!("training `{}` on {source}", schema.name)
    }
}

fn exit_code(arguments: &RunArguments, summary: &Summary) -> u8 {
    if arguments.require_promotion && !summary.verdict.serving {
        ErrorKind::Rejected.exit_code()
    } else {
        0
    }
}

/// Writes the report of a run that ended early, and adds to its error where it lies.
fn with_report(failure: Failure, run: &Run) -> Failure {
    let place = match report::write(run, Some(failure.to_string())) {
        Ok(path) => format!("(see {})", path.display()),
        // The first error is the one that matters.
        Err(e) => format!("(see {}; no report: {e})", run.directory().display()),
    };
    Failure::new(failure.kind(), format!("{failure} {place}"))
}
