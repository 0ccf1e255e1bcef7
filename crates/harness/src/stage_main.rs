//! The `main` of the small binaries that run one stage each.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use artifact::{Failure, Run, Stage};
use clap::Parser;

use crate::{ProgressMode, ProgressReporter, RunConfig, config, exit, init_telemetry};

#[derive(Parser)]
#[command(about = "Runs one stage of the pipeline on an existing run directory")]
struct Arguments {
    /// Run directory whose config.yaml and artifacts are used
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
}

/// Runs one stage on the run directory that `--run` names, exactly as `netsec stage NAME` does.
///
/// `make` gets the run's configuration, and the run.
pub fn stage_main<S: Stage>(make: impl FnOnce(&RunConfig, &Run) -> Result<S, Failure>) -> ExitCode {
    let arguments = match exit::parse_arguments::<Arguments>() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    init_telemetry();
    let result = exit::stop_on_interrupt(|| {}).and_then(|()| {
        // It may hold the secrets of a source.
        config::load_dotenv()?;
        let directory = execute(&arguments.run, make)?;
        print(&directory);
        Ok(0)
    });
    exit::report_and_exit(result)
}

#[expect(clippy::print_stdout, reason = "the binary's one line of output")]
fn print(directory: &Path) {
    println!("{}", directory.display());
}

fn execute<S: Stage>(
    directory: &Path,
    make: impl FnOnce(&RunConfig, &Run) -> Result<S, Failure>,
) -> Result<PathBuf, Failure> {
    let config = RunConfig::of(directory)?;
    let run = Run::open(directory, config.section("seed")?)?;
    let stage = make(&config, &run)?;
    execute_stage(&run, &stage, ProgressMode::Auto)
}

/// Runs one stage on what a run directory holds for it; returns the stage's directory.
///
/// # Errors
/// As [`Run::execute_alone`].
pub fn execute_stage<S: Stage>(
    run: &Run,
    stage: &S,
    mode: ProgressMode,
) -> Result<PathBuf, Failure> {
    let progress = ProgressReporter::new(mode);
    let result = run.execute_alone(stage, &|advance| progress.report(advance));
    progress.finish();
    result?;
    Ok(run.step::<S>())
}
