//! An S3 address: which objects of which bucket, and how they are read.

use std::{collections::BTreeSet, time::Duration};

use dataset::{SourceError, SourceUri};

use crate::parameter::{decode, positive};

/// `s3://bucket/key?name=value&…`, taken apart.
#[derive(Debug, Clone)]
pub(crate) struct Address {
    /// For people, without secrets.
    pub location: String,
    pub bucket: String,
    pub keys: Keys,
    /// The version of a single object.
    pub version: Option<String>,
    /// The ending that tells the format, where a key does not.
    pub format: Option<String>,
    /// Whether requests go without a signature, as to public buckets.
    pub is_anonymous: bool,
    /// How long one request may take, or a server keep still.
    pub time_limit: Duration,
}

/// Which keys are meant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Keys {
    One(String),
    /// All below it.
    Prefix(String),
    Pattern(Pattern),
}

/// A key with `*` for anything but `/`, and `**` for anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Text(String),
    Any { crosses: bool },
}

/// What objects that are loaded below a prefix are, unless the address says.
pub(super) const FORMAT: &str = "parquet";
const TIME_LIMIT: Duration = Duration::from_secs(30);
const PARAMETERS: &str = "version_id, format, anonymous and time_limit";

impl Address {
    pub(crate) fn parse(uri: &SourceUri) -> Result<Self, SourceError> {
        let location = uri.to_string();
        parse(uri.with_secrets()?, &location)
            .map_err(|reason| SourceError::Unsupported { location, reason })
    }

    /// Names an object of the bucket for people.
    pub(crate) fn location_of(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.bucket)
    }

    /// Returns the key of the object that a load goes into; below a prefix it is of the format that the address names.
    pub(crate) fn key_of_load(&self, load: &str) -> String {
        match &self.keys {
            Keys::One(key) => key.clone(),
            Keys::Pattern(pattern) => pattern.filled(load).unwrap_or_default(),
            Keys::Prefix(prefix) => {
                let format = self.format.as_deref().unwrap_or(FORMAT);
                format!("{prefix}{load}.{format}")
            }
        }
    }

    /// Returns whether what is loaded into another address would be read from this one.
    pub(crate) fn reads(&self, other: &Self) -> bool {
        let is_newest = self.version.is_none();
        is_newest && self.bucket == other.bucket && self.keys.mean(&other.key_of_load("load"))
    }

    /// Returns what tells the format of an object as a file's name does.
    pub(crate) fn named(&self, key: &str) -> String {
        match &self.format {
            Some(format) => format!("x.{format}"),
            None => key.to_owned(),
        }
    }
}

fn parse(whole: &str, location: &str) -> Result<Address, String> {
    let rest = whole.split_once("://").map_or("", |(_, rest)| rest);
    if let Some((_, hint)) = rest.rsplit_once("#format=") {
        return Err(format!("`#format=` is for paths: write ?format={hint}"));
    }
    let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
    let (bucket, key) = place.split_once('/').unwrap_or((place, ""));
    let is_name = |c: char| c.is_ascii_alphanumeric() || ".-_".contains(c);
    if bucket.is_empty() || !bucket.chars().all(is_name) {
        return Err(
            "it names no bucket: s3://BUCKET/KEY; key and secret stand in AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY or a profile, not in the address"
                .to_owned(),
        );
    }
    let mut address = Address {
        location: location.to_owned(),
        bucket: bucket.to_owned(),
        keys: Keys::parse(key)?,
        version: None,
        format: None,
        is_anonymous: false,
        time_limit: TIME_LIMIT,
    };
    for part in query.split('&').filter(|part| !part.is_empty()) {
        take(&mut address, part)?;
    }
    match (&address.version, &address.keys) {
        (Some(_), Keys::Prefix(_) | Keys::Pattern(_)) => {
            Err("`version_id` is of one object, but the address means several".to_owned())
        }
        _ => Ok(address),
    }
}

