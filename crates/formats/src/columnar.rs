//! Reads Parquet, row group by row group, page by page.

mod column;
mod nesting;
mod pages;
mod texts;

use std::{
    cell::Cell,
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    sync::{Arc, Once},
};

use dataset::{Defect, Extent, RawBatch, RawColumn, Source, SourceError};
use parquet::{
    basic::Compression,
    column::reader::get_column_reader,
    errors::ParquetError,
    file::{
        metadata::{ColumnChunkMetaData, ParquetMetaData},
        reader::{ChunkReader, FileReader},
        serialized_reader::SerializedFileReader,
    },
};

use crate::{
    BATCH_BYTES, BATCH_ROWS, RECORD_BYTES, check_width,
    input::{failed, malformed},
};
use column::{Conversion, OpenColumn};
use nesting::Nesting;
use pages::PageOpener;

/// A Parquet file as a source of rows.
///
/// Whole and floating-point numbers become numbers (text beyond 2^53, where an `f64` is not exact);
/// booleans, decimals, dates, times and timestamps become text: `true`, `1.50`, `2026-02-03`,
/// `10:11:12.345`, `2026-02-03T10:11:12.345Z` (without the Z where the file does not say UTC).
/// Structures become columns with dotted names. Lists, maps, 96-bit timestamps and types that no text
/// stands for are defects of their column, bytes that are not UTF-8 of their cell. Compression other
/// than Snappy, gzip and zstd is refused.
pub(crate) struct ParquetSource {
    location: String,
    file: Arc<dyn FileReader>,
    names: Vec<String>,
    nesting: Nesting,
    pages: PageOpener,
    conversions: Vec<Result<Conversion, String>>,
    next_group: usize,
    /// Without a reader where the column's type is not read.
    open: Vec<Option<OpenColumn>>,
    rows_left: usize,
    /// Rows whose texts are believed to fit into a batch.
    fitting: usize,
    n_read: u64,
    names_given: bool,
}

impl Source for ParquetSource {
    fn description(&self) -> &str {
        &self.location
    }

    fn next_batch(&mut self) -> Result<Option<RawBatch>, SourceError> {
        let location = self.location.clone();
        contain(&location, || self.read_batch())
    }
}

impl ParquetSource {
    pub(crate) fn of_file(file: File, location: String) -> Result<Self, SourceError> {
        contain(&location.clone(), || {
            let copy = file.try_clone().map_err(|e| failed(&location, &e))?;
            Self::new(file, copy, location)
        })
    }

    pub(crate) fn of_bytes(bytes: Vec<u8>, location: String) -> Result<Self, SourceError> {
        let bytes = bytes::Bytes::from(bytes);
        contain(&location.clone(), || {
            Self::new(bytes.clone(), bytes, location)
        })
    }

    fn read_batch(&mut self) -> Result<Option<RawBatch>, SourceError> {
        while self.rows_left == 0 && self.next_group < self.file.num_row_groups() {
            self.open_group().map_err(|e| self.explain(&e))?;
        }
        let n_rows = self.rows_left.min(self.batch_rows());
        let n_rows = self.fit(n_rows)?;
        // A file without rows still has to say its names.
        if n_rows == 0 && self.names_given {
            return Ok(None);
        }
        self.names_given = true;
        let mut batch = self.empty_batch(n_rows);
        if n_rows > 0 {
            self.read_columns(&mut batch)?;
        } else {
            batch.columns = vec![RawColumn::Number(Vec::new()); self.names.len()];
        }
        self.rows_left -= n_rows;
        self.n_read += n_rows as u64;
        Ok(Some(batch))
    }

    /// Reads the texts of the next rows as far as they fit into a batch; returns for how many rows that is.
    fn fit(&mut self, n_rows: usize) -> Result<usize, SourceError> {
        let columns = self.open.iter().flatten();
        let budget = TEXT_BYTES / columns.filter(|column| column.is_text()).count().max(1);
        let asked = n_rows.min(self.fitting);
        let (mut fitting, mut n_bytes, mut n_first) = (asked, 0, 0);
        for (name, column) in self.names.iter().zip(&mut self.open) {
            let Some(column) = column else { continue };
            // The last text of a column may be as long as a record: of further ones a row is enough then.
            if n_bytes > TEXT_BYTES {
                fitting = fitting.min(1);
            }
            let filled = column.fill(fitting, budget);
            let filled = filled
                .map_err(|reason| malformed(&self.location, &format!("`{name}`: {reason}")))?;
            fitting = filled.n_rows;
            n_bytes += filled.n_bytes;
            n_first += filled.n_first;
            if n_first > RECORD_BYTES {
                let (record, most) = (self.n_read + 1, RECORD_BYTES >> 20);
                let reason = format!("the texts of record {record} take more than {most} MiB");
                return Err(malformed(&self.location, &reason));
            }
        }
        let fit = if fitting < asked {
            fitting
        } else {
            self.fitting
        };
        self.fitting = (2 * fit).clamp(1, BATCH_ROWS);
        Ok(fitting)
    }

