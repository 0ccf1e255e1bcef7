//! Which model serves: the champion that was last loaded and found sound, swapped by pointer.

use std::sync::{
    Arc, Mutex, PoisonError,
    atomic::{AtomicU64, Ordering::Relaxed},
};

use arc_swap::{ArcSwapOption, Guard};
use registry::{Entry, Registry, RegistryError};

use crate::{detector::Detector, diagnosis::Diagnosis};

/// Names that are served when none is asked for, the first that has a champion.
const USUAL_NAMES: [&str; 2] = ["phishing", "phishing-simulated"];

/// The place of the model that serves.
pub struct Serving {
    registry: Registry,
    wanted: Option<String>,
    current: ArcSwapOption<Detector>,
    /// What the last look has found wrong; read by requests while another look may take its time.
    diagnosis: ArcSwapOption<Diagnosis>,
    /// Held while a candidate is loaded, so that two of them do not overtake each other.
    loading: Mutex<Loading>,
    taken_up: AtomicU64,
    refused: AtomicU64,
}

/// What was learned from looking at the registry.
#[derive(Debug, Default)]
struct Loading {
    /// What the log has said last, so that it does not say it every time.
    last_said: String,
}

/// What came of looking at the registry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reload {
    /// The champion serves already.
    Unchanged,
    /// The champion was loaded and serves from now on.
    Swapped,
}

impl Serving {
    /// Makes the place; nothing is loaded yet.
    pub fn new(registry: Registry, wanted: Option<String>) -> Self {
        Self {
            registry,
            wanted,
            current: ArcSwapOption::empty(),
            diagnosis: ArcSwapOption::from_pointee(Diagnosis::unseen()),
            loading: Mutex::default(),
            taken_up: AtomicU64::new(0),
            refused: AtomicU64::new(0),
        }
    }

    /// Returns the model that serves; a request keeps it to its end, whatever is swapped meanwhile.
    pub fn current(&self) -> Guard<Option<Arc<Detector>>> {
        self.current.load()
    }

    /// Returns what is wrong with the registry, as far as the last look has shown it.
    pub fn diagnosis(&self) -> Guard<Option<Arc<Diagnosis>>> {
        self.diagnosis.load()
    }

    /// Returns how many champions were taken up, and how many looks found no sound one.
    pub fn reloads(&self) -> [&AtomicU64; 2] {
        [&self.taken_up, &self.refused]
    }

    /// Returns the registry.
    pub fn registry(&self) -> &Registry {
        &self.registry
    }

    /// Takes up the champion, if it is another one than serves; otherwise, and when the candidate is
    /// refused, what serves goes on serving.
    ///
    /// # Errors
    /// Why the candidate is refused or the registry cannot be read.
    pub fn reload(&self) -> Result<Reload, RegistryError> {
        let mut loading = self.loading.lock().unwrap_or_else(PoisonError::into_inner);
        let result = self.take_up();
        let diagnosis = result.as_ref().err().map(Diagnosis::of);
        self.diagnosis.store(diagnosis.map(Arc::new));
        let said = match &result {
            Ok(Reload::Unchanged) => String::new(),
            Ok(Reload::Swapped) => "swapped".to_owned(),
            Err(error) => error.to_string(),
        };
        match &result {
            Ok(Reload::Unchanged) => {}
            Ok(Reload::Swapped) => add_one(&self.taken_up),
            Err(_) => add_one(&self.refused),
        }
        if let (Err(error), true) = (&result, said != loading.last_said) {
            let serving = self.current().as_ref().map(|d| d.entry.version);
            tracing::warn!(%error, ?serving, "no champion taken up");
        }
        loading.last_said = said;
        result
    }

    fn take_up(&self) -> Result<Reload, RegistryError> {
        let (name, entry) = self.champion()?;
        let current = self.current.load();
        let is_same = |d: &Arc<Detector>| {
            d.name == name && (d.entry.version, d.entry.bundle) == (entry.version, entry.bundle)
        };
        if current.as_ref().is_some_and(is_same) {
            return Ok(Reload::Unchanged);
        }
        let detector = Detector::load(&self.registry, &name, &entry)?;
        tracing::info!(model = %name, version = entry.version, "champion taken up");
        self.current.store(Some(Arc::new(detector)));
        Ok(Reload::Swapped)
    }

    /// Finds the champion to serve. Once a model serves, its name stays.
    fn champion(&self) -> Result<(String, Entry), RegistryError> {
        let current = self.current().as_ref().map(|d| d.name.clone());
        let is_serving = current.is_some();
        if let Some(name) = current.or_else(|| self.wanted.clone()) {
            return match self.registry.entry(&name, None) {
                Ok(entry) => Ok((name, entry)),
                // A disk that is not mounted looks like that.
                Err(RegistryError::NoModel { .. }) if is_serving => {
                    Err(RegistryError::Vanished { name })
                }
                Err(error) => Err(error),
            };
        }
        let known = self.registry.names()?;
        let usual = USUAL_NAMES
            .into_iter()
            .filter(|name| known.iter().any(|k| k == name));
        let mut found = Err(RegistryError::NoModel {
            name: USUAL_NAMES[0].to_owned(),
            known: known.clone(),
        });
        for name in usual.chain(only(&known)) {
            match self.registry.entry(name, None) {
                Ok(entry) => return Ok((name.to_owned(), entry)),
                Err(error) if error.is_absence() => found = Err(error),
                // A simulated model does not take the place of a real one that is damaged.
                Err(error) => return Err(error),
            }
        }
        found
    }
}

fn only(names: &[String]) -> Option<&str> {
    match names {
        [name] => Some(name),
        _ => None,
    }
}

fn add_one(counter: &AtomicU64) {
    counter.fetch_add(1, Relaxed);
}
