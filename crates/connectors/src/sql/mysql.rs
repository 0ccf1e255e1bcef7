//! MySQL and MariaDB: rows of prepared statements, in the binary protocol.

use dataset::Scalar;
use sqlx::{
    Column as _, ConnectOptions as _, Executor as _, MySqlConnection, Row as _, Statement as _,
    TypeInfo as _, ValueRef as _,
    mysql::{MySqlColumn, MySqlConnectOptions, MySqlRow},
};

use super::{
    address::Address,
    link::{Link, Pending, Texts, Value, bound, check_reads, next, timed},
    rows::{Column, Rows},
};

/// Statements that the connection keeps prepared.
const PREPARED: usize = 4;

/// A connection to MySQL.
pub(super) struct MySql(MySqlConnection);

impl MySql {
    pub(super) async fn connect(address: &Address, is_writing: bool) -> sqlx::Result<Self> {
        let options = options(address)?.disable_statement_logging();
        let mut link = Self(options.connect().await?);
        if is_writing {
            // A server that is not strict cuts what is too long, and says so where nobody looks.
            // And where a column counts by itself, 0 is a number like another.
            let strict = "SET SESSION sql_mode = \
                          CONCAT(@@sql_mode, ',STRICT_ALL_TABLES,NO_AUTO_VALUE_ON_ZERO')";
            link.script(strict).await?;
        }
        Ok(link)
    }

    async fn select(
        &mut self,
        select: &str,
        values: &[Value],
        rows: &mut Rows,
    ) -> sqlx::Result<()> {
        let named = timed(rows.limit, self.columns(select)).await?;
        check_reads(named.len())?;
        let mut readings: Vec<Reading> = Vec::new();
        let mut stream = bound!(select, values).fetch(&mut self.0);
        while let Some(row) = next(rows.limit, &mut stream).await? {
            if readings.is_empty() {
                // Only with the rows do the types of computed columns come.
                let types = row.columns().iter().map(|c| c.type_info().name());
                let columns = named.iter().zip(types);
                let (columns, found) = columns.map(|(c, kind)| described(&c.name, kind)).unzip();
                readings = found;
                rows.begin(columns);
            }
            for (i, reading) in readings.iter().enumerate() {
                reading.keep(i, &row, rows)?;
            }
            if !rows.end_row() {
                return Ok(());
            }
        }
        rows.finish();
        Ok(())
    }
}

impl Link for MySql {
    fn script<'a>(&'a mut self, sql: &'a str) -> Pending<'a, ()> {
        Box::pin(async move { (&mut self.0).execute(sqlx::raw_sql(sql)).await.map(|_| ()) })
    }

