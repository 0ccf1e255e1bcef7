//! `netsec models …`: the registry on the command line.

mod export;
mod integrity;
mod show;

use artifact::{Classified as _, ErrorKind, Failure, clock};
use clap::{Args, Subcommand};
use registry::{Entry, History, Registry, RegistryError, Seal};
use serde_json::{Value, json};

use crate::{
    cli::{Place, reason},
    output::{note, print},
    registries::registry,
    tracking,
};

#[derive(Subcommand)]
pub enum ModelsCommand {
    /// List the registered models
    List(Place),
    /// Show a model's champion, its evaluation and its versions
    Show(Named),
    /// Show what was promoted, declined and rolled back, and when
    History(HistoryArguments),
    /// Make a version the champion
    Promote(PromoteArguments),
    /// Make the former champion the champion again
    Rollback(RollbackArguments),
    /// Hash every file of every version again, and look at who signed what
    Verify(integrity::VerifyArguments),
    /// Take a version away for good: nobody loads it any more
    Withdraw(WithdrawArguments),
    /// Say of an entry of the history that nobody of you has made it: it does not count
    Disown(DisownArguments),
    /// Sign a version, or entries of the history, with the private key that --signing-key names
    Sign(integrity::SignArguments),
    /// Write a version to a file, for other runtimes or as it is
    Export(export::ExportArguments),
}

#[derive(Args)]
pub struct Named {
    /// Name of the model
    name: String,
    #[command(flatten)]
    place: Place,
}

#[derive(Args)]
pub struct HistoryArguments {
    #[command(flatten)]
    model: Named,
    /// Show only what served at this time: 2026-02-03T10:11:12Z or 2026-02-03
    #[arg(long, value_name = "TIME")]
    at: Option<String>,
}

#[derive(Args)]
pub struct PromoteArguments {
    #[command(flatten)]
    model: Named,
    /// Version
    #[arg(long, value_name = "N")]
    version: u64,
    /// Promote a version that was declined; needs --why
    #[arg(long, requires = "why")]
    force: bool,
    /// Why; recorded in the history
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    why: Option<String>,
}

#[derive(Args)]
pub struct RollbackArguments {
    #[command(flatten)]
    model: Named,
    /// Version to go back to; the champion before the present one by default
    #[arg(long, value_name = "N")]
    to: Option<u64>,
    /// Why; recorded in the history
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    why: Option<String>,
}

#[derive(Args)]
pub struct WithdrawArguments {
    #[command(flatten)]
    model: Named,
    /// Version
    #[arg(long, value_name = "N")]
    version: u64,
    /// Why; recorded in the history
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    why: String,
}

#[derive(Args)]
pub struct DisownArguments {
    #[command(flatten)]
    model: Named,
    /// Number of the entry, as `netsec models history` shows it
    #[arg(long, value_name = "N")]
    entry: u64,
    /// Why; recorded in the history
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    why: String,
}

/// Carries out a command on the registry.
pub fn run(command: &ModelsCommand) -> Result<u8, Failure> {
    match command {
        ModelsCommand::List(place) => list(place),
        ModelsCommand::Show(model) => show::run(model),
        ModelsCommand::History(arguments) => history(arguments),
        ModelsCommand::Promote(a) => {
            let (registry, why) = (registry(&a.model.place)?, a.why.as_deref());
            let done = registry.promote(&a.model.name, a.version, why, a.force, clock::now())?;
            decided(&a.model, done)
        }
        ModelsCommand::Rollback(a) => {
            let registry = registry(&a.model.place)?;
            let done = registry.roll_back(&a.model.name, a.to, a.why.as_deref(), clock::now())?;
            decided(&a.model, done)
        }
        ModelsCommand::Withdraw(a) => {
            let registry = registry(&a.model.place)?;
            let done = registry.withdraw(&a.model.name, a.version, &a.why, clock::now())?;
            decided(&a.model, done)
        }
        ModelsCommand::Disown(a) => {
            let registry = registry(&a.model.place)?;
            let done = registry.disown(&a.model.name, a.entry, &a.why, clock::now())?;
            decided(&a.model, done)
        }
        ModelsCommand::Verify(arguments) => integrity::verify(arguments),
        ModelsCommand::Sign(arguments) => integrity::sign(arguments),
        ModelsCommand::Export(arguments) => export::run(arguments),
    }?;
    Ok(0)
}

/// Tells a decision, here and to the tracking server.
fn decided(model: &Named, entry: Entry) -> Result<(), Failure> {
    tell(&model.place, &[entry])?;
    tracking::after_decision(&model.place, &model.name);
    Ok(())
}

