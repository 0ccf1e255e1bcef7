//! How SQLite lays a table out: it copies none with its constraints, but keeps the statement that made it.

use super::SqlDestination;
use crate::{
    failure::Trouble,
    sql::{address::TableName, dialect::Dialect, link::Value},
};

/// Asks for the statement that made a table. One that refers to itself would refer to the records that go.
const DEFINITION: &str = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ? COLLATE NOCASE \
                          AND NOT EXISTS (SELECT 1 FROM pragma_foreign_key_list(?) \
                          WHERE \"table\" = ? COLLATE NOCASE)";

impl SqlDestination {
    /// Writes the statement that makes a table like the target with all its constraints, where that is
    /// known to work.
    pub(super) fn definition(&mut self, into: &TableName) -> Result<Option<String>, Trouble> {
        let dialect = self.connection.dialect();
        if dialect != Dialect::Sqlite {
            return Ok(None);
        }
        let values = [(); 3].map(|()| Value::from(self.target.table.as_str()));
        let found = self
            .connection
            .texts("look at the table", DEFINITION, &values)?;
        let sql = found.into_iter().flatten().flatten().next();
        let layout = sql.as_deref().and_then(layout);
        let table = dialect.quote_table(into);
        Ok(layout.map(|layout| format!("CREATE TABLE IF NOT EXISTS {table}{layout}")))
    }
}

/// Returns what stands behind the name of a table in the statement that SQLite keeps. A strict table would
/// not take the columns that loads are known by.
fn layout(sql: &str) -> Option<&str> {
    let layout = behind_name(sql.strip_prefix("CREATE TABLE ")?.trim_start())?;
    let options = &layout[layout.rfind(')')?..];
    (!options.to_ascii_uppercase().contains("STRICT")).then_some(layout)
}

fn behind_name(text: &str) -> Option<&str> {
    let close = match text.chars().next()? {
        '[' => ']',
        mark @ ('"' | '`' | '\'') => mark,
        _ => return Some(&text[text.find(|c: char| c == '(' || c.is_whitespace())?..]),
    };
    let mut rest = &text[1..];
    loop {
        rest = &rest[rest.find(close)? + 1..];
        match rest.strip_prefix(close) {
            // A mark that stands twice is part of the name.
            Some(more) if close != ']' => rest = more,
            _ => return Some(rest),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_layout_is_what_stands_behind_the_name_however_it_is_quoted() {
        let check = |name: &str, rest: &str, expected: Option<&str>| {
            assert_eq!(layout(&format!("CREATE TABLE {name}{rest}")), expected);
        };
        for name in [
            "t",
            "\"a (\"\"b\"",
            "`a``(`",
            "[a (b]",
            "'it''s'",
            "\"\"\"\"",
        ] {
            check(name, "(a INT)", Some("(a INT)"));
            check(name, " (a) WITHOUT ROWID", Some(" (a) WITHOUT ROWID"));
            check(name, "(a INT) STRICT", None);
        }
        check("t", "(strict INT)", Some("(strict INT)"));
        assert_eq!(layout("CREATE VIRTUAL TABLE t USING fts5(a)"), None);
    }
}
