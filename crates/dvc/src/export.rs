//! Writing into a repository: the cache first, then the workspace, and last the documents that name both.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use artifact::{
    StoreError, create_directory, write_atomic,
    yaml::{self, Value},
};

use crate::{
    Data, DvcError, Project, Repository, Tracked, documents, git, repository::absolute,
    workspace::Lack,
};

/// What is to be written.
pub struct Export<'a> {
    repository: &'a Repository,
    tracked: Vec<Tracked>,
    /// Files for Git, in the order of writing.
    texts: Vec<(PathBuf, Vec<u8>)>,
    /// What Git is to pass over besides what is tracked.
    ignored: Vec<PathBuf>,
}

/// What was written.
#[derive(Debug, Default)]
pub struct Written {
    /// Files under DVC.
    pub files: usize,
    /// Their bytes.
    pub bytes: u64,
    /// Objects that the cache did not have.
    pub new_objects: usize,
    /// Files for Git, written now or there as they should be.
    pub for_git: Vec<PathBuf>,
    /// Links to directories that were left out.
    pub unfollowed: Vec<PathBuf>,
}

impl<'a> Export<'a> {
    /// Returns the repository that it goes into.
    pub fn repository(&self) -> &'a Repository {
        self.repository
    }

    /// Begins one; nothing is written but to the cache until [`Self::write`].
    pub fn new(repository: &'a Repository) -> Self {
        Self {
            repository,
            tracked: Vec::new(),
            texts: Vec::new(),
            ignored: Vec::new(),
        }
    }

    /// Reads a file or directory into the cache; it will stand at a place of the workspace, which may be where it
    /// is already.
    ///
    /// # Errors
    /// What is wrong with it, or with the place.
    pub fn track(&mut self, source: &Path, place: &Path) -> Result<&Tracked, DvcError> {
        let (source, place) = (absolute(source)?, absolute(place)?);
        self.tracked
            .push(Tracked::read(self.repository, &source, &place)?);
        Ok(&self.tracked[self.tracked.len() - 1])
    }

    /// Tracks something as `dvc add` does: with a `.dvc` file beside it.
    ///
    /// # Errors
    /// As [`Self::track`], and [`DvcError::Overlap`].
    pub fn add(&mut self, source: &Path, place: &Path) -> Result<&Tracked, DvcError> {
        if let Some(by) = self.repository.tracked_by(place)? {
            let path = place.to_owned();
            return Err(DvcError::Overlap { path, by });
        }
        let tracked = self.track(source, place)?;
        let place = tracked.place().to_owned();
        let directory = place.parent().unwrap_or(&place);
        let text = documents::dvc_file(&Data::of(tracked, directory));
        let mut name = place.file_name().unwrap_or_default().to_owned();
        name.push(".dvc");
        self.texts
            .push((place.with_file_name(name), text.into_bytes()));
        Ok(&self.tracked[self.tracked.len() - 1])
    }

    /// Lets Git pass over what stands, or will stand, somewhere.
    ///
    /// # Errors
    /// [`DvcError::Outside`].
    pub fn leave_out(&mut self, place: &Path) -> Result<(), DvcError> {
        let place = absolute(place)?;
        self.repository.names_of(&place)?;
        self.ignored.push(place);
        Ok(())
    }

    /// Writes a file that is for Git.
    ///
    /// # Errors
    /// [`DvcError::Outside`].
    pub fn keep(&mut self, place: &Path, bytes: Vec<u8>) -> Result<(), DvcError> {
        let place = absolute(place)?;
        self.repository.names_of(&place)?;
        self.texts.push((place, bytes));
        Ok(())
    }

    /// Writes `dvc.yaml` and `dvc.lock` into a directory.
    ///
    /// # Errors
    /// [`DvcError::Foreign`] when those that are there hold something else than these stages.
    pub fn describe(&mut self, directory: &Path, project: &Project) -> Result<(), DvcError> {
        let own: BTreeSet<&str> = project
            .stages
            .iter()
            .map(|stage| stage.name.as_str())
            .collect();
        let documents = [("dvc.yaml", project.yaml()), ("dvc.lock", project.lock())];
        for (name, text) in documents {
            let path = absolute(&directory.join(name))?;
            check_own(&path, &own)?;
            self.keep(&path, text.into_bytes())?;
        }
        Ok(())
    }

    /// Writes it all. An interruption at any moment leaves files that are whole, and documents that name nothing
    /// that is not there; the same call again completes it.
    ///
    /// # Errors
    /// [`DvcError::Exists`] before anything is written outside of the cache, unless `force` is set.
    pub fn write(self, force: bool) -> Result<Written, DvcError> {
        let repository = self.repository;
        self.check_git()?;
        let lacks = self
            .tracked
            .iter()
            .map(|tracked| Lack::of(tracked, repository));
        let lacks: Vec<Lack> = lacks.collect::<Result<_, _>>()?;
        if !force {
            self.check_free(&lacks)?;
        }
        for lack in &lacks {
            lack.fill(repository)?;
        }
        repository.cache().sync()?;
        let mut written = self.summary();
        for (path, bytes) in self.ignored()?.into_iter().chain(self.texts) {
            if fs::read(&path).is_ok_and(|found| found == bytes) {
                continue;
            }
            create_directory(path.parent().unwrap_or(&path))?;
            write_atomic(&path, &bytes)?;
        }
        written.for_git.sort();
        Ok(written)
    }

    fn check_git(&self) -> Result<(), DvcError> {
        if !self.repository.uses_git() {
            return Ok(());
        }
        let places: Vec<&Path> = self.tracked.iter().map(Tracked::place).collect();
        match git::first_tracked(self.repository.root(), &places) {
            Some(path) => Err(DvcError::InGit(path)),
            None => Ok(()),
        }
    }

    fn check_free(&self, lacks: &[Lack]) -> Result<(), DvcError> {
        let files = lacks
            .iter()
            .flat_map(|lack| lack.in_the_way.iter().chain(&lack.surplus));
        let texts = self.texts.iter().filter(|(path, bytes)| {
            path.symlink_metadata().is_ok() && !fs::read(path).is_ok_and(|found| found == *bytes)
        });
        let taken: Vec<PathBuf> = files.chain(texts.map(|(path, _)| path)).cloned().collect();
        match taken.is_empty() {
            true => Ok(()),
            false => Err(DvcError::Exists(taken)),
        }
    }

    /// Returns the `.gitignore` files as they should be.
    fn ignored(&self) -> Result<Vec<(PathBuf, Vec<u8>)>, DvcError> {
        if !self.repository.uses_git() {
            return Ok(Vec::new());
        }
        let mut files = Vec::new();
        for (directory, names) in self.by_directory() {
            let wanted = git::with_entries(directory, &names)?;
            files.extend(wanted.map(|(path, text)| (path, text.into_bytes())));
        }
        Ok(files)
    }

    /// Returns what is tracked, or passed over, by the directory that it stands in.
    fn by_directory(&self) -> BTreeMap<&Path, Vec<&str>> {
        let mut found: BTreeMap<&Path, Vec<&str>> = BTreeMap::new();
        let tracked = self.tracked.iter().map(Tracked::place);
        for place in tracked.chain(self.ignored.iter().map(PathBuf::as_path)) {
            let name = place.file_name().and_then(|name| name.to_str());
            if let (Some(directory), Some(name)) = (place.parent(), name) {
                found.entry(directory).or_default().push(name);
            }
        }
        found
    }

    fn summary(&self) -> Written {
        let files = || self.tracked.iter().flat_map(Tracked::files);
        let texts = self.texts.iter().map(|(path, _)| path.clone());
        let ignored = self
            .by_directory()
            .into_keys()
            .map(|directory| directory.join(".gitignore"));
        let uses_git = self.repository.uses_git();
        Written {
            files: files().count(),
            bytes: files().map(|file| file.size).sum(),
            new_objects: self.tracked.iter().map(|tracked| tracked.n_new).sum(),
            for_git: texts
                .chain(ignored.filter(|_| uses_git))
                .chain(self.repository.new_files())
                .collect(),
            unfollowed: self
                .tracked
                .iter()
                .flat_map(|tracked| tracked.unfollowed.clone())
                .collect(),
        }
    }
}

/// Refuses a document that others have a part in.
fn check_own(path: &Path, own: &BTreeSet<&str>) -> Result<(), DvcError> {
    if !path.is_file() {
        return Ok(());
    }
    let text = fs::read_to_string(path).map_err(StoreError::io("read", path))?;
    let foreign = |what: String| DvcError::Foreign {
        path: path.to_owned(),
        what,
    };
    let document: Value = yaml::parse(&text).map_err(|e| foreign(format!("({e}) work")))?;
    let names = |value: &Value| -> Vec<String> {
        let keys = value.as_mapping().into_iter().flat_map(|map| map.keys());
        keys.map(|key| key.as_str().unwrap_or_default().to_owned())
            .collect()
    };
    let stages = document.get("stages").map(names).unwrap_or_default();
    let sections = names(&document)
        .into_iter()
        .filter(|key| !["schema", "stages"].contains(&key.as_str()));
    let others: Vec<String> = stages
        .into_iter()
        .filter(|name| !own.contains(name.as_str()))
        .chain(sections)
        .collect();
    match others.is_empty() {
        true => Ok(()),
        false => Err(foreign(format!("work ({})", others.join(", ")))),
    }
}

#[cfg(test)]
mod tests;
