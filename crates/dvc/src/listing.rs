//! The files of a directory, as DVC collects them.

use std::{
    fs,
    path::{Path, PathBuf},
};

use artifact::{StoreError, is_temporary};

use crate::{
    DvcError,
    ignore::{self, Ignore},
};

/// What lies in a directory.
#[derive(Debug, Default)]
pub(crate) struct Listing {
    /// Path within the directory, with `/` between names, and where the file is; sorted.
    pub files: Vec<(String, PathBuf)>,
    /// Links to directories, which DVC does not follow.
    pub unfollowed: Vec<PathBuf>,
    /// What killed writers have left, which is no data.
    pub leftovers: Vec<PathBuf>,
}

impl Listing {
    /// Collects what a directory holds that is not left out, `place` being where the directory stands or is to
    /// stand in the workspace, as names from the root. Links to files are files.
    pub(crate) fn of(
        directory: &Path,
        place: &[String],
        ignore: &Ignore,
    ) -> Result<Self, DvcError> {
        let mut listing = Self::default();
        let mut open = vec![(directory.to_owned(), place.to_owned())];
        while let Some((directory, names)) = open.pop() {
            let fail = |e| StoreError::io("list", &directory)(e);
            for found in fs::read_dir(&directory).map_err(fail)? {
                let path = found.map_err(fail)?.path();
                let name = path.file_name().and_then(|name| name.to_str());
                let name = name.ok_or_else(|| DvcError::Name(path.clone()))?;
                let names = [&names[..], &[name.to_owned()]].concat();
                if let Some(directory) = listing.take(path, &names, place.len(), ignore)? {
                    open.push((directory, names));
                }
            }
        }
        listing.files.sort();
        Ok(listing)
    }

    /// Returns the `.dvc` files of what lies beside them.
    pub(crate) fn parts(&self) -> impl Iterator<Item = PathBuf> {
        let is_part = |path: &&PathBuf| {
            path.extension().is_some_and(|ending| ending == "dvc")
                && path.with_extension("").exists()
        };
        self.files
            .iter()
            .map(|(_, path)| path)
            .filter(is_part)
            .cloned()
    }

    /// Takes one thing up; gives a directory back.
    fn take(
        &mut self,
        path: PathBuf,
        names: &[String],
        depth: usize,
        ignore: &Ignore,
    ) -> Result<Option<PathBuf>, DvcError> {
        let fail = |e| DvcError::from(StoreError::io("read", &path)(e));
        let is_link = path.is_symlink();
        let is_directory = path.is_dir();
        // The directory of another repository is that one's.
        if ignore.ignores(names, is_directory) || (is_directory && path.join(".dvc").is_dir()) {
            return Ok(None);
        }
        if is_directory && is_link {
            self.unfollowed.push(path);
            return Ok(None);
        }
        if is_directory {
            return Ok(Some(path));
        }
        if !fs::metadata(&path).map_err(fail)?.is_file() {
            return Err(DvcError::Special(path));
        }
        if names.last().is_some_and(|name| name == ignore::FILE_NAME) {
            return Err(DvcError::IgnoreFile(path));
        }
        if names.last().is_some_and(|name| is_temporary(name)) {
            self.leftovers.push(path);
            return Ok(None);
        }
        self.files.push((names[depth..].join("/"), path));
        Ok(None)
    }
}
