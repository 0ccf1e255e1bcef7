//! Models' histories as requests read them: within a time, once in the log, and not mistaken for none.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::{rt::time::timeout, web::Data};
use registry::{History, RegistryError};
use tokio::sync::Semaphore;

use super::{Service, blocking};
use crate::problem::Problem;

/// How long a request waits for what the registry holds: a file system on a network may never answer.
pub const READING: Duration = Duration::from_secs(5);
/// How long it waits for what changes the registry or loads a bundle.
pub const CHANGING: Duration = Duration::from_secs(60);
/// Requests that ask the registry at a time: so many threads at most are lost to one that does not answer.
const AT_A_TIME: usize = 8;
/// Models of which the log is known to have said something.
const MOST_SAID: usize = 100;

/// How requests reach the registry.
pub struct Histories {
    turns: Arc<Semaphore>,
    /// What the log has said last of a model's history, so that it does not say it for every request.
    said: Mutex<BTreeMap<String, String>>,
}

impl Default for Histories {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_A_TIME)),
            said: Mutex::default(),
        }
    }
}

/// Asks the registry on another thread.
///
/// # Errors
/// Those of `ask`; status 503 when it takes longer than this.
pub async fn asked<T: Send + 'static>(
    service: &Data<Service>,
    most: Duration,
    ask: impl FnOnce(&Service) -> Result<T, Problem> + Send + 'static,
) -> Result<T, Problem> {
    let (shared, turns) = (Data::clone(service), Arc::clone(&service.histories.turns));
    let answered = async {
        let turn = turns.acquire_owned().await;
        let asking = move || {
            // Held to the end of the work, also when nobody waits for it any more.
            let _turn = turn;
            ask(&shared)
        };
        blocking(asking).await
    };
    let answer = timeout(most, answered).await;
    answer.unwrap_or_else(|_| Err(silent(most)))
}

fn silent(time: Duration) -> Problem {
    let seconds = time.as_secs();
    Problem::unavailable(format!(
        "the registry has not answered within {seconds} seconds: try again later; what was asked of it may be done \
         all the same"
    ))
}

/// Reads the history of a model that must exist.
///
/// # Errors
/// Status 404 when there is no such model, 503 when its history cannot be read.
pub fn read(service: &Service, name: &str) -> Result<History, Problem> {
    match service.serving.registry().existing(name) {
        Ok(history) => {
            service.histories.said().remove(name);
            Ok(history)
        }
        // While the registry is away, it holds no model at all.
        Err(RegistryError::NoModel { .. }) if names(service).is_err() => Err(away()),
        Err(error) => Err(service.histories.explain(name, &error)),
    }
}

/// Checks that the champion of a history is one that this service would take up, as far as signatures go.
///
/// # Errors
/// Status 503 when somebody has written into the history who is not trusted.
pub fn check_champion(service: &Service, name: &str, history: &History) -> Result<(), Problem> {
    let checked = service.serving.registry().check_champion(name, history);
    checked.map_err(|error| service.histories.explain(name, &error))
}

/// Returns the challenger's version, unless nobody has signed it whom this service trusts.
///
/// # Errors
/// Status 503 when the registry cannot be read.
pub fn challenger(
    service: &Service,
    name: &str,
    history: &History,
) -> Result<Option<u64>, Problem> {
    match service.serving.registry().challenger(name, history) {
        Err(RegistryError::Untrusted { .. }) => Ok(None),
        Ok(challenger) => Ok(challenger.map(|entry| entry.version)),
        Err(error) => Err(service.histories.explain(name, &error)),
    }
}

/// Returns the names of all models.
///
/// # Errors
/// Status 503 when the registry cannot be read, or does not show the model that serves.
pub fn names(service: &Service) -> Result<Vec<String>, Problem> {
    let names = service.serving.registry().names();
    let names = names.map_err(|e| service.histories.explain_all(&e))?;
    service.histories.said().remove("");
    let serving = service.serving.current();
    match &*serving {
        Some(detector) if !names.contains(&detector.name) => Err(away()),
        _ => Ok(names),
    }
}

fn away() -> Problem {
    Problem::unavailable(
        "the registry does not show the model that serves: it is away at present, or was emptied; try again later",
    )
}

impl Histories {
    /// Says that no model can be told of.
    fn explain_all(&self, error: &RegistryError) -> Problem {
        if self.is_news("", error.to_string()) {
            tracing::error!(%error, "registry cannot be read");
        }
        Problem::unavailable("the registry cannot be read at present: try again later")
    }

    /// Says that the history of a model cannot be read: to the caller which file it is, to the log the rest.
    fn explain(&self, name: &str, error: &RegistryError) -> Problem {
        if !matches!(
            error,
            RegistryError::Damaged { .. }
                | RegistryError::Blob(_)
                | RegistryError::Untrusted { .. }
        ) {
            return of_registry(error);
        }
        if self.is_news(name, error.to_string()) {
            tracing::error!(model = name, %error, "history cannot be read");
        }
        Problem::unavailable(unreadable(name, error))
    }

    fn is_news(&self, name: &str, text: String) -> bool {
        let mut said = self.said();
        if said.get(name) == Some(&text) {
            return false;
        }
        if said.len() >= MOST_SAID {
            said.clear();
        }
        said.insert(name.to_owned(), text);
        true
    }

    fn said(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.said.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Says what went wrong with the registry: absences to the caller, everything else to the log.
fn of_registry(error: &RegistryError) -> Problem {
    match error {
        RegistryError::BadName { .. }
        | RegistryError::NoModel { .. }
        | RegistryError::NoVersion { .. } => Problem::not_found(error.to_string()),
        _ => Problem::internal(error),
    }
}

fn unreadable(name: &str, error: &RegistryError) -> String {
    let cause = match error {
        // Without the reason, which may quote the file, and the place on this machine.
        RegistryError::Damaged { key, .. } => {
            format!("`{key}` in the registry is damaged, missing, or no entry of it")
        }
        RegistryError::Untrusted { .. } => {
            return format!(
                "what the history of `{name}` says of its champion is not signed by a key that this service trusts; \
                 `netsec models verify` says more"
            );
        }
        _ => "the registry does not give it".to_owned(),
    };
    format!(
        "the history of `{name}` cannot be read: {cause}; `netsec models list` says why and what to do"
    )
}
