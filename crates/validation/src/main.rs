//! The stage as a program of its own.

use std::process::ExitCode;

use validation::Validation;

fn main() -> ExitCode {
    harness::stage_main(|config, _| Ok(Validation::new(config.of_stage::<Validation>()?)))
}
