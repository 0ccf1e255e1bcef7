//! The stage `promotion` as a program of its own, on the registry beside the run.

use std::process::ExitCode;

use artifact::{Failure, Run, clock};
use harness::RunConfig;
use registry::{Promotion, Registry};

fn main() -> ExitCode {
    harness::stage_main(stage)
}

fn stage(config: &RunConfig, run: &Run) -> Result<Promotion, Failure> {
    let registry = Registry::local(&run.root()?).keyed_by_environment()?;
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
