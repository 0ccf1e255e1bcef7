//! A DVC repository: the directory with `.dvc` in it.

use std::{
    fs::{self, File},
    path::{Component, Path, PathBuf},
};

use artifact::{StoreError, create_directory, write_new};

use crate::{DvcError, Link, cache::Cache, git, ignore::Ignore, settings::Settings};

/// A repository that this process has for itself.
pub struct Repository {
    root: PathBuf,
    cache: Cache,
    links: Vec<Link>,
    uses_git: bool,
    /// Held as long as the repository is worked in.
    _lock: File,
}

impl Repository {
    /// Opens the repository that a directory lies in, which need not be there yet.
    ///
    /// # Errors
    /// [`DvcError::NoRepository`], [`DvcError::Busy`], [`DvcError::Setting`].
    pub fn find(directory: &Path) -> Result<Self, DvcError> {
        let whole = absolute(directory)?;
        let root = whole.ancestors().find(|root| root.join(".dvc").is_dir());
        match root {
            Some(root) => Self::open(root),
            None => Err(DvcError::NoRepository(directory.to_owned())),
        }
    }

    /// Opens the repository that a directory lies in, or makes that directory one, as `dvc init` does.
    ///
    /// # Errors
    /// As [`Self::find`].
    pub fn find_or_init(directory: &Path) -> Result<Self, DvcError> {
        match Self::find(directory) {
            Err(DvcError::NoRepository(_)) => {}
            found => return found,
        }
        create_directory(directory)?;
        let root = absolute(directory)?;
        let own = root.join(".dvc");
        create_directory(&own)?;
        let in_git = root.ancestors().any(|above| above.join(".git").exists());
        let config: &[u8] = match in_git {
            true => b"",
            false => b"[core]\n    no_scm = True\n",
        };
        write_new(&own.join("config"), config)?;
        write_new(&own.join(".gitignore"), b"/config.local\n/tmp\n/cache\n")?;
        write_new(
            &root.join(".dvcignore"),
            b"# What DVC leaves out, as in .gitignore\n",
        )?;
        Self::open(&root)
    }

    fn open(root: &Path) -> Result<Self, DvcError> {
        let own = root.join(".dvc");
        let settings = Settings::read(&own)?;
        let lock = lock(root)?;
        // Links lead there by the path that DVC makes of it.
        let place = absolute(&settings.cache.unwrap_or_else(|| own.join("cache")))?;
        Ok(Self {
            root: root.to_owned(),
            cache: Cache::new(place.join("files/md5"), settings.shared),
            links: settings.links,
            uses_git: !settings.no_scm,
            _lock: lock,
        })
    }

    /// Returns the directory with `.dvc` in it.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Returns how files of the workspace come from the cache: what to try, the first first.
    pub fn links(&self) -> &[Link] {
        &self.links
    }

    /// Returns whether a path lies in the repository.
    pub fn holds(&self, path: &Path) -> bool {
        self.names_of(path).is_ok()
    }

    /// Returns whether Git tracks a file.
    ///
    /// # Errors
    /// [`DvcError::Store`] when the path cannot be resolved.
    pub fn in_git(&self, path: &Path) -> Result<bool, DvcError> {
        let place = absolute(path)?;
        Ok(self.uses_git && git::first_tracked(&self.root, &[&place]).is_some())
    }

    pub(crate) fn cache(&self) -> &Cache {
        &self.cache
    }

    pub(crate) fn uses_git(&self) -> bool {
        self.uses_git
    }

    /// Returns a path as names from the root.
    pub(crate) fn names_of(&self, path: &Path) -> Result<Vec<String>, DvcError> {
        let whole = absolute(path)?;
        let below = whole
            .strip_prefix(&self.root)
            .map_err(|_| DvcError::Outside {
                path: path.to_owned(),
                root: self.root.clone(),
            })?;
        let name = |part: Component<'_>| match part.as_os_str().to_str() {
            Some(name) => Ok(name.to_owned()),
            None => Err(DvcError::Name(path.to_owned())),
        };
        below.components().map(name).collect()
    }

    pub(crate) fn ignore_for(&self, place: &[String]) -> Result<Ignore, DvcError> {
        Ignore::for_place(&self.root, place)
    }
}

/// Returns where a path is, whether there is something or not: with the links of the directories that are there
/// followed, but not a link that it is itself.
///
/// # Errors
/// [`DvcError::Store`] when a directory on the way cannot be looked at.
pub fn absolute(path: &Path) -> Result<PathBuf, DvcError> {
    let fail = |e| StoreError::io("find", path)(e);
    let whole = std::path::absolute(path).map_err(fail)?;
    // `..` after a directory that is not there, or a link, is resolved by name.
    let mut plain = PathBuf::new();
    for part in whole.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            part => plain.push(part),
        }
    }
    let Some((parent, name)) = plain.parent().zip(plain.file_name()) else {
        return Ok(plain);
    };
    if plain.is_dir() && !plain.is_symlink() {
        return Ok(plain.canonicalize().map_err(fail)?);
    }
    match parent.is_dir() {
        true => Ok(parent.canonicalize().map_err(fail)?.join(name)),
        false => Ok(absolute(parent)?.join(name)),
    }
}

/// Takes the lock that DVC takes while it works in a repository.
fn lock(root: &Path) -> Result<File, DvcError> {
    let directory = root.join(".dvc/tmp");
    let path = directory.join("lock");
    fs::create_dir_all(&directory).map_err(StoreError::io("create", &directory))?;
    let opened = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path);
    let file = opened.map_err(StoreError::io("open", &path))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => Err(DvcError::Busy(root.to_owned())),
        Err(fs::TryLockError::Error(e)) => Err(StoreError::io("lock", &path)(e).into()),
    }
}
