//! What the service will need around it, checked before it is needed: for `--check` alone, since all of it may come
//! later.

use std::{
    io::Read as _,
    path::Path,
    process::{Command, Stdio},
    thread::sleep,
    time::{Duration, Instant},
};

use artifact::{Failure, remedy};
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
            let name = &source.name;
            let checked = source.check();
            checked.map_err(|e| config(format!("--train-source {name}: {e}")))?;
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

/// Checks that a program is `netsec`, and not another one.
fn check_program(program: &Path) -> Result<(), Failure> {
    let is_netsec = version_of(program).is_ok_and(|said| said.starts_with(b"netsec "));
    match is_netsec {
        true => Ok(()),
        false => Err(config(format!(
            "--netsec {}: it does not say that it is `netsec` when it is asked for its `--version`, within {} seconds",
            program.display(),
            ANSWERING.as_secs()
        ))),
    }
}

/// How long a program may take to tell its version.
const ANSWERING: Duration = Duration::from_secs(5);

/// Asks a program for its version; one that does not answer is ended.
fn version_of(program: &Path) -> std::io::Result<Vec<u8>> {
    let mut child = Command::new(program)
        .arg("--version")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()?;
    let began = Instant::now();
    while child.try_wait()?.is_none() {
        if began.elapsed() > ANSWERING {
            child.kill()?;
            child.wait()?;
            return Ok(Vec::new());
        }
        sleep(Duration::from_millis(10));
    }
    // What it has left behind may hold its output open: no more is read than a version has.
    let mut said = vec![0; 7];
    let output = child.stdout.as_mut().map(|out| out.read(&mut said));
    said.truncate(output.transpose()?.unwrap_or(0));
    Ok(said)
}
