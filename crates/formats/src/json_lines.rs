//! Reads JSON Lines: one object a line.

mod line;

use std::io::{BufRead, BufReader, Read};

use dataset::{FieldColumns, RawBatch, Source, SourceError};

use crate::{
    BATCH_BYTES, BATCH_ROWS, MAX_COLUMNS, RECORD_BYTES,
    input::{Bytes, failed, malformed},
};
use line::Line;

/// JSON Lines as a source of rows.
///
/// Nested objects become columns with dotted names. A column of a batch is one of numbers when all its
/// cells are numbers or null, otherwise of text; true and false are the texts `true` and `false`, and a
/// number that needs more digits than an `f64` has stays as it is written. An array is a defect of its
/// cell, kept as its text; a field that is named twice one without a value. A line that is no object is
/// a defect and keeps the fields before the place where it breaks. Lines without anything on them are
/// not rows.
pub(crate) struct JsonLinesSource {
    location: String,
    reader: BufReader<Bytes>,
    columns: FieldColumns,
    line: Line,
    buffer: Vec<u8>,
    n_read: u64,
}

impl Source for JsonLinesSource {
    fn description(&self) -> &str {
        &self.location
    }

    fn next_batch(&mut self) -> Result<Option<RawBatch>, SourceError> {
        let mut n_bytes = 0;
        while self.columns.n_rows() < BATCH_ROWS && n_bytes < BATCH_BYTES {
            if !self.read_line()? {
                break;
            }
            match self.line.parse(&self.buffer, &mut self.columns) {
                Ok(cells) => self.columns.push_row(cells),
                Err(reason) => self.columns.push_defective(self.line.cells(), reason),
            }
            n_bytes += self.buffer.len() + 8 * self.columns.len();
            self.check_width()?;
        }
        match (self.columns.n_rows(), self.n_read) {
            (0, 0) => Err(malformed(&self.location, "it holds only empty lines")),
            (0, _) => Ok(None),
            (_, read) => Ok(Some(self.columns.take(read))),
        }
    }
}

impl JsonLinesSource {
    pub(crate) fn new(text: Bytes, location: String) -> Self {
        Self {
            location,
            reader: BufReader::with_capacity(1 << 16, text),
            columns: FieldColumns::default(),
            line: Line::default(),
            buffer: Vec::new(),
            n_read: 0,
        }
    }

    /// Reads the next line that has anything on it.
    fn read_line(&mut self) -> Result<bool, SourceError> {
        loop {
            self.buffer.clear();
            let n = (&mut self.reader)
                .take(RECORD_BYTES as u64)
                .read_until(b'\n', &mut self.buffer)
                .map_err(|e| failed(&self.location, &e))?;
            if n == RECORD_BYTES && self.buffer.last() != Some(&b'\n') {
                let (record, limit) = (self.n_read + 1, RECORD_BYTES >> 20);
                let reason = format!("record {record} does not end within {limit} MiB");
                return Err(malformed(&self.location, &reason));
            }
            if n == 0 {
                return Ok(false);
            }
            if !self.buffer.trim_ascii().is_empty() {
                self.n_read += 1;
                return Ok(true);
            }
        }
    }

    fn check_width(&self) -> Result<(), SourceError> {
        if self.columns.len() <= MAX_COLUMNS {
            return Ok(());
        }
        let reason = format!(
            "more than {MAX_COLUMNS} different fields up to record {}: are values used as names?",
            self.n_read
        );
        Err(malformed(&self.location, &reason))
    }
}
