//! A collection as a source of rows: one cursor, read as rows are asked for.

use dataset::{FieldColumns, RawBatch, Schema, Source, SourceError, SourceUri};
use mongodb::{
    bson::{Bson, Document, RawDocument, doc, raw::RawBsonRef},
    error::Result as DriverResult,
    raw_batch_cursor::RawBatchCursor,
};

use super::{connection::Connection, document::Flattener, read_ahead::ReadAhead};
use crate::{
    backoff,
    failure::{Cause, Trouble},
};

/// Rows of a batch at most.
const BATCH_ROWS: usize = 8192;
/// Bytes of a batch, roughly; a batch ends with the row that reaches them.
const BATCH_BYTES: usize = 16 << 20;
/// Fields that the documents of one collection may have between them.
const MAX_FIELDS: usize = 1 << 16;

const READ: &str = "read documents";

/// Documents of a collection in the order of their `_id`.
///
/// The order lets a cursor that was cut off be taken up behind the last document that was taken from it.
/// No more is held than two batches of the server, of which one is being received while the other is
/// taken, and the rows of the batch in the making.
pub(crate) struct MongoSource {
    connection: Connection,
    scan: Scan,
    rows: Rows,
    is_resumed: bool,
    is_finished: bool,
}

/// What is read and how far.
struct Scan {
    collection: String,
    filter: Document,
    ahead: Option<ReadAhead>,
    last_id: Option<Bson>,
    n_read: u64,
}

/// The batch in the making.
struct Rows {
    flattener: Flattener,
    columns: FieldColumns,
    n_bytes: usize,
}

impl MongoSource {
    /// Makes the source of the collection that an address names; it is asked at the first batch.
    pub(crate) fn open(uri: &SourceUri, schema: &Schema) -> Result<Self, SourceError> {
        let connection = Connection::open(uri)?;
        let collection = connection.address.collection.clone();
        let filter = connection.address.filter.clone();
        Ok(Self::of(connection, &collection, filter, schema))
    }

    /// Reads some documents of some collection over a connection.
    pub(super) fn of(
        connection: Connection,
        collection: &str,
        filter: Document,
        schema: &Schema,
    ) -> Self {
        Self {
            connection,
            scan: Scan {
                collection: collection.to_owned(),
                filter,
                ahead: None,
                last_id: None,
                n_read: 0,
            },
            rows: Rows {
                flattener: Flattener::new(schema),
                columns: FieldColumns::default(),
                n_bytes: 0,
            },
            is_resumed: false,
            is_finished: false,
        }
    }

    /// Reads until the batch is full or there is no more.
    fn fill(&mut self) -> Result<(), SourceError> {
        let mut failed = 0;
        while !self.is_finished && !self.rows.are_full() {
            let (connection, scan) = (&self.connection, &mut self.scan);
            let before = scan.n_read;
            match connection.block_on(scan.read(connection, &mut self.rows)) {
                Ok(is_finished) => self.is_finished = is_finished,
                Err(trouble) => {
                    if scan.n_read > before {
                        failed = 0;
                    }
                    if !scan.may_resume() || !backoff::may_try_again(&trouble, &mut failed) {
                        return Err(trouble.into());
                    }
                    self.is_resumed |= scan.n_read > 0;
                }
            }
            self.rows.check_width(&self.connection.address.location)?;
        }
        Ok(())
    }

    /// Checks that a reading that was taken up again has missed nothing.
    fn check_count(&self) -> Result<(), SourceError> {
        let (collection, filter) = (&self.scan.collection, &self.scan.filter);
        let collection = self.connection.collection(collection);
        let count = self
            .connection
            .repeat_at_length("count documents", async || {
                collection.count_documents(filter.clone()).await
            })?;
        if count == self.scan.n_read {
            return Ok(());
        }
        Err(SourceError::Unavailable {
            location: self.connection.address.location.clone(),
            reason: format!(
                "{} documents were read over several connections, but there are {count}: others write \
                 to it, or its `_id`s are of several types: run it again",
                self.scan.n_read
            ),
        })
    }

    fn nothing_found(&self) -> SourceError {
        let is_filtered = !self.scan.filter.is_empty();
        let found = if is_filtered {
            " that the filter lets pass"
        } else {
            ""
        };
        SourceError::Malformed {
            location: self.connection.address.location.clone(),
            reason: format!(
                "collection `{}` of database `{}` holds no documents{found}: check both names",
                self.scan.collection, self.connection.address.database
            ),
        }
    }
}

