//! What is sent to a tracking server, and what is said of it.

use std::{
    path::{Path, PathBuf},
    time::Duration,
};

use ::tracking::{Noted, Origin, Pending, Sent, Settings, Step, Subject, Tracking, TrackingError};
use artifact::{ErrorKind, Failure, Run};
use dataset::SourceUri;
use harness::RunConfig;
use registry::{Registry, RegistryError};
use serde_json::{Value, json};

use super::Probe;
use crate::{
    cli::Place,
    inspect::find_run,
    output::{note, print},
    registries,
};

/// What a run or a decision waits for the server at most, and before that for others who tell it something.
const LIMIT: Duration = Duration::from_secs(120);

/// Tells the server of a run that has ended, where one is named. Whatever happens is a remark: the run has its
/// own outcome.
pub fn after_run(place: &Place, run: &Path, failure: Option<&Failure>) {
    let name = run.file_name().unwrap_or_default().to_string_lossy();
    let failure = failure.map(ToString::to_string);
    tell(place, &Subject::Run(name.into_owned()), failure);
}

/// Tells the server which versions a model's aliases name now.
pub fn after_decision(place: &Place, model: &str) {
    tell(place, &Subject::Model(model.to_owned()), None);
}

/// Returns the server that the environment names.
fn settings() -> Option<Result<Settings, TrackingError>> {
    let settings = Settings::of_environment()?;
    #[cfg(feature = "s3")]
    let settings = settings.map(|settings| settings.with_buckets(connectors::bucket_of_others));
    Some(settings)
}

/// Tries the steps to the server that the environment names.
pub fn probe() -> Vec<Probe> {
    match settings() {
        None => Vec::new(),
        Some(Ok(settings)) => ::tracking::probe(&settings).into_iter().map(step).collect(),
        Some(Err(error)) => vec![Probe {
            check: "settings",
            outcome: Err(error.into()),
            is_doubtful: false,
        }],
    }
}

fn step(step: Step) -> Probe {
    Probe {
        check: step.check,
        outcome: step.outcome.map_err(Failure::from),
        is_doubtful: step.is_doubtful,
    }
}

fn tell(place: &Place, subject: &Subject, failure: Option<String>) {
    let Some(settings) = settings() else {
        return;
    };
    let origin = Origin::of_environment(failure);
    let mut noted = None;
    let sent = due(place, subject).and_then(|due| {
        let (root, kept) = (&due.root, due.registry.clone());
        // Where there is no room for a note, the server may have it all the same.
        noted = of(root).note(subject.clone(), kept, origin.clone()).err();
        let tracking = Tracking::new(root, registry_of(place, &due)?);
        Ok(tracking.send(&settings?.within(LIMIT), subject, &origin)?)
    });
    match sent {
        Ok(sent) => {
            sent.remarks.iter().for_each(|remark| note(remark));
            note(&format!("tracked: {}", sent.page));
        }
        Err(error) => note(&postponed(place, subject, &error, noted)),
    }
}

/// Says what becomes of something that was not sent.
fn postponed(
    place: &Place,
    subject: &Subject,
    error: &Failure,
    noted: Option<TrackingError>,
) -> String {
    let command = command(place);
    if of(&place.artifacts).is_pending(subject) {
        return format!("not tracked yet: {error}; nothing is lost: `{command}` sends it later");
    }
    let reason = noted.map_or(String::new(), |error| format!(" ({error})"));
    let what = match subject {
        Subject::Run(name) => name.clone(),
        Subject::Model(name) => format!("--model {name}"),
    };
    format!(
        "not tracked: {error}; nor was it noted{reason}: only `{command} {what}` sends it later"
    )
}

/// Finds where the registry of something is that is to be sent. A run keeps that itself.
fn due(place: &Place, subject: &Subject) -> Result<Due, Failure> {
    let root = &place.artifacts;
    let registry = match subject {
        Subject::Run(_) => None,
        Subject::Model(_) => {
            let used = registries::location(place.registry.as_ref(), None, root)?;
            registries::kept(&used, root)?
        }
    };
    Ok(Due {
        root: root.clone(),
        subject: subject.clone(),
        registry,
        origin: Origin::asked_for(),
    })
}

