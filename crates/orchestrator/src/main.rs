//! `netsec`: the typed chain of stages and its command line, nothing else.

mod cli;
mod config;
mod inspect;
mod intake;
mod models;
mod pipeline;
mod predict;
mod sources;
mod stages;
mod summary;

use std::process::ExitCode;

use artifact::{ErrorKind, Failure};
use clap::{Parser, error::ErrorKind as ClapKind};

fn main() -> ExitCode {
    let arguments = match cli::Arguments::try_parse() {
        Ok(arguments) => arguments,
        Err(error) => {
            // A reader that went away is no reason to fail in another way.
            let _ = error.print();
            let asked = matches!(
                error.kind(),
                ClapKind::DisplayHelp | ClapKind::DisplayVersion
            );
            return ExitCode::from(if asked {
                0
            } else {
                ErrorKind::Usage.exit_code()
            });
        }
    };
    harness::report_and_exit(start(arguments).map_err(anyhow::Error::from))
}

fn start(arguments: cli::Arguments) -> Result<u8, Failure> {
    harness::load_environment()?;
    harness::init_telemetry();
    harness::stop_on_interrupt()
        .map_err(|e| Failure::new(ErrorKind::Internal, format!("cannot handle Ctrl-C: {e}")))?;
    cli::dispatch(arguments)
}
