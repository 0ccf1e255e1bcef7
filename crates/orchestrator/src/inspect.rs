//! `netsec runs|show|verify|report`: what the run directories hold.

use std::{
    fs,
    fs::File,
    io,
    path::{Path, PathBuf},
};

use artifact::{
    Digest, ErrorKind, Failure, FileRecord, Manifest, RUN_FILES, Run, Stage as _, StoreError,
    read_file,
};
use clap::Args;
use registry::Promotion;
use serde_json::{Value, json};

use crate::{
    cli::Place,
    given_holdout::AdoptHoldout,
    output::{note, print},
};

/// No configuration is larger.
const MAX_CONFIG_BYTES: u64 = 16 << 20;

#[derive(Args)]
pub struct RunArgument {
    /// Run directory, or its name under the artifacts directory
    run: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl RunArgument {
    fn open(&self) -> Result<Run, Failure> {
        let directory = find_run(&self.run, Some(&self.place.artifacts))?;
        Ok(Run::open(&directory, 0)?)
    }
}

/// Finds a run directory by its path, or by its name under the artifacts directory.
pub fn find_run(run: &Path, artifacts: Option<&Path>) -> Result<PathBuf, Failure> {
    let named = std::env::var_os("NETSEC_ARTIFACTS").map(PathBuf::from);
    let root = artifacts.or(named.as_deref());
    let inside = root.unwrap_or(Path::new("artifacts")).join(run);
    let places = [run.to_owned(), inside];
    let found = places.iter().find(|p| p.join("config.yaml").is_file());
    found.cloned().ok_or_else(|| {
        let [run, inside] = places.each_ref().map(|p| p.display());
        Failure::new(
            ErrorKind::Usage,
            format!("neither {run} nor {inside} is a run directory: `netsec runs` lists them"),
        )
    })
}

/// Lists the run directories, the oldest first.
pub fn runs(place: &Place) -> Result<u8, Failure> {
    let names = run_names(&place.artifacts)?;
    if place.json {
        let runs: Vec<Value> = names.iter().map(|name| outline(place, name)).collect();
        print(&json!(runs).to_string())?;
    } else if names.is_empty() {
        let shown = place.artifacts.display();
        note(&format!("no runs in {shown} yet: `netsec run` makes one"));
    } else {
        names.iter().try_for_each(|name| print(name))?;
        let is_unfinished = |name: &&String| outline(place, name)["finished"] == false;
        let unfinished: Vec<&str> = names
            .iter()
            .filter(is_unfinished)
            .map(String::as_str)
            .collect();
        if !unfinished.is_empty() {
            let (n, names) = (unfinished.len(), unfinished.join(", "));
            note(&format!(
                "{n} unfinished: {names} (`netsec show RUN` says how far a run came)"
            ));
        }
    }
    Ok(0)
}

/// Says of a run how far it came.
fn outline(place: &Place, name: &str) -> Value {
    let directory = place.artifacts.join(name);
    let manifests = Run::open(&directory, 0).and_then(|run| run.manifests());
    let (done, problem) = match manifests {
        Ok(done) => (done, None),
        Err(error) => (Vec::new(), Some(error.to_string())),
    };
    let stages: Vec<&str> = done.iter().map(|(_, m)| m.stage.as_str()).collect();
    json!({
        "name": name,
        "directory": directory,
        "started": done.first().map(|(_, m)| &m.started),
        "stages": stages,
        "finished": stages.contains(&Promotion::NAME),
        "problem": problem,
    })
}

/// Returns the names of the run directories below an artifacts directory, ascending; none when it is
/// not there.
pub fn run_names(artifacts: &Path) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    if !artifacts.exists() {
        return Ok(names);
    }
    let fail = |e| Failure::from(StoreError::io("list", artifacts)(e));
    for entry in fs::read_dir(artifacts).map_err(fail)? {
        let path = entry.map_err(fail)?.path();
        if path.join("config.yaml").is_file() {
            let name = path.file_name().unwrap_or_default();
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
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
    if manifests.is_empty() {
        note("no stage of the run is completed");
    }
    for m in &manifests {
        let made: Vec<String> = m
            .outputs
            .iter()
            .map(|o| format!("{} {}", o.kind, o.digest.short()))
            .collect();
        let counts: Vec<String> = m.counts.iter().map(|(k, n)| format!("{k} {n}")).collect();
        let line = format!("{:<15} {:>7.3} s  {}", m.stage, m.seconds, made.join(", "));
        print(line.trim_end())?;
        if !counts.is_empty() {
            print(&format!("{:27}{}", "", counts.join(", ")))?;
        }
    }
    Ok(0)
}

/// Checks every artifact and file against what was recorded, and what each stage was made from against
/// what lies there now; a difference exits with 70.
pub fn verify(argument: &RunArgument) -> Result<u8, Failure> {
    let run = argument.open()?;
    let Verified { checked, damaged } = Verified::whole(&run)?;
    let finished = run
        .manifests()?
        .iter()
        .any(|(_, m)| m.stage == Promotion::NAME);
    if argument.place.json {
        let object = json!({
            "run": run.directory(), "finished": finished, "checked": checked, "damaged": damaged,
        });
        print(&object.to_string())?;
    } else if damaged.is_empty() {
        print(&format!(
            "{checked} artifacts and files are as they were recorded"
        ))?;
    }
    if !finished {
        note("the run is unfinished: `netsec show` says how far it came");
    }
    if damaged.is_empty() {
        return Ok(0);
    }
    Err(Failure::new(ErrorKind::Internal, damaged.join("\n")))
}

/// Refuses a run of which something is not as it was recorded.
pub fn check_whole(run: &Run) -> Result<(), Failure> {
    let damaged = Verified::whole(run)?.damaged;
    match damaged.is_empty() {
        true => Ok(()),
        false => Err(Failure::new(ErrorKind::Internal, damaged.join("\n"))),
    }
}

/// What was found in one run directory.
struct Verified {
    checked: usize,
    damaged: Vec<String>,
}

impl Verified {
    fn whole(run: &Run) -> Result<Self, Failure> {
        let mut found = Self::of(run)?;
        // A holdout that was given was read in a run of its own.
        let root = run.directory().join(AdoptHoldout::NAME);
        for name in run_names(&root)? {
            found.add(Self::of(&Run::open(&root.join(name), 0)?)?);
        }
        Ok(found)
    }

    fn of(run: &Run) -> Result<Self, Failure> {
        let manifests = run.manifests()?;
        let own = run.files()?;
        let mut checked = own.len();
        let mut damaged: Vec<String> = changed(run.directory(), &own).collect();
        for (step, manifest) in &manifests {
            let artifacts = manifest.outputs.iter().map(|output| {
                let path = step.join(format!("{}.bin", output.kind));
                let found = artifact::digest_of_file(&path).map_err(|e| e.to_string());
                problem(&path, found, output.digest)
            });
            checked += manifest.outputs.len() + manifest.files.len();
            damaged.extend(artifacts.flatten());
            damaged.extend(changed(step, &manifest.files));
        }
        damaged.extend(lost_record(run, &own, &manifests));
        damaged.extend(stale(&manifests));
        damaged.extend(changed_configuration(run)?);
        Ok(Self { checked, damaged })
    }

    fn add(&mut self, other: Self) {
        self.checked += other.checked;
        self.damaged.extend(other.damaged);
    }
}

/// Says which files of a directory are not the ones that were recorded.
fn changed(directory: &Path, files: &[FileRecord]) -> impl Iterator<Item = String> {
    files.iter().filter_map(|file| {
        let path = directory.join(&file.name);
        let found = digest(&path).map_err(|e| e.to_string());
        problem(&path, found, file.sha256)
    })
}

/// Reads a file for its digest, but no device and no pipe, which a link may lead to and which may not end.
fn digest(path: &Path) -> io::Result<Digest> {
    if !fs::metadata(path)?.is_file() {
        return Err(io::Error::other("it is not a regular file"));
    }
    Digest::of_reader(File::open(path)?)
}

/// Says that a finished run has no record of its own files, its schema and its report.
fn lost_record(run: &Run, own: &[FileRecord], manifests: &[(PathBuf, Manifest)]) -> Option<String> {
    let is_finished = manifests.iter().any(|(_, m)| m.stage == Promotion::NAME);
    (is_finished && own.is_empty()).then(|| {
        format!(
            "{}: it names no file, or is not there: the run's schema and report cannot be checked, \
             `netsec report` writes the report again",
            run.directory().join(RUN_FILES).display()
        )
    })
}

/// Says whether `config.yaml` is another one than the directory was named after.
fn changed_configuration(run: &Run) -> Result<Option<String>, Failure> {
    let path = run.directory().join("config.yaml");
    let bytes = read_file(&path, MAX_CONFIG_BYTES)?;
    let name = run.name();
    // A directory that somebody has renamed says nothing.
    let named = name
        .split_once('-')
        .filter(|(time, _)| time.len() == 16 && time.ends_with('Z'));
    let fingerprint = Digest::of(&bytes).short();
    let changed = named.is_some_and(|(_, word)| !word.starts_with(&fingerprint));
    Ok(changed.then(|| {
        format!(
            "{}: not the configuration that the run was made with: its name says another digest",
            path.display()
        )
    }))
}

/// Says which stages took other artifacts than those that lie in the run now.
fn stale(manifests: &[(PathBuf, Manifest)]) -> Vec<String> {
    let outputs = manifests
        .iter()
        .flat_map(|(step, made)| made.outputs.iter().map(move |output| (step, output)));
    let mut found = Vec::new();
    for (step, manifest) in manifests {
        for taken in &manifest.inputs {
            let there = match outputs.clone().find(|(_, o)| o.kind == taken.kind) {
                Some((_, output)) if output.digest == taken.digest => continue,
                Some((by, output)) => format!("{} holds {}", by.display(), output.digest.short()),
                None => "it is not there any more".to_owned(),
            };
            found.push(format!(
                "{}: made from {} of `{}`, but {there}: run the stage `{}` and those after it again",
                step.display(),
                taken.digest.short(),
                taken.kind,
                manifest.stage
            ));
        }
    }
    found
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

/// Says in what a file is not the one that a manifest names.
fn problem(path: &Path, found: Result<Digest, String>, expected: Digest) -> Option<String> {
    let shown = path.display();
    match found {
        Ok(digest) if digest == expected => None,
        Ok(digest) => Some(format!(
            "{shown}: {} instead of {}",
            digest.short(),
            expected.short()
        )),
        Err(error) if error.contains(&shown.to_string()) => Some(error),
        Err(error) => Some(format!("{shown}: {error}")),
    }
}
