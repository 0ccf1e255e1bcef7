//! Whether the registry can be reached and written, and whether its champions load and answer.

use std::path::Path;

use artifact::{ErrorKind, Failure, clock};
use registry::{Location, Registry, RegistryError};

use super::{Finding, disk, existing};
use crate::{cli::Place, config::Config, registries};

const CHECK: &str = "registry";

/// Tries the steps to a registry elsewhere, then looks at what it holds.
pub(super) fn examine(place: &Place, config: &Config) -> Vec<Finding> {
    let (flag, configured) = (place.registry.as_ref(), config.registry.as_ref());
    let location = match registries::location(flag, configured, &place.artifacts) {
        Ok(location) => location,
        Err(failure) => return vec![Finding::fail(CHECK, &failure, "")],
    };
    let (mut findings, is_reached) = way(&location);
    if is_reached {
        findings.extend(match registries::open(&location, &place.keys) {
            Ok(registry) => models(&registry),
            Err(failure) => vec![Finding::fail(CHECK, &failure, "")],
        });
    }
    findings
}

/// Says how each step on the way to a bucket went, or that nothing can be written into a directory, and whether it was
/// reached.
fn way(location: &Location) -> (Vec<Finding>, bool) {
    let uri = match location {
        Location::Directory(directory) => {
            return (read_only(directory).into_iter().collect(), true);
        }
        Location::Bucket(uri) => uri,
    };
    let probes = connectors::probe_registry(uri).0;
    let is_reached = probes.iter().all(|probe| probe.outcome.is_ok());
    let found = probes.iter().map(|probe| match &probe.outcome {
        Ok(said) if probe.is_doubtful => Finding::warn(CHECK, format!("{}: {said}", probe.check)),
        Ok(said) => Finding::ok(CHECK, format!("{}: {said}", probe.check)),
        Err(failure) => Finding::fail(CHECK, failure, ""),
    });
    (found.collect(), is_reached)
}

/// Says that a directory is too little for a run, where it is: a service reads from it all the same.
fn read_only(directory: &Path) -> Option<Finding> {
    let (action, error) = disk::try_out(&existing(directory)?).err()?;
    let shown = directory.display();
    Some(Finding::warn(
        CHECK,
        format!("{shown}: cannot {action} there: {error}: too little for a run or a decision"),
    ))
}

/// Loads every champion as a server would, and asks it what it was asked when it was promoted.
fn models(registry: &Registry) -> Vec<Finding> {
    let names = match registry.names() {
        Ok(names) => names,
        Err(error) => return vec![Finding::fail(CHECK, &error.into(), "")],
    };
    if names.is_empty() {
        return vec![Finding::ok(CHECK, "no models yet: `netsec run` trains one")];
    }
    let of_model = |name: &String| match champion(registry, name) {
        Ok(said) => {
            let mut findings = vec![Finding::ok(CHECK, said)];
            findings.extend(lacking(registry, name));
            findings.extend(clocks(registry, name));
            findings
        }
        Err(failure) => vec![Finding::fail(CHECK, &failure, "")],
    };
    names.iter().flat_map(of_model).collect()
}

/// Looks for versions besides the champion that could not come back.
fn lacking(registry: &Registry, name: &str) -> Vec<Finding> {
    let history = registry.history(name);
    let found = history.and_then(|history| registry.lacking(name, &history));
    let warn = |error: &RegistryError| Finding::warn(CHECK, error.to_string());
    found.map_or_else(|e| vec![warn(&e)], |all| all.iter().map(warn).collect())
}

/// Looks for entries that stand behind one of a later time, and for a last one that lies ahead of now.
fn clocks(registry: &Registry, name: &str) -> Vec<Finding> {
    // That it cannot be read is said already.
    let history = registry.history(name).unwrap_or_default();
    let back = history.times_that_run_back().into_iter();
    let mut said: Vec<String> = back
        .map(|(before, entry)| {
            format!(
                "{name}: entry {} of {} stands behind entry {} of {}: a clock was wrong, \
                 `netsec models history --at` refuses to say what served in between",
                entry.sequence, entry.at, before.sequence, before.at
            )
        })
        .collect();
    let last = history.entries().last();
    if let Some(last) = last.filter(|last| last.lies_ahead_of(clock::now())) {
        said.push(format!(
            "{name}: the last entry, {}, is of {}, which has not come yet: set the clocks of the \
             machines that write to the registry",
            last.sequence, last.at
        ));
    }
    let warn = |said| Finding::warn(CHECK, said);
    said.into_iter().map(warn).collect()
}

fn champion(registry: &Registry, name: &str) -> Result<String, Failure> {
    let history = registry.existing(name)?;
    let n = history.versions().len();
    registry.check_champion(name, &history)?;
    if history.champion().is_none() {
        return Ok(format!("{name}: {n} versions, no champion"));
    }
    let (entry, bundle) = registry.champion(name)?;
    let evaluation = registry.evaluation(name, &entry)?;
    registry.training_groups(name, &entry)?;
    let asked = evaluation.canary.query(&bundle);
    asked.map_err(|reason| Failure::new(ErrorKind::Internal, format!("{name}: {reason}")))?;
    Ok(format!(
        "{name}: {n} versions, champion {} loads and answers",
        entry.version
    ))
}
