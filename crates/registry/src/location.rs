//! Where a registry is: in a directory, or below a prefix of a bucket.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use artifact::{ErrorKind, Failure};
use dataset::SourceUri;

use crate::{BlobStore, LocalDirectory, Registry, RegistryError};

/// The place that an address names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// A directory of this machine, or of a file system that it has mounted.
    Directory(PathBuf),
    /// `s3://BUCKET/PREFIX`.
    Bucket(SourceUri),
}

impl Location {
    /// Opens the registry there; `bucket` opens a bucket, which this crate knows nothing of.
    ///
    /// # Errors
    /// What `bucket` fails with.
    pub fn open(
        &self,
        bucket: impl FnOnce(&SourceUri) -> Result<Arc<dyn BlobStore>, Failure>,
    ) -> Result<Registry, Failure> {
        Ok(Registry::new(match self {
            Self::Directory(path) => Arc::new(LocalDirectory::new(path)),
            Self::Bucket(uri) => bucket(uri)?,
        }))
    }

    /// Opens the registry that a run's configuration names, or the one beside the run, for a program that reaches no
    /// server.
    ///
    /// # Errors
    /// [`ErrorKind::Usage`] for a bucket.
    pub fn open_directory(kept: Option<&SourceUri>, root: &Path) -> Result<Registry, Failure> {
        let Some(address) = kept else {
            return Ok(Registry::local(root));
        };
        Self::try_from(address)?.open(|uri| {
            let message = format!(
                "this program reaches no bucket, and the run's registry is {uri}: give `netsec stage`"
            );
            Err(Failure::new(ErrorKind::Usage, message))
        })
    }

    /// Returns it as another process finds it, whatever its working directory is.
    pub fn absolute(&self) -> SourceUri {
        match self {
            Self::Directory(path) => {
                let whole = std::path::absolute(path).unwrap_or_else(|_| path.clone());
                SourceUri::new(whole.display().to_string())
            }
            Self::Bucket(uri) => uri.clone(),
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => path.display().fmt(f),
            Self::Bucket(uri) => uri.fmt(f),
        }
    }
}

impl TryFrom<&SourceUri> for Location {
    type Error = RegistryError;

    fn try_from(address: &SourceUri) -> Result<Self, RegistryError> {
        match (address.local_path(), address.scheme()) {
            (Some(path), _) if !path.as_os_str().is_empty() => Ok(Self::Directory(path)),
            (None, Some("s3")) => Ok(Self::Bucket(address.clone())),
            _ => Err(RegistryError::BadLocation {
                address: address.to_string(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(address: &str, expected: &str) {
        let found = match Location::try_from(&SourceUri::new(address)) {
            Ok(Location::Directory(path)) => format!("directory {}", path.display()),
            Ok(Location::Bucket(uri)) => format!("bucket {uri}"),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{address}");
    }

    #[test]
    fn a_directory_is_told_from_a_bucket_and_from_what_is_neither() {
        check("artifacts/registry", "directory artifacts/registry");
        check("file:///mnt/a%20b", "directory /mnt/a b");
        check("s3://models/team", "bucket s3://models/team");
        let neither = "is no place of a registry: give a directory or s3://BUCKET/PREFIX";
        check("https://host/x", &format!("`https://host/x` {neither}"));
        check("file://host/x", &format!("`file://host/x` {neither}"));
        check("", &format!("`` {neither}"));
    }
}
