//! `netsec models verify` and `sign`: whether versions are what was registered, and who vouches for them.

use artifact::{ErrorKind, Failure};
use clap::Args;
use registry::{Registry, VersionCheck};
use serde_json::json;

use super::Named;
use crate::{cli::Place, output::print, registries::registry};

#[derive(Args)]
pub struct VerifyArguments {
    /// Name of the model; all models by default
    name: Option<String>,
    /// Version; all versions by default
    #[arg(long, value_name = "N", requires = "name")]
    version: Option<u64>,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub struct SignArguments {
    #[command(flatten)]
    model: Named,
    /// Version; the champion by default
    #[arg(long, value_name = "N")]
    version: Option<u64>,
    /// Sign again every version that is signed, as when a key takes over from another
    #[arg(long, conflicts_with = "version")]
    all: bool,
}

/// Hashes what versions consist of, and fails when something is not as it was registered.
pub fn verify(arguments: &VerifyArguments) -> Result<(), Failure> {
    let registry = registry(&arguments.place)?;
    let names = match &arguments.name {
        Some(name) => vec![name.clone()],
        None => registry.names()?,
    };
    let mut checked = Vec::new();
    let mut unread = Vec::new();
    for name in &names {
        match registry.verify(name, arguments.version) {
            Ok(checks) => checked.push((name, checks)),
            Err(error) if arguments.name.is_some() => return Err(error.into()),
            Err(error) => unread.push(error.to_string()),
        }
    }
    if arguments.place.json {
        let models = checked
            .iter()
            .map(|(name, checks)| json!({"name": name, "versions": checks}));
        print(&json!(models.collect::<Vec<_>>()).to_string())?;
    } else if names.is_empty() {
        print(&format!(
            "no models in {} yet: `netsec run` trains one",
            registry.location()
        ))?;
    } else {
        for (name, checks) in &checked {
            checks
                .iter()
                .try_for_each(|check| print(&line(name, check)))?;
        }
    }
    let problems = checked.iter().flat_map(|(_, checks)| checks);
    let problems = problems.flat_map(|check| check.problems.iter().cloned());
    refuse(unread.into_iter().chain(problems).collect())
}

fn line(name: &str, check: &VersionCheck) -> String {
    let VersionCheck {
        version,
        bundle,
        bytes,
        seal,
        problems,
        ..
    } = check;
    let state = if problems.is_empty() {
        format!("{bytes} bytes are as they were registered")
    } else {
        format!("NOT as it was registered: {}", problems.join("; "))
    };
    format!(
        "{name} version {version} ({}) {seal}; {state}",
        bundle.short()
    )
}

fn refuse(problems: Vec<String>) -> Result<(), Failure> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::new(ErrorKind::Rejected, problems.join("\n")))
}

/// Signs versions once all their bytes have been hashed.
pub fn sign(arguments: &SignArguments) -> Result<(), Failure> {
    let (name, place) = (&arguments.model.name, &arguments.model.place);
    let registry = registry(place)?;
    let Some(key) = registry.signer() else {
        return Err(Failure::new(
            ErrorKind::Usage,
            "no key to sign with: give --signing-key FILE or NETSEC_SIGNING_KEY; `openssl genpkey -algorithm \
             ed25519 -out FILE` makes one"
                .to_owned(),
        ));
    };
    let mut signed = Vec::new();
    for entry in entries(&registry, arguments)? {
        registry.seal(name, &entry)?;
        signed.push(entry.version);
    }
    if place.json {
        return print(&json!({"model": name, "versions": signed, "key": key}).to_string());
    }
    signed
        .iter()
        .try_for_each(|version| print(&format!("{name} version {version} is signed by {key}")))
}

fn entries(
    registry: &Registry,
    arguments: &SignArguments,
) -> Result<Vec<registry::Entry>, Failure> {
    let name = &arguments.model.name;
    if !arguments.all {
        return Ok(vec![registry.entry(name, arguments.version)?]);
    }
    let mut signed = Vec::new();
    for entry in registry.existing(name)?.entries() {
        // One whose signature was taken away stays without.
        if registry.is_signed(name, entry)? {
            signed.push(entry.clone());
        }
    }
    Ok(signed)
}
