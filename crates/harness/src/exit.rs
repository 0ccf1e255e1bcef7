//! Exit codes: one table for every binary of the workspace.

use std::process::ExitCode;

use artifact::{ErrorKind, Failure};
use clap::{Parser, error::ErrorKind as ClapKind};

/// Exit code after Ctrl-C, as shells give it: 128 + SIGINT.
pub const INTERRUPTED: u8 = 130;

/// Returns the exit code of an error: that of the first [`Failure`] in its chain, else 70.
pub fn exit_code_of(error: &anyhow::Error) -> u8 {
    error
        .chain()
        .find_map(|cause| cause.downcast_ref::<Failure>())
        .map_or(ErrorKind::Internal, Failure::kind)
        .exit_code()
}

/// Parses the command line; what is wrong with it, or the help that was asked for, is printed.
///
/// # Errors
/// The code to end with: 0 for help and version, else that of [`ErrorKind::Usage`].
pub fn parse_arguments<A: Parser>() -> Result<A, ExitCode> {
    A::try_parse().map_err(|error| {
        // A reader that went away is no reason to fail in another way.
        let _ = error.print();
        match error.kind() {
            ClapKind::DisplayHelp | ClapKind::DisplayVersion => ExitCode::SUCCESS,
            _ => ExitCode::from(ErrorKind::Usage.exit_code()),
        }
    })
}

/// Ends `main`: prints an error with its causes on standard error and gives its exit code.
#[expect(
    clippy::print_stderr,
    reason = "this is where errors reach the person at the terminal"
)]
pub fn report_and_exit(result: anyhow::Result<u8>) -> ExitCode {
    match result {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(exit_code_of(&error))
        }
    }
}

/// Ends the process with [`INTERRUPTED`] on Ctrl-C and SIGTERM.
///
/// Nothing has to be undone: every file is written whole or not at all, and a stage counts only once
/// its manifest is there.
///
/// # Errors
/// When the handler cannot be installed.
#[expect(
    clippy::print_stderr,
    reason = "this is where the interruption reaches the terminal"
)]
pub fn stop_on_interrupt() -> anyhow::Result<()> {
    ctrlc::set_handler(|| {
        eprintln!("\ninterrupted: what was committed so far is kept");
        std::process::exit(i32::from(INTERRUPTED));
    })?;
    Ok(())
}
