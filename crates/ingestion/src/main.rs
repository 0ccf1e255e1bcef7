//! The stage as a program of its own: it reads the run's source again.

use std::process::ExitCode;

use artifact::{Failure, Run};
use dataset::{Schema, SourceUri};
use harness::RunConfig;
use ingestion::{Ingestion, SCHEMA_FILE};

fn main() -> ExitCode {
    harness::stage_main(stage)
}

fn stage(config: &RunConfig, run: &Run) -> Result<Ingestion, Failure> {
    let schema = Schema::read_kept(&run.directory().join(SCHEMA_FILE))?;
    let kept: SourceUri = config.section("source")?;
    let source = connectors::reopen(&kept, harness::config::SOURCE_VARIABLE, &schema)?;
    let section = config.of_stage::<Ingestion>()?;
    Ok(Ingestion::new(source, schema, section))
}
