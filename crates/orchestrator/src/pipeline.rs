//! `netsec run`: the stages, typed end to end.

use std::{io::Write as _, sync::Arc, time::Instant};

use artifact::{Context, ErrorKind, Failure, Run, Stage, clock};
use dataset::{Schema, ValidatedDataset};
use harness::ProgressReporter;
use holdout::GivenHoldout;
use ingestion::Ingestion;
use registry::{Champion, Evaluating, LocalDirectory, Override, Promotion, Registry};
use trainer::Training;
use transformation::Transformation;
use validation::Validation;

use crate::{
    cli::{Place, RunArguments},
    config::Config,
    intake::Intake,
    sources,
    summary::Summary,
};

/// Runs the whole pipeline; returns the exit code.
pub fn run(arguments: &RunArguments) -> Result<u8, Failure> {
    let clock = Instant::now();
    let config = Config::of(arguments)?;
    let schema = config.schema()?;
    let simulated = config.source.starts_with("synth://");
    let name = config.model_name(&schema, simulated);
    let intake = Intake::of(arguments, &config, &schema)?;
    if !arguments.place.json {
        print(&opening_line(&schema, &config.source, simulated))?;
        intake.snapshot_line().map_or(Ok(()), |line| print(&line))?;
    }
    let run = Run::create(&arguments.place.artifacts, &config, config.seed)?;
    let progress = ProgressReporter::new(arguments.progress.into());
    let chain = Chain {
        run: &run,
        config: &config,
        registry: registry(&arguments.place),
        name: &name,
        forced: arguments.force.then(|| Override {
            why: arguments.why.clone().unwrap_or_default(),
        }),
        report: &|what, done, total| progress.report(what, done, total),
    };
    let outcome = chain.execute(intake);
    progress.finish();
    outcome.map_err(|e| with_report(e, &run))?;
    report::write(&run, None)?;
    let summary = Summary::of(&run, &config, &name, clock.elapsed().as_secs_f64())?;
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
    report: &'a artifact::Progress<'a>,
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

        let given = self.given_holdout(&run.load(validated)?)?;
        let (given,) = run.execute(&given, (), report)?;

        let transformation = Transformation::new(config.transformation.clone());
        let (training, holdout) = run.execute(&transformation, (validated, given), report)?;

        let trainer = Training::new(config.training.clone());
        let (bundle, groups) = run.execute(&trainer, (training,), report)?;

        let evaluating = Evaluating::new(config.evaluation.clone());
        let (evaluation,) = run.execute(&evaluating, (bundle, holdout, incumbent), report)?;

        let promotion = Promotion::new(
            config.promotion.clone(),
            self.registry.clone(),
            self.name,
            run_name(run),
            clock::now(),
        );
        let promotion = promotion.forced(self.forced.clone());
        run.execute(&promotion, (bundle, groups, evaluation), report)?;
        Ok(())
    }

    /// Ingests and validates `--holdout FILE` in a directory of its own, under the resolved schema.
    fn given_holdout(&self, training: &ValidatedDataset) -> Result<AdoptHoldout, Failure> {
        let Some(path) = &self.config.holdout else {
            return Ok(AdoptHoldout { dataset: None });
        };
        let schema = training.schema.clone();
        let source = sources::open(&path.to_string_lossy(), &schema)?;
        let sub = Run::create(
            &self.run.directory().join("given-holdout"),
            self.config,
            self.run.seed(),
        )?;
        let no_reference = Champion::new(
            Registry::new(Arc::new(LocalDirectory::new(sub.directory().join("none")))),
            "none",
        );
        let (_, reference) = sub.execute(&no_reference, (), self.report)?;
        let ingestion = Ingestion::new(source, schema.clone(), self.config.ingestion.clone());
        let (raw, provenance) = sub.execute(&ingestion, (), self.report)?;
        let validation = Validation::new(self.config.validation.clone()).under(schema);
        let (validated,) = sub.execute(&validation, (raw, provenance, reference), self.report)?;
        Ok(AdoptHoldout {
            dataset: Some(sub.load(validated)?),
        })
    }
}

/// Brings a given partition into the run, so that what follows has one typed input more or less.
struct AdoptHoldout {
    dataset: Option<ValidatedDataset>,
}

impl Stage for AdoptHoldout {
    const NAME: &'static str = "given-holdout";
    const ORDER: u8 = 2;
    type Config = ();
    type Inputs = ();
    type Outputs = (GivenHoldout,);
    type Error = registry::RegistryError;

    fn config(&self) -> &() {
        &()
    }

    fn run(&self, (): (), _: &mut Context) -> Result<Self::Outputs, Self::Error> {
        Ok((GivenHoldout {
            dataset: self.dataset.clone(),
        },))
    }
}

/// Returns the registry of a place.
pub fn registry(place: &Place) -> Registry {
    Registry::new(Arc::new(LocalDirectory::new(
        place.artifacts.join("registry"),
    )))
}

/// Returns the name of a run: that of its directory.
pub fn run_name(run: &Run) -> String {
    let name = run
        .directory()
        .file_name()
        .map(|n| n.to_string_lossy().into_owned());
    name.unwrap_or_default()
}

/// Prints to standard output; a reader that went away ends the printing, not the program.
pub fn print(text: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(
            ErrorKind::Unavailable,
            format!("cannot write the output: {e}"),
        )),
        _ => Ok(()),
    }
}

fn opening_line(schema: &Schema, source: &str, simulated: bool) -> String {
    if simulated {
        format!(
            "SIMULATED data: {source}, generated rows of the `{}` data set, not real traffic",
            schema.name
        )
    } else {
        format!("training `{}` on {source}", schema.name)
    }
}

fn exit_code(arguments: &RunArguments, summary: &Summary) -> u8 {
    let declined = !summary.verdict.promoted && !summary.verdict.unchanged;
    if arguments.require_promotion && declined {
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
