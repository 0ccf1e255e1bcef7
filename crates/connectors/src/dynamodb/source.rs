//! A table as a source of rows: segments that are scanned side by side, and given in turns.

use std::{panic::resume_unwind, sync::Arc, vec::IntoIter};

use dataset::{FieldColumns, RawBatch, Schema, Source, SourceError, SourceUri};
use serde_json::{Value, json, value::RawValue};
use tokio::{sync::mpsc, task::JoinHandle};

use super::{
    attribute::Item,
    client::{Client, Connection},
    item::Flattener,
};
use crate::failure::{Cause, Trouble};

/// Parts of a table that are read side by side.
const SEGMENTS: usize = 4;
/// Items that a segment gives before it is another's turn: how long the server's pages are must not say in
/// which order rows come.
const TURN: usize = 512;
/// Rows of a batch at most.
const BATCH_ROWS: usize = 8192;
/// Bytes of a batch, roughly; a batch ends with the row that reaches them.
const BATCH_BYTES: usize = 16 << 20;
/// Attributes that the items of one table may have between them.
const MAX_FIELDS: usize = 1 << 16;

/// Items of a table, in an order that is the same as long as the table is.
///
/// Each segment waits with one page of at most 1 MB for its turn, and so does the server.
pub(crate) struct DynamoSource {
    connection: Connection,
    parameters: Value,
    /// Nothing before the first batch is asked for.
    segments: Option<Vec<Segment>>,
    next: usize,
    flattener: Flattener,
    columns: FieldColumns,
    n_bytes: usize,
    n_read: u64,
}

struct Segment {
    pages: mpsc::Receiver<Result<Vec<Box<RawValue>>, Trouble>>,
    reading: JoinHandle<()>,
    items: IntoIter<Box<RawValue>>,
    n_in_turn: usize,
}

impl DynamoSource {
    /// Makes the source of the table that an address names.
    pub(crate) fn open(uri: &SourceUri, schema: &Schema) -> Result<Self, SourceError> {
        let connection = Connection::open(uri)?;
        Ok(Self::of(connection, Flattener::new(schema), json!({})))
    }

    /// Reads what the parameters of a scan say.
    pub(super) fn of(connection: Connection, flattener: Flattener, parameters: Value) -> Self {
        Self {
            connection,
            parameters,
            segments: None,
            next: 0,
            flattener,
            columns: FieldColumns::default(),
            n_bytes: 0,
            n_read: 0,
        }
    }

    fn start(&self) -> Vec<Segment> {
        let parameters = Arc::new(self.parameters.clone());
        let start = |segment| {
            let (give, pages) = mpsc::channel(1);
            let client = self.connection.client.clone();
            let scan = scan(client, Arc::clone(&parameters), segment, give);
            Segment {
                pages,
                reading: self.connection.threads.handle().spawn(scan),
                items: Vec::new().into_iter(),
                n_in_turn: 0,
            }
        };
        (0..SEGMENTS).map(start).collect()
    }

    /// Returns the next item; none when all segments have come to their end.
    fn next_item(&mut self) -> Result<Option<Box<RawValue>>, Trouble> {
        let mut segments = match self.segments.take() {
            Some(segments) => segments,
            None => self.start(),
        };
        let found = loop {
            if segments.is_empty() {
                break None;
            }
            self.next %= segments.len();
            let segment = &mut segments[self.next];
            if segment.n_in_turn == TURN {
                segment.n_in_turn = 0;
                self.next += 1;
                continue;
            }
            if let Some(item) = segment.items.next() {
                segment.n_in_turn += 1;
                break Some(item);
            }
            match self.connection.block_on(segment.pages.recv()) {
                Some(Ok(page)) => segment.items = page.into_iter(),
                Some(Err(trouble)) => return Err(self.given_up(trouble)),
                None => {
                    // Whatever came of a defect of ours, it is not the end.
                    let ended = self.connection.block_on(segments.remove(self.next).reading);
                    ended.unwrap_or_else(|e| resume_unwind(e.into_panic()));
                }
            }
        };
        self.segments = Some(segments);
        Ok(found)
    }

    /// Makes sure that nothing is read again after a failure.
    fn given_up(&mut self, trouble: Trouble) -> Trouble {
        self.segments = Some(Vec::new());
        trouble
    }

    fn fill(&mut self) -> Result<(), Trouble> {
        while self.columns.n_rows() < BATCH_ROWS && self.n_bytes < BATCH_BYTES {
            let Some(text) = self.next_item()? else {
                return Ok(());
            };
            let client = &self.connection.client;
            let item: Item = serde_json::from_str(text.get()).map_err(|e| {
                let reason = format!("an item is not as DynamoDB's are: {e}");
                client.trouble("read items", Cause::Refused, reason)
            })?;
            self.flattener.push(&item, &mut self.columns);
            self.n_read += 1;
            self.n_bytes += text.get().len() + 8 * self.columns.len();
            if self.columns.len() > MAX_FIELDS {
                let reason = format!(
                    "more than {MAX_FIELDS} different attributes: are values used as names?"
                );
                return Err(client.trouble("read items", Cause::Refused, reason));
            }
        }
        Ok(())
    }

    fn nothing_found(&self) -> SourceError {
        let address = &self.connection.client.address;
        SourceError::Malformed {
            location: address.location.clone(),
            reason: format!("table `{}` holds no items", address.table),
        }
    }
}

impl Source for DynamoSource {
    fn description(&self) -> &str {
        &self.connection.client.address.location
    }

    fn next_batch(&mut self) -> Result<Option<RawBatch>, SourceError> {
        if let Err(trouble) = self.fill() {
            let client = &self.connection.client;
            return Err(self.connection.block_on(client.explained(trouble)).into());
        }
        match (self.columns.n_rows(), self.n_read) {
            (0, 0) => Err(self.nothing_found()),
            (0, _) => Ok(None),
            (_, read) => {
                self.n_bytes = 0;
                Ok(Some(self.columns.take(read)))
            }
        }
    }
}

/// Reads a segment page by page, as quickly as its pages are taken.
async fn scan(
    client: Client,
    parameters: Arc<Value>,
    segment: usize,
    give: mpsc::Sender<Result<Vec<Box<RawValue>>, Trouble>>,
) {
    let mut parameters = Value::clone(&parameters);
    parameters["Segment"] = json!(segment);
    parameters["TotalSegments"] = json!(SEGMENTS);
    let mut from = None;
    loop {
        let (page, next) = match client.scan(&parameters, from.as_ref()).await {
            Ok(page) => (Ok(page.items), page.last_evaluated_key),
            Err(trouble) => (Err(trouble), None),
        };
        // Nobody takes it any more when the reading has ended before.
        if give.send(page).await.is_err() || next.is_none() {
            return;
        }
        from = next;
    }
}
