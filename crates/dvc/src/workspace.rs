//! Files of the workspace, which come from the cache.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use artifact::{StoreError, create_temporary, remove_temporary, rename_temporary};
use rayon::prelude::*;

use crate::{DvcError, Entry, Link, Md5, Repository, Tracked, listing::Listing, tracked::Content};

/// What a place lacks.
#[derive(Debug, Default)]
pub(crate) struct Lack {
    /// Files that have to be put there.
    files: Vec<Missing>,
    /// Whether a directory without files has to be made.
    directory: Option<PathBuf>,
    /// Links and files where directories have to be: nothing may be written through a link, to wherever it leads.
    obstacles: Vec<PathBuf>,
    /// Files with other content, and what stands for a directory.
    pub in_the_way: Vec<PathBuf>,
    /// Files that what is tracked does not have.
    pub surplus: Vec<PathBuf>,
    /// What killed writers have left.
    leftovers: Vec<PathBuf>,
}

#[derive(Debug)]
struct Missing {
    target: PathBuf,
    object: PathBuf,
    is_executable: bool,
}

enum State {
    Absent,
    Same,
    Other,
}

impl Lack {
    /// Compares what is tracked with what stands in its place.
    pub(crate) fn of(tracked: &Tracked, repository: &Repository) -> Result<Self, DvcError> {
        let place = &tracked.place;
        let is_directory = matches!(tracked.content, Content::Directory(_));
        let target = |entry: &Entry| match is_directory {
            true => place.join(&entry.relpath),
            false => place.clone(),
        };
        let entries: Vec<(PathBuf, &Entry)> =
            tracked.files().iter().map(|e| (target(e), e)).collect();
        let mut lack = Self::default();
        if is_directory {
            lack.obstacles = obstacles(place, &entries);
        }
        let states = match tracked.source == *place {
            true => lack.states_of_source(repository, &entries),
            false => lack.states_of_place(&entries)?,
        };
        lack.take(repository, &entries, states, !is_directory);
        if is_directory {
            let is_there = place.is_dir() && !lack.obstacles.contains(place);
            lack.directory = Some(place.clone()).filter(|_| !is_there);
            if tracked.source != *place && is_there {
                lack.look_around(repository, place, &entries)?;
            } else if !place.is_symlink() && is_there {
                lack.leftovers.clone_from(&tracked.leftovers);
            }
        }
        Ok(lack)
    }

    /// Says of files that were read where they stand, a moment ago, whether they have to become links.
    fn states_of_source(
        &mut self,
        repository: &Repository,
        entries: &[(PathBuf, &Entry)],
    ) -> Vec<State> {
        let relinked = |(at, entry): &(PathBuf, &Entry)| relinked(repository, at, entry);
        let states: Vec<State> = entries.iter().map(relinked).collect();
        // A link that leads to what was read may stay where nothing has to be written below it.
        if states.iter().all(|state| matches!(state, State::Same)) {
            self.obstacles.clear();
        }
        match self.obstacles.is_empty() {
            true => states,
            false => entries.iter().map(|_| State::Absent).collect(),
        }
    }

    fn states_of_place(&mut self, entries: &[(PathBuf, &Entry)]) -> Result<Vec<State>, DvcError> {
        self.in_the_way.clone_from(&self.obstacles);
        let is_cut_off = |target: &Path| self.obstacles.iter().any(|at| target.starts_with(at));
        let states = entries
            .par_iter()
            .map(|(target, entry)| match is_cut_off(target) {
                true => Ok(State::Absent),
                false => state(target, entry),
            });
        states.collect()
    }

    fn take(
        &mut self,
        repository: &Repository,
        entries: &[(PathBuf, &Entry)],
        states: Vec<State>,
        keeps_mode: bool,
    ) {
        for ((target, entry), state) in entries.iter().zip(states) {
            match state {
                State::Same => continue,
                State::Absent => {}
                State::Other => self.in_the_way.push(target.clone()),
            }
            self.files.push(Missing {
                target: target.clone(),
                object: repository.cache().path(&entry.md5.to_string()),
                is_executable: entry.is_executable && keeps_mode,
            });
        }
    }

    /// Looks for the files of a directory that are none of these.
    fn look_around(
        &mut self,
        repository: &Repository,
        place: &Path,
        entries: &[(PathBuf, &Entry)],
    ) -> Result<(), DvcError> {
        let names = repository.names_of(place)?;
        let found = Listing::of(place, &names, &repository.ignore_for(&names)?)?;
        let targets = entries.iter().map(|(path, _)| path);
        let known: BTreeSet<&PathBuf> = targets.chain(&self.obstacles).collect();
        let paths = found.files.into_iter().map(|(_, path)| path);
        self.surplus = paths.filter(|path| !known.contains(path)).collect();
        self.leftovers = found.leftovers;
        Ok(())
    }

    /// Puts there what is lacking, and takes away what is too much.
    pub(crate) fn fill(&self, repository: &Repository) -> Result<(), DvcError> {
        remove(&self.obstacles)?;
        if let Some(directory) = &self.directory {
            fs::create_dir_all(directory).map_err(StoreError::io("create", directory))?;
        }
        self.files
            .par_iter()
            .try_for_each(|file| file.place(repository.links()))?;
        remove(&self.surplus)?;
        remove(&self.leftovers)
    }
}