fn take(address: &mut Address, part: &str) -> Result<(), String> {
    let (name, value) = part.split_once('=').unwrap_or((part, ""));
    let value = decode(value)?;
    match (name, value.as_str()) {
        ("version_id" | "format", "") => return Err(format!("`{name}` has no value")),
        ("version_id", _) => address.version = Some(value),
        ("format", _) if value.contains(['/', '\0']) => {
            return Err(format!(
                "format={value} is no ending of a name, as csv.gz is"
            ));
        }
        ("format", _) => address.format = Some(value),
        ("anonymous", "true" | "false") => address.is_anonymous = value == "true",
        ("anonymous", _) => return Err(format!("anonymous={value} is neither true nor false")),
        ("time_limit", _) => {
            address.time_limit = Duration::from_secs(positive(name, &value)?.into());
        }
        _ => {
            return Err(format!(
                "`{name}` is not known behind `?`: known are {PARAMETERS}; a question mark in a key is \
                 written %3F"
            ));
        }
    }
    Ok(())
}

impl Keys {
    fn parse(raw: &str) -> Result<Self, String> {
        if raw.contains('*') {
            return Pattern::parse(raw).map(Self::Pattern);
        }
        let key = decode(raw)?;
        Ok(match key.is_empty() || key.ends_with('/') {
            true => Self::Prefix(key),
            false => Self::One(key),
        })
    }

    /// Returns what every meant key begins with.
    pub(crate) fn prefix(&self) -> &str {
        match self {
            Self::One(key) | Self::Prefix(key) => key,
            Self::Pattern(pattern) => pattern.prefix(),
        }
    }

    /// Returns whether a key is meant. Those that end with `/` stand for folders; below a prefix, names
    /// that begin with `_` or `.` are for whoever wrote the others (`_SUCCESS`).
    pub(crate) fn mean(&self, key: &str) -> bool {
        match self {
            _ if key.ends_with('/') => false,
            Self::One(one) => key == one,
            Self::Pattern(pattern) => pattern.matches(key),
            Self::Prefix(prefix) => key
                .strip_prefix(prefix.as_str())
                .is_some_and(|rest| !rest.split('/').any(|name| name.starts_with(['_', '.']))),
        }
    }
}

impl Pattern {
    fn parse(raw: &str) -> Result<Self, String> {
        let mut pieces = Vec::new();
        let mut rest = raw;
        while let Some(at) = rest.find('*') {
            if at > 0 {
                pieces.push(Piece::Text(decode(&rest[..at])?));
            }
            let behind = rest[at..].trim_start_matches('*');
            let stars = rest.len() - at - behind.len();
            pieces.push(Piece::Any { crosses: stars > 1 });
            rest = behind;
        }
        if !rest.is_empty() {
            pieces.push(Piece::Text(decode(rest)?));
        }
        Ok(Self(pieces))
    }

    fn prefix(&self) -> &str {
        match self.0.first() {
            Some(Piece::Text(text)) => text,
            _ => "",
        }
    }

    fn matches(&self, key: &str) -> bool {
        let mut ends = BTreeSet::from([0]);
        for piece in &self.0 {
            ends = ends
                .into_iter()
                .flat_map(|at| piece.ends(key.as_bytes(), at))
                .collect();
        }
        ends.contains(&key.len())
    }

    /// Returns the key with a name in the place of its only star.
    pub(crate) fn filled(&self, name: &str) -> Option<String> {
        let stars = self.0.iter().filter(|p| matches!(p, Piece::Any { .. }));
        let texts = self.0.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::Any { .. } => name,
        });
        (stars.count() == 1).then(|| texts.collect())
    }
}

impl Piece {
    /// Returns where it may end that begins at a byte of a key.
    fn ends(&self, key: &[u8], at: usize) -> Vec<usize> {
        let rest = &key[at..];
        match self {
            Self::Text(text) if rest.starts_with(text.as_bytes()) => vec![at + text.len()],
            Self::Text(_) => Vec::new(),
            Self::Any { crosses } => {
                let slash = rest.iter().position(|b| *b == b'/' && !crosses);
                (at..=at + slash.unwrap_or(rest.len())).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests;
