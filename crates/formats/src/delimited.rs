//! Reads delimited text.

use std::io::{self, Read};

use csv::{ByteRecord, StringRecord};
use dataset::{Defect, Extent, RawBatch, RawColumn, Source, SourceError, TextColumn};

use crate::{
    BATCH_BYTES, BATCH_ROWS, RECORD_BYTES, check_width,
    input::{Bytes, TRUSTED_BYTES, failed, malformed},
};

/// Delimited text as a source of rows.
///
/// A row with another number of cells than there are names is a defect and keeps the cells that have a
/// name; when it goes over several lines, each of these is a row. The cells that rows lack may be as many as the bytes
/// of all rows, or 64 Mi: two bytes a row are not to stand for any number of cells. A cell that is not UTF-8 is a defect of
/// its own. Lines without anything on them are not rows.
pub(crate) struct CsvSource {
    location: String,
    reader: csv::Reader<Budgeted<Bytes>>,
    names: Vec<String>,
    record: ByteRecord,
    /// Records read so far, the line of names not counted.
    n_read: u64,
    /// Bytes of these records, with one for the end of each cell.
    n_bytes: u64,
    /// Cells that they lack.
    n_lacking: u64,
    names_given: bool,
}

impl Source for CsvSource {
    fn description(&self) -> &str {
        &self.location
    }

    fn next_batch(&mut self) -> Result<Option<RawBatch>, SourceError> {
        let mut rows = Rows::new(self.names.len());
        while rows.n_rows < BATCH_ROWS && rows.n_bytes < BATCH_BYTES {
            if !self.read_record()? {
                break;
            }
            rows.push(&mut self.record, &self.names);
            let n_lines = rows.push_lines(&self.record, self.names.len());
            let n_lines = n_lines.ok_or_else(|| {
                let reason = format!(
                    "record {} has {} cells for {} names and goes over too many lines: is a quote left open?",
                    self.n_read,
                    self.record.len(),
                    self.names.len()
                );
                malformed(&self.location, &reason)
            })?;
            self.check_lacking(n_lines)?;
            self.n_read += n_lines;
        }
        // A file of names alone still has to say its names.
        if rows.n_rows == 0 && self.names_given {
            return Ok(None);
        }
        self.names_given = true;
        let first = self.n_read + 1 - rows.n_rows as u64;
        Ok(Some(rows.into_batch(self.names.clone(), first)))
    }
}

impl CsvSource {
    pub(crate) fn new(
        text: Bytes,
        location: String,
        delimiter: u8,
        header: Option<Vec<String>>,
    ) -> Result<Self, SourceError> {
        let mut dialect = csv::ReaderBuilder::new();
        dialect.delimiter(delimiter);
        let mut source = Self::of_dialect(&mut dialect, text, location, Vec::new());
        source.names = match header {
            Some(names) => names,
            None => source.read_names()?,
        };
        Ok(source)
    }

    /// Reads rows of these names from text without a line of names.
    pub(crate) fn of_dialect(
        dialect: &mut csv::ReaderBuilder,
        text: Bytes,
        location: String,
        names: Vec<String>,
    ) -> Self {
        let reader = dialect
            .has_headers(false)
            .flexible(true)
            .buffer_capacity(1 << 16)
            .from_reader(Budgeted {
                inner: text,
                left: RECORD_BYTES,
                end: END,
            });
        Self {
            location,
            reader,
            names,
            record: ByteRecord::new(),
            n_read: 0,
            n_bytes: 0,
            n_lacking: 0,
            names_given: false,
        }
    }

    /// Refuses a file whose short rows stand for far more cells than it has bytes; so many further lines of the present
    /// record are rows without any.
    fn check_lacking(&mut self, n_lines: u64) -> Result<(), SourceError> {
        let (n_cells, n_names) = (self.record.len(), self.names.len());
        self.n_bytes += (self.record.as_slice().len() + n_cells) as u64;
        self.n_lacking += n_names.saturating_sub(n_cells) as u64 + n_lines * n_names as u64;
        if self.n_lacking <= TRUSTED_BYTES.max(self.n_bytes) {
            return Ok(());
        }
        let reason = format!(
            "record {} has {n_cells} cells for {n_names} names, and all rows together lack more than {} cells: take the \
             names out that have no cells",
            self.n_read,
            TRUSTED_BYTES.max(self.n_bytes)
        );
        Err(malformed(&self.location, &reason))
    }

    fn read_names(&mut self) -> Result<Vec<String>, SourceError> {
        if !self.read_record()? {
            return Err(malformed(
                &self.location,
                "it has neither names nor rows, only empty lines",
            ));
        }
        self.n_read = 0;
        check_width(self.record.len(), &self.location)?;
        let names = StringRecord::from_byte_record(std::mem::take(&mut self.record))
            .map_err(|_| malformed(&self.location, "its line of names is not UTF-8"))?;
        Ok(names.iter().map(|name| name.trim().to_owned()).collect())
    }

