//! `netsec tracking …`, and what a tracking server is told after a run and after a decision on a model.

#[cfg(feature = "tracking")]
mod server;
#[cfg(not(feature = "tracking"))]
#[path = "tracking/absent.rs"]
mod server;

use std::path::PathBuf;

use artifact::Failure;
use clap::{Args, Subcommand};

use crate::cli::Place;

pub use server::{after_decision, after_run, probe};

#[derive(Subcommand)]
pub enum TrackingCommand {
    /// List what the tracking server does not know yet
    Status(Place),
    /// Send what is pending, or the runs that are named, pending or not
    Sync(SyncArguments),
}

#[derive(Args)]
pub struct SyncArguments {
    /// Run directories, or their names under the artifacts directory; what is pending by default
    runs: Vec<PathBuf>,
    /// Send which versions the aliases of a model name, pending or not
    #[arg(long = "model", value_name = "NAME")]
    models: Vec<String>,
    #[command(flatten)]
    place: Place,
}

/// One step on the way to the tracking server.
pub struct Probe {
    /// What was tried.
    pub check: &'static str,
    /// What was found.
    pub outcome: Result<String, Failure>,
    /// Whether it works, but not all of it.
    pub is_doubtful: bool,
}

/// Carries out a command.
pub fn run(command: &TrackingCommand) -> Result<u8, Failure> {
    match command {
        TrackingCommand::Status(place) => server::status(place),
        TrackingCommand::Sync(arguments) => {
            server::sync(&arguments.place, &arguments.runs, &arguments.models)
        }
    }
}
