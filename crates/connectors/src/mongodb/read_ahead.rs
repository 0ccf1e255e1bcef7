//! A cursor that is read ahead of whoever takes its documents.

use std::{fmt::Display, future::poll_fn, panic::resume_unwind, pin::Pin};

use futures_core::Stream as _;
use mongodb::{
    bson::RawDocument,
    error::Result as DriverResult,
    raw_batch_cursor::{RawBatch, RawBatchCursor},
};
use tokio::{
    sync::mpsc::{Receiver, Sender, channel},
    task::JoinHandle,
};

use super::connection::Connection;

/// Batches of the server that wait to be taken, with the one that is being received.
const WAITING: usize = 1;

/// The documents of a cursor: while a batch is worked on, the next is received.
///
/// No more than these two are held; the server waits as soon as there are two. The cursor is closed when
/// this is dropped.
pub(super) struct ReadAhead {
    batches: Receiver<RawBatch>,
    reading: JoinHandle<DriverResult<()>>,
    batch: Option<RawBatch>,
    /// How many documents of the batch were given.
    n_given: usize,
}

impl ReadAhead {
    /// Opens the cursor and begins to read; [`Self::advance`] says what has come of it.
    pub(super) fn start(
        connection: &Connection,
        find: impl Future<Output = DriverResult<RawBatchCursor>> + Send + 'static,
    ) -> Self {
        let (give, batches) = channel(WAITING);
        Self {
            batches,
            reading: connection.spawn(read(find, give)),
            batch: None,
            n_given: 0,
        }
    }

    /// Goes on to the next batch; returns whether there is one. A failure comes behind the batches that
    /// were received before it.
    pub(super) async fn advance(&mut self) -> DriverResult<bool> {
        self.n_given = 0;
        // The old one makes room before the new one is waited for.
        self.batch = None;
        self.batch = self.batches.recv().await;
        if self.batch.is_none() {
            let outcome = (&mut self.reading).await;
            outcome.unwrap_or_else(|e| resume_unwind(e.into_panic()))?;
        }
        Ok(self.batch.is_some())
    }

    /// Gives the documents of the batch that were not given before, or what is wrong with the batch.
    pub(super) fn documents(
        &mut self,
    ) -> Result<impl Iterator<Item = Result<&RawDocument, String>>, String> {
        let batch = self.batch.as_ref().map(RawBatch::doc_slices).transpose();
        let items = batch.map_err(|e| damaged(&e))?.into_iter().flatten();
        let n_given = &mut self.n_given;
        Ok(items.skip(*n_given).map(|item| {
            *n_given += 1;
            let item = item.map_err(|e| damaged(&e))?;
            item.as_document().ok_or_else(|| damaged(&"not a document"))
        }))
    }

    /// Closes the cursor; the driver knows of it then, but has still to tell the server.
    pub(super) async fn close(mut self) {
        self.reading.abort();
        // What it has read is not wanted any more.
        let _ = (&mut self.reading).await;
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.reading.abort();
    }
}

/// Reads batch after batch, each when there is room for it.
async fn read(
    find: impl Future<Output = DriverResult<RawBatchCursor>>,
    give: Sender<RawBatch>,
) -> DriverResult<()> {
    let mut cursor = find.await?;
    while let Ok(room) = give.reserve().await {
        match poll_fn(|context| Pin::new(&mut cursor).poll_next(context)).await {
            Some(batch) => room.send(batch?),
            None => break,
        }
    }
    Ok(())
}

fn damaged(what: &dyn Display) -> String {
    format!("damaged batch: {what}")
}
