//! `netsec`: the typed chain of stages and its command line, nothing else.

mod cli;
mod config;
mod diff;
mod doctor;
mod duration;
mod export;
mod given_holdout;
mod inspect;
mod intake;
mod kept_runs;
mod models;
mod output;
mod pipeline;
mod predict;
mod push;
mod registries;
mod schema_file;
mod simulation;
mod stages;
mod summary;
mod tracking;

use std::process::ExitCode;

use artifact::{ErrorKind, Failure};

/// Does what the command line says; returns the exit code.
pub fn main() -> ExitCode {
    // Before the arguments, some of which have their default from the environment.
    if let Err(failure) = harness::load_environment() {
        return harness::report_and_exit(Err(failure.into()));
    }
    let arguments = match harness::parse_arguments::<cli::Arguments>() {
        Ok(arguments) => arguments,
        Err(code) => return code,
    };
    harness::report_and_exit(start(arguments).map_err(anyhow::Error::from))
}

fn start(arguments: cli::Arguments) -> Result<u8, Failure> {
    harness::init_telemetry();
    harness::stop_on_interrupt(connectors::abandon)
        .map_err(|e| Failure::new(ErrorKind::Internal, format!("cannot handle Ctrl-C: {e}")))?;
    cli::dispatch(arguments)
}
