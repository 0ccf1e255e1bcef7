//! What is put under DVC: a file or a directory, with its place in the workspace.

use std::path::{Path, PathBuf};

use artifact::StoreError;
use rayon::prelude::*;

use crate::{
    DvcError, Entry, Md5, Repository,
    cache::{Cache, Stored},
    listing::Listing,
    tree,
};

/// A file or directory whose content is in the cache.
#[derive(Clone, Debug)]
pub struct Tracked {
    /// Where it stands, or is to stand, in the workspace.
    pub(crate) place: PathBuf,
    /// Where its content was read.
    pub(crate) source: PathBuf,
    /// Name of its object: an MD5, with `.dir` after that of a directory.
    pub(crate) object: String,
    pub(crate) content: Content,
    /// Objects that the cache did not have.
    pub(crate) n_new: usize,
    pub(crate) unfollowed: Vec<PathBuf>,
    /// What killed writers have left among what was read.
    pub(crate) leftovers: Vec<PathBuf>,
}

#[derive(Clone, Debug)]
pub(crate) enum Content {
    File(Entry),
    /// Sorted by path.
    Directory(Vec<Entry>),
}

impl Tracked {
    /// Reads a file or directory into the cache of a repository.
    pub(crate) fn read(
        repository: &Repository,
        source: &Path,
        place: &Path,
    ) -> Result<Self, DvcError> {
        let names = repository.names_of(place)?;
        if names.is_empty() || source.join(".dvc").is_dir() {
            return Err(DvcError::Whole(place.to_owned()));
        }
        let ignore = repository.ignore_for(&names)?;
        let is_directory = source.is_dir();
        if ignore.ignores(&names, is_directory) {
            return Err(DvcError::Ignored(place.to_owned()));
        }
        let (cache, at) = (repository.cache(), (source, place));
        match is_directory {
            true => {
                let listing = Listing::of(source, &names, &ignore)?;
                if source == place
                    && let Some(by) = listing.parts().next()
                {
                    let path = place.to_owned();
                    return Err(DvcError::Overlap { path, by });
                }
                Self::directory(cache, at, listing)
            }
            false => Self::file(cache, at, names.last().map_or("", String::as_str)),
        }
    }

    fn file(cache: &Cache, (source, place): (&Path, &Path), name: &str) -> Result<Self, DvcError> {
        let found = source.metadata().map_err(StoreError::io("read", source))?;
        if !found.is_file() {
            return Err(DvcError::Special(source.to_owned()));
        }
        let Stored { entry, is_new } = cache.add_file(name, source)?;
        Ok(Self {
            place: place.to_owned(),
            source: source.to_owned(),
            object: entry.md5.to_string(),
            content: Content::File(entry),
            n_new: usize::from(is_new),
            unfollowed: Vec::new(),
            leftovers: Vec::new(),
        })
    }

    fn directory(
        cache: &Cache,
        (source, place): (&Path, &Path),
        listing: Listing,
    ) -> Result<Self, DvcError> {
        let add = |(relpath, path): &(String, PathBuf)| cache.add_file(relpath, path);
        let stored = listing.files.par_iter().map(add);
        let stored: Vec<Stored> = stored.collect::<Result<_, _>>()?;
        let n_new = stored.iter().filter(|stored| stored.is_new).count();
        let entries: Vec<Entry> = stored.into_iter().map(|stored| stored.entry).collect();
        let bytes = tree::to_bytes(&entries);
        let object = format!("{}.dir", Md5::of(&bytes));
        let is_new = cache.add_bytes(&object, &bytes)?;
        Ok(Self {
            place: place.to_owned(),
            source: source.to_owned(),
            object,
            content: Content::Directory(entries),
            n_new: n_new + usize::from(is_new),
            unfollowed: listing.unfollowed,
            leftovers: listing.leftovers,
        })
    }

    /// Returns where it stands in the workspace.
    pub fn place(&self) -> &Path {
        &self.place
    }

    /// Returns the name of its object: an MD5, with `.dir` after that of a directory.
    pub fn object(&self) -> &str {
        &self.object
    }

    /// Returns its files: one, or all of a directory.
    pub fn files(&self) -> &[Entry] {
        match &self.content {
            Content::File(entry) => std::slice::from_ref(entry),
            Content::Directory(entries) => entries,
        }
    }
}