impl Source for MongoSource {
    fn description(&self) -> &str {
        &self.connection.address.location
    }

    fn next_batch(&mut self) -> Result<Option<RawBatch>, SourceError> {
        self.fill()?;
        if self.is_finished && self.is_resumed {
            self.check_count()?;
        }
        match (self.rows.columns.n_rows(), self.scan.n_read) {
            (0, 0) => Err(self.nothing_found()),
            (0, _) => Ok(None),
            (_, read) => Ok(Some(self.rows.take(read))),
        }
    }
}

impl Drop for MongoSource {
    fn drop(&mut self) {
        if let Some(ahead) = self.scan.ahead.take() {
            self.connection.settle(ahead.close());
        }
    }
}

impl Scan {
    /// Reads documents until the batch is full; returns whether there are no more.
    async fn read(&mut self, connection: &Connection, rows: &mut Rows) -> Result<bool, Trouble> {
        let damaged = |reason: String| connection.trouble(READ, Cause::Refused, reason);
        let ahead = self.ahead.take();
        let mut ahead =
            ahead.unwrap_or_else(|| ReadAhead::start(connection, self.find(connection)));
        loop {
            for document in ahead.documents().map_err(damaged)? {
                self.push(document.map_err(damaged)?, rows);
                if rows.are_full() {
                    break;
                }
            }
            if rows.are_full() {
                self.ahead = Some(ahead);
                return Ok(false);
            }
            if !connection.limited(READ, ahead.advance()).await? {
                return Ok(true);
            }
        }
    }

    fn push(&mut self, document: &RawDocument, rows: &mut Rows) {
        let id = document.get("_id").ok().flatten();
        self.last_id = id.and_then(|id| match id {
            RawBsonRef::ObjectId(id) => Some(Bson::ObjectId(id)),
            RawBsonRef::String(text) => Some(Bson::String(text.to_owned())),
            _ => None,
        });
        self.n_read += 1;
        rows.push(document);
    }

    /// Asks for the documents behind the last one.
    fn find(
        &self,
        connection: &Connection,
    ) -> impl Future<Output = DriverResult<RawBatchCursor>> + use<> {
        let filter = match &self.last_id {
            None => self.filter.clone(),
            Some(last) => doc! {"$and": [self.filter.clone(), {"_id": {"$gt": last}}]},
        };
        let collection = connection.collection(&self.collection);
        let batch_size = connection.address.batch_size;
        let mut projection = connection.address.projection.clone();
        if let Some(projection) = &mut projection {
            // The reading is taken up by it.
            projection.remove("_id");
        }
        async move {
            let mut find = collection
                .find(filter)
                .sort(doc! {"_id": 1})
                .batch_size(batch_size)
                .allow_disk_use(true);
            if let Some(projection) = projection {
                find = find.projection(projection);
            }
            find.batch().await
        }
    }

    /// Returns whether the documents behind the last one can be told.
    fn may_resume(&self) -> bool {
        self.n_read == 0 || self.last_id.is_some()
    }
}

impl Rows {
    fn are_full(&self) -> bool {
        self.columns.n_rows() >= BATCH_ROWS || self.n_bytes >= BATCH_BYTES
    }

    fn push(&mut self, document: &RawDocument) {
        match self.flattener.flatten(document, &mut self.columns) {
            Ok(cells) => self.columns.push_row(cells),
            Err(reason) => self.columns.push_defective(self.flattener.cells(), reason),
        }
        self.n_bytes += document.as_bytes().len() + 8 * self.columns.len();
    }

    fn check_width(&self, location: &str) -> Result<(), SourceError> {
        if self.columns.len() <= MAX_FIELDS {
            return Ok(());
        }
        Err(SourceError::Malformed {
            location: location.to_owned(),
            reason: format!("more than {MAX_FIELDS} different fields: are values used as names?"),
        })
    }

    /// Gives the batch, of which the last row is the `n_read`th of the source.
    fn take(&mut self, n_read: u64) -> RawBatch {
        self.n_bytes = 0;
        self.columns.take(n_read)
    }
}

#[cfg(test)]
mod tests;
