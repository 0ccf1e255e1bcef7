//! Runs that a registry elsewhere keeps: written there with a run, and fetched back.

use artifact::{Failure, Run};
use clap::{Args, Subcommand};
use registry::Registry;
use serde_json::json;

use crate::{
    cli::Place,
    inspect,
    output::{note, print},
    registries::registry,
};

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct RunsArguments {
    #[command(subcommand)]
    command: Option<RunsCommand>,
    #[command(flatten)]
    place: Place,
}

#[derive(Subcommand)]
enum RunsCommand {
    /// List the runs that the registry keeps, where it is in a bucket
    Kept(Place),
    /// Write a run that the registry keeps to the artifacts directory
    Fetch(FetchArguments),
}

#[derive(Args)]
struct FetchArguments {
    /// Name of the run
    run: String,
    #[command(flatten)]
    place: Place,
}

/// Lists the run directories, or does what is asked of those that the registry keeps.
pub fn run(arguments: &RunsArguments) -> Result<u8, Failure> {
    match &arguments.command {
        None => return inspect::runs(&arguments.place),
        Some(RunsCommand::Kept(place)) => kept(place),
        Some(RunsCommand::Fetch(arguments)) => fetch(arguments),
    }?;
    Ok(0)
}

/// Keeps what a run has committed so far in a registry elsewhere; beside the runs there is no need.
pub fn keep(registry: &Registry, run: &Run) -> Result<(), Failure> {
    if registry.is_remote() {
        registry.keep_run(run)?;
    }
    Ok(())
}

/// Keeps what has come of a run whose outcome stands already, so that a failure is no more than noted.
pub fn keep_rest(registry: &Registry, run: &Run) {
    if let Err(error) = keep(registry, run) {
        note(&format!(
            "the registry does not keep all of the run yet: {error}; `netsec stage promotion --run {}` completes it",
            run.name()
        ));
    }
}

fn kept(place: &Place) -> Result<(), Failure> {
    let registry = registry(place)?;
    let names = registry.kept_runs()?;
    if place.json {
        return print(&json!(names).to_string());
    }
    if names.is_empty() {
        let location = registry.location();
        note(&format!(
            "{location} keeps no runs: those beside a directory stay where they are"
        ));
    }
    names.iter().try_for_each(|name| print(name))
}

fn fetch(arguments: &FetchArguments) -> Result<(), Failure> {
    let place = &arguments.place;
    let directory = registry(place)?.fetch_run(&arguments.run, &place.artifacts)?;
    print(&if place.json {
        json!({ "run": directory }).to_string()
    } else {
        directory.display().to_string()
    })
}