/// Returns the command that sends what is pending in a place.
fn command(place: &Place) -> String {
    let usual = Path::new("artifacts");
    match place.artifacts.as_path() {
        path if path == usual => "netsec tracking sync".to_owned(),
        path => format!("netsec tracking sync --artifacts {}", path.display()),
    }
}

/// Returns what knows what is pending, which lies beside the runs wherever the registry is.
fn of(root: &Path) -> Tracking {
    Tracking::new(root, Registry::local(root))
}

/// Something to be sent.
struct Due {
    /// The artifacts directory that it lies in.
    root: PathBuf,
    subject: Subject,
    /// Where the registry of a model is, unless it is beside the runs.
    registry: Option<SourceUri>,
    /// What is asked for now, of what somebody names.
    origin: Origin,
}

/// Opens the registry that a run or a decision was made with, unless a flag names another. The variable may mean
/// another one by now.
fn registry_of(place: &Place, due: &Due) -> Result<Registry, Failure> {
    let kept = match &due.subject {
        // Of a run that has gone, the tracking itself says so.
        Subject::Run(name) => RunConfig::of(&due.root.join(name))
            .and_then(|config| config.section("registry"))
            .unwrap_or_default(),
        Subject::Model(_) => due.registry.clone(),
    };
    let flag = place.registry.as_ref().filter(|_| has_flag());
    let location = registries::location(flag, kept.as_ref(), &due.root)?;
    registries::open(&location, &place.keys)
}

/// Returns whether it is the command line that names a registry.
fn has_flag() -> bool {
    std::env::args_os().any(|word| {
        let word = word.to_string_lossy();
        word == "--registry" || word.starts_with("--registry=")
    })
}

/// Lists what is pending, and fails when a note of it cannot be read.
pub fn status(place: &Place) -> Result<u8, Failure> {
    let Noted { pending, damaged } = of(&place.artifacts).pending()?;
    let server = settings().transpose()?;
    let server = server.as_ref().map(Settings::location);
    if place.json {
        let damaged: Vec<String> = damaged.iter().map(ToString::to_string).collect();
        let object = json!({"server": server, "pending": pending, "damaged": damaged});
        print(&object.to_string())?;
    } else {
        match &server {
            Some(location) => print(&format!("server {location}"))?,
            None => note("MLFLOW_TRACKING_URI names no server"),
        }
        if pending.is_empty() && damaged.is_empty() {
            print("nothing is pending")?;
        }
        pending.iter().try_for_each(|one| print(&line(one)))?;
    }
    joined(damaged.into_iter().map(Failure::from).collect())
}

/// Fails as the first of several failures does, with all that they say.
fn joined(failures: Vec<Failure>) -> Result<u8, Failure> {
    let Some(first) = failures.first() else {
        return Ok(0);
    };
    let said: Vec<String> = failures.iter().map(ToString::to_string).collect();
    Err(Failure::new(first.kind(), said.join("\n")))
}

fn line(pending: &Pending) -> String {
    let reason = pending.reason.as_deref().unwrap_or_default();
    let tried = match pending.attempts {
        0 => "not tried yet".to_owned(),
        1 => format!("tried once: {reason}"),
        n => format!("tried {n} times: {reason}"),
    };
    format!(
        "{}  since {}, {tried}",
        title(&pending.subject),
        pending.since
    )
}

fn title(subject: &Subject) -> String {
    match subject {
        Subject::Run(name) => format!("run {name}"),
        Subject::Model(name) => format!("aliases of {name}"),
    }
}

