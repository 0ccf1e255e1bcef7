//! `netsec runs|show|verify|report`: what the run directories hold.

use std::{fs, fs::File, path::PathBuf};

use artifact::{Digest, ErrorKind, Failure, Manifest, Run, StoreError};
use clap::Args;
use serde_json::json;

use crate::{cli::Place, pipeline::print};

#[derive(Args)]
pub struct RunArgument {
    /// Run directory, or its name under the artifacts directory
    run: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl RunArgument {
    fn open(&self) -> Result<Run, Failure> {
        let inside = self.place.artifacts.join(&self.run);
        let directory = if self.run.is_dir() {
            &self.run
        } else {
            &inside
        };
        Ok(Run::open(directory, 0)?)
    }
}

/// Lists the run directories, the oldest first.
pub fn runs(place: &Place) -> Result<u8, Failure> {
    let mut names = Vec::new();
    if place.artifacts.is_dir() {
        let fail = |e| Failure::from(StoreError::io("list", &place.artifacts)(e));
        for entry in fs::read_dir(&place.artifacts).map_err(fail)? {
            let path = entry.map_err(fail)?.path();
            if path.join("config.yaml").is_file() {
                names.push(
                    path.file_name()
                        .unwrap_or_default()
                        .to_string_lossy()
                        .into_owned(),
                );
            }
        }
    }
    names.sort();
    if place.json {
        print(&json!(names).to_string())?;
    } else {
        names.iter().try_for_each(|name| print(name))?;
    }
    Ok(0)
}

/// Shows the completed stages of a run.
pub fn show(argument: &RunArgument) -> Result<u8, Failure> {
    let manifests: Vec<Manifest> = argument
        .open()?
        .manifests()?
        .into_iter()
        .map(|(_, manifest)| manifest)
        .collect();
    if argument.place.json {
        print(&json!(manifests).to_string())?;
        return Ok(0);
    }
    for m in &manifests {
        let made: Vec<String> = m
            .outputs
            .iter()
            .map(|o| format!("{} {}", o.kind, o.digest.short()))
            .collect();
        let counts: Vec<String> = m.counts.iter().map(|(k, n)| format!("{k} {n}")).collect();
        let line = format!("{:<15} {:>7.3} s  {}", m.stage, m.seconds, made.join(", "));
        print(format!("{line}  {}", counts.join(", ")).trim_end())?;
    }
    Ok(0)
}

/// Checks every artifact and file against the manifests; damage exits with 70.
pub fn verify(argument: &RunArgument) -> Result<u8, Failure> {
    let mut damaged = Vec::new();
    let mut checked = 0;
    for (step, manifest) in argument.open()?.manifests()? {
        for output in &manifest.outputs {
            let path = step.join(format!("{}.bin", output.kind));
            checked += 1;
            damaged.extend(artifact_problem(&path, output.digest));
        }
        for file in &manifest.files {
            let path = step.join(&file.name);
            checked += 1;
            let found = File::open(&path).and_then(Digest::of_reader);
            if !found.as_ref().is_ok_and(|digest| *digest == file.sha256) {
                let found = found.map_or_else(|e| e.to_string(), |d| d.short());
                damaged.push(format!(
                    "{}: {found} instead of {}",
                    path.display(),
                    file.sha256.short()
                ));
            }
        }
    }
    if damaged.is_empty() {
        print(&format!(
            "{checked} artifacts and files are as their manifests say"
        ))?;
        return Ok(0);
    }
    Err(Failure::new(ErrorKind::Internal, damaged.join("\n")))
}

/// Writes the report of a run again, from what its directory holds, and prints where it lies.
pub fn report(argument: &RunArgument) -> Result<u8, Failure> {
    let path = report::write(&argument.open()?, None)?;
    if argument.place.json {
        print(&json!({ "report": path }).to_string())?;
    } else {
        print(&path.display().to_string())?;
    }
    Ok(0)
}

fn artifact_problem(path: &std::path::Path, expected: Digest) -> Option<String> {
    let found = artifact::digest_of_file(path);
    match found {
        Ok(digest) if digest == expected => None,
        Ok(digest) => Some(format!(
            "{}: {} instead of {}",
            path.display(),
            digest.short(),
            expected.short()
        )),
        Err(error) => Some(error.to_string()),
    }
}