    fn run<'a>(&'a mut self, sql: &'a str, values: &'a [Value]) -> Pending<'a, ()> {
        Box::pin(async move { bound!(sql, values).execute(&mut self.0).await.map(|_| ()) })
    }

    fn texts<'a>(&'a mut self, sql: &'a str, values: &'a [Value]) -> Pending<'a, Vec<Texts>> {
        Box::pin(async move {
            let rows = bound!(sql, values).fetch_all(&mut self.0).await?;
            let text = |row: &MySqlRow, i| match row.try_get_unchecked::<Option<&[u8]>, _>(i)? {
                Some(bytes) => Ok(Some(String::from_utf8_lossy(bytes).into_owned())),
                None => Ok(None),
            };
            let row = |row: &MySqlRow| (0..row.len()).map(|i| text(row, i)).collect();
            rows.iter().map(row).collect()
        })
    }

    fn columns<'a>(&'a mut self, select: &'a str) -> Pending<'a, Vec<Column>> {
        Box::pin(async move {
            let statement = (&mut self.0).prepare(select).await?;
            let columns = statement.columns().iter();
            let column = |c: &MySqlColumn| described(c.name(), c.type_info().name()).0;
            Ok(columns.map(column).collect())
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

/// Returns where and how to connect.
pub(super) fn options(address: &Address) -> sqlx::Result<MySqlConnectOptions> {
    let mut options: MySqlConnectOptions = address.driver_uri.parse()?;
    let (user, password) = address.missing_login();
    if let Some(user) = user {
        options = options.username(&user);
    }
    if let Some(password) = password {
        options = options.password(&password);
    }
    Ok(options.statement_cache_capacity(PREPARED))
}

/// How a column's values are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reading {
    Integer,
    Unsigned,
    Single,
    Double,
    Text,
    /// Bytes, or a text that is compared by its bytes: the driver does not say which.
    Bytes,
    Date,
    /// A date with a time of day; whether it is in UTC.
    Moment(bool),
    Time,
    Unread,
}

fn described(name: &str, kind: &str) -> (Column, Reading) {
    let reading = Reading::of(kind);
    let unread = (reading == Reading::Unread)
        .then(|| format!("of type {}, which is not read", kind.to_lowercase()));
    let name = name.to_owned();
    (Column { name, unread }, reading)
}

impl Reading {
    fn of(kind: &str) -> Self {
        match kind {
            _ if kind.ends_with(" UNSIGNED") => Self::Unsigned,
            "BOOLEAN" | "TINYINT" | "SMALLINT" | "MEDIUMINT" | "INT" | "BIGINT" => Self::Integer,
            "YEAR" => Self::Unsigned,
            "FLOAT" => Self::Single,
            "DOUBLE" => Self::Double,
            "DECIMAL" | "CHAR" | "VARCHAR" | "TINYTEXT" | "TEXT" | "MEDIUMTEXT" | "LONGTEXT"
            | "ENUM" | "SET" | "NULL" => Self::Text,
            "BINARY" | "VARBINARY" | "TINYBLOB" | "BLOB" | "MEDIUMBLOB" | "LONGBLOB" => Self::Bytes,
            "DATE" => Self::Date,
            "DATETIME" => Self::Moment(false),
            "TIMESTAMP" => Self::Moment(true),
            "TIME" => Self::Time,
            _ => Self::Unread,
        }
    }

    fn keep(self, column: usize, row: &MySqlRow, rows: &mut Rows) -> sqlx::Result<()> {
        let is_null = row.try_get_raw(column)?.is_null();
        match self {
            _ if is_null || self == Self::Unread => rows.cell(column, Scalar::Null),
            Self::Integer => rows.integer(column, i128::from(get::<i64>(row, column)?)),
            Self::Unsigned => rows.integer(column, i128::from(get::<u64>(row, column)?)),
            Self::Single => {
                // Its shortest text, which is what was written.
                let number = get::<f32>(row, column)?.to_string().parse();
                rows.cell(column, Scalar::Number(number.unwrap_or(f64::NAN)));
            }
            Self::Double => rows.cell(column, Scalar::Number(get(row, column)?)),
            Self::Bytes => match std::str::from_utf8(get(row, column)?) {
                Ok(text) => rows.cell(column, Scalar::Text(text)),
                Err(_) => rows.unread(column, "binary data, not a single value"),
            },
            Self::Date => rows.cell(column, Scalar::Text(&date(get(row, column)?))),
            Self::Moment(is_utc) => {
                let text = moment(get(row, column)?, is_utc);
                rows.cell(column, Scalar::Text(&text));
            }
            Self::Time => rows.cell(column, Scalar::Text(&time(get(row, column)?))),
            Self::Text | Self::Unread => rows.cell(column, Scalar::Text(get(row, column)?)),
        }
        Ok(())
    }
}

/// Takes a value as what its column's type says it is.
fn get<'r, T: sqlx::Decode<'r, sqlx::MySql>>(row: &'r MySqlRow, column: usize) -> sqlx::Result<T> {
    row.try_get_unchecked(column)
}

/// Writes the date of a moment of the binary protocol: a length, then year, month and day.
fn date(bytes: &[u8]) -> String {
    let part = |at: usize| bytes.get(at).copied().unwrap_or_default();
    let year = u16::from_le_bytes([part(1), part(2)]);
    format!("{year:04}-{:02}-{:02}", part(3), part(4))
}

/// Writes a moment of the binary protocol: behind the date hour, minute, second and millionths, as far
/// as they are not 0.
fn moment(bytes: &[u8], is_utc: bool) -> String {
    let hour = bytes.get(5).copied().unwrap_or_default();
    let rest = bytes.get(6..).unwrap_or_default();
    let zone = if is_utc { "Z" } else { "" };
    format!("{}T{}{zone}", date(bytes), clock(hour.into(), rest))
}

/// Writes a time of the binary protocol: a length, a sign, days, hour, minute, second, millionths.
fn time(bytes: &[u8]) -> String {
    let part = |at: usize| bytes.get(at).copied().unwrap_or_default();
    let days = u32::from_le_bytes([part(2), part(3), part(4), part(5)]);
    let sign = if part(1) == 1 { "-" } else { "" };
    let rest = bytes.get(7..).unwrap_or_default();
    format!("{sign}{}", clock(days * 24 + u32::from(part(6)), rest))
}

fn clock(hour: u32, rest: &[u8]) -> String {
    let part = |at: usize| rest.get(at).copied().unwrap_or_default();
    let millionths = u32::from_le_bytes([part(2), part(3), part(4), part(5)]);
    let whole = format!("{hour:02}:{:02}:{:02}", part(0), part(1));
    match millionths {
        0 => whole,
        _ => format!("{whole}.{millionths:06}"),
    }
}

#[cfg(test)]
mod tests;
