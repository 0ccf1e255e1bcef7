//! A table or a query as a source of rows: one reading in one transaction, on a thread of its own.

use std::sync::mpsc::{Receiver, SyncSender, sync_channel};

use dataset::{RawBatch, Schema, Source, SourceError, SourceUri};

use super::{
    LOAD_COLUMN, ROW_COLUMN,
    address::{Selection, TableName},
    connection::Connection,
    link::Value,
    rows::{Rows, Stopped},
};
use crate::{backoff, failure::Trouble};

/// Batches that wait to be taken. The server waits as soon as there are so many.
const WAITING: usize = 1;

/// Rows of a table or a query, in the server's order.
///
/// A reading that was cut off is begun again and compared with what it has given so far. No more is
/// held than three batches: one in the making, one that waits and the one that was given last.
pub(crate) struct SqlSource {
    location: String,
    state: State,
}

enum State {
    Ready(Box<(Connection, Schema)>),
    Reading(Receiver<Message>),
    Ended,
}

enum Message {
    Batch(RawBatch),
    End(Result<(), SourceError>),
}

impl SqlSource {
    /// Makes the source that an address names; it is asked at the first batch.
    pub(crate) fn open(uri: &SourceUri, schema: &Schema) -> Result<Self, SourceError> {
        let connection = Connection::open(uri)?;
        let location = connection.address.location.clone();
        for name in schema.file_columns() {
            // Under the name that the server cuts it to, its values would be missing.
            let checked = connection.dialect().check_length(&name);
            checked.map_err(|said| SourceError::Unsupported {
                location: location.clone(),
                reason: format!("{said}: give the column a shorter one in the schema"),
            })?;
        }
        Ok(Self {
            location,
            state: State::Ready(Box::new((connection, schema.clone()))),
        })
    }

    fn start(&mut self, (mut connection, schema): (Connection, Schema)) -> Result<(), SourceError> {
        let (sender, receiver) = sync_channel(WAITING);
        let read = move || {
            let outcome = read(&mut connection, &schema, &sender);
            // Nobody may be there to hear it.
            let _ = sender.send(Message::End(outcome));
        };
        let thread = std::thread::Builder::new()
            .name("sql".to_owned())
            .spawn(read);
        thread.map_err(|e| self.unavailable(format!("cannot start a thread: {e}")))?;
        self.state = State::Reading(receiver);
        Ok(())
    }

    fn unavailable(&self, reason: String) -> SourceError {
        let location = self.location.clone();
        SourceError::Unavailable { location, reason }
    }
}

impl Source for SqlSource {
    fn description(&self) -> &str {
        &self.location
    }

    fn next_batch(&mut self) -> Result<Option<RawBatch>, SourceError> {
        match std::mem::replace(&mut self.state, State::Ended) {
            State::Ended => return Ok(None),
            State::Ready(parts) => self.start(*parts)?,
            reading @ State::Reading(_) => self.state = reading,
        }
        let State::Reading(receiver) = &self.state else {
            return Ok(None);
        };
        match receiver.recv() {
            Ok(Message::Batch(batch)) => Ok(Some(batch)),
            Ok(Message::End(outcome)) => {
                self.state = State::Ended;
                outcome.map(|()| None)
            }
            Err(_) => {
                self.state = State::Ended;
                Err(self.unavailable("the thread that reads has ended".to_owned()))
            }
        }
    }
}

fn read(
    connection: &mut Connection,
    schema: &Schema,
    sender: &SyncSender<Message>,
) -> Result<(), SourceError> {
    let sender = sender.clone();
    let give = move |batch| sender.send(Message::Batch(batch)).is_ok();
    let mut rows = Rows::new(schema, connection.address.time_limit, give);
    let address = std::sync::Arc::clone(&connection.address);
    let select = match &address.selection {
        Selection::Query(query) => query.clone(),
        Selection::Table(table) => select_of(connection, table, schema)?,
    };
    read_rows(connection, &select, &[], &mut rows)?;
    let location = || address.location.clone();
    match (rows.stopped(), rows.n_rows()) {
        (Some(Stopped::Changed), n_rows) => Err(SourceError::Unavailable {
            location: location(),
            reason: format!(
                "it was cut off behind row {n_rows} and is another one now: others write to it, or its \
                 rows have no fixed order: run it again, or give query=SELECT … ORDER BY …"
            ),
        }),
        (None, 0) => Err(SourceError::Malformed {
            location: location(),
            reason: match &address.selection {
                Selection::Table(name) => format!("table `{}` holds no rows", name.table),
                Selection::Query(_) => "the query gives no rows".to_owned(),
            },
        }),
        _ => Ok(()),
    }
}

/// Writes the query for a table's columns, without those that are ours.
fn select_of(
    connection: &mut Connection,
    table: &TableName,
    schema: &Schema,
) -> Result<String, Trouble> {
    let dialect = connection.dialect();
    let table = dialect.quote_table(table);
    let all = format!("SELECT * FROM {table}");
    let asked = "look at the columns";
    let columns = connection.repeat(asked, async |link| link.columns(&all).await)?;
    let mut names: Vec<String> = columns.into_iter().map(|column| column.name).collect();
    let wanted = schema.file_columns();
    names.retain(|name| {
        let is_ours = name == LOAD_COLUMN || name == ROW_COLUMN;
        !is_ours || wanted.contains(name)
    });
    let names = dialect.quote_all(names.iter().map(String::as_str));
    Ok(format!("SELECT {names} FROM {table}"))
}

/// Reads the rows of a query to their end; a reading that is cut off is begun again.
pub(super) fn read_rows(
    connection: &mut Connection,
    select: &str,
    values: &[Value],
    rows: &mut Rows,
) -> Result<(), Trouble> {
    let mut failed = 0;
    loop {
        let before = rows.n_rows();
        match connection.read(select, values, rows) {
            Ok(()) => return Ok(()),
            Err(trouble) => {
                if rows.n_rows() > before {
                    failed = 0;
                }
                rows.suspend();
                if !backoff::may_try_again(&trouble, &mut failed) {
                    return Err(trouble);
                }
            }
        }
    }
}
