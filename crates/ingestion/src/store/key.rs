//! What a snapshot is filed under.

use std::fmt;

use artifact::Digest;
use dataset::{Schema, SourceUri};

use crate::IngestionConfig;

/// The key of a snapshot: what was read, and how cells are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotKey(Digest);

/// Raised whenever the same source would be read differently, or laid out differently as a snapshot.
const LAYOUT: u8 = 2;

impl SnapshotKey {
    /// Makes the key of a source; secrets in the URI do not count.
    pub fn new(
        uri: &SourceUri,
        query: Option<&str>,
        schema: &Schema,
        config: &IngestionConfig,
    ) -> Self {
        let parts = [
            LAYOUT.to_string(),
            uri.fingerprint().to_string(),
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