fn remove(paths: &[PathBuf]) -> Result<(), DvcError> {
    for path in paths {
        match fs::remove_file(path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => {
                return Err(StoreError::io("remove", path)(e).into());
            }
            _ => {}
        }
    }
    Ok(())
}

/// Returns what stands where a directory has to be: the place itself, or one on the way from there to a file.
fn obstacles(place: &Path, entries: &[(PathBuf, &Entry)]) -> Vec<PathBuf> {
    let ways = entries
        .iter()
        .flat_map(|(target, _)| target.ancestors().skip(1));
    let below = ways.filter(|directory| directory.starts_with(place));
    let directories: BTreeSet<&Path> = below.chain([place]).collect();
    let stands = |at: &Path| at.symlink_metadata().is_ok_and(|found| !found.is_dir());
    let mut found: Vec<PathBuf> = Vec::new();
    // Those above come first; what a link leads to is not the place.
    for at in directories {
        if !found.iter().any(|above| at.starts_with(above)) && stands(at) {
            found.push(at.to_owned());
        }
    }
    found
}

/// Compares a file with the one that should be there.
fn state(target: &Path, entry: &Entry) -> Result<State, DvcError> {
    if target.symlink_metadata().is_err() {
        return Ok(State::Absent);
    }
    let is_file =
        fs::metadata(target).is_ok_and(|found| found.is_file() && found.len() == entry.size);
    if !is_file {
        return Ok(State::Other);
    }
    let read = File::open(target).and_then(Md5::of_reader);
    let (md5, _) = read.map_err(StoreError::io("read", target))?;
    Ok(match md5 == entry.md5 {
        true => State::Same,
        false => State::Other,
    })
}

/// Says of a file that was read where it stands whether it has to become a link. Where copies will do, it stays
/// what it is.
fn relinked(repository: &Repository, target: &Path, entry: &Entry) -> State {
    let object = repository.cache().path(&entry.md5.to_string());
    let is_linked = match repository.links().first() {
        Some(Link::Symlink) => fs::read_link(target).is_ok_and(|to| to == object),
        Some(Link::Hardlink) => entry.size == 0 || is_same_file(target, &object),
        _ => true,
    };
    match is_linked {
        true => State::Same,
        false => State::Absent,
    }
}

#[cfg(unix)]
fn is_same_file(one: &Path, other: &Path) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let identity = |path| fs::symlink_metadata(path).map(|m| (m.dev(), m.ino()));
    matches!((identity(one), identity(other)), (Ok(one), Ok(other)) if one == other)
}

#[cfg(not(unix))]
fn is_same_file(_: &Path, _: &Path) -> bool {
    false
}

impl Missing {
    /// Makes the file by the first kind of link that can be made, in one step.
    fn place(&self, links: &[Link]) -> Result<(), DvcError> {
        let mut last = None;
        for &link in links {
            match self.try_link(link) {
                Ok(()) => return Ok(()),
                // No other link would fit, either.
                Err(e) if e.kind() == io::ErrorKind::StorageFull => {
                    return Err(StoreError::io("write", &self.target)(e).into());
                }
                Err(e) => last = Some(e),
            }
        }
        let tried: Vec<&str> = links.iter().map(|link| link.name()).collect();
        Err(DvcError::Link {
            path: self.target.clone(),
            tried: tried.join(", "),
            reason: last.map_or("there is none".to_owned(), |e| e.to_string()),
        })
    }

    fn try_link(&self, link: Link) -> io::Result<()> {
        let (temporary, file) = match create_temporary(&self.target) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.target.parent().map_or(Ok(()), fs::create_dir_all)?;
                create_temporary(&self.target)?
            }
            made => made?,
        };
        let made = self
            .make(link, &temporary, file)
            .and_then(|()| rename_temporary(&temporary, &self.target));
        if made.is_err() {
            remove_temporary(&temporary);
        }
        made
    }

    fn make(&self, link: Link, temporary: &Path, mut file: File) -> io::Result<()> {
        match link {
            Link::Copy => io::copy(&mut File::open(&self.object)?, &mut file).map(drop)?,
            Link::Reflink => reflink(&File::open(&self.object)?, &file)?,
            // One empty object has more names than a file may have; DVC makes files of their own, too.
            Link::Hardlink if fs::metadata(&self.object)?.len() == 0 => {}
            Link::Hardlink => {
                fs::remove_file(temporary)?;
                fs::hard_link(&self.object, temporary)?;
                return Ok(());
            }
            Link::Symlink => {
                fs::remove_file(temporary)?;
                return symlink(&self.object, temporary);
            }
        }
        if self.is_executable {
            make_executable(&file)?;
        }
        Ok(())
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn reflink(from: &File, into: &File) -> io::Result<()> {
    Ok(rustix::fs::ioctl_ficlone(into, from)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn reflink(_: &File, _: &File) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
fn symlink(object: &Path, at: &Path) -> io::Result<()> {
    std::os::unix::fs::symlink(object, at)
}

#[cfg(not(unix))]
fn symlink(_: &Path, _: &Path) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(unix)]
fn make_executable(file: &File) -> io::Result<()> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut permissions = file.metadata()?.permissions();
    permissions.set_mode(permissions.mode() | 0o100);
    file.set_permissions(permissions)
}

#[cfg(not(unix))]
fn make_executable(_: &File) -> io::Result<()> {
    Ok(())
}