    fn read_columns(&mut self, batch: &mut RawBatch) -> Result<(), SourceError> {
        let n_rows = batch.n_rows();
        let mut unread = Vec::new();
        for (at, (name, column)) in self.names.iter().zip(&mut self.open).enumerate() {
            let Some(column) = column else {
                let nothing = (0..n_rows).map(|_| None).collect();
                batch.columns.push(RawColumn::Text(nothing));
                continue;
            };
            let cells = column
                .read(n_rows, &mut unread)
                .map_err(|reason| malformed(&self.location, &format!("`{name}`: {reason}")))?;
            batch.columns.push(cells);
            let defects = unread.drain(..).map(|row| Defect {
                extent: Extent::Cell { row, column: at },
                reason: "the cell is not UTF-8".to_owned(),
            });
            batch.defects.extend(defects);
        }
        let is_read = |at: usize| self.conversions[at].is_ok();
        batch.objects = self.nesting.rows(&batch.columns, is_read);
        Ok(())
    }

    /// Makes the source of a file that is given twice: for what it says of itself and for its pages.
    fn new<R: ChunkReader + 'static>(
        reader: R,
        copy: R,
        location: String,
    ) -> Result<Self, SourceError> {
        let n_bytes = reader.len();
        if n_bytes == 0 {
            return Err(malformed(&location, "it is empty"));
        }
        let refuse = |reason: String| malformed(&location, &reason);
        check_ends(&reader, n_bytes).map_err(refuse)?;
        let file = SerializedFileReader::new(reader).map_err(|_| {
            malformed(
                &location,
                "not a whole Parquet file: its footer cannot be read",
            )
        })?;
        check_ranges(file.metadata(), n_bytes).map_err(refuse)?;
        check_compression(file.metadata()).map_err(refuse)?;
        let schema = file.metadata().file_metadata().schema_descr_ptr();
        check_width(schema.num_columns(), &location)?;
        let mut names = Vec::new();
        let mut nesting = Nesting::default();
        let mut before: &[String] = &[];
        let mut conversions = Vec::new();
        for column in schema.columns() {
            let name = column.path().parts().join(".");
            names.push(name.trim().to_owned());
            let parts = column.path().parts();
            nesting.add(before, parts);
            before = parts;
            conversions.push(Conversion::of(column));
        }
        Ok(Self {
            file: Arc::new(file),
            location,
            names,
            nesting,
            pages: pages::opener(copy),
            conversions,
            next_group: 0,
            open: Vec::new(),
            rows_left: 0,
            fitting: BATCH_ROWS,
            n_read: 0,
            names_given: false,
        })
    }

    fn open_group(&mut self) -> Result<(), ParquetError> {
        let group = self.file.metadata().row_group(self.next_group);
        let n_rows = usize::try_from(group.num_rows()).unwrap_or(0);
        self.open.clear();
        for (chunk, conversion) in group.columns().iter().zip(&self.conversions) {
            let Ok(conversion) = conversion else {
                self.open.push(None);
                continue;
            };
            let column = chunk.column_descr_ptr();
            let max_level = column.max_def_level();
            let (pages, held) = (self.pages)(chunk, n_rows)?;
            let reader = get_column_reader(column, pages);
            let open = OpenColumn::new(reader, *conversion, max_level, held);
            self.open.push(Some(open));
        }
        self.rows_left = n_rows;
        self.next_group += 1;
        Ok(())
    }

    fn batch_rows(&self) -> usize {
        let width = self.names.len() + self.nesting.len();
        (BATCH_BYTES / 8 / width.max(1)).clamp(1, BATCH_ROWS)
    }

    fn empty_batch(&self, n_rows: usize) -> RawBatch {
        RawBatch {
            names: self.names.clone(),
            columns: Vec::with_capacity(self.names.len()),
            row_numbers: (self.n_read + 1..=self.n_read + n_rows as u64).collect(),
            defects: self.unread_columns(),
            ..RawBatch::default()
        }
    }

    fn unread_columns(&self) -> Vec<Defect> {
        let columns = self.conversions.iter().enumerate();
        let unread = columns.filter_map(|(at, conversion)| {
            Some(Defect {
                extent: Extent::Column(at),
                reason: conversion.as_ref().err()?.clone(),
            })
        });
        unread.collect()
    }

    fn explain(&self, error: &ParquetError) -> SourceError {
        malformed(&self.location, &damage(error))
    }
}

