//! `netsec export …`: a run, or data, in the form that other programs read.

mod dvc;
mod metrics;
mod pipeline;
mod records;

use artifact::{ErrorKind, Failure, Run, Stage as _};
use clap::Subcommand;
use registry::Promotion;

use crate::{cli::Place, inspect::run_names};

#[derive(Subcommand)]
pub enum ExportCommand {
    /// Put a run, or data, under DVC: cache, workspace, dvc.yaml and dvc.lock, or .dvc files
    Dvc(dvc::DvcArguments),
    /// Write the metrics of a run as JSON and its curves as CSV
    Metrics(metrics::MetricsArguments),
}

/// Carries out a command.
pub fn run(command: &ExportCommand) -> Result<u8, Failure> {
    match command {
        ExportCommand::Dvc(arguments) => dvc::run(arguments),
        ExportCommand::Metrics(arguments) => metrics::run(arguments),
    }?;
    Ok(0)
}

/// Opens the newest finished run.
fn newest(place: &Place) -> Result<Run, Failure> {
    for name in run_names(&place.artifacts)?.iter().rev() {
        let run = Run::open(&place.artifacts.join(name), 0)?;
        if is_finished(&run)? {
            return Ok(run);
        }
    }
    let message = format!(
        "no finished run in {}: `netsec run` makes one; --path puts data under DVC without a run",
        place.artifacts.display()
    );
    Err(Failure::new(ErrorKind::Usage, message))
}

fn is_finished(run: &Run) -> Result<bool, Failure> {
    let manifests = run.manifests()?;
    Ok(manifests
        .iter()
        .any(|(_, stage)| stage.stage == Promotion::NAME))
}
