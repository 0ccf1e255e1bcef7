//! A DVC repository: the directory with `.dvc` in it.

use std::{
    fs::{self, File},
    io,
    path::{Component, Path, PathBuf},
    time::{Duration, SystemTime},
};

use artifact::{StoreError, clock, create_directory, lock_within, open_lock, write_new};

use crate::{DvcError, Link, cache::Cache, documents, git, ignore::Ignore, settings::Settings};

/// A repository that this process has for itself.
pub struct Repository {
    root: PathBuf,
    cache: Cache,
    links: Vec<Link>,
    uses_git: bool,
    /// Held as long as the repository is worked in.
    _lock: Lock,
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
        let lock = Lock::take(root, settings.hardlink_lock)?;
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

    /// Returns whether the repository lies in one of Git.
    pub fn uses_git(&self) -> bool {
        self.uses_git
    }

    /// Returns what makes it a repository and is not in Git yet.
    pub(crate) fn new_files(&self) -> Vec<PathBuf> {
        let own = [".dvc/config", ".dvc/.gitignore", ".dvcignore"].map(|name| self.root.join(name));
        match self.uses_git {
            true => git::untracked(&self.root, &own),
            false => Vec::new(),
        }
    }

    /// Returns the document by which something else than a `.dvc` file of its own puts a path, what it lies in or what
    /// lies in it under DVC.
    ///
    /// # Errors
    /// [`DvcError::Store`] when the path cannot be resolved.
    pub fn tracked_by(&self, path: &Path) -> Result<Option<PathBuf>, DvcError> {
        let place = absolute(path)?;
        let above = place.ancestors().skip(1);
        let mut within = above.take_while(|directory| directory.starts_with(&self.root));
        Ok(within.find_map(|directory| {
            let whole = beside(directory).filter(|_| directory != self.root);
            let makes = |out: &PathBuf| place.starts_with(out) || out.starts_with(&place);
            let pipeline = directory.join("dvc.yaml");
            let is_made = || documents::outputs(&pipeline).iter().any(makes);
            whole.or_else(|| is_made().then_some(pipeline.clone()))
        }))
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

/// Returns the `.dvc` file that tracks a file or directory, if there is one.
pub(crate) fn beside(path: &Path) -> Option<PathBuf> {
    let mut name = path.file_name()?.to_owned();
    name.push(".dvc");
    Some(path.with_file_name(name)).filter(|file| file.is_file())
}

/// The lock that DVC takes while it works in a repository.
struct Lock {
    file: File,
    /// Where it is, if it is the lock by being there.
    path: Option<PathBuf>,
}

/// No export takes longer; DVC takes away a lock when the time of its file is over.
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// How long DVC waits for its lock, too.
const PATIENCE: Duration = Duration::from_secs(3);

impl Lock {
    fn take(root: &Path, by_being_there: bool) -> Result<Self, DvcError> {
        let directory = root.join(".dvc/tmp");
        let path = directory.join("lock");
        fs::create_dir_all(&directory).map_err(StoreError::io("create", &directory))?;
        let taken = match by_being_there {
            true => Self::make(&path),
            false => Self::hold(&path),
        };
        taken.map_err(|e| match e.kind() {
            io::ErrorKind::AlreadyExists | io::ErrorKind::WouldBlock => {
                DvcError::Busy(root.to_owned())
            }
            _ => StoreError::io("lock", &path)(e).into(),
        })
    }

    fn make(path: &Path) -> io::Result<Self> {
        let file = File::create_new(path)?;
        let lock = Self {
            file,
            path: Some(path.to_owned()),
        };
        let over = SystemTime::from(clock::now()) + LONGEST;
        lock.file.set_modified(over)?;
        Ok(lock)
    }

    fn hold(path: &Path) -> io::Result<Self> {
        let file = open_lock(path)?;
        // A child of this very process has it for a moment between being made and becoming another program.
        lock_within(&file, PATIENCE)?;
        Ok(Self { file, path: None })
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // One that cannot be removed is named by whoever wants to take it next.
        if let Some(path) = &self.path {
            let _ = fs::remove_file(path);
        }
    }
}
