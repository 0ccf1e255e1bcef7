//! What is asked of a connection, whichever server it leads to.

use std::{future::poll_fn, io, pin::Pin, time::Duration};

use dataset::format_number;
use futures_core::stream::BoxStream;
use tokio::time::timeout;

use super::rows::{Column, Rows};

/// How many times as long as any other request one may take that goes over a whole table.
pub(super) const WHOLE_TABLE: u32 = 20;

/// A request that is under way.
pub(super) type Pending<'a, T> = Pin<Box<dyn Future<Output = sqlx::Result<T>> + 'a>>;

/// One connection to a server, or to a file.
pub(super) trait Link: Send {
    /// Says how long the next request may take, where the one that carries it out has to look for itself.
    fn limit(&mut self, _limit: Duration) {}

    /// Carries out statements that take no values and give no rows.
    fn script<'a>(&'a mut self, sql: &'a str) -> Pending<'a, ()>;

    /// Carries out a statement.
    fn run<'a>(&'a mut self, sql: &'a str, values: &'a [Value]) -> Pending<'a, ()>;

    /// Brings rows into a table, by a statement that reads them from us. PostgreSQL alone has one.
    fn copy_in<'a>(&'a mut self, _sql: &'a str, _rows: &'a str) -> Pending<'a, ()> {
        let message = "only PostgreSQL has COPY".to_owned();
        Box::pin(async { Err(sqlx::Error::InvalidArgument(message)) })
    }

    /// Asks for a few rows of texts.
    fn texts<'a>(&'a mut self, sql: &'a str, values: &'a [Value]) -> Pending<'a, Vec<Texts>>;

    /// Returns the columns that a query gives.
    fn columns<'a>(&'a mut self, select: &'a str) -> Pending<'a, Vec<Column>>;

    /// Reads the rows of one query, as they come, until there are no more or no more are wanted.
    fn read<'a>(
        &'a mut self,
        select: &'a str,
        values: &'a [Value],
        rows: &'a mut Rows,
    ) -> Pending<'a, ()>;
}

/// One row of texts.
pub(super) type Texts = Vec<Option<String>>;

/// A value that goes into a statement beside its text.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
}

impl Value {
    /// Returns about how many bytes it takes on the way.
    pub(super) fn n_bytes(&self) -> usize {
        match self {
            Self::Text(text) => text.len() + 9,
            _ => 9,
        }
    }

    /// Makes a number the text that it is written as; others stay what they are.
    pub(super) fn make_text(&mut self) {
        *self = match self {
            Self::Integer(number) => Self::Text(number.to_string()),
            Self::Real(number) => Self::Text(format_number(*number)),
            _ => return,
        };
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// Waits for the next of a stream, within a time limit.
pub(super) async fn next<T>(
    limit: Duration,
    stream: &mut BoxStream<'_, sqlx::Result<T>>,
) -> sqlx::Result<Option<T>> {
    let waiting = poll_fn(|context| stream.as_mut().poll_next(context));
    timed(limit, async { waiting.await.transpose() }).await
}

/// Waits for an answer, within a time limit.
pub(super) async fn timed<T>(
    limit: Duration,
    request: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    match timeout(limit, request).await {
        Ok(result) => result,
        Err(_) => Err(io::Error::from(io::ErrorKind::TimedOut).into()),
    }
}

/// Refuses a statement that gives no columns before it is carried out: MariaDB drops a table in a
/// transaction that may change nothing.
pub(super) fn check_reads(n_columns: usize) -> sqlx::Result<()> {
    match n_columns {
        0 => {
            let message = "it is no SELECT: it gives no columns";
            Err(sqlx::Error::InvalidArgument(message.to_owned()))
        }
        _ => Ok(()),
    }
}

/// Puts the values into a query of a driver that takes each in its own type.
macro_rules! bound {
    ($sql:expr, $values:expr) => {{
        let mut query = sqlx::query($sql);
        for value in $values {
            query = match value {
                $crate::sql::link::Value::Null => query.bind(None::<&str>),
                $crate::sql::link::Value::Integer(number) => query.bind(*number),
                $crate::sql::link::Value::Real(number) => query.bind(*number),
                $crate::sql::link::Value::Text(text) => query.bind(text.as_str()),
            };
        }
        query
    }};
}
pub(super) use bound;
