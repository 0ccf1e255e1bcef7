//! The address of records: its secrets are reached by one method and shown by none.

use std::{convert::Infallible, fmt, path::PathBuf, str::FromStr};

use artifact::{
    Digest,
    secrets::{MASK, authority, is_secret, is_surely_secret, login_length, masked, places},
};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::SourceError;

/// Where records are: a path, or a URI that may carry a password, a token or a signature.
///
/// Whatever shows or keeps it (`Display`, `Debug`, `Serialize`) writes `***` in the place of secrets.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct SourceUri {
    whole: String,
}

impl SourceUri {
    /// Makes an address of what somebody wrote; spaces around a URI are no part of it.
    pub fn new(text: impl AsRef<str>) -> Self {
        let text = text.as_ref();
        let is_uri = authority(text.trim()).is_some();
        let whole = if is_uri { text.trim() } else { text };
        Self {
            whole: whole.to_owned(),
        }
    }

    /// Returns the scheme; none for a path.
    pub fn scheme(&self) -> Option<&str> {
        self.whole.split_once("://").map(|(scheme, _)| scheme)
    }

    /// Returns the path of a local file: a path as it is, and of `file://…` what stands before `?` and
    /// `#` and behind a login and `localhost`, with `%20` and the like decoded; none when another host is
    /// named. Secrets are no part of it.
    pub fn local_path(&self) -> Option<PathBuf> {
        let Some((scheme, rest)) = self.whole.split_once("://") else {
            // A URI that lacks a slash is no path, and its password no part of one.
            let is_path = places(&self.whole, is_secret).is_empty();
            return is_path.then(|| PathBuf::from(&self.whole));
        };
        if scheme != "file" {
            return None;
        }
        let behind = login_length(rest).map_or(rest, |n| &rest[n + 1..]);
        let end = behind.find(['?', '#']).unwrap_or(behind.len());
        let (host, _) = behind[..end].split_once('/')?;
        let is_here = host.is_empty() || host.eq_ignore_ascii_case("localhost");
        let path = decoded_path(&behind[host.len()..end]);
        path.filter(|_| is_here)
    }

    /// Returns the address as it was given, for whoever connects to it and for nobody else.
    ///
    /// # Errors
    /// [`SourceError::Unsupported`] when it was kept without its secrets and read back.
    pub fn with_secrets(&self) -> Result<&str, SourceError> {
        if self.lacks_secrets() {
            return Err(SourceError::Unsupported {
                location: self.to_string(),
                reason: format!(
                    "its secrets were taken out when it was kept: write them for {MASK}"
                ),
            });
        }
        Ok(&self.whole)
    }

    /// Returns whether it was kept without its secrets and read back.
    pub fn lacks_secrets(&self) -> bool {
        let mut found = places(&self.whole, is_secret).into_iter();
        found.any(|place| &self.whole[place] == MASK)
    }

    /// Returns a digest that tells addresses apart, but not one password from another.
    pub fn fingerprint(&self) -> Digest {
        Digest::of(masked(&self.whole, is_surely_secret).as_bytes())
    }
}

/// Decodes `%20` and the like: to any bytes where paths may have them, else to text.
fn decoded_path(encoded: &str) -> Option<PathBuf> {
    let decoded = percent_decode_str(encoded);
    #[cfg(unix)]
    {
        use std::{ffi::OsString, os::unix::ffi::OsStringExt as _};
        Some(OsString::from_vec(decoded.collect()).into())
    }
    #[cfg(not(unix))]
    decoded.decode_utf8().ok().map(|path| PathBuf::from(&*path))
}

impl fmt::Display for SourceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&masked(&self.whole, is_secret))
    }
}

impl fmt::Debug for SourceUri {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SourceUri({self})")
    }
}

impl FromStr for SourceUri {
    type Err = Infallible;

    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(Self::new(text))
    }
}

impl Serialize for SourceUri {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SourceUri {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(Self::new)
    }
}

#[cfg(test)]
mod tests;
