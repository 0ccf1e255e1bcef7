//! Writes a Parquet file again with more columns; what it holds is copied as it is, bytes and types.

use std::{
    fs::File,
    path::{Path, PathBuf},
    sync::Arc,
};

use dataset::{RawBatch, RawColumn, Sink, SinkError};
use parquet::{
    column::writer::ColumnCloseResult,
    errors::Result as ParquetResult,
    file::{
        metadata::{KeyValue, ParquetMetaData, RowGroupMetaData},
        reader::FileReader as _,
        serialized_reader::SerializedFileReader,
        writer::SerializedFileWriter,
    },
    schema::types::{Type, TypePtr},
};

use crate::{
    output::{PendingFile, rejected, unavailable},
    parquet_writer::{Kind, field, properties_with, write_pieces},
};

/// Rows of a row group of the input at most: a few KiB can claim any number of them.
const MOST_ROWS: usize = 1 << 22;
/// Bytes that may await the end of a row group at most; a million rows with verdicts and reasons need less.
const MOST_BYTES: usize = 256 << 20;

/// A Parquet file as a sink that adds columns to another one.
///
/// It takes batches of the other file in order, with all of its columns first and those to be added
/// behind them. The file's own columns are copied chunk by chunk, without being decoded: so its row groups
/// stay as they are, and what is added waits in memory for the end of each. Groups that are too large for
/// that are refused.
pub struct ParquetExtension {
    location: String,
    path: PathBuf,
    input: File,
    metadata: Arc<ParquetMetaData>,
    next_group: usize,
    /// What awaits the end of the input's row group: of each batch, one column an added name.
    pending: Vec<Vec<RawColumn>>,
    n_pending: usize,
    pending_bytes: usize,
    /// Bytes that may await it at most.
    pub(crate) most_bytes: usize,
    /// Bytes of the input's own columns that are written.
    copied_bytes: u64,
    open: Open,
}

enum Open {
    Unnamed(PendingFile),
    Named(Box<SerializedFileWriter<PendingFile>>),
    Broken,
}

impl ParquetExtension {
    /// Makes the file; nothing is visible under its name until it is finished.
    ///
    /// # Errors
    /// [`SinkError::Unavailable`] when it cannot be made, or the input not be read; [`SinkError::Rejected`] when
    /// a row group of the input has too many rows, or its columns lie over one another.
    pub fn create(path: &Path, input: &Path) -> Result<Self, SinkError> {
        let file = File::open(input).map_err(|e| unavailable(input, &e))?;
        Self::of_file(path, file)
    }

    /// As [`Self::create`], of an open file, which may have no name.
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn of_file(path: &Path, input: File) -> Result<Self, SinkError> {
        let copy = input.try_clone().map_err(|e| unavailable(path, &e))?;
        let reader = SerializedFileReader::new(copy).map_err(|e| unavailable(path, &e))?;
        let location = path.display().to_string();
        let n_bytes = input.metadata().map_err(|e| unavailable(path, &e))?.len();
        check_groups(reader.metadata())
            .and_then(|()| check_chunks(reader.metadata(), n_bytes))
            .map_err(|reason| rejected(&location, reason))?;
        Ok(Self {
            location,
            path: path.to_owned(),
            input,
            metadata: Arc::new(reader.metadata().clone()),
            next_group: 0,
            pending: Vec::new(),
            n_pending: 0,
            pending_bytes: 0,
            most_bytes: MOST_BYTES,
            copied_bytes: 0,
            open: Open::Unnamed(PendingFile::create(path)?),
        })
    }

    /// Returns how many bytes what is added takes in the file so far, without the file's end.
    pub fn added_bytes(&self) -> u64 {
        match &self.open {
            Open::Named(file) => (file.bytes_written() as u64).saturating_sub(self.copied_bytes),
            _ => 0,
        }
    }

    /// Splits the columns of a batch from those that are to be added.
    fn added<'a, T>(&self, columns: &'a [T]) -> &'a [T] {
        let own = self.metadata.file_metadata().schema_descr().num_columns();
        &columns[own.min(columns.len())..]
    }

    /// Begins the file with the first batch, which names the columns.
    fn begin(&mut self, batch: &RawBatch) -> Result<(), SinkError> {
        self.open = match std::mem::replace(&mut self.open, Open::Broken) {
            Open::Unnamed(file) => {
                let columns = self.added(&batch.columns).iter().map(kind);
                let added = self.added(&batch.names).iter().zip(columns);
                let schema = extended(&self.metadata, added);
                let begun = schema.and_then(|schema| {
                    let properties = properties_with(own_words(&self.metadata));
                    SerializedFileWriter::new(file, schema, Arc::new(properties))
                });
                Open::Named(Box::new(
                    begun.map_err(|e| rejected(&self.location, e.to_string()))?,
                ))
            }
            other => other,
        };
        Ok(())
    }

    /// Writes every row group of the input whose rows have all come.
    fn flush(&mut self) -> Result<(), SinkError> {
        let metadata = self.metadata.clone();
        while let Some(group) = metadata.row_groups().get(self.next_group)
            && group.num_rows() as usize <= self.n_pending
        {
            // The reader of the input passes over it as well.
            if group.num_rows() == 0 {
                self.next_group += 1;
                continue;
            }
            let Open::Named(file) = &mut self.open else {
                return Err(rejected(&self.location, "an earlier write has failed"));
            };
            write_group(file, &self.input, group, &self.pending)
                .map_err(|e| unavailable(&self.path, &e))?;
            self.copied_bytes += copied_bytes(group);
            self.next_group += 1;
            self.n_pending = 0;
            self.pending_bytes = 0;
            self.pending.clear();
        }
        Ok(())
    }

    /// Refuses what would take too much memory until the end of the input's row group.
    fn check_pending(&self) -> Result<(), SinkError> {
        if self.pending_bytes <= self.most_bytes {
            return Ok(());
        }
        let groups = self.metadata.row_groups();
        let n_rows = groups.get(self.next_group).map_or(0, |g| g.num_rows());
        let reason = format!(
            "what is added to the first {} of {n_rows} rows of row group {} takes {} bytes, at most {} are kept: \
             {SMALLER_GROUPS}",
            self.n_pending, self.next_group, self.pending_bytes, self.most_bytes
        );
        Err(rejected(&self.location, reason))
    }
}