    fn read_record(&mut self) -> Result<bool, SourceError> {
        self.reader.get_mut().left = RECORD_BYTES;
        let more = self
            .reader
            .read_byte_record(&mut self.record)
            .map_err(|error| self.explain(error))?;
        let last = self.record.iter().next_back().unwrap_or_default();
        if !more || (self.record.len() == 1 && last == END_CELL) {
            return Ok(false);
        }
        self.n_read += 1;
        if last.trim_ascii_end().ends_with(END_CELL) {
            let reason = format!("record {} has a quote that is never closed", self.n_read);
            return Err(malformed(&self.location, &reason));
        }
        Ok(true)
    }

    fn explain(&self, error: csv::Error) -> SourceError {
        if self.reader.get_ref().left == 0 {
            let reason = format!(
                "record {} does not end within {} MiB: is a quote left open?",
                self.n_read + 1,
                RECORD_BYTES >> 20
            );
            return malformed(&self.location, &reason);
        }
        match error.into_kind() {
            csv::ErrorKind::Io(error) => failed(&self.location, &error),
            other => malformed(&self.location, &format!("{other:?}")),
        }
    }
}

/// The rows of one batch while they are read.
struct Rows {
    columns: Vec<TextColumn>,
    n_rows: usize,
    n_bytes: usize,
    defects: Vec<Defect>,
}

impl Rows {
    fn new(n_columns: usize) -> Self {
        Self {
            columns: vec![TextColumn::new(); n_columns],
            n_rows: 0,
            n_bytes: 0,
            defects: Vec::new(),
        }
    }

    fn push(&mut self, record: &mut ByteRecord, names: &[String]) {
        let n_bytes = record.as_slice().len() + 4 * self.columns.len();
        match StringRecord::from_byte_record(std::mem::take(record)) {
            Ok(cells) if cells.len() == names.len() => {
                for (column, cell) in self.columns.iter_mut().zip(&cells) {
                    column.push(Some(cell));
                }
                *record = cells.into_byte_record();
            }
            Ok(cells) => {
                *record = cells.into_byte_record();
                self.push_cells(record, names.len());
            }
            Err(error) => {
                *record = error.into_byte_record();
                self.push_cells(record, names.len());
            }
        }
        self.n_rows += 1;
        self.n_bytes += n_bytes;
    }

    /// Keeps what can be read of a row that is not as it should be.
    fn push_cells(&mut self, record: &ByteRecord, n_names: usize) {
        let row = self.n_rows;
        if record.len() != n_names {
            self.note(Defect {
                extent: Extent::Row(row),
                reason: format!("{} cells for {n_names} names", record.len()),
            });
        }
        for at in 0..n_names {
            let cell = record.get(at).map(std::str::from_utf8);
            if let Some(Err(_)) = cell {
                self.note(Defect {
                    extent: Extent::Cell { row, column: at },
                    reason: "the cell is not UTF-8".to_owned(),
                });
            }
            self.columns[at].push(cell.and_then(Result::ok));
        }
    }

    /// Appends a row without cells for each further line of a record that has not as many cells as there
    /// are names: a stray quote has most likely swallowed them, and none is to be lost without a word. `None` when
    /// there are more of them than fit into a batch.
    fn push_lines(&mut self, record: &ByteRecord, n_names: usize) -> Option<u64> {
        if record.len() == n_names {
            return Some(0);
        }
        let n_lines = record
            .as_slice()
            .iter()
            .filter(|byte| **byte == b'\n')
            .count();
        let n_bytes = n_lines * (4 * self.columns.len());
        if n_lines > BATCH_ROWS || n_bytes > BATCH_BYTES {
            return None;
        }
        for _ in 0..n_lines {
            self.note(Defect {
                extent: Extent::Row(self.n_rows),
                reason: "the line lies within a quote that begins in a row before it".to_owned(),
            });
            self.columns.iter_mut().for_each(|column| column.push(None));
            self.n_rows += 1;
        }
        self.n_bytes += n_bytes;
        Some(n_lines as u64)
    }

    /// Keeps what is wrong; it takes more memory than the cells that it is about.
    fn note(&mut self, defect: Defect) {
        self.n_bytes += size_of::<Defect>() + defect.reason.len();
        self.defects.push(defect);
    }

    fn into_batch(self, names: Vec<String>, first: u64) -> RawBatch {
        RawBatch {
            names,
            columns: self.columns.into_iter().map(RawColumn::Text).collect(),
            row_numbers: (first..first + self.n_rows as u64).collect(),
            defects: self.defects,
            ..RawBatch::default()
        }
    }
}

/// What is read behind the end of the text: a record of its own, unless a quote is open there.
const END: &[u8] = b"\n\0\x01end\n";
const END_CELL: &[u8] = b"\0\x01end";

/// Fails once more bytes were read than are left, which bounds the memory that one record can take, and
/// marks the end.
struct Budgeted<R> {
    inner: R,
    left: usize,
    end: &'static [u8],
}

impl<R: Read> Read for Budgeted<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.left == 0 {
            return Err(io::Error::other("the record is too long"));
        }
        let mut n = self.inner.read(buffer)?;
        if n == 0 {
            n = self.end.read(buffer)?;
        }
        self.left = self.left.saturating_sub(n);
        Ok(n)
    }
}
