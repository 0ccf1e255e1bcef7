//! Configuration in layers: flag over environment over file over default.

use std::path::Path;

use artifact::{
    ErrorKind, Failure, Stage, StoreError, read_bounded,
    yaml::{self, Value},
};
use serde::{Serialize, de::DeserializeOwned};

/// The prefix of environment variables that set configuration keys: `NETSEC__TRAINING__FOLDS=3` sets
/// `training.folds`.
const ENVIRONMENT_PREFIX: &str = "NETSEC__";
/// The environment variable that sets the configuration's `source`, secrets included.
pub const SOURCE_VARIABLE: &str = "NETSEC__SOURCE";
/// The environment variable that sets the configuration's `holdout`, secrets included.
pub const HOLDOUT_VARIABLE: &str = "NETSEC__HOLDOUT";
const MAX_FILE_BYTES: u64 = 16 << 20;

/// Builds a configuration from its default, a file, the environment and `key=value` settings.
///
/// # Errors
/// [`ErrorKind::Config`] with the nearest known key when one is unknown, with the value that does not
/// fit, or when the file cannot be read.
pub fn load<C: Serialize + DeserializeOwned + Default>(
    file: Option<&Path>,
    settings: &[String],
) -> Result<C, Failure> {
    let bad = |reason: String| Failure::new(ErrorKind::Config, reason);
    let mut document = yaml::to_value(&C::default()).map_err(bad)?;
    if let Some(path) = file {
        let layer =
            parse_layer::<C>(&read(path)?).map_err(|e| bad(format!("{}: {e}", path.display())))?;
        yaml::merge(&mut document, layer);
    }
    for (key, value) in environment() {
        set::<C>(&mut document, &key, &value)
            .map_err(|e| bad(format!("environment variable for `{key}`: {e}")))?;
    }
    for setting in settings {
        let (key, value) = setting.split_once('=').ok_or_else(|| {
            Failure::new(
                ErrorKind::Usage,
                format!("`--set {setting}`: write key=value"),
            )
        })?;
        set::<C>(&mut document, key.trim(), value).map_err(|e| bad(format!("--set {key}: {e}")))?;
    }
    yaml::from_value(document).map_err(|e| bad(format!("configuration: {e}")))
}

/// The configuration that a run directory keeps: what the run was made with, whatever the environment
/// says today.
#[derive(Debug)]
pub struct RunConfig {
    document: Value,
}

impl RunConfig {
    /// Reads the `config.yaml` of a run directory.
    ///
    /// # Errors
    /// [`StoreError::NotARun`] when there is none, [`ErrorKind::Config`] when it does not parse.
    pub fn of(directory: &Path) -> Result<Self, Failure> {
        let path = directory.join("config.yaml");
        if !path.is_file() {
            return Err(StoreError::NotARun(directory.to_owned()).into());
        }
        yaml::parse(&read(&path)?)
            .map(|document| Self { document })
            .map_err(|e| Failure::new(ErrorKind::Config, format!("{}: {e}", path.display())))
    }

    /// Returns one of its keys.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when the key is not there or holds something else.
    pub fn section<C: DeserializeOwned>(&self, key: &str) -> Result<C, Failure> {
        let value = self.document.get(key).cloned().unwrap_or_default();
        yaml::from_value(value).map_err(|e| {
            Failure::new(
                ErrorKind::Config,
                format!("the run's config.yaml, {key}: {e}"),
            )
        })
    }

    /// Returns the section of a stage.
    ///
    /// # Errors
    /// As [`RunConfig::section`].
    pub fn of_stage<S: Stage>(&self) -> Result<S::Config, Failure> {
        self.section(S::NAME)
    }

    /// Returns all of it.
    ///
    /// # Errors
    /// [`ErrorKind::Config`] when it is not of this type.
    pub fn whole<C: DeserializeOwned>(&self) -> Result<C, Failure> {
        yaml::from_value(self.document.clone())
            .map_err(|e| Failure::new(ErrorKind::Config, format!("the run's config.yaml: {e}")))
    }
}

/// Loads `.env` from the working directory or above, without overriding what is set already.
///
/// # Errors
/// [`ErrorKind::Config`] when the file is there but does not parse; its content is not shown.
pub fn load_dotenv() -> Result<(), Failure> {
    match dotenvy::dotenv() {
        Err(dotenvy::Error::LineParse(_, at)) => Err(Failure::new(
            ErrorKind::Config,
            format!(".env: the line with its fault at character {at} is not NAME=value"),
        )),
        _ => Ok(()),
    }
}

fn read(path: &Path) -> Result<String, Failure> {
    let bytes = read_bounded(path, MAX_FILE_BYTES)
        .map_err(|e| Failure::new(ErrorKind::Config, e.to_string()))?;
    String::from_utf8(bytes).map_err(|_| {
        Failure::new(
            ErrorKind::Config,
            format!("{} is not UTF-8", path.display()),
        )
    })
}

/// Parses a file, checking its own keys against the type so that the message has line and column.
fn parse_layer<C: DeserializeOwned>(text: &str) -> Result<Value, String> {
    let layer: Value = yaml::parse(text)?;
    if !layer.is_null() {
        yaml::parse::<C>(text)?;
    }
    Ok(layer)
}

/// Sets one key and checks the whole, so that the message can name the key at fault.
fn set<C: DeserializeOwned>(document: &mut Value, key: &str, text: &str) -> Result<(), String> {
    let elsewhere = path_of(document, key);
    yaml::set(document, key, text)?;
    let checked = yaml::from_value::<C>(document.clone()).map(|_| ());
    checked.map_err(|problem| match elsewhere {
        Some(path) if problem.contains("unknown field") => {
            format!("{problem}; did you mean `{path}`?")
        }
        _ => problem,
    })
}

/// Returns where below a section a key stands that was written without one.
fn path_of(document: &Value, key: &str) -> Option<String> {
    let sections = document.as_mapping()?;
    if sections.contains_key(key) {
        return None;
    }
    sections.iter().find_map(|(name, section)| {
        let name = name.as_str()?;
        let path = match section.as_mapping()?.contains_key(key) {
            true => key.to_owned(),
            false => path_of(section, key)?,
        };
        Some(format!("{name}.{path}"))
    })
}

fn environment() -> Vec<(String, String)> {
    let mut found: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| {
            let key = name.to_str()?.strip_prefix(ENVIRONMENT_PREFIX)?;
            let value = value.to_string_lossy().into_owned();
            Some((key.to_ascii_lowercase().replace("__", "."), value))
        })
        .collect();
    found.sort();
    found
}

#[cfg(test)]
mod tests;