/// Sends what is pending, or runs and models that are named; goes on after one that is refused or whose note is damaged,
/// and ends at a server that does not answer.
pub fn sync(place: &Place, runs: &[PathBuf], models: &[String]) -> Result<u8, Failure> {
    let settings = settings().ok_or_else(|| {
        let message = "MLFLOW_TRACKING_URI names no server: set it to http://HOST:PORT";
        Failure::new(ErrorKind::Config, message)
    })??;
    let (all, damaged) = match (runs, models) {
        ([], []) => pending(place)?,
        _ => (named(place, runs, models)?, Vec::new()),
    };
    let mut told = Vec::new();
    let mut first = None;
    for due in &all {
        let (sent, is_silent) = send(place, &settings, due);
        told.push(tell_sent(place, &due.subject, &sent)?);
        if let Err(error) = sent {
            first.get_or_insert(error);
        }
        if is_silent {
            break;
        }
    }
    if place.json {
        let damaged = damaged.iter().map(|e| json!({"error": e.to_string()}));
        told.extend(damaged);
        print(&json!(told).to_string())?;
    } else if told.is_empty() && damaged.is_empty() {
        print("nothing is pending")?;
    }
    let left = |error: Failure| {
        let advice = "what is left: `netsec tracking status`";
        Failure::new(error.kind(), format!("{error}; {advice}"))
    };
    let damaged = damaged.into_iter().map(Failure::from);
    joined(first.map(left).into_iter().chain(damaged).collect())
}

/// Sends one; says as well whether the server does not answer at all.
fn send(place: &Place, settings: &Settings, due: &Due) -> (Result<Sent, Failure>, bool) {
    let registry = match registry_of(place, due) {
        Ok(registry) => registry,
        // The others may have registries that can be opened.
        Err(failure) => {
            let noted = of(&due.root).put_off(&due.subject, &failure.to_string());
            return (Err(noted.err().map_or(failure, Failure::from)), false);
        }
    };
    let sent = Tracking::new(&due.root, registry).send(settings, &due.subject, &due.origin);
    let is_silent = matches!(sent, Err(TrackingError::Unavailable { .. }));
    (sent.map_err(Failure::from), is_silent)
}

/// Returns what can be sent, and why the rest cannot.
fn pending(place: &Place) -> Result<(Vec<Due>, Vec<TrackingError>), Failure> {
    let Noted { pending, damaged } = of(&place.artifacts).pending()?;
    let due = |one: Pending| Due {
        root: place.artifacts.clone(),
        subject: one.subject,
        registry: one.registry,
        origin: Origin::default(),
    };
    Ok((pending.into_iter().map(due).collect(), damaged))
}

fn named(place: &Place, runs: &[PathBuf], models: &[String]) -> Result<Vec<Due>, Failure> {
    let runs = runs.iter().map(|run| named_run(place, run));
    let models = models.iter().map(|name| named_model(place, name));
    runs.chain(models).collect()
}

/// Returns what is due of a model, of one that there is: a note of another would stay for ever.
fn named_model(place: &Place, name: &str) -> Result<Due, Failure> {
    let due = due(place, &Subject::Model(name.to_owned()))?;
    // Of a registry that cannot be opened, sending says so.
    let known = registry_of(place, &due).map(|registry| registry.existing(name));
    match known {
        Ok(Err(unknown @ (RegistryError::NoModel { .. } | RegistryError::BadName { .. }))) => {
            Err(unknown.into())
        }
        _ => Ok(due),
    }
}

fn named_run(place: &Place, run: &Path) -> Result<Due, Failure> {
    let run = Run::open(&find_run(run, Some(&place.artifacts))?, 0)?;
    Ok(Due {
        root: run.root()?,
        subject: Subject::Run(run.name()),
        registry: None,
        origin: Origin::asked_for(),
    })
}

/// Says what came of one; returns the object for programs.
fn tell_sent(
    place: &Place,
    subject: &Subject,
    result: &Result<Sent, Failure>,
) -> Result<Value, Failure> {
    let mut object = json!({"subject": subject});
    match result {
        Err(error) => object["error"] = json!(error.to_string()),
        Ok(sent) => {
            object["page"] = json!(sent.page);
            object["remarks"] = json!(sent.remarks);
            object["requests"] = json!(sent.requests);
            if !place.json {
                sent.remarks.iter().for_each(|remark| note(remark));
                print(&format!("{}: {}", title(subject), sent.page))?;
            }
        }
    }
    Ok(object)
}
