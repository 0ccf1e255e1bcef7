//! Objects as a source of rows, one after another in the order of their keys.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read as _, Seek as _},
    path::Path,
};

use dataset::{RawBatch, Schema, Source, SourceError, SourceUri};
use formats::{FileFormat, Layout};
use tokio::task::JoinHandle;

use super::{
    address::{Address, Keys},
    connection::Connection,
    download::download,
};
use crate::failure::{Cause, Trouble};

/// Objects that are on their way or there, that which is read next included.
const AHEAD: usize = 3;

/// Rows of one object or several.
///
/// What is downloaded lies in temporary files, each gone once it has been read: memory holds a batch
/// alone, and room is needed for some objects.
pub(crate) struct S3Source {
    /// Dropped before the connection, whose tasks they are.
    coming: VecDeque<(String, JoinHandle<Result<File, Trouble>>)>,
    connection: Connection,
    layout: Layout,
    /// Keys still to be asked for; nothing before they are listed.
    keys: Option<VecDeque<String>>,
    rows: Option<Box<dyn Source>>,
    /// Whether an object has been read to its end: who wants some rows alone waits for one, not for three.
    is_on: bool,
    /// Whether an object has held more than blanks.
    has_rows: bool,
    /// Rows of the objects before the one that is read.
    n_before: u64,
    n_read: u64,
}

impl S3Source {
    /// Makes the source of an address; nothing is asked before the first batch is.
    pub(crate) fn open(uri: &SourceUri, schema: &Schema) -> Result<Self, SourceError> {
        Self::of(Connection::open(uri)?, schema)
    }

    /// Reads over a connection.
    pub(super) fn of(connection: Connection, schema: &Schema) -> Result<Self, SourceError> {
        Ok(Self {
            connection,
            coming: VecDeque::new(),
            layout: Layout::of(&schema.file, schema.file_columns()),
            keys: None,
            rows: None,
            is_on: false,
            has_rows: false,
            n_before: 0,
            n_read: 0,
        })
    }

    /// Lists the keys; what cannot be read is refused before anything is.
    fn list(&self) -> Result<VecDeque<String>, SourceError> {
        let store = &self.connection.store;
        let keys = self.connection.block_on(store.keys())?;
        let address = self.connection.address();
        if keys.is_empty() {
            return Err(SourceError::Malformed {
                location: address.location.clone(),
                reason:
                    "there is no such object: a prefix ends with `/`, and `*` stands for anything \
                         but `/`"
                        .to_owned(),
            });
        }
        for key in &keys {
            format_of(address, key, &self.layout)?;
        }
        Ok(keys.into())
    }

    /// Opens the next object with something in it; there may be none.
    fn advance(&mut self) -> Result<Option<Box<dyn Source>>, SourceError> {
        loop {
            let Some((key, file)) = self.fetch()? else {
                return Ok(None);
            };
            let address = self.connection.address();
            let location = address.location_of(&key);
            let is_one = matches!(address.keys, Keys::One(_));
            let is_last =
                self.coming.is_empty() && self.keys.as_ref().is_none_or(VecDeque::is_empty);
            // When all are blank the last one says so.
            let must_be_read = is_one || (is_last && !self.has_rows);
            if !must_be_read && is_blank(&file).unwrap_or(false) {
                tracing::warn!(location, "object without rows passed over");
                continue;
            }
            self.has_rows = true;
            let format = format_of(address, &key, &self.layout)?;
            let name = address.named(&key);
            let rows = formats::read_named(file, Path::new(&name), location, &format);
            return rows.map(Some);
        }
    }

    /// Returns the next object, downloaded; there may be none.
    fn fetch(&mut self) -> Result<Option<(String, File)>, SourceError> {
        let mut keys = match self.keys.take() {
            Some(keys) => keys,
            None => self.list()?,
        };
        let ahead = if self.is_on { AHEAD } else { 1 };
        while self.coming.len() < ahead
            && let Some(key) = keys.pop_front()
        {
            let task = download(self.connection.store.clone(), key.clone(), u64::MAX);
            self.coming
                .push_back((key, self.connection.handle().spawn(task)));
        }
        self.keys = Some(keys);
        let Some((key, task)) = self.coming.pop_front() else {
            return Ok(None);
        };
        let store = &self.connection.store;
        let file = self
            .connection
            .block_on(task)
            .map_err(|e| store.trouble(&format!("read `{key}`"), Cause::Refused, e.to_string()))?;
        let address = self.connection.address();
        let is_listed = !matches!(address.keys, Keys::One(_));
        let file = file.map_err(|trouble| match trouble.cause {
            // It was there when the objects were listed.
            Cause::Missing if is_listed => Trouble {
                cause: Cause::Changed,
                ..trouble
            },
            _ => trouble,
        })?;
        Ok(Some((key, file)))
    }
}

/// Returns whether a file unpacks to nothing but blanks, which some programs write for a part without rows.
fn is_blank(file: &File) -> io::Result<bool> {
    let mut text = formats::unpacked(file.try_clone()?)?;
    let mut buffer = [0; 4096];
    let is_blank = loop {
        match text.read(&mut buffer)? {
            0 => break true,
            n if buffer[..n].iter().all(u8::is_ascii_whitespace) => {}
            _ => break false,
        }
    };
    (&*file).rewind()?;
    Ok(is_blank)
}

impl Source for S3Source {
    fn description(&self) -> &str {
        &self.connection.address().location
    }

    fn next_batch(&mut self) -> Result<Option<RawBatch>, SourceError> {
        loop {
            let mut rows = match self.rows.take() {
                Some(rows) => rows,
                None => match self.advance()? {
                    Some(rows) => rows,
                    None => return Ok(None),
                },
            };
            let Some(mut batch) = rows.next_batch()? else {
                self.n_before = self.n_read;
                self.is_on = true;
                continue;
            };
            self.rows = Some(rows);
            for number in &mut batch.row_numbers {
                *number += self.n_before;
            }
            let last = batch.row_numbers.last().copied();
            self.n_read = self.n_read.max(last.unwrap_or_default());
            return Ok(Some(batch));
        }
    }
}

/// Tells the format of an object by its key, or by what the address says.
fn format_of(address: &Address, key: &str, layout: &Layout) -> Result<FileFormat, SourceError> {
    let name = address.named(key);
    FileFormat::of_path(Path::new(&name), layout).map_err(|error| match error {
        SourceError::Unsupported { reason, .. } => SourceError::Unsupported {
            location: address.location_of(key),
            reason: format!("{reason}; `?format=csv` says it, and `*.csv` leaves others out"),
        },
        other => other,
    })
}
