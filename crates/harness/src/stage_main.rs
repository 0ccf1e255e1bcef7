//! The `main` of the small binaries that run one stage each.

use std::{path::PathBuf, process::ExitCode};

use artifact::{Failure, Run, Stage};
use clap::Parser;

use crate::{ProgressMode, ProgressReporter, config, exit, init_telemetry};

#[derive(Parser)]
#[command(about = "Runs one stage of the pipeline on an existing run directory")]
struct Arguments {
    /// Run directory whose config.yaml and artifacts are used
    #[arg(long, value_name = "DIR")]
    run: PathBuf,
}

/// Runs one stage on the run directory that `--run` names, exactly as `netsec stage NAME` does.
///
/// `make` gets the stage's section of the run's configuration, and the run.
pub fn stage_main<S: Stage>(make: impl FnOnce(S::Config, &Run) -> Result<S, Failure>) -> ExitCode {
    init_telemetry();
    exit::report_and_exit(execute(make).map_err(anyhow::Error::from))
}

#[expect(clippy::print_stdout, reason = "the binary's one line of output")]
fn execute<S: Stage>(
    make: impl FnOnce(S::Config, &Run) -> Result<S, Failure>,
) -> Result<u8, Failure> {
    let arguments = Arguments::parse();
    let text = std::fs::read_to_string(arguments.run.join("config.yaml")).unwrap_or_default();
    let seed = config::section::<u64>(&text, "seed")?;
    let run = Run::open(&arguments.run, seed)?;
    let stage = make(config::section(&text, S::NAME)?, &run)?;
    let progress = ProgressReporter::new(ProgressMode::Auto);
    let result = run.execute_alone(&stage, &|what, done, total| {
        progress.report(what, done, total)
    });
    progress.finish();
    result?;
    println!("{}", run.step::<S>().display());
    Ok(0)
}
