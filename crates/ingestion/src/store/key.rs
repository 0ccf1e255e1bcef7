//! What a snapshot is filed under.

use std::fmt;

use artifact::Digest;
use dataset::Schema;

use crate::IngestionConfig;

/// The key of a snapshot: what was read, and how cells are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotKey(Digest);

/// Raised whenever the same source would be read differently, or laid out differently as a snapshot.
const LAYOUT: u8 = 1;

impl SnapshotKey {
    /// Makes the key of a source; secrets in the URI do not count.
    pub fn new(uri: &str, query: Option<&str>, schema: &Schema, config: &IngestionConfig) -> Self {
        let parts = [
            LAYOUT.to_string(),
            without_secrets(uri),
            query.map_or("none".to_owned(), |q| format!("query {q}")),
            schema.reading_fingerprint().to_string(),
            config.max_rows.map_or("all".to_owned(), |n| n.to_string()),
        ];
        Self(Digest::of(parts.join("\0").as_bytes()))
    }
}

impl fmt::Display for SnapshotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Returns a URI without user, password and the query parameters that carry secrets.
pub fn without_secrets(uri: &str) -> String {
    let Some((scheme, rest)) = uri.split_once("://") else {
        return uri.to_owned();
    };
    let (place, query) = match rest.split_once('?') {
        Some((place, query)) => (place, Some(query)),
        None => (rest, None),
    };
    let place = without_user(place);
    let kept: Vec<&str> = query
        .unwrap_or_default()
        .split('&')
        .filter(|parameter| !parameter.is_empty() && !is_secret(parameter))
        .collect();
    let mark = if kept.is_empty() { "" } else { "?" };
    format!("{scheme}://{place}{mark}{}", kept.join("&"))
}

/// Cuts `user:password@` off. A password with an unescaped `/` is told by what then stands for a port.
fn without_user(place: &str) -> &str {
    let (authority, path) = place.split_at(place.find('/').unwrap_or(place.len()));
    if let Some(at) = authority.rfind('@') {
        return &place[at + 1..];
    }
    let is_port = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    match authority.rsplit_once(':') {
        Some((host, port)) if !is_port(port) && !host.starts_with('[') => {
            path.rfind('@').map_or(place, |at| &path[at + 1..])
        }
        _ => place,
    }
}

fn is_secret(parameter: &str) -> bool {
    let name = parameter
        .split('=')
        .next()
        .unwrap_or_default()
        .to_lowercase();
    [
        "password",
        "passwd",
        "secret",
        "token",
        "signature",
        "credential",
        "apikey",
        "api_key",
        "accesskey",
    ]
    .iter()
    .any(|word| name.contains(word))
}
