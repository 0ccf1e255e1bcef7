//! What DVC's configuration files say of the cache.

use std::{
    env, fs, io,
    path::{Path, PathBuf},
};

use artifact::StoreError;

use crate::DvcError;

/// How a file of the workspace comes from the cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// A copy that shares its blocks until one of both is written.
    Reflink,
    /// Another name of the cache's file, which must not be written to.
    Hardlink,
    /// A symbolic link into the cache.
    Symlink,
    /// A copy.
    Copy,
}

impl Link {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Reflink => "reflink",
            Self::Hardlink => "hardlink",
            Self::Symlink => "symlink",
            Self::Copy => "copy",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Reflink, Self::Hardlink, Self::Symlink, Self::Copy]
            .into_iter()
            .find(|link| link.name() == name)
    }
}

/// The settings that matter here, of all levels.
#[derive(Debug)]
pub(crate) struct Settings {
    /// Where objects are kept, without `files/md5`; DVC's own place when it is not set.
    pub cache: Option<PathBuf>,
    /// Links to try, the first first.
    pub links: Vec<Link>,
    /// Whether directories of the cache are for all of a group.
    pub shared: bool,
    /// Whether the repository is one without Git.
    pub no_scm: bool,
    /// Whether the lock is a file that is there, as on file systems that lock none.
    pub hardlink_lock: bool,
}

impl Settings {
    /// Reads the files of all levels: the system's, the user's, the repository's, and those of this copy of it.
    pub(crate) fn read(dvc: &Path) -> Result<Self, DvcError> {
        let mut settings = Self {
            cache: None,
            links: vec![Link::Reflink, Link::Copy],
            shared: false,
            no_scm: false,
            hardlink_lock: false,
        };
        let files = [system(), user()].into_iter().flatten();
        let own = ["config", "config.local"].map(|name| dvc.join(name));
        for path in files.chain(own) {
            match fs::read_to_string(&path) {
                Ok(text) => settings.apply(&path, &text)?,
                Err(e) if e.kind() == io::ErrorKind::NotFound => {}
                Err(e) => return Err(StoreError::io("read", &path)(e).into()),
            }
        }
        Ok(settings)
    }

    /// Lays what a file says over what is known.
    fn apply(&mut self, path: &Path, text: &str) -> Result<(), DvcError> {
        for (section, key, value) in assignments(text) {
            match (section.as_str(), key.as_str()) {
                ("cache", "dir") => self.cache = Some(resolve(path, &value)),
                ("cache", "type") => self.links = links(path, &value)?,
                ("cache", "shared") => self.shared = value.eq_ignore_ascii_case("group"),
                ("core", "no_scm") => self.no_scm = value.eq_ignore_ascii_case("true"),
                ("core", "hardlink_lock") => {
                    self.hardlink_lock = value.eq_ignore_ascii_case("true");
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// Returns each `key = value` with its section, in lower case but for values.
fn assignments(text: &str) -> Vec<(String, String, String)> {
    let (mut section, mut found) = (String::new(), Vec::new());
    for line in text.lines().map(str::trim) {
        if let Some(name) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) {
            section = name.trim().to_lowercase();
        } else if let Some((key, value)) = line.split_once('=').filter(|_| !line.starts_with('#')) {
            let key = key.trim().to_lowercase();
            found.push((section.clone(), key, unquoted(value.trim()).to_owned()));
        }
    }
    found
}

fn unquoted(value: &str) -> &str {
    ['"', '\'']
        .into_iter()
        .find_map(|quote| value.strip_prefix(quote)?.split(quote).next())
        .unwrap_or_else(|| value.split(" #").next().unwrap_or_default().trim_end())
}

fn links(path: &Path, value: &str) -> Result<Vec<Link>, DvcError> {
    let names = value.split(',').map(str::trim).map(unquoted);
    let link = |name: &str| {
        Link::parse(name).ok_or_else(|| DvcError::Setting {
            path: path.to_owned(),
            reason: format!(
                "cache.type holds {name:?}, which is none of reflink, hardlink, symlink, copy"
            ),
        })
    };
    names.filter(|name| !name.is_empty()).map(link).collect()
}

/// Returns the path that a file names: relative ones are so to the file's directory.
fn resolve(file: &Path, value: &str) -> PathBuf {
    let home = value.strip_prefix("~/").zip(env::home_dir());
    match home {
        Some((below, home)) => home.join(below),
        None => file.with_file_name(value),
    }
}

fn variable(name: &str) -> Option<PathBuf> {
    let value = env::var_os(name).filter(|value| !value.is_empty());
    value.map(PathBuf::from)
}

fn user() -> Option<PathBuf> {
    let directory = match variable("DVC_GLOBAL_CONFIG_DIR") {
        Some(directory) => directory,
        None if cfg!(target_os = "macos") => {
            env::home_dir()?.join("Library/Application Support/dvc")
        }
        None => match variable("XDG_CONFIG_HOME") {
            Some(directory) => directory.join("dvc"),
            None => env::home_dir()?.join(".config/dvc"),
        },
    };
    Some(directory.join("config"))
}

fn system() -> Option<PathBuf> {
    let directory = match variable("DVC_SYSTEM_CONFIG_DIR") {
        Some(directory) => directory,
        None if cfg!(target_os = "macos") => PathBuf::from("/Library/Application Support/dvc"),
        None => match variable("XDG_CONFIG_DIRS") {
            Some(list) => env::split_paths(&list).next()?.join("dvc"),
            None => PathBuf::from("/etc/xdg/dvc"),
        },
    };
    Some(directory.join("config"))
}

#[cfg(test)]
mod tests;
