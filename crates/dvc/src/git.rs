//! What Git must not track: the entries of `.gitignore` files.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use artifact::StoreError;

use crate::DvcError;

/// Returns the `.gitignore` beside a place and what it must hold so that Git lets the place be: `None` when it
/// does already.
pub(crate) fn with_entries(
    directory: &Path,
    names: &[&str],
) -> Result<Option<(PathBuf, String)>, DvcError> {
    let path = directory.join(".gitignore");
    let before = match path.is_file() {
        true => fs::read_to_string(&path).map_err(StoreError::io("read", &path))?,
        false => String::new(),
    };
    let mut text = before.clone();
    for name in names {
        let entry = entry(name);
        if text.lines().any(|line| line == entry) {
            continue;
        }
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        text.push_str(&entry);
        text.push('\n');
    }
    Ok((text != before).then_some((path, text)))
}

fn entry(name: &str) -> String {
    let mut entry = "/".to_owned();
    // Git passes over spaces at the end of a line.
    let words = name.trim_end_matches(' ').len();
    for (at, character) in name.char_indices() {
        if "[]!*#?\\".contains(character) || at >= words {
            entry.push('\\');
        }
        entry.push(character);
    }
    entry
}

/// Returns those of some files that are there and that Git does not track yet.
pub(crate) fn untracked(root: &Path, files: &[PathBuf]) -> Vec<PathBuf> {
    let mut git = Command::new("git");
    git.arg("-C").arg(root);
    git.args(["--literal-pathspecs", "ls-files", "-z", "--"])
        .args(files);
    let output = git.stdin(Stdio::null()).stderr(Stdio::null()).output();
    let listed = output.map_or(String::new(), |output| {
        String::from_utf8_lossy(&output.stdout).into_owned()
    });
    let tracked: Vec<PathBuf> = listed.split('\0').map(|name| root.join(name)).collect();
    let is_new = |file: &&PathBuf| file.is_file() && !tracked.contains(file);
    files.iter().filter(is_new).cloned().collect()
}

/// Returns the first of some places that Git tracks, of which it may track a file within. Where there is no Git,
/// it tracks none.
pub(crate) fn first_tracked(root: &Path, places: &[&Path]) -> Option<PathBuf> {
    let mut git = Command::new("git");
    git.arg("-C").arg(root);
    git.args(["--literal-pathspecs", "ls-files", "-z", "--"])
        .args(places);
    let output = git
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .ok()?;
    let listed = String::from_utf8_lossy(&output.stdout).into_owned();
    let file = root.join(listed.split('\0').next().filter(|name| !name.is_empty())?);
    let place = places.iter().find(|place| file.starts_with(place));
    Some(place.map_or(file.clone(), |place| place.to_path_buf()))
}
