//! `netsec models verify` and `sign`: whether versions are what was registered, and who vouches for them.

use artifact::{ErrorKind, Failure};
use clap::Args;
use registry::{Chosen, Seal, Signed, VersionCheck};
use serde_json::json;

use super::Named;
use crate::{
    cli::Place,
    output::{note, print},
    registries::registry,
};

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
    /// Sign the manifest of this version: that it is what it was registered as
    #[arg(long, value_name = "N", required_unless_present_any = ["entries", "all"])]
    version: Option<u64>,
    /// Sign this entry of the history, as `netsec models history` numbers it: that it is one of your decisions;
    /// repeatable
    #[arg(long = "entry", value_name = "N")]
    entries: Vec<u64>,
    /// Sign again all that a trusted key has signed, as when a key takes over from another
    #[arg(long, conflicts_with_all = ["version", "entries"])]
    all: bool,
}

/// Hashes what versions consist of, and fails when something is not as it was registered.
pub fn verify(arguments: &VerifyArguments) -> Result<(), Failure> {
    let registry = registry(&arguments.place)?;
    let names = match &arguments.name {
        Some(name) => vec![name.clone()],
        None => registry.names()?,
    };
    if names.is_empty() {
        let location = registry.location();
        let message =
            format!("no models in {location}, so that nothing is verified: is it the right place?");
        return Err(Failure::new(ErrorKind::Usage, message));
    }
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
    } else {
        for (name, checks) in &checked {
            checks
                .iter()
                .try_for_each(|check| print(&line(name, check)))?;
        }
    }
    let mut checks = checked.iter().flat_map(|(_, checks)| checks);
    if checks.any(|check| !check.doubts.is_empty()) {
        note(WHAT_TO_DO);
    }
    let problems = checked.iter().flat_map(|(_, checks)| checks);
    let problems = problems.flat_map(|check| check.problems.iter().chain(&check.doubts).cloned());
    refuse(unread.into_iter().chain(problems).collect())
}

/// What is done about what nobody has signed who is trusted.
const WHAT_TO_DO: &str = "what is not signed: `netsec models sign NAME` signs with --version N what was looked at, and \
                          with --entry N what one of you has decided; `netsec models withdraw NAME --version N --why \
                          TEXT` and `netsec models disown NAME --entry N --why TEXT` say that the rest does not count";

fn line(name: &str, check: &VersionCheck) -> String {
    let VersionCheck {
        version,
        bundle,
        bytes,
        seal,
        problems,
        doubts,
        withdrawn,
        loadable,
        disowned,
        unasked,
        ..
    } = check;
    let listed = |numbers: &[u64]| {
        let numbers: Vec<String> = numbers.iter().map(u64::to_string).collect();
        numbers.join(", ")
    };
    let standing = match withdrawn {
        Some(why) => format!("was withdrawn ({why})"),
        None if loadable.is_empty() => {
            format!("as it stands in entry {} is disowned", listed(disowned))
        }
        None => seal.to_string(),
    };
    let state = match (problems.is_empty(), doubts.is_empty(), seal) {
        (false, ..) => format!("NOT as it was registered: {}", problems.join("; ")),
        (_, false, _) if loadable.is_empty() => {
            format!("nobody loads it, but {}", doubts.join("; "))
        }
        (_, false, _) => format!("{bytes} bytes are whole, but {}", doubts.join("; ")),
        _ if !unasked.is_empty() => {
            let unasked = listed(unasked);
            format!("nobody loads it, nor asks who has signed entry {unasked}")
        }
        _ if loadable.is_empty() => "nobody loads it".to_owned(),
        (.., Seal::Trusted(_)) => format!("{bytes} bytes are as they were registered"),
        _ => format!("{bytes} bytes are what the history says"),
    };
    format!(
        "{name} version {version} ({}) {standing}; {state}",
        bundle.short()
    )
}

fn refuse(problems: Vec<String>) -> Result<(), Failure> {
    if problems.is_empty() {
        return Ok(());
    }
    Err(Failure::new(ErrorKind::Rejected, problems.join("\n")))
}

/// Signs what was chosen of versions once all their bytes have been hashed, and fails when something is not to be signed.
pub fn sign(arguments: &SignArguments) -> Result<(), Failure> {
    let (name, place) = (&arguments.model.name, &arguments.model.place);
    let registry = registry(place)?;
    let Some(key) = registry.signing_key() else {
        return Err(Failure::new(
            ErrorKind::Usage,
            "no key to sign with: give --signing-key FILE or NETSEC_SIGNING_KEY; `openssl genpkey -algorithm \
             ed25519 -out FILE` makes one"
                .to_owned(),
        ));
    };
    if arguments.all && !registry.trusts() {
        let message = "--all signs again what a trusted key has signed: give those keys with --trusted-keys FILE or \
                       NETSEC_TRUSTED_KEYS";
        return Err(Failure::new(ErrorKind::Usage, message));
    }
    let signed = match arguments.all {
        true => registry.sign_again(&key, name)?,
        false => registry.sign(&key, name, &arguments.chosen())?,
    };
    if place.json {
        print(&json!({"model": name, "versions": signed, "key": key.name()}).to_string())?;
    } else {
        for version in &signed {
            tell(name, version, &key.name())?;
        }
    }
    let refused = signed.iter().flat_map(|version| version.refused.iter());
    refuse(refused.cloned().collect())
}

impl SignArguments {
    fn chosen(&self) -> Chosen {
        Chosen {
            version: self.version,
            entries: self.entries.iter().copied().collect(),
        }
    }
}

fn tell(name: &str, signed: &Signed, key: &str) -> Result<(), Failure> {
    let version = signed.version;
    for evaluation in &signed.evaluations {
        let evaluation = evaluation.short();
        print(&format!(
            "{name} version {version} is signed by {key}, with its evaluation {evaluation}"
        ))?;
    }
    for title in signed.entries.values() {
        print(&format!("{name}: {title} is signed by {key}"))?;
    }
    let left = signed.left.iter();
    left.for_each(|what| note(&format!("{name}: {what}, and stays so")));
    if !signed.left.is_empty() {
        note(&format!(
            "{name}: what one of you has decided is signed by `netsec models sign {name} --entry N`; what nobody has, \
             `netsec models disown {name} --entry N --why TEXT` says so"
        ));
    }
    Ok(())
}
