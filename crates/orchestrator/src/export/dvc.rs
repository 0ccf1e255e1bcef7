//! `netsec export dvc`: a run as a pipeline of DVC, or data under it.

use std::path::{Path, PathBuf};

use artifact::{ErrorKind, Failure, Run};
use clap::Args;
use dvc::{Export, Repository, Written};
use serde_json::json;

use super::pipeline;
use crate::{
    cli::Place,
    inspect::find_run,
    output::{note, print},
};

#[derive(Args)]
pub struct DvcArguments {
    /// Run directory, or its name under the artifacts directory; the newest finished one by default
    #[arg(long, value_name = "RUN")]
    run: Option<PathBuf>,
    /// Put a file or directory under DVC as `dvc add` does, and no run unless --run names one
    #[arg(long = "path", value_name = "PATH")]
    paths: Vec<PathBuf>,
    /// Directory of a DVC repository to write into
    #[arg(long, value_name = "DIR", default_value = ".")]
    to: PathBuf,
    /// Name of the directory that the run gets there
    #[arg(long, value_name = "NAME", default_value = "netsec", value_parser = plain_name)]
    name: String,
    /// Make the directory a DVC repository first if it is in none
    #[arg(long)]
    init: bool,
    /// Replace what is there with other content
    #[arg(long)]
    force: bool,
    #[command(flatten)]
    place: Place,
}

/// Parses a name that no shell has to be told apart from its own words.
fn plain_name(text: &str) -> Result<String, String> {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-".contains(c);
    let starts_well = text.starts_with(|c: char| c.is_ascii_alphanumeric());
    match starts_well && text.chars().all(is_plain) {
        true => Ok(text.to_owned()),
        false => Err("use letters, digits, `.`, `_` and `-`, a letter or digit first".to_owned()),
    }
}

/// Writes it all, and says what to do next.
pub fn run(arguments: &DvcArguments) -> Result<(), Failure> {
    let run = chosen(arguments)?;
    let repository = match arguments.init {
        true => Repository::find_or_init(&arguments.to),
        false => Repository::find(&arguments.to),
    }?;
    let mut export = Export::new(&repository);
    for path in &arguments.paths {
        export.add(path, &place_of(path, &repository, arguments)?)?;
    }
    let mut notes = Vec::new();
    if let Some(run) = &run {
        notes = pipeline::plan(&mut export, run, &arguments.to, &arguments.name)?;
    }
    let written = export.write(arguments.force)?;
    notes.extend(written.unfollowed.iter().map(|path| {
        format!(
            "{}: a link to a directory, left out as DVC does",
            path.display()
        )
    }));
    notes.iter().for_each(|text| note(text));
    tell(arguments, run.as_ref(), &written, repository.uses_git())
}

fn chosen(arguments: &DvcArguments) -> Result<Option<Run>, Failure> {
    let run = match &arguments.run {
        Some(run) => Run::open(&find_run(run, Some(&arguments.place.artifacts))?, 0)?,
        None if arguments.paths.is_empty() => super::newest(&arguments.place)?,
        None => return Ok(None),
    };
    if !super::is_finished(&run)? {
        let message = format!(
            "{} is unfinished: `netsec show` says how far it came",
            run.directory().display()
        );
        return Err(Failure::new(ErrorKind::Usage, message));
    }
    Ok(Some(run))
}

/// Returns where a path stands in the repository: where it is, or under its name in the directory to write into.
fn place_of(
    path: &Path,
    repository: &Repository,
    arguments: &DvcArguments,
) -> Result<PathBuf, Failure> {
    if repository.holds(path) {
        return Ok(path.to_owned());
    }
    let name = path.file_name().ok_or_else(|| {
        let message = format!(
            "{} has no name to give it in the repository",
            path.display()
        );
        Failure::new(ErrorKind::Usage, message)
    })?;
    Ok(arguments.to.join(name))
}

fn tell(
    arguments: &DvcArguments,
    run: Option<&Run>,
    written: &Written,
    uses_git: bool,
) -> Result<(), Failure> {
    if arguments.place.json {
        let object = json!({
            "run": run.map(Run::directory),
            "files": written.files,
            "bytes": written.bytes,
            "new_objects": written.new_objects,
            "git": written.for_git,
        });
        return print(&object.to_string());
    }
    let names = written
        .for_git
        .iter()
        .map(|path| " ".to_owned() + &word(path));
    let add = match uses_git {
        true => format!("git add{}\n       ", names.collect::<String>()),
        false => String::new(),
    };
    print(&format!(
        "{} files, {} bytes, {} new objects\nnext:  {add}dvc push",
        written.files, written.bytes, written.new_objects
    ))
}

/// Returns a path as a word for a shell, from here if it lies below.
fn word(path: &Path) -> String {
    let here = std::env::current_dir().and_then(|here| here.canonicalize());
    let below = here
        .as_ref()
        .ok()
        .and_then(|here| path.strip_prefix(here).ok());
    let text = below.unwrap_or(path).display().to_string();
    let is_plain = |c: char| c.is_alphanumeric() || "/._-+@".contains(c);
    match text.chars().all(is_plain) {
        true => text,
        false => format!("'{}'", text.replace('\'', "'\\''")),
    }
}
