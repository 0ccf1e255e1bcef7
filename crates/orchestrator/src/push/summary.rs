//! What a push has done, for people and for programs.

use std::{collections::BTreeSet, path::PathBuf};

use artifact::{ErrorKind, Failure};
use serde::Serialize;

use super::{Mode, PushArguments};
use crate::output::print;

/// What a push has done.
#[derive(Serialize)]
pub(super) struct Summary {
    from: String,
    to: String,
    mode: Mode,
    dry_run: bool,
    /// Rows of the source.
    pub rows: u64,
    pub accepted: u64,
    pub duplicates: u64,
    pub rejected: u64,
    /// Columns that the schema does not know.
    pub left_out: BTreeSet<String>,
    pub quarantine: Option<PathBuf>,
    pub load: Option<String>,
    pub before: Option<u64>,
    pub written: u64,
    pub already_there: u64,
    pub verified: Option<String>,
    pub seconds: f64,
}

impl Summary {
    pub(super) fn new(arguments: &PushArguments, to: &str) -> Self {
        Self {
            from: arguments.from.to_string(),
            to: to.to_owned(),
            mode: arguments.mode,
            dry_run: arguments.dry_run,
            rows: 0,
            accepted: 0,
            duplicates: 0,
            rejected: 0,
            left_out: BTreeSet::new(),
            quarantine: None,
            load: None,
            before: None,
            written: 0,
            already_there: 0,
            verified: None,
            seconds: 0.0,
        }
    }

    pub(super) fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            let text = serde_json::to_string(self)
                .map_err(|e| Failure::new(ErrorKind::Internal, e.to_string()))?;
            return print(&text);
        }
        print(&self.lines().join("\n"))
    }

    fn lines(&self) -> Vec<String> {
        let Self {
            rows,
            accepted,
            duplicates,
            rejected,
            ..
        } = self;
        let mut lines = vec![format!(
            "{}: {rows} rows, {accepted} to push, {duplicates} duplicates left out, {rejected} rejected",
            self.from
        )];
        if !self.left_out.is_empty() {
            let names: Vec<&str> = self.left_out.iter().map(String::as_str).collect();
            let names = names.join(", ");
            lines.push(format!(
                "columns that the schema does not know, left out: {names}"
            ));
        }
        if let Some(path) = &self.quarantine {
            lines.push(format!("rejected rows: {}", path.display()));
        }
        lines.push(match &self.verified {
            None => "nothing was pushed: --dry-run".to_owned(),
            Some(found) => format!(
                "{}: {} written, {} there already{}; read back {found}; {:.1} s",
                self.to,
                self.written,
                self.already_there,
                self.before
                    .map_or(String::new(), |n| format!(", {n} before")),
                self.seconds
            ),
        });
        lines
    }
}
