//! Reads Parquet, row group by row group, page by page.

mod column;

use std::{
    cell::Cell,
    fs::File,
    panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook},
    sync::{Arc, Once},
};

use dataset::{RawBatch, RawColumn, Source, SourceError};
use parquet::{
    basic::Compression,
    errors::ParquetError,
    file::{
        metadata::{ColumnChunkMetaData, ParquetMetaData},
        reader::{ChunkReader, FileReader},
        serialized_reader::SerializedFileReader,
    },
};

use crate::{BATCH_BYTES, BATCH_ROWS, input::malformed};
use column::{Conversion, OpenColumn};

/// A Parquet file as a source of rows.
///
/// Whole and floating-point numbers become numbers (text beyond 2^53, where an `f64` is not exact);
/// booleans, decimals, dates and timestamps become text: `true`, `1.50`, `2026-02-03`,
/// `2026-02-03T10:11:12.345Z`. Structures become columns with dotted names; lists, maps, 96-bit
/// timestamps and fixed-length bytes are refused, and so is compression other than Snappy and gzip.
pub(crate) struct ParquetSource {
    location: String,
    file: Arc<dyn FileReader>,
    names: Vec<String>,
    conversions: Vec<Conversion>,
    next_group: usize,
    open: Vec<OpenColumn>,
    rows_left: usize,
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
        contain(&location.clone(), || Self::new(file, location))
    }

    pub(crate) fn of_bytes(bytes: Vec<u8>, location: String) -> Result<Self, SourceError> {
        let bytes = bytes::Bytes::from(bytes);
        contain(&location.clone(), || Self::new(bytes, location))
    }

    fn read_batch(&mut self) -> Result<Option<RawBatch>, SourceError> {
        while self.rows_left == 0 && self.next_group < self.file.num_row_groups() {
            self.open_group().map_err(|e| self.explain(&e))?;
        }
        let n_rows = self.rows_left.min(self.batch_rows());
        // A file without rows still has to say its names.
        if n_rows == 0 && self.names_given {
            return Ok(None);
        }
        self.names_given = true;
        let mut batch = self.empty_batch(n_rows);
        if n_rows > 0 {
            for (name, column) in self.names.iter().zip(&mut self.open) {
                let cells = column
                    .read(n_rows, &mut batch.defects)
                    .map_err(|reason| malformed(&self.location, &format!("`{name}`: {reason}")))?;
                batch.columns.push(cells);
            }
            clear_defective_rows(&mut batch);
        } else {
            batch.columns = vec![RawColumn::Number(Vec::new()); self.names.len()];
        }
        self.rows_left -= n_rows;
        self.n_read += n_rows as u64;
        Ok(Some(batch))
    }

    fn new<R: ChunkReader + 'static>(reader: R, location: String) -> Result<Self, SourceError> {
        let n_bytes = reader.len();
        if n_bytes == 0 {
            return Err(malformed(&location, "it is empty"));
        }
        let file = SerializedFileReader::new(reader)
            .map_err(|e| malformed(&location, &format!("not a whole Parquet file: {e}")))?;
        let refuse = |reason: String| SourceError::Unsupported {
            location: location.clone(),
            reason,
        };
        check_ranges(file.metadata(), n_bytes).map_err(|e| malformed(&location, &e))?;
        check_compression(file.metadata()).map_err(refuse)?;
        let schema = file.metadata().file_metadata().schema_descr_ptr();
        let mut names = Vec::new();
        let mut conversions = Vec::new();
        for column in schema.columns() {
            let name = column.path().parts().join(".");
            let conversion =
                Conversion::of(column).map_err(|e| refuse(format!("column `{name}`: {e}")))?;
            names.push(name.trim().to_owned());
            conversions.push(conversion);
        }
        Ok(Self {
            file: Arc::new(file),
            location,
            names,
            conversions,
            next_group: 0,
            open: Vec::new(),
            rows_left: 0,
            n_read: 0,
            names_given: false,
        })
    }

    fn open_group(&mut self) -> Result<(), ParquetError> {
        let group = self.file.get_row_group(self.next_group)?;
        let schema = group.metadata().schema_descr_ptr();
        self.open.clear();
        for (i, conversion) in self.conversions.iter().enumerate() {
            let reader = group.get_column_reader(i)?;
            let max_level = schema.column(i).max_def_level();
            self.open
                .push(OpenColumn::new(reader, *conversion, max_level));
        }
        self.rows_left = usize::try_from(group.metadata().num_rows()).unwrap_or(0);
        self.next_group += 1;
        Ok(())
    }

    fn batch_rows(&self) -> usize {
        (BATCH_BYTES / 8 / self.names.len().max(1)).clamp(1, BATCH_ROWS)
    }

    fn empty_batch(&self, n_rows: usize) -> RawBatch {
        RawBatch {
            names: self.names.clone(),
            columns: Vec::with_capacity(self.names.len()),
            row_numbers: (self.n_read + 1..=self.n_read + n_rows as u64).collect(),
            defects: Vec::new(),
        }
    }

    fn explain(&self, error: &ParquetError) -> SourceError {
        malformed(&self.location, &format!("damaged: {error}"))
    }
}

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
    result.unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied());
        let reason = format!("damaged: {}", text.unwrap_or("the parser gave up"));
        Err(malformed(location, &reason))
    })
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

/// Keeps one reason a row, and makes all cells of such rows missing.
fn clear_defective_rows(batch: &mut RawBatch) {
    if batch.defects.is_empty() {
        return;
    }
    batch.defects.sort_by_key(|(row, _)| *row);
    batch.defects.dedup_by_key(|(row, _)| *row);
    let is_defective = |row: usize| {
        let found = batch.defects.binary_search_by_key(&row, |(r, _)| *r);
        found.is_ok()
    };
    for column in &mut batch.columns {
        match column {
            RawColumn::Number(numbers) => {
                for (row, _) in &batch.defects {
                    numbers[*row] = f64::NAN;
                }
            }
            RawColumn::Text(texts) => {
                let cells = texts.iter().enumerate();
                *texts = cells
                    .map(|(row, cell)| cell.filter(|_| !is_defective(row)))
                    .collect();
            }
        }
    }
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
            Compression::UNCOMPRESSED | Compression::SNAPPY | Compression::GZIP(_)
        )
    };
    match chunks.into_iter().find(unknown) {
        None => Ok(()),
        Some(chunk) => Err(format!(
            "column `{}` is compressed with {}: write it with snappy, gzip or none",
            chunk.column_path().string(),
            chunk.compression()
        )),
    }
}
