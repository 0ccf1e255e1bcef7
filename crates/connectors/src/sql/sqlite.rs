//! SQLite: a file, in which each value has a type of its own.

use std::{
    borrow::Cow,
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::Duration,
};

use artifact::{clock::Stopwatch, printable};
use dataset::Scalar;
use rusqlite::{
    ErrorCode, OpenFlags, Params, ToSql, ffi,
    types::{ToSqlOutput, ValueRef},
};

use sqlx::error::{DatabaseError, ErrorKind};

use crate::failure::Cause;

use super::{
    address::Address,
    connection::CONNECT,
    failure::{cause_of, reason},
    link::{Link, Pending, Texts, Value, check_reads},
    rows::{Column, Rows},
};

/// Instructions of SQLite's machine between two looks at the clock: about a millisecond, but where one of them works long,
/// as on a large text.
const BETWEEN_LOOKS: i32 = 100_000;
/// A writer was broken off and has left a journal, which only one that may write rolls back, or a log.
const UNFINISHED: [i32; 2] = [ffi::SQLITE_READONLY_ROLLBACK, ffi::SQLITE_READONLY_RECOVERY];

/// An open file. It is read and written on the thread that asks: no other is needed to wait for a disk, and each cell
/// would be copied on its way.
pub(super) struct Sqlite {
    connection: rusqlite::Connection,
    /// How long the present request may take.
    limit: Duration,
    /// Rows that were read, for whoever looks whether the next one is late.
    n_rows: Arc<AtomicU64>,
}

impl Sqlite {
    /// Opens a file; one that is not there is made when it is to be written to.
    pub(super) fn open(address: &Address, is_writing: bool) -> sqlx::Result<Self> {
        let write = OpenFlags::SQLITE_OPEN_READ_WRITE;
        let access = match is_writing {
            true => write | OpenFlags::SQLITE_OPEN_CREATE,
            false => OpenFlags::SQLITE_OPEN_READ_ONLY,
        };
        let mut opened = Self::with(address, access)?;
        if !is_writing && opened.is_unfinished() {
            // SQLite puts it right at its first look.
            let put_right = || Self::with(address, write)?.look().map_err(failed);
            put_right().map_err(|error| broken_off(address, error))?;
            opened = Self::with(address, access)?;
        }
        // Who has it locked is said before the time is up.
        let patience = CONNECT.min(address.time_limit) * 4 / 5;
        opened.connection.busy_timeout(patience).map_err(failed)?;
        Ok(opened)
    }

    fn with(address: &Address, access: OpenFlags) -> sqlx::Result<Self> {
        let flags = access | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let connection =
            rusqlite::Connection::open_with_flags(&address.file, flags).map_err(failed)?;
        connection.busy_timeout(Duration::ZERO).map_err(failed)?;
        connection
            .execute_batch("PRAGMA foreign_keys = ON")
            .map_err(failed)?;
        Ok(Self {
            connection,
            limit: address.time_limit,
            n_rows: Arc::default(),
        })
    }

    fn look(&self) -> rusqlite::Result<()> {
        self.connection
            .execute_batch("SELECT 1 FROM sqlite_schema LIMIT 1")
    }

    /// Returns whether somebody has to write before the file can be read.
    fn is_unfinished(&self) -> bool {
        let said = self.look().err();
        let code = said.and_then(|error| Some(error.sqlite_error()?.extended_code));
        code.is_some_and(|code| UNFINISHED.contains(&code))
    }

    /// Checks that the columns of what a query names are called by texts: SQLite takes any bytes, and its library for Rust
    /// none but these.
    fn check_names(&self, select: &str) -> sqlx::Result<()> {
        let tables = "SELECT name FROM sqlite_schema WHERE type IN ('table', 'view')";
        for table in self.names(tables, &[])? {
            let Ok(table) = String::from_utf8(table) else {
                continue;
            };
            if !names(select, &table) {
                continue;
            }
            let columns = "SELECT name FROM pragma_table_xinfo(?1)";
            for column in self.names(columns, &[&table])? {
                if let Err(error) = std::str::from_utf8(&column) {
                    return Err(sqlx::Error::InvalidArgument(format!(
                        "the name of the column `{}` of `{}` is not UTF-8 ({error}): give it another one (ALTER TABLE … \
                         RENAME COLUMN)",
                        printable(&String::from_utf8_lossy(&column)),
                        printable(&table)
                    )));
                }
            }
        }
        Ok(())
    }