/// Bytes of all texts of a batch at most, but for the last one of each column.
const TEXT_BYTES: usize = 64 << 20;
/// Bytes of what a file says of itself at most: the parser makes room for many times of them.
const FOOTER_BYTES: u32 = 16 << 20;

/// Turns a panic of the parser, which a damaged page can bring about, into an error.
///
/// The source is dropped or not asked again after an error, so no torn state is seen.
fn contain<T>(
    location: &str,
    read: impl FnOnce() -> Result<T, SourceError>,
) -> Result<T, SourceError> {
    keep_contained_panics_quiet();
    let before = CONTAINED.replace(true);
    let result = catch_unwind(AssertUnwindSafe(read));
    CONTAINED.set(before);
    // What the panic says is of the parser's inside.
    result.unwrap_or_else(|_| Err(malformed(location, "damaged: its pages cannot be read")))
}

thread_local! {
    /// Whether this thread is inside [`contain`].
    static CONTAINED: Cell<bool> = const { Cell::new(false) };
}

/// Lets the panics that [`contain`] turns into errors pass without a message of their own; all others
/// go to the hook that was there before.
fn keep_contained_panics_quiet() {
    static INSTALLED: Once = Once::new();
    INSTALLED.call_once(|| {
        let usual = take_hook();
        set_hook(Box::new(move |panic| {
            if !CONTAINED.get() {
                usual(panic);
            }
        }));
    });
}

/// Says that a file is damaged; the kind of error that the library puts before its words tells nobody anything.
fn damage(error: &ParquetError) -> String {
    match error {
        ParquetError::General(said) | ParquetError::EOF(said) => format!("damaged: {said}"),
        ParquetError::NYI(said) => said.clone(),
        _ => "damaged: its pages cannot be read".to_owned(),
    }
}

/// Checks how a file begins and ends: most that is no Parquet file is told by that.
fn check_ends<R: ChunkReader>(reader: &R, n_bytes: u64) -> Result<(), String> {
    let four = |start: u64| reader.get_bytes(start, 4).unwrap_or_default();
    let (first, last) = (four(0), four(n_bytes.saturating_sub(4)));
    let reason = match (&first[..], &last[..]) {
        (b"PAR1", b"PAR1") => return check_footer(reader, n_bytes),
        (b"PARE", _) | (_, b"PARE") => "it is encrypted: write it without encryption",
        (b"PAR1", _) => "it is cut short, as it does not end with PAR1",
        _ => "it does not begin with PAR1",
    };
    Err(format!("not a whole Parquet file: {reason}"))
}

fn check_footer<R: ChunkReader>(reader: &R, n_bytes: u64) -> Result<(), String> {
    let length = reader.get_bytes(n_bytes.saturating_sub(8), 4);
    let length = length
        .unwrap_or_default()
        .first_chunk()
        .map_or(0, |n| u32::from_le_bytes(*n));
    // A length beyond the file is for the parser to refuse.
    if length <= FOOTER_BYTES || u64::from(length) > n_bytes {
        return Ok(());
    }
    Err(format!(
        "its footer has {length} bytes, at most {FOOTER_BYTES} are read: write larger row groups, or several files"
    ))
}

/// Checks that every column lies inside the file; the parser takes it for granted.
fn check_ranges(metadata: &ParquetMetaData, n_bytes: u64) -> Result<(), String> {
    for (i, group) in metadata.row_groups().iter().enumerate() {
        for chunk in group.columns() {
            let start = chunk
                .dictionary_page_offset()
                .unwrap_or_else(|| chunk.data_page_offset());
            let end = start.checked_add(chunk.compressed_size());
            let is_inside = start >= 0
                && chunk.compressed_size() >= 0
                && end.is_some_and(|end| end as u64 <= n_bytes);
            if !is_inside || group.num_rows() < 0 {
                let column = chunk.column_path().string();
                return Err(format!(
                    "damaged: column `{column}` of row group {i} lies outside the file"
                ));
            }
        }
    }
    Ok(())
}

fn check_compression(metadata: &ParquetMetaData) -> Result<(), String> {
    let chunks = metadata.row_groups().iter().flat_map(|g| g.columns());
    let unknown = |chunk: &&ColumnChunkMetaData| {
        !matches!(
            chunk.compression(),
            Compression::UNCOMPRESSED
                | Compression::SNAPPY
                | Compression::GZIP(_)
                | Compression::ZSTD(_)
        )
    };
    match chunks.into_iter().find(unknown) {
        None => Ok(()),
        Some(chunk) => Err(format!(
            "column `{}` is compressed with {}: write the file with zstd, snappy, gzip or none, \
             in polars and pandas `compression=\"zstd\"`",
            chunk.column_path().string(),
            chunk.compression_codec()
        )),
    }
}
