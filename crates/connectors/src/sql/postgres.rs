//! PostgreSQL: rows are read as `COPY` writes them, which is the server's own text of each value.

use std::borrow::Cow;

use dataset::Scalar;
use futures_core::stream::BoxStream;
use sqlx::{
    Column as _, ConnectOptions as _, Executor as _, PgConnection, Row as _, Statement as _,
    TypeInfo as _,
    postgres::{PgArguments, PgConnectOptions, PgRow, PgTypeInfo, PgTypeKind},
    query::Query,
};

use super::{
    address::Address,
    link::{Link, Pending, Texts, Value, WHOLE_TABLE, check_reads, next, timed},
    rows::{Column, Rows},
};

/// Statements that the connection keeps prepared.
const PREPARED: usize = 4;

/// A connection to PostgreSQL.
pub(super) struct Postgres(PgConnection);

impl Postgres {
    pub(super) async fn connect(address: &Address) -> sqlx::Result<Self> {
        let options = options(address)?.disable_statement_logging();
        Ok(Self(options.connect().await?))
    }

    /// Finds how each column of a query is read.
    async fn describe(&mut self, select: &str) -> sqlx::Result<(Vec<Column>, Vec<Reading>)> {
        let statement = (&mut self.0).prepare(select).await?;
        let described = statement.columns().iter().map(|column| {
            let kind = column.type_info();
            let reading = Reading::of(kind);
            let unread = (reading == Reading::Unread)
                .then(|| format!("of type {}, which is not read", kind.name().to_lowercase()));
            let name = column.name().to_owned();
            (Column { name, unread }, reading)
        });
        Ok(described.unzip())
    }

    async fn copy(&mut self, select: &str, rows: &mut Rows) -> sqlx::Result<()> {
        let (columns, readings) = timed(rows.limit, self.describe(select)).await?;
        check_reads(columns.len())?;
        rows.begin(columns);
        // A comment at its end must not reach what follows. That it is one statement was seen when it
        // was prepared.
        let copy = format!("COPY ({select}\n) TO STDOUT");
        // The server may sort the whole before it says that it begins.
        let begun = timed(rows.limit * WHOLE_TABLE, self.0.copy_out_raw(&copy));
        let mut stream = begun.await?;
        while let Some(bytes) = next(rows.limit, &mut stream).await? {
            let text = std::str::from_utf8(&bytes).map_err(|e| damaged(&e.to_string()))?;
            let lines = text
                .strip_suffix('\n')
                .ok_or_else(|| damaged("half a row"))?;
            for line in lines.split('\n') {
                keep(line, &readings, rows)?;
                if !rows.end_row() {
                    return Ok(());
                }
            }
        }
        rows.finish();
        Ok(())
    }

    /// Reads by a statement with values, which `COPY` does not take.
    async fn select(
        &mut self,
        select: &str,
        values: &[Value],
        rows: &mut Rows,
    ) -> sqlx::Result<()> {
        let (columns, readings) = timed(rows.limit, self.describe(select)).await?;
        let names: Vec<String> = (0..columns.len()).map(|i| format!("c{i}")).collect();
        let texts: Vec<String> = names.iter().map(|n| format!("{n}::text")).collect();
        let outer = format!(
            "SELECT {} FROM ({select}\n) AS chosen({})",
            texts.join(", "),
            names.join(", ")
        );
        rows.begin(columns);
        let mut stream: BoxStream<'_, sqlx::Result<PgRow>> =
            with_texts(&outer, values).fetch(&mut self.0);
        while let Some(row) = next(rows.limit, &mut stream).await? {
            for (i, reading) in readings.iter().enumerate() {
                let text: Option<&str> = row.try_get(i)?;
                reading.keep(i, text, rows);
            }
            if !rows.end_row() {
                return Ok(());
            }
        }
        rows.finish();
        Ok(())
    }
}

impl Link for Postgres {
    fn script<'a>(&'a mut self, sql: &'a str) -> Pending<'a, ()> {
        Box::pin(async move { (&mut self.0).execute(sqlx::raw_sql(sql)).await.map(|_| ()) })
    }

    fn run<'a>(&'a mut self, sql: &'a str, values: &'a [Value]) -> Pending<'a, ()> {
        Box::pin(async move {
            with_texts(sql, values)
                .execute(&mut self.0)
                .await
                .map(|_| ())
        })
    }

    fn copy_in<'a>(&'a mut self, sql: &'a str, rows: &'a str) -> Pending<'a, ()> {
        Box::pin(async move {
            let mut copy = self.0.copy_in_raw(sql).await?;
            copy.send(rows.as_bytes()).await?;
            copy.finish().await.map(|_| ())
        })
    }

    fn texts<'a>(&'a mut self, sql: &'a str, values: &'a [Value]) -> Pending<'a, Vec<Texts>> {
        Box::pin(async move {
            let rows = with_texts(sql, values).fetch_all(&mut self.0).await?;
            let row = |row: &PgRow| (0..row.len()).map(|i| row.try_get(i)).collect();
            rows.iter().map(row).collect()
        })
    }

    fn columns<'a>(&'a mut self, select: &'a str) -> Pending<'a, Vec<Column>> {
        Box::pin(async move { Ok(self.describe(select).await?.0) })
    }

    fn read<'a>(
        &'a mut self,
        select: &'a str,
        values: &'a [Value],
        rows: &'a mut Rows,
    ) -> Pending<'a, ()> {
        match values {
            [] => Box::pin(self.copy(select, rows)),
            _ => Box::pin(self.select(select, values, rows)),
        }
    }
}