impl Sink for ParquetExtension {
    fn description(&self) -> &str {
        &self.location
    }

    fn write(&mut self, batch: &RawBatch) -> Result<(), SinkError> {
        self.begin(batch)?;
        let added = self.added(&batch.columns).to_vec();
        self.pending_bytes += added.iter().map(n_bytes).sum::<usize>();
        self.pending.push(added);
        self.n_pending += batch.n_rows();
        self.check_pending()?;
        self.flush()
    }

    fn finish(self: Box<Self>) -> Result<(), SinkError> {
        let Self {
            location,
            path,
            metadata,
            next_group,
            n_pending,
            open,
            ..
        } = *self;
        let is_whole = next_group == metadata.num_row_groups() && n_pending == 0;
        match open {
            Open::Named(file) if is_whole => {
                let file = file.into_inner().map_err(|e| unavailable(&path, &e))?;
                file.commit().map_err(|e| unavailable(&path, &e))
            }
            _ => Err(rejected(
                &location,
                "not all rows of the input have come, or an earlier write has failed",
            )),
        }
    }
}

/// Arrow's own schema of a file. Readers refuse one that knows fewer columns than the file has.
const ARROW_SCHEMA: &str = "ARROW:schema";

/// Returns what a file says of itself, as far as it holds with more columns.
fn own_words(metadata: &ParquetMetaData) -> Option<Vec<KeyValue>> {
    let words = metadata.file_metadata().key_value_metadata()?.iter();
    let kept = words.filter(|word| word.key != ARROW_SCHEMA);
    Some(kept.cloned().collect())
}

fn kind(column: &RawColumn) -> Kind {
    match column {
        RawColumn::Number(_) => Kind::Double,
        RawColumn::Text(_) => Kind::Text,
    }
}

/// What to do about a row group that is too large.
const SMALLER_GROUPS: &str =
    "write smaller row groups, in polars and pandas `row_group_size=100_000`";

fn check_groups(metadata: &ParquetMetaData) -> Result<(), String> {
    let mut groups = metadata.row_groups().iter().enumerate();
    match groups.find(|(_, group)| group.num_rows() > MOST_ROWS as i64) {
        None => Ok(()),
        Some((at, group)) => Err(format!(
            "row group {at} of the input has {} rows, columns are added to at most {MOST_ROWS}: {SMALLER_GROUPS}",
            group.num_rows()
        )),
    }
}

/// Checks that no byte of the input would be copied twice: a small file could claim that many columns lie in one place.
fn check_chunks(metadata: &ParquetMetaData, n_bytes: u64) -> Result<(), String> {
    let sizes = metadata.row_groups().iter().map(copied_bytes);
    let claimed = sizes.fold(0, u64::saturating_add);
    if claimed <= n_bytes {
        return Ok(());
    }
    Err(format!(
        "damaged: the columns of the input claim {claimed} of its {n_bytes} bytes"
    ))
}

/// Returns how many bytes a row group's columns have in the file.
fn copied_bytes(group: &RowGroupMetaData) -> u64 {
    let sizes = group.columns().iter().map(|chunk| chunk.compressed_size());
    sizes.fold(0, |sum, size| sum.saturating_add(size.max(0) as u64))
}

/// Returns what a column takes in memory, roughly.
fn n_bytes(column: &RawColumn) -> usize {
    let cells = match column {
        RawColumn::Number(numbers) => size_of_val(numbers.as_slice()),
        RawColumn::Text(texts) => texts.n_bytes() + size_of::<u32>() * texts.len(),
    };
    size_of::<RawColumn>() + cells
}

fn extended<'a>(
    metadata: &ParquetMetaData,
    added: impl Iterator<Item = (&'a String, Kind)>,
) -> ParquetResult<TypePtr> {
    let root = metadata.file_metadata().schema_descr().root_schema();
    let mut fields = root.get_fields().to_vec();
    for (name, kind) in added {
        fields.push(field(name, kind)?);
    }
    let schema = Type::group_type_builder(root.name()).with_fields(fields);
    schema.build().map(Arc::new)
}

fn write_group(
    file: &mut SerializedFileWriter<PendingFile>,
    input: &File,
    group: &RowGroupMetaData,
    added: &[Vec<RawColumn>],
) -> ParquetResult<()> {
    let n_rows = group.num_rows() as usize;
    let mut open = file.next_row_group()?;
    for chunk in group.columns() {
        let close = ColumnCloseResult {
            bytes_written: chunk.compressed_size() as u64,
            rows_written: n_rows as u64,
            metadata: chunk.clone(),
            bloom_filter: None,
            column_index: None,
            offset_index: None,
        };
        open.append_column(input, close)?;
    }
    for at in 0..added.first().map_or(0, Vec::len) {
        write_pieces(&mut open, added.iter().filter_map(|batch| batch.get(at)))?;
    }
    open.close().map(drop)
}
