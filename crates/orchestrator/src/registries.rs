//! Which registry a command uses: the one that its flag names, else the configuration's, else the one beside the runs.

use std::path::Path;

use artifact::{ErrorKind, Failure};
use dataset::SourceUri;
use registry::{Location, Registry};

use crate::cli::{Place, SealKeys};

/// Opens the registry of a command without a configuration.
pub fn registry(place: &Place) -> Result<Registry, Failure> {
    let location = location(place.registry.as_ref(), None, &place.artifacts)?;
    open(&location, &place.keys)
}

/// Finds where a registry is: at the first of these that names a place, else below an artifacts directory. A variable
/// without a value names none.
pub fn location(
    flag: Option<&SourceUri>,
    configured: Option<&SourceUri>,
    artifacts: &Path,
) -> Result<Location, Failure> {
    let mut named = [flag, configured].into_iter().flatten();
    match named.find(|uri| **uri != SourceUri::default()) {
        Some(address) => Ok(Location::try_from(address)?),
        None => Ok(Location::Directory(artifacts.join("registry"))),
    }
}

/// Returns a place as what lies below an artifacts directory keeps it: nothing for the one beside it, which moves with
/// it.
pub fn kept(used: &Location, artifacts: &Path) -> Result<Option<SourceUri>, Failure> {
    let beside = location(None, None, artifacts)?;
    Ok((*used != beside).then(|| used.absolute()))
}

/// Opens a registry, wherever it is, that signs and trusts as was asked for.
pub fn open(location: &Location, keys: &SealKeys) -> Result<Registry, Failure> {
    keys.given_to(location.open(connectors::registry_bucket)?)
}

/// Refuses what a configuration names as the registry's place and is none.
pub fn check(configured: Option<&SourceUri>) -> Result<(), Failure> {
    let checked = location(None, configured, Path::new("artifacts"));
    let wrong = |e: Failure| Failure::new(ErrorKind::Config, format!("registry: {e}"));
    checked.map(drop).map_err(wrong)
}
