//! The stage `champion` as a program of its own, on the registry beside the run.

use std::process::ExitCode;

use registry::{Champion, Registry};

fn main() -> ExitCode {
    harness::stage_main(|config, run| {
        let registry = Registry::local(&run.root()?).keyed_by_environment()?;
        Ok(Champion::new(registry, config.section::<String>("model")?))
    })
}
