//! The stage `evaluation` as a program of its own.

use std::process::ExitCode;

use registry::Evaluating;

fn main() -> ExitCode {
    harness::stage_main(|config, _| Ok(Evaluating::new(config.of_stage::<Evaluating>()?)))
}