    fn names(&self, sql: &str, values: &[&str]) -> sqlx::Result<Vec<Vec<u8>>> {
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let values = rusqlite::params_from_iter(values);
        let mut rows = statement.query(values).map_err(failed)?;
        let mut names = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            if let ValueRef::Text(name) = row.get_ref(0).map_err(failed)? {
                names.push(name.to_vec());
            }
        }
        Ok(names)
    }

    /// Lets SQLite give up what takes longer than a limit, counted anew with each row.
    fn watch(&mut self, limit: Duration) -> sqlx::Result<()> {
        let n_rows = Arc::clone(&self.n_rows);
        let (mut watch, mut seen) = (Stopwatch::start(), n_rows.load(Relaxed));
        let is_late = move || {
            let now = n_rows.load(Relaxed);
            if now != seen {
                (watch, seen) = (Stopwatch::start(), now);
            }
            watch.seconds() > limit.as_secs_f64()
        };
        let set = self
            .connection
            .progress_handler(BETWEEN_LOOKS, Some(is_late));
        set.map_err(failed)
    }

    fn execute(&mut self, sql: &str, values: &[Value]) -> sqlx::Result<()> {
        self.watch(self.limit)?;
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let mut rows = statement.query(of(values)).map_err(failed)?;
        // Of one that gives rows, each step does a part of it.
        while rows.next().map_err(failed)?.is_some() {}
        Ok(())
    }

    fn ask(&mut self, sql: &str, values: &[Value]) -> sqlx::Result<Vec<Texts>> {
        self.watch(self.limit)?;
        let mut statement = self.connection.prepare_cached(sql).map_err(failed)?;
        let n_columns = statement.column_count();
        let mut rows = statement.query(of(values)).map_err(failed)?;
        let mut found = Vec::new();
        while let Some(row) = rows.next().map_err(failed)? {
            let texts = (0..n_columns).map(|i| Ok(text(row.get_ref(i).map_err(failed)?)));
            found.push(texts.collect::<sqlx::Result<_>>()?);
        }
        Ok(found)
    }

    fn describe(&self, select: &str) -> sqlx::Result<Vec<Column>> {
        self.check_names(select)?;
        let statement = self.connection.prepare_cached(select).map_err(failed)?;
        let column = |name: &str| Column {
            name: name.to_owned(),
            unread: None,
        };
        Ok(statement.column_names().map(column).collect())
    }

    fn select(&mut self, select: &str, values: &[Value], rows: &mut Rows) -> sqlx::Result<()> {
        let columns = self.describe(select)?;
        let n_columns = columns.len();
        check_reads(n_columns)?;
        rows.begin(columns);
        self.watch(rows.limit)?;
        let mut statement = self.connection.prepare_cached(select).map_err(failed)?;
        let mut found = statement.query(of(values)).map_err(failed)?;
        while let Some(row) = found.next().map_err(failed)? {
            self.n_rows.fetch_add(1, Relaxed);
            for i in 0..n_columns {
                keep(row.get_ref(i).map_err(failed)?, i, rows);
            }
            if !rows.end_row() {
                return Ok(());
            }
        }
        rows.finish();
        Ok(())
    }
}

impl Link for Sqlite {
    fn limit(&mut self, limit: Duration) {
        self.limit = limit;
    }

    fn script<'a>(&'a mut self, sql: &'a str) -> Pending<'a, ()> {
        Box::pin(async move {
            self.watch(self.limit)?;
            self.connection.execute_batch(sql).map_err(failed)
        })
    }

    fn run<'a>(&'a mut self, sql: &'a str, values: &'a [Value]) -> Pending<'a, ()> {
        Box::pin(async move { self.execute(sql, values) })
    }

    fn texts<'a>(&'a mut self, sql: &'a str, values: &'a [Value]) -> Pending<'a, Vec<Texts>> {
        Box::pin(async move { self.ask(sql, values) })
    }

    fn columns<'a>(&'a mut self, select: &'a str) -> Pending<'a, Vec<Column>> {
        Box::pin(async move { self.describe(select) })
    }

    fn read<'a>(
        &'a mut self,
        select: &'a str,
        values: &'a [Value],
        rows: &'a mut Rows,
    ) -> Pending<'a, ()> {
        Box::pin(async move { self.select(select, values, rows) })
    }
}

fn of(values: &[Value]) -> impl Params {
    rusqlite::params_from_iter(values)
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(ToSqlOutput::Borrowed(match self {
            Self::Null => ValueRef::Null,
            Self::Integer(number) => ValueRef::Integer(*number),
            Self::Real(number) => ValueRef::Real(*number),
            Self::Text(text) => ValueRef::Text(text.as_bytes()),
        }))
    }
}