/// Returns where and how to connect.
pub(super) fn options(address: &Address) -> sqlx::Result<PgConnectOptions> {
    let mut options: PgConnectOptions = address.driver_uri.parse()?;
    let (user, password) = address.missing_login();
    if let Some(user) = user {
        options = options.username(&user);
    }
    if let Some(password) = password {
        options = options.password(&password);
    }
    if options.get_application_name().is_none() {
        options = options.application_name("netsec");
    }
    Ok(options.statement_cache_capacity(PREPARED))
}

/// Puts values into a statement as texts, of which it makes what it needs.
fn with_texts<'a>(sql: &'a str, values: &'a [Value]) -> Query<'a, sqlx::Postgres, PgArguments> {
    let text = |value: &'a Value| match value {
        Value::Null => None,
        Value::Integer(number) => Some(Cow::Owned(number.to_string())),
        Value::Real(number) => Some(Cow::Owned(number.to_string())),
        Value::Text(text) => Some(Cow::Borrowed(text.as_str())),
    };
    let query = sqlx::query(sql);
    values
        .iter()
        .fold(query, |query, value| query.bind(text(value)))
}

/// How the text of a column's values is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Integer,
    Float,
    Boolean,
    Text,
    /// A text that is filled up with blanks, which mean nothing in it.
    Padded,
    Moment,
    Unread,
}

impl Reading {
    fn of(kind: &PgTypeInfo) -> Self {
        match kind.kind() {
            PgTypeKind::Domain(inner) => return Self::of(inner),
            PgTypeKind::Enum(_) => return Self::Text,
            PgTypeKind::Simple => {}
            _ => return Self::Unread,
        }
        match kind.name().to_ascii_uppercase().as_str() {
            "INT2" | "INT4" | "INT8" | "OID" => Self::Integer,
            "FLOAT4" | "FLOAT8" => Self::Float,
            "BOOL" => Self::Boolean,
            "TIMESTAMP" | "TIMESTAMPTZ" => Self::Moment,
            // `character(n)`; `"char"` is another type.
            "CHAR" => Self::Padded,
            "NUMERIC" | "TEXT" | "VARCHAR" | "\"CHAR\"" | "NAME" | "CITEXT" | "UUID" | "DATE"
            | "TIME" | "TIMETZ" | "INET" | "CIDR" | "MACADDR" | "MACADDR8" => Self::Text,
            _ => Self::Unread,
        }
    }

    fn keep(self, column: usize, text: Option<&str>, rows: &mut Rows) {
        let Some(text) = text.filter(|_| self != Self::Unread) else {
            return rows.cell(column, Scalar::Null);
        };
        match self {
            Self::Integer => match text.parse::<i64>() {
                Ok(number) => rows.integer(column, number.into()),
                Err(_) => rows.cell(column, Scalar::Text(text)),
            },
            Self::Float => match text.parse() {
                Ok(number) => rows.cell(column, Scalar::Number(number)),
                Err(_) => rows.cell(column, Scalar::Text(text)),
            },
            Self::Boolean => rows.boolean(column, text.starts_with('t')),
            Self::Moment => rows.cell(column, Scalar::Text(&iso(text))),
            Self::Padded => rows.cell(column, Scalar::Text(text.trim_end_matches(' '))),
            Self::Text | Self::Unread => rows.cell(column, Scalar::Text(text)),
        }
    }
}

/// Writes a moment as ISO 8601 does; the server gives those with a zone in UTC.
fn iso(text: &str) -> String {
    let joined = text.replacen(' ', "T", 1);
    match joined.strip_suffix("+00") {
        Some(utc) => format!("{utc}Z"),
        None => joined,
    }
}

/// Takes a line of `COPY`'s text format apart.
fn keep(line: &str, readings: &[Reading], rows: &mut Rows) -> sqlx::Result<()> {
    let mut cells = line.split('\t');
    for (i, reading) in readings.iter().enumerate() {
        let cell = cells
            .next()
            .ok_or_else(|| damaged("a row with too few columns"))?;
        match cell {
            "\\N" => reading.keep(i, None, rows),
            _ if cell.contains('\\') => reading.keep(i, Some(&plain(cell)), rows),
            _ => reading.keep(i, Some(cell), rows),
        }
    }
    match cells.next() {
        Some(_) => Err(damaged("a row with too many columns")),
        None => Ok(()),
    }
}

/// Undoes the escapes that `COPY` writes.
fn plain(cell: &str) -> String {
    let mut text = String::with_capacity(cell.len());
    let mut characters = cell.chars();
    while let Some(c) = characters.next() {
        text.push(match c {
            '\\' => match characters.next() {
                Some('b') => '\u{8}',
                Some('f') => '\u{c}',
                Some('n') => '\n',
                Some('r') => '\r',
                Some('t') => '\t',
                Some('v') => '\u{b}',
                other => other.unwrap_or('\\'),
            },
            c => c,
        });
    }
    text
}

fn damaged(reason: &str) -> sqlx::Error {
    sqlx::Error::Protocol(format!("COPY gave {reason}"))
}

#[cfg(test)]
mod tests;
