//! The cache: objects under the MD5 of their content.

use std::{
    fs::{self, File, Metadata, Permissions},
    io::{self, Read as _, Seek as _, Write as _},
    path::{Path, PathBuf},
};

use artifact::{StoreError, create_temporary, remove_temporary, rename_temporary};

use crate::{DvcError, Entry, Md5};

/// Files up to this size are read once, into memory.
const SMALL: u64 = 4 << 20;

/// The directory `files/md5` of a cache.
pub(crate) struct Cache {
    directory: PathBuf,
    shared: bool,
}

/// What became of a file.
pub(crate) struct Stored {
    pub entry: Entry,
    /// Whether the cache did not have its content yet.
    pub is_new: bool,
}

impl Cache {
    pub(crate) fn new(directory: PathBuf, shared: bool) -> Self {
        Self { directory, shared }
    }

    /// Returns where an object is or would be: 32 digits, and `.dir` after them for a directory's.
    pub(crate) fn path(&self, object: &str) -> PathBuf {
        let (head, tail) = object.split_at(2);
        self.directory.join(head).join(tail)
    }

    /// Makes sure that the cache has the content of a file.
    pub(crate) fn add_file(&self, relpath: &str, path: &Path) -> Result<Stored, DvcError> {
        let fail = |e| DvcError::from(StoreError::io("read", path)(e));
        let mut file = File::open(path).map_err(fail)?;
        let before = file.metadata().map_err(fail)?;
        let (md5, size, is_new) = if before.len() <= SMALL {
            let mut bytes = Vec::with_capacity(before.len() as usize + 1);
            file.read_to_end(&mut bytes).map_err(fail)?;
            let md5 = Md5::of(&bytes);
            (
                md5,
                bytes.len() as u64,
                self.add_bytes(&md5.to_string(), &bytes)?,
            )
        } else {
            let (md5, size) = Md5::of_reader(&file).map_err(fail)?;
            let is_new = self.add(&md5.to_string(), size, |into| {
                file.rewind()?;
                io::copy(&mut file, into).map(drop)
            })?;
            (md5, size, is_new)
        };
        let after = file.metadata().map_err(fail)?;
        if size != before.len() || !is_same(&before, &after) {
            // What the cache got goes under a name that is not its own.
            return Err(self.withdraw(&md5.to_string(), is_new, path));
        }
        let entry = Entry {
            relpath: relpath.to_owned(),
            md5,
            size,
            is_executable: is_executable(&before),
        };
        Ok(Stored { entry, is_new })
    }

    fn withdraw(&self, object: &str, is_new: bool, path: &Path) -> DvcError {
        if is_new {
            // Nothing refers to it yet; one that stays is found by `dvc gc`.
            let _ = fs::remove_file(self.path(object));
        }
        DvcError::Changed(path.to_owned())
    }

    /// Makes sure that the cache has an object of these bytes; returns whether it is new.
    pub(crate) fn add_bytes(&self, object: &str, bytes: &[u8]) -> Result<bool, DvcError> {
        self.add(object, bytes.len() as u64, |file| file.write_all(bytes))
    }

    fn add(
        &self,
        object: &str,
        size: u64,
        write: impl FnOnce(&mut File) -> io::Result<()>,
    ) -> Result<bool, DvcError> {
        let path = self.path(object);
        // One of another length is what a power cut has left.
        if fs::metadata(&path).is_ok_and(|found| found.len() == size) {
            return Ok(false);
        }
        let fail = |e| DvcError::from(StoreError::io("write", &path)(e));
        let (temporary, mut file) = self.temporary(&path).map_err(fail)?;
        let written = write(&mut file)
            .and_then(|()| protect(&file))
            .and_then(|()| rename_temporary(&temporary, &path));
        if let Err(error) = written {
            remove_temporary(&temporary);
            return Err(fail(error));
        }
        Ok(true)
    }

    fn temporary(&self, path: &Path) -> io::Result<(PathBuf, File)> {
        match create_temporary(path) {
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                self.make_parent(path)?;
                create_temporary(path)
            }
            made => made,
        }
    }

    fn make_parent(&self, path: &Path) -> io::Result<()> {
        let parent = path.parent().unwrap_or(&self.directory);
        fs::create_dir_all(parent)?;
        #[cfg(unix)]
        if self.shared {
            use std::os::unix::fs::PermissionsExt as _;
            fs::set_permissions(parent, Permissions::from_mode(0o2775))?;
        }
        Ok(())
    }

    /// Makes everything durable that was written so far, in one step: before something refers to it.
    pub(crate) fn sync(&self) -> Result<(), DvcError> {
        let fail = |e| DvcError::from(StoreError::io("sync", &self.directory)(e));
        if !self.directory.is_dir() {
            return Ok(());
        }
        sync_file_system(&self.directory).map_err(fail)
    }
}

#[cfg(target_os = "linux")]
fn sync_file_system(directory: &Path) -> io::Result<()> {
    Ok(rustix::fs::syncfs(File::open(directory)?)?)
}

#[cfg(all(unix, not(target_os = "linux")))]
fn sync_file_system(_: &Path) -> io::Result<()> {
    rustix::fs::sync();
    Ok(())
}

#[cfg(not(unix))]
fn sync_file_system(_: &Path) -> io::Result<()> {
    Ok(())
}

/// Takes the right to write away: DVC does not hash such an object again.
fn protect(file: &File) -> io::Result<()> {
    #[cfg(unix)]
    let permissions = {
        use std::os::unix::fs::PermissionsExt as _;
        Permissions::from_mode(0o444)
    };
    #[cfg(not(unix))]
    let permissions = {
        let mut permissions = file.metadata()?.permissions();
        permissions.set_readonly(true);
        permissions
    };
    file.set_permissions(permissions)
}

fn is_same(before: &Metadata, after: &Metadata) -> bool {
    before.len() == after.len() && before.modified().ok() == after.modified().ok()
}

#[cfg(unix)]
pub(crate) fn is_executable(file: &Metadata) -> bool {
    use std::os::unix::fs::PermissionsExt as _;
    file.permissions().mode() & 0o111 != 0
}

#[cfg(not(unix))]
pub(crate) fn is_executable(_: &Metadata) -> bool {
    false
}