/// Lists every model, and then fails for those that are damaged, or whose champion nobody loads who trusts the same keys.
fn list(place: &Place) -> Result<(), Failure> {
    let registry = registry(place)?;
    let names = registry.names()?;
    let mut damaged = Vec::new();
    let mut models = Vec::new();
    for name in &names {
        match registry.history(name) {
            Ok(history) => {
                let refused = registry.check_champion(name, &history).err();
                damaged.extend(registry.lacking(name, &history)?);
                models.push((name, history, refused.is_none()));
                damaged.extend(refused);
            }
            Err(error) => damaged.push(error),
        }
    }
    if place.json {
        let mut objects = Vec::new();
        for (name, history, is_vouched) in &models {
            let challenger = match is_vouched {
                true => challenger(&registry, name, history)?,
                false => None,
            };
            objects.push(to_json(name, history, *is_vouched, challenger));
        }
        print(&json!(objects).to_string())?;
    } else if names.is_empty() {
        let location = registry.location();
        print(&format!(
            "no models in {location} yet: `netsec run` trains one"
        ))?;
    } else {
        for (name, history, is_vouched) in &models {
            let champion = match history.champion() {
                _ if !is_vouched => "no champion that is signed by a trusted key".to_owned(),
                None => "no champion".to_owned(),
                Some(champion) => line(champion),
            };
            let n = history.versions().len();
            print(&format!("{name}: {n} versions; {champion}"))?;
        }
    }
    refuse(damaged)
}

/// Returns the challenger; one that nobody has signed who is trusted is a remark.
fn challenger<'a>(
    registry: &Registry,
    name: &str,
    history: &'a History,
) -> Result<Option<&'a Entry>, RegistryError> {
    match registry.challenger(name, history) {
        Err(unsigned @ RegistryError::Untrusted { .. }) => {
            note(&format!("`{name}`: no challenger is named: {unsigned}"));
            Ok(None)
        }
        challenger => challenger,
    }
}

fn to_json(name: &str, history: &History, is_vouched: bool, challenger: Option<&Entry>) -> Value {
    json!({
        "name": name,
        "versions": history.versions().len(),
        "champion": history.champion().filter(|_| is_vouched),
        "challenger": challenger,
    })
}

/// Fails when something of a model is damaged, with all that is.
fn refuse(damaged: Vec<RegistryError>) -> Result<(), Failure> {
    let Some(first) = damaged.first() else {
        return Ok(());
    };
    let messages: Vec<String> = damaged.iter().map(ToString::to_string).collect();
    Err(Failure::new(first.kind(), messages.join("\n")))
}

fn history(arguments: &HistoryArguments) -> Result<(), Failure> {
    let model = &arguments.model;
    let registry = registry(&model.place)?;
    let history = registry.existing(&model.name)?;
    let Some(at) = &arguments.at else {
        tell_all(model, &registry, &history)?;
        return refuse(registry.lacking(&model.name, &history)?);
    };
    let moment = clock::parse(at).map_err(|e| Failure::new(ErrorKind::Usage, e))?;
    match registry.champion_at(&model.name, &history, moment)? {
        Some(entry) => tell(&model.place, std::slice::from_ref(entry)),
        None => {
            let message = format!("`{}` had no champion at {at}", model.name);
            Err(Failure::new(ErrorKind::Usage, message))
        }
    }
}

/// Tells every entry, with which do not count, which nobody has signed who is trusted, and which stand behind another
/// entry than they were written behind.
fn tell_all(model: &Named, registry: &Registry, history: &History) -> Result<(), Failure> {
    let mut told = Vec::new();
    for entry in history.entries() {
        let seal = match registry.trusts() {
            true => Some(registry.entry_seal(&model.name, entry)?),
            false => None,
        };
        told.push((entry, seal));
    }
    let out_of_place = history.first_out_of_place();
    if model.place.json {
        let entries = told.iter().map(|(entry, seal)| {
            let mut object = json!(entry);
            if let Some(by) = history.disowned_by(entry.sequence) {
                object["disowned_by"] = json!(by);
            }
            if let Some(seal) = seal {
                object["seal"] = json!(seal);
            }
            if out_of_place == Some(*entry) {
                object["out_of_place"] = json!(true);
            }
            object
        });
        return print(&json!(entries.collect::<Vec<_>>()).to_string());
    }
    told.iter().try_for_each(|(entry, seal)| {
        let number = entry.sequence;
        let mark = match (history.disowned_by(number), seal) {
            (Some(by), _) => format!("; disowned by entry {by}"),
            (None, None | Some(Seal::Trusted(_))) => String::new(),
            (None, Some(seal)) => format!("; {seal}"),
        };
        let place = match out_of_place == Some(*entry) {
            true => "; written behind another entry than the one before it",
            false => "",
        };
        let line = line(entry);
        print(&format!("{number:>3}  {line}{mark}{place}"))
    })
}

fn tell(place: &Place, entries: &[Entry]) -> Result<(), Failure> {
    if place.json {
        return print(&json!(entries).to_string());
    }
    entries.iter().try_for_each(|entry| print(&line(entry)))
}

fn line(entry: &Entry) -> String {
    let mut text = format!("{} {} ({})", entry.at, entry.deed(), entry.bundle.short());
    if let Some(why) = &entry.why {
        text += &format!(", because: {why}");
    }
    if !entry.reasons.is_empty() {
        text += &format!("; {}", entry.reasons.join("; "));
    }
    text
}
