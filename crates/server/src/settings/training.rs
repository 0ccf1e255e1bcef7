//! What may be trained on, and by which program, checked before anybody asks for it.

use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

use artifact::Failure;
use dataset::Schema;

use super::config;
use crate::{from_files::check_file, jobs::TrainingSource};

/// Data sets that `netsec` knows by name; every other one is a schema file.
const DATA_SETS: [&str; 2] = ["phishing", "nsl_kdd"];

/// Where training sources stand when no flag has any, separated by `;` or line ends: a comma may be a part of an
/// address.
const SOURCES_VARIABLE: &str = "NETSEC_TRAIN_SOURCES";

/// Reads the sources that administrators may train on: those of the flags or, without any, of the environment.
pub fn sources(given: &[String]) -> Result<Vec<TrainingSource>, Failure> {
    let (listed, place) = match given {
        [] => (sources_of_environment()?, SOURCES_VARIABLE),
        _ => (given.to_vec(), "--train-source"),
    };
    let sources = listed.iter().map(|text| source(text, place));
    let sources: Vec<TrainingSource> = sources.collect::<Result<_, _>>()?;
    let mut names = BTreeSet::new();
    for source in &sources {
        if !names.insert(&source.name) {
            let name = &source.name;
            return Err(config(format!(
                "{place} {name}: two sources have this name: give each its own"
            )));
        }
    }
    Ok(sources)
}

fn sources_of_environment() -> Result<Vec<String>, Failure> {
    let text = match env::var(SOURCES_VARIABLE) {
        Err(env::VarError::NotPresent) => return Ok(Vec::new()),
        text => text.map_err(|_| config(format!("{SOURCES_VARIABLE}: it is not UTF-8")))?,
    };
    let listed = text.split([';', '\n']).map(str::trim);
    let listed = listed.filter(|s| !s.is_empty());
    Ok(listed.map(str::to_owned).collect())
}

/// Reads a source; a message names the place where it stands.
fn source(text: &str, place: &str) -> Result<TrainingSource, Failure> {
    // Not shown: a URI may hold a secret.
    let malformed = || {
        config(format!(
            "{place}: write NAME=URI or NAME:DATASET=URI, with a name of letters, digits, `-`, `_` and `.`"
        ))
    };
    let parts = text.split_once('=').filter(|(_, uri)| !uri.is_empty());
    let (name, uri) = parts.ok_or_else(malformed)?;
    let (name, dataset) = match name.split_once(':') {
        Some((name, dataset)) => (name, Some(dataset.to_owned())),
        None => (name, None),
    };
    let is_plain = |c: char| c.is_alphanumeric() || "-_.".contains(c);
    if name.is_empty() || !name.chars().all(is_plain) {
        return Err(malformed());
    }
    check_data_set(name, dataset.as_deref())?;
    Ok(TrainingSource {
        name: name.to_owned(),
        dataset,
        uri: uri.to_owned(),
    })
}

fn check_data_set(source: &str, dataset: Option<&str>) -> Result<(), Failure> {
    let Some(dataset) = dataset.filter(|dataset| !DATA_SETS.contains(dataset)) else {
        return Ok(());
    };
    let refuse = |reason: String| config(format!("--train-source {source}: {reason}"));
    let path = Path::new(dataset);
    if path.extension().is_none_or(|e| e != "yaml" && e != "yml") {
        let known = DATA_SETS.join(", ");
        return Err(refuse(format!(
            "no data set `{dataset}`: give {known}, or the path of a .yaml file"
        )));
    }
    check_file(path).map_err(refuse)?;
    Schema::read(path).map_err(|e| refuse(e.to_string()))?;
    Ok(())
}

/// Finds the program `netsec`: the given one, else the one beside this program, else the one on the path.
///
/// # Errors
/// When the given one is none, or none is found and one is needed.
pub fn program(given: Option<&Path>, is_needed: bool) -> Result<PathBuf, Failure> {
    if let Some(given) = given {
        return match is_program(given) {
            true => Ok(given.to_owned()),
            false => Err(config(format!(
                "--netsec {}: there is no such program: give the path of `netsec`",
                given.display()
            ))),
        };
    }
    let name = PathBuf::from(format!("netsec{}", env::consts::EXE_SUFFIX));
    let beside = env::current_exe().map(|this| this.with_file_name(&name));
    if let Some(beside) = beside.ok().filter(|path| is_executable(path)) {
        return Ok(beside);
    }
    if is_needed && !is_program(&name) {
        return Err(config(
            "--train-source needs the program `netsec`, which is neither beside this one nor on the \
             path: say where it is with `--netsec FILE`"
                .to_owned(),
        ));
    }
    Ok(name)
}

/// Returns whether the system finds a program: a name alone stands for one on the path.
fn is_program(program: &Path) -> bool {
    if program.file_name() != Some(program.as_os_str()) {
        return is_executable(program);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|directory| is_executable(&directory.join(program)))
}

#[cfg(unix)]
fn is_executable(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    fs::metadata(path).is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

#[cfg(not(unix))]
fn is_executable(path: &Path) -> bool {
    fs::metadata(path).is_ok_and(|found| found.is_file())
}
