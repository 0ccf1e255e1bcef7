//! The stage `promotion` as a program of its own, on the registry of the run, which must be a directory.

use std::process::ExitCode;

use artifact::{Failure, Run, clock};
use dataset::SourceUri;
use harness::RunConfig;
use registry::{Location, Promotion};

fn main() -> ExitCode {
    harness::stage_main(stage)
}

fn stage(config: &RunConfig, run: &Run) -> Result<Promotion, Failure> {
    let kept: Option<SourceUri> = config.section("registry")?;
    let registry = Location::open_directory(kept.as_ref(), &run.root()?)?;
    let registry = registry.keyed_by_environment()?;
    if let Some(warning) = registry.signing_key().as_ref().and_then(|k| k.warning()) {
        warn(warning);
    }
    let name: String = config.section("model")?;
    let section = config.of_stage::<Promotion>()?;
    Ok(Promotion::new(
        section,
        registry,
        name,
        run.name(),
        clock::now(),
    ))
}

#[expect(
    clippy::print_stderr,
    reason = "the person at the terminal is to read it"
)]
fn warn(text: &str) {
    eprintln!("note: {text}");
}