/// Writes a value as a text; of numbers that are not whole, not as SQLite does.
fn text(value: ValueRef<'_>) -> Option<String> {
    match value {
        ValueRef::Null => None,
        ValueRef::Integer(number) => Some(number.to_string()),
        ValueRef::Real(number) => Some(format!("{number:?}")),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
            Some(String::from_utf8_lossy(bytes).into_owned())
        }
    }
}

fn keep(value: ValueRef<'_>, column: usize, rows: &mut Rows) {
    match value {
        ValueRef::Null => rows.cell(column, Scalar::Null),
        ValueRef::Integer(number) => rows.integer(column, number.into()),
        ValueRef::Real(number) => rows.cell(column, Scalar::Number(number)),
        ValueRef::Text(bytes) => match std::str::from_utf8(bytes) {
            Ok(text) => rows.cell(column, Scalar::Text(text)),
            Err(_) => rows.unread(column, "a text that is not UTF-8"),
        },
        ValueRef::Blob(_) => rows.unread(column, "binary data, not a single value"),
    }
}

/// What SQLite says, by its extended result code (<https://www.sqlite.org/rescode.html>).
#[derive(Debug)]
pub(super) struct SqliteError {
    code: i32,
    message: String,
}

impl std::fmt::Display for SqliteError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SqliteError {}

impl DatabaseError for SqliteError {
    fn message(&self) -> &str {
        &self.message
    }

    fn code(&self) -> Option<Cow<'_, str>> {
        Some(self.code.to_string().into())
    }

    fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
        self
    }

    fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
        self
    }

    fn kind(&self) -> ErrorKind {
        ErrorKind::Other
    }
}

/// Says a failure as the other drivers do.
fn failed(error: rusqlite::Error) -> sqlx::Error {
    let (said, message) = match error {
        rusqlite::Error::SqliteFailure(said, message) => (said, message),
        rusqlite::Error::SqlInputError { error, msg, .. } => (error, Some(msg)),
        other => return sqlx::Error::InvalidArgument(other.to_string()),
    };
    if said.code == ErrorCode::OperationInterrupted {
        return io::Error::from(io::ErrorKind::TimedOut).into();
    }
    sqlx::Error::Database(Box::new(SqliteError {
        code: said.extended_code,
        message: message.unwrap_or_else(|| said.to_string()),
    }))
}

/// Says of a file whose writer was broken off why nobody can read it.
fn broken_off(address: &Address, error: sqlx::Error) -> sqlx::Error {
    if !matches!(
        cause_of(&error),
        Cause::Permission | Cause::Disk | Cause::Wrong
    ) {
        return error;
    }
    let file = address.file.display();
    sqlx::Error::Database(Box::new(SqliteError {
        code: ffi::SQLITE_PERM,
        message: format!(
            "somebody's writing was broken off, and has left {file}-journal or {file}-wal, by which the file has to be put \
             right before it is read ({}): let a user who may write to it and to its directory read it once",
            reason(&error)
        ),
    }))
}

/// Returns whether a query has the name of a table in it, as a word of its own; letters count as they do for SQLite.
fn names(query: &str, table: &str) -> bool {
    let (query, table) = (query.to_ascii_lowercase(), table.to_ascii_lowercase());
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    query.match_indices(&table).any(|(at, _)| {
        let before = query[..at].chars().next_back();
        let behind = query[at + table.len()..].chars().next();
        !before.is_some_and(is_part) && !behind.is_some_and(is_part)
    })
}

/// Returns whether there is one statement: no semicolon outside of quotes and comments.
pub(super) fn is_single(query: &str) -> bool {
    let mut rest = query;
    while let Some(first) = rest.chars().next() {
        let skipped = match first {
            ';' => return false,
            '\'' | '"' | '`' => behind(&rest[1..], &first.to_string()),
            '[' => behind(&rest[1..], "]"),
            _ if rest.starts_with("--") => behind(&rest[2..], "\n"),
            _ if rest.starts_with("/*") => behind(&rest[2..], "*/"),
            _ => &rest[first.len_utf8()..],
        };
        rest = skipped;
    }
    true
}

/// Returns what stands behind the first of some text; nothing where there is none.
fn behind<'a>(text: &'a str, end: &str) -> &'a str {
    text.split_once(end).map_or("", |(_, rest)| rest)
}

#[cfg(test)]
mod tests;
