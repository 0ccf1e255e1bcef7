//! The stage `champion` as a program of its own, on the registry of the run, which must be a directory.

use std::process::ExitCode;

use dataset::SourceUri;
use registry::{Champion, Location};

fn main() -> ExitCode {
    harness::stage_main(|config, run| {
        let kept: Option<SourceUri> = config.section("registry")?;
        let registry = Location::open_directory(kept.as_ref(), &run.root()?)?;
        let registry = registry.keyed_by_environment()?;
        Ok(Champion::new(registry, config.section::<String>("model")?))
    })
}
