//! SQLite: a file, in which each value has a type of its own.

use dataset::Scalar;
use sqlx::{
    Column as _, ConnectOptions as _, Executor as _, Row as _, SqliteConnection, Statement as _,
    TypeInfo as _, ValueRef as _,
    sqlite::{SqliteConnectOptions, SqliteRow},
};

use super::{
    address::Address,
    connection::CONNECT,
    link::{Link, Pending, Texts, Value, bound, check_reads, next, timed},
    rows::{Column, Rows},
};

/// An open file.
pub(super) struct Sqlite(SqliteConnection);

impl Sqlite {
    /// Opens a file; one that is not there is made when it is to be written to.
    pub(super) async fn open(address: &Address, is_writing: bool) -> sqlx::Result<Self> {
        let options = SqliteConnectOptions::new()
            .filename(&address.file)
            .read_only(!is_writing)
            .create_if_missing(is_writing)
            // Who has it locked is said before the time is up.
            .busy_timeout(CONNECT.min(address.time_limit) * 4 / 5)
            .row_buffer_size(1000)
            .statement_cache_capacity(4)
            .disable_statement_logging();
        Ok(Self(options.connect().await?))
    }

    async fn select(
        &mut self,
        select: &str,
        values: &[Value],
        rows: &mut Rows,
    ) -> sqlx::Result<()> {
        let columns = timed(rows.limit, self.columns(select)).await?;
        let n_columns = columns.len();
        check_reads(n_columns)?;
        rows.begin(columns);
        let mut stream = bound!(select, values).fetch(&mut self.0);
        while let Some(row) = next(rows.limit, &mut stream).await? {
            for i in 0..n_columns {
                keep(&row, i, rows)?;
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
    fn script<'a>(&'a mut self, sql: &'a str) -> Pending<'a, ()> {
        Box::pin(async move { (&mut self.0).execute(sqlx::raw_sql(sql)).await.map(|_| ()) })
    }

    fn run<'a>(&'a mut self, sql: &'a str, values: &'a [Value]) -> Pending<'a, ()> {
        Box::pin(async move { bound!(sql, values).execute(&mut self.0).await.map(|_| ()) })
    }

    fn texts<'a>(&'a mut self, sql: &'a str, values: &'a [Value]) -> Pending<'a, Vec<Texts>> {
        Box::pin(async move {
            let rows = bound!(sql, values).fetch_all(&mut self.0).await?;
            let text = |row: &SqliteRow, i| row.try_get_unchecked::<Option<String>, _>(i);
            let row = |row: &SqliteRow| (0..row.len()).map(|i| text(row, i)).collect();
            rows.iter().map(row).collect()
        })
    }

    fn columns<'a>(&'a mut self, select: &'a str) -> Pending<'a, Vec<Column>> {
        Box::pin(async move {
            let statement = (&mut self.0).prepare(select).await?;
            let column = |name: &str| Column {
                name: name.to_owned(),
                unread: None,
            };
            let columns = statement.columns().iter();
            Ok(columns.map(|c| column(c.name())).collect())
        })
    }

    fn read<'a>(
        &'a mut self,
        select: &'a str,
        values: &'a [Value],
        rows: &'a mut Rows,
    ) -> Pending<'a, ()> {
        Box::pin(self.select(select, values, rows))
    }
}

fn keep(row: &SqliteRow, column: usize, rows: &mut Rows) -> sqlx::Result<()> {
    let value = row.try_get_raw(column)?;
    if value.is_null() {
        rows.cell(column, Scalar::Null);
        return Ok(());
    }
    match value.type_info().name() {
        "INTEGER" => rows.integer(column, row.try_get_unchecked::<i64, _>(column)?.into()),
        "REAL" => rows.cell(column, Scalar::Number(row.try_get_unchecked(column)?)),
        "TEXT" => match row.try_get_unchecked::<&str, _>(column) {
            Ok(text) => rows.cell(column, Scalar::Text(text)),
            Err(_) => rows.unread(column, "a text that is not UTF-8"),
        },
        _ => rows.unread(column, "binary data, not a single value"),
    }
    Ok(())
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
