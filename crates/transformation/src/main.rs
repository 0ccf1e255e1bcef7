//! The stage as a program of its own.

use std::process::ExitCode;

use transformation::Transformation;

fn main() -> ExitCode {
    harness::stage_main(|config, _| Ok(Transformation::new(config.of_stage::<Transformation>()?)))
}
