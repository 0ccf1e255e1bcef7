//! What the service will need around it, checked before it is needed: for `--check` alone, since all of it may come
//! later.

use std::{
    path::Path,
    process::{Command, Stdio},
};

use artifact::{Failure, remedy};
use dataset::SourceUri;
use registry::Location;

use super::{Settings, config};
use crate::from_files::check_file;

impl Settings {
    /// Checks the directories, the program and the files that are named.
    ///
    /// # Errors
    /// [`artifact::ErrorKind::Config`] with what to do about the first that is not as it should be.
    pub fn check_surroundings(&self) -> Result<(), Failure> {
        // A training makes it where there is none; only a registry in it must be there.
        match &self.registry {
            None => check_artifacts(&self.artifacts)?,
            Some(Location::Directory(path)) => check_registry(path)?,
            Some(Location::Bucket(_)) => {}
        }
        let lock = check_file(&self.training_lock());
        lock.map_err(|e| config(format!("{e}: trainings lock it: remove what is there")))?;
        check_temporary_files()?;
        for source in &self.sources {
            check_source(&source.name, &source.uri)?;
        }
        // A bare name stands for a program that nobody may ever need.
        let is_named = self.program.components().count() > 1;
        if is_named || !self.sources.is_empty() {
            check_program(&self.program)?;
        }
        Ok(())
    }
}

fn check_artifacts(artifacts: &Path) -> Result<(), Failure> {
    if artifacts.is_dir() {
        return Ok(());
    }
    let place = artifacts.display();
    Err(config(format!(
        "--artifacts {place}: there is no such directory: name the one that `netsec run --artifacts` has written"
    )))
}

fn check_registry(registry: &Path) -> Result<(), Failure> {
    if registry.is_dir() {
        return Ok(());
    }
    let place = registry.display();
    Err(config(format!(
        "--registry {place}: there is no such directory: name the one that `netsec run --registry` has written"
    )))
}

fn check_temporary_files() -> Result<(), Failure> {
    let made = tempfile::tempfile().map(drop);
    made.map_err(|error| {
        let place = std::env::temp_dir();
        config(format!(
            "no file can be made in {}: {error}{}: uploaded files need it: set TMPDIR to a directory that can be \
             written",
            place.display(),
            remedy(&error)
        ))
    })
}

/// Checks that a file that is to be trained on is there; what lies elsewhere is for the training to find.
fn check_source(name: &str, uri: &str) -> Result<(), Failure> {
    let path = SourceUri::new(uri).local_path();
    if path.is_none_or(|path| path.exists()) {
        return Ok(());
    }
    Err(config(format!(
        "--train-source {name}: there is no file at its path: mend it, or put the file there"
    )))
}

/// Checks that a program is `netsec`, and not another one.
fn check_program(program: &Path) -> Result<(), Failure> {
    let asked = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output();
    let is_netsec = asked.is_ok_and(|said| said.stdout.starts_with(b"netsec "));
    match is_netsec {
        true => Ok(()),
        false => Err(config(format!(
            "--netsec {}: it does not say that it is `netsec` when it is asked for its `--version`",
            program.display()
        ))),
    }
}
