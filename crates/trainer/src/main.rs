//! The stage as a program of its own.

use std::process::ExitCode;

use trainer::Training;

fn main() -> ExitCode {
    harness::stage_main(|config, _| Ok(Training::new(config.of_stage::<Training>()?)))
}
