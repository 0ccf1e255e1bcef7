//! The disk under the artifacts directory: what runs and the registry do there, tried out.

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use artifact::{ErrorKind, Failure};

use super::{Finding, existing};

const CHECK: &str = "artifacts";
/// A run on a million rows leaves about this much.
const SCARCE: u64 = 1 << 30;
/// Less than a run on the default data leaves.
const TOO_LITTLE: u64 = 64 << 20;

pub(super) fn examine(root: &Path) -> Vec<Finding> {
    let shown = root.display();
    let Some(place) = existing(root) else {
        let failure = Failure::new(ErrorKind::Unavailable, format!("{shown} cannot be found"));
        return vec![Finding::fail(CHECK, &failure, "give another --artifacts")];
    };
    if !place.is_dir() {
        let message = format!("{} is no directory", place.display());
        let failure = Failure::new(ErrorKind::Unavailable, message);
        return vec![Finding::fail(CHECK, &failure, "give another --artifacts")];
    }
    let state = if root.is_dir() { "" } else { " (will be made)" };
    let on = file_system(&place).map_or(String::new(), |(kind, at)| format!(" on {kind} at {at}"));
    let mut findings = vec![match try_out(&place) {
        Ok(()) => Finding::ok(CHECK, format!("{shown}{state} is writable{on}")),
        Err((action, error)) => {
            let message = format!("{shown}{on}: cannot {action} there: {error}");
            let failure = Failure::new(ErrorKind::Unavailable, message);
            Finding::fail(
                CHECK,
                &failure,
                "give --artifacts a directory that allows it",
            )
        }
    }];
    findings.extend(free_bytes(&place).map(space));
    findings
}

fn space(free: u64) -> Finding {
    let said = format!("{} free", size(free));
    match free {
        ..TOO_LITTLE => {
            let failure = Failure::new(ErrorKind::Unavailable, said);
            Finding::fail(
                "space",
                &failure,
                "remove old runs, or give another --artifacts",
            )
        }
        TOO_LITTLE..SCARCE => Finding::warn("space", format!("{said}: little for large data")),
        _ => Finding::ok("space", said),
    }
}

/// Does what stages (write, rename) and the registry (claim by a hard link) do.
pub(super) fn try_out(place: &Path) -> Result<(), (&'static str, io::Error)> {
    let name = |end: &str| place.join(format!(".doctor.{}.{end}", std::process::id()));
    let paths: [PathBuf; 3] = ["tmp", "renamed", "linked"].map(name);
    let result = try_paths(&paths);
    for path in &paths {
        // What was not made cannot be removed.
        let _ = fs::remove_file(path);
    }
    result
}

fn try_paths([written, renamed, linked]: &[PathBuf; 3]) -> Result<(), (&'static str, io::Error)> {
    let write = || {
        let mut file = File::create(written)?;
        file.write_all(b"netsec")?;
        file.sync_all()
    };
    write().map_err(|e| ("write", e))?;
    fs::rename(written, renamed).map_err(|e| ("rename", e))?;
    fs::hard_link(renamed, linked).map_err(|e| ("make a hard link", e))
}

/// Returns type and mount point of the file system of a directory, where the kernel tells them.
fn file_system(place: &Path) -> Option<(String, String)> {
    let mounts = fs::read_to_string("/proc/mounts").ok()?;
    let whole = place.canonicalize().ok()?;
    mounts
        .lines()
        .filter_map(|line| {
            let mut fields = line.split(' ').skip(1);
            let at = fields.next()?.replace("\\040", " ");
            Some((fields.next()?.to_owned(), at))
        })
        .filter(|(_, at)| whole.starts_with(at))
        // Of mounts at one place the last one is seen.
        .max_by_key(|(_, at)| at.len())
}

#[cfg(unix)]
fn free_bytes(place: &Path) -> Option<u64> {
    let found = rustix::fs::statvfs(place).ok()?;
    Some(found.f_bavail.saturating_mul(found.f_frsize))
}

#[cfg(not(unix))]
fn free_bytes(_: &Path) -> Option<u64> {
    None
}

/// Writes a number of bytes for people.
pub(super) fn size(bytes: u64) -> String {
    let units = ["B", "KiB", "MiB", "GiB", "TiB"];
    let mut value = bytes as f64;
    let mut unit = 0;
    while value >= 1024.0 && unit + 1 < units.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0);
    format!("{value:.digits$} {}", units[unit])
}
