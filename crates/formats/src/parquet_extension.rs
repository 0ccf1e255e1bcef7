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
        metadata::{ParquetMetaData, RowGroupMetaData},
        reader::FileReader as _,
        serialized_reader::SerializedFileReader,
        writer::SerializedFileWriter,
    },
    schema::types::{Type, TypePtr},
};

use crate::{
    output::{PendingFile, rejected, unavailable},
    parquet_writer::{Kind, ParquetColumn, field, properties, write_column},
};

/// A Parquet file as a sink that adds columns to another one.
///
/// It takes batches of the other file in order, with all of its columns first and those to be added
/// behind them. The file's own columns are copied chunk by chunk, without being decoded.
pub struct ParquetExtension {
    location: String,
    path: PathBuf,
    input: File,
    metadata: Arc<ParquetMetaData>,
    next_group: usize,
    /// What awaits the end of the input's row group, one column an added name.
    pending: Vec<RawColumn>,
    n_pending: usize,
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
    /// [`SinkError::Unavailable`] when it cannot be made, or the input not be read.
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
        Ok(Self {
            location: path.display().to_string(),
            path: path.to_owned(),
            input,
            metadata: Arc::new(reader.metadata().clone()),
            next_group: 0,
            pending: Vec::new(),
            n_pending: 0,
            open: Open::Unnamed(PendingFile::create(path)?),
        })
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
                    SerializedFileWriter::new(file, schema, Arc::new(properties()))
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
            self.next_group += 1;
            self.n_pending = 0;
            self.pending.clear();
        }
        Ok(())
    }
}

impl Sink for ParquetExtension {
    fn description(&self) -> &str {
        &self.location
    }

    fn write(&mut self, batch: &RawBatch) -> Result<(), SinkError> {
        self.begin(batch)?;
        let added = self.added(&batch.columns);
        if self.pending.is_empty() {
            self.pending = added.iter().map(empty).collect();
        }
        for (pending, column) in self.pending.iter_mut().zip(added) {
            append(pending, column);
        }
        self.n_pending += batch.n_rows();
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

fn kind(column: &RawColumn) -> Kind {
    match column {
        RawColumn::Number(_) => Kind::Double,
        RawColumn::Text(_) => Kind::Text,
    }
}

fn empty(like: &RawColumn) -> RawColumn {
    match like {
        RawColumn::Number(_) => RawColumn::Number(Vec::new()),
        RawColumn::Text(_) => RawColumn::Text([].into_iter().collect()),
    }
}

fn append(pending: &mut RawColumn, more: &RawColumn) {
    match (pending, more) {
        (RawColumn::Number(pending), RawColumn::Number(more)) => pending.extend(more),
        (RawColumn::Text(pending), RawColumn::Text(more)) => {
            more.iter().for_each(|cell| pending.push(cell));
        }
        // An added column keeps its type from the first batch on: whoever adds it makes it so.
        _ => {}
    }
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
    added: &[RawColumn],
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
    for column in added {
        let cells = match column {
            RawColumn::Number(numbers) => ParquetColumn::DoubleSlice(numbers),
            RawColumn::Text(texts) => {
                ParquetColumn::Text(texts.iter().map(|t| t.map(str::to_owned)).collect())
            }
        };
        write_column(&mut open, &cells, 0..n_rows)?;
    }
    open.close().map(drop)
}
