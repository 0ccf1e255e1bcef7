//! Writes Parquet.

use std::{
    io::Write,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use dataset::{RawBatch, RawColumn, Sink, SinkError, faithful_number};
use parquet::{
    basic::{Compression, LogicalType, Repetition, TimeUnit, Type as Physical},
    column::writer::ColumnWriter,
    data_type::ByteArray,
    errors::{ParquetError, Result as ParquetResult},
    file::{
        metadata::KeyValue,
        properties::{EnabledStatistics, WriterProperties},
        writer::{SerializedColumnWriter, SerializedFileWriter, SerializedRowGroupWriter},
    },
    schema::types::{Type, TypePtr},
};

use crate::{
    output::{PendingFile, rejected, unavailable},
    text_writer::Names,
};

/// Rows of a row group.
const GROUP_ROWS: usize = 1 << 17;
/// Bytes of cells from which on a row group is written: all of it is held until then.
const GROUP_BYTES: usize = 64 << 20;

/// A column to be written; every column may have missing cells.
#[derive(Debug, Clone)]
pub enum ParquetColumn<'a> {
    /// Floating-point numbers; NaN is a missing cell.
    Double(Vec<f64>),
    /// Whole numbers.
    Int64(Vec<Option<i64>>),
    /// Text.
    Text(Vec<Option<String>>),
    /// True or false.
    Boolean(Vec<Option<bool>>),
    /// Moments in UTC, in microseconds since the year 1970.
    Moment(Vec<i64>),
    /// Borrowed floating-point numbers; NaN is a missing cell.
    DoubleSlice(&'a [f64]),
    /// Borrowed whole numbers of at most 2^53, written as 64-bit integers; NaN is a missing cell.
    WholeSlice(&'a [f64]),
    /// Borrowed text as indices into its distinct values; an index beyond them is a missing cell.
    Coded {
        /// The distinct values.
        dictionary: &'a [String],
        /// One index a row.
        codes: &'a [u32],
    },
}

impl ParquetColumn<'_> {
    /// Returns the number of cells.
    pub fn len(&self) -> usize {
        match self {
            Self::Double(cells) => cells.len(),
            Self::Int64(cells) => cells.len(),
            Self::Text(cells) => cells.len(),
            Self::Boolean(cells) => cells.len(),
            Self::Moment(cells) => cells.len(),
            Self::DoubleSlice(cells) | Self::WholeSlice(cells) => cells.len(),
            Self::Coded { codes, .. } => codes.len(),
        }
    }

    /// Returns whether there are no cells.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub(crate) fn kind(&self) -> Kind {
        match self {
            Self::Moment(_) => Kind::Moment,
            Self::Double(_) | Self::DoubleSlice(_) => Kind::Double,
            Self::Int64(_) | Self::WholeSlice(_) => Kind::Int64,
            Self::Text(_) | Self::Coded { .. } => Kind::Text,
            Self::Boolean(_) => Kind::Boolean,
        }
    }
}

/// Writes named columns of equal length into memory, Snappy-compressed; equal columns give equal bytes.
///
/// # Errors
/// [`SinkError::Rejected`] when there are no columns, lengths differ or a name stands twice.
pub fn parquet_bytes<N: AsRef<str>>(
    columns: &[(N, ParquetColumn<'_>)],
) -> Result<Vec<u8>, SinkError> {
    let location = "memory";
    let n_rows = columns.first().map_or(0, |(_, column)| column.len());
    if let Some((name, column)) = columns.iter().find(|(_, column)| column.len() != n_rows) {
        let (name, n) = (name.as_ref(), column.len());
        let reason = format!("column `{name}` has {n} of {n_rows} rows");
        return Err(rejected(location, reason));
    }
    let owned = columns.iter().map(|(name, _)| name.as_ref().to_owned());
    let names = Names(Some(owned.collect()));
    names.require(location)?;
    names.require_distinct(location)?;
    let schema: Vec<(&str, Kind)> = columns
        .iter()
        .map(|(name, column)| (name.as_ref(), column.kind()))
        .collect();
    let write = || -> ParquetResult<Vec<u8>> {
        let mut file = start(Vec::new(), &schema)?;
        for first in (0..n_rows).step_by(GROUP_ROWS) {
            let rows = first..n_rows.min(first + GROUP_ROWS);
            let columns = columns.iter().map(|(_, column)| column);
            write_group(&mut file, columns, rows)?;
        }
        file.into_inner()
    };
    write().map_err(|e| rejected(location, e.to_string()))
}

/// Parquet as a sink.
///
/// The first row group decides names and types: a column of numbers alone is one of doubles, any
/// other one of text. A later text that is no number, in a column of doubles, is refused.
pub struct ParquetWriter {
    location: String,
    path: PathBuf,
    names: Names,
    /// What awaits the next row group, one column a name.
    pending: Vec<Pending>,
    n_pending: usize,
    /// About how many bytes these cells take.
    n_bytes: usize,
    open: Open,
}

/// The file before and after the types are known.
enum Open {
    Untyped(PendingFile),
    Typed(Box<SerializedFileWriter<PendingFile>>, Vec<Kind>),
    Broken,
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Kind {
    Double,
    Int64,
    Text,
    Boolean,
    Moment,
}

#[derive(Default)]
struct Pending {
    numbers: Vec<f64>,
    /// Empty as long as all cells are numbers.
    texts: Vec<Option<String>>,
    has_number: bool,
}

impl ParquetWriter {
    /// Makes the file; nothing is visible under its name until it is finished.
    ///
    /// # Errors
    /// [`SinkError::Unavailable`].
    pub fn create(path: &Path) -> Result<Self, SinkError> {
        Ok(Self {
            location: path.display().to_string(),
            path: path.to_owned(),
            names: Names::default(),
            pending: Vec::new(),
            n_pending: 0,
            n_bytes: 0,
            open: Open::Untyped(PendingFile::create(path)?),
        })
    }

    fn flush(&mut self) -> Result<(), SinkError> {
        self.names.require(&self.location)?;
        self.settle_types()?;
        let Open::Typed(file, kinds) = &mut self.open else {
            return Err(rejected(&self.location, "an earlier write has failed"));
        };
        let names = self.names.0.iter().flatten();
        let columns: Vec<ParquetColumn<'_>> = names
            .zip(&mut self.pending)
            .zip(kinds.iter())
            .map(|((name, pending), kind)| {
                let cells = pending.take(*kind);
                cells.map_err(|text| late_text(&self.location, name, &text))
            })
            .collect::<Result<_, _>>()?;
        let n_rows = self.n_pending;
        if n_rows > 0 {
            write_group(file, columns.iter(), 0..n_rows)
                .map_err(|e| unavailable(&self.path, &e))?;
        }
        self.n_pending = 0;
        self.n_bytes = 0;
        Ok(())
    }

    fn settle_types(&mut self) -> Result<(), SinkError> {
        let open = match std::mem::replace(&mut self.open, Open::Broken) {
            Open::Untyped(file) => {
                let kinds: Vec<Kind> = self.pending.iter().map(Pending::kind).collect();
                let names = self.names.0.iter().flatten().map(String::as_str);
                let schema: Vec<(&str, Kind)> = names.zip(kinds.iter().copied()).collect();
                let writer = start(file, &schema).map_err(|e| unavailable(&self.path, &e))?;
                Open::Typed(Box::new(writer), kinds)
            }
            other => other,
        };
        self.open = open;
        Ok(())
    }
}

impl Sink for ParquetWriter {
    fn description(&self) -> &str {
        &self.location
    }

    fn write(&mut self, batch: &RawBatch) -> Result<(), SinkError> {
        let places = self.names.places(batch, &self.location)?;
        self.names.require_distinct(&self.location)?;
        self.pending.resize_with(places.len(), Pending::default);
        for (pending, place) in self.pending.iter_mut().zip(places) {
            pending.push(place.map(|i| &batch.columns[i]), batch.n_rows());
        }
        self.n_pending += batch.n_rows();
        self.n_bytes += batch.columns.iter().map(n_bytes).sum::<usize>();
        if self.n_pending >= GROUP_ROWS || self.n_bytes >= GROUP_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<(), SinkError> {
        self.flush()?;
        let path = self.path;
        match self.open {
            Open::Typed(file, _) => {
                let file = file.into_inner().map_err(|e| unavailable(&path, &e))?;
                file.commit().map_err(|e| unavailable(&path, &e))
            }
            _ => Err(rejected(&self.location, "an earlier write has failed")),
        }
    }
}

fn n_bytes(column: &RawColumn) -> usize {
    match column {
        RawColumn::Text(texts) => texts.n_bytes() + size_of::<Option<String>>() * texts.len(),
        RawColumn::Number(numbers) => size_of_val(numbers.as_slice()),
    }
}

fn late_text(location: &str, name: &str, text: &str) -> SinkError {
    let shown: String = text.chars().take(40).collect();
    rejected(
        location,
        format!(
            "column `{name}` holds numbers in its first rows, and then the text `{shown}`: \
             write .csv or .jsonl"
        ),
    )
}

impl Pending {
    fn push(&mut self, column: Option<&RawColumn>, n_rows: usize) {
        match column {
            Some(RawColumn::Text(texts)) => {
                self.become_text();
                self.texts
                    .extend(texts.iter().map(|t| t.map(str::to_owned)));
            }
            Some(RawColumn::Number(numbers)) if self.texts.is_empty() => {
                self.has_number |= numbers.iter().any(|n| !n.is_nan());
                self.numbers.extend(numbers);
            }
            Some(RawColumn::Number(numbers)) => {
                self.texts.extend(numbers.iter().map(|&n| number_text(n)));
            }
            None if self.texts.is_empty() => {
                self.numbers.resize(self.numbers.len() + n_rows, f64::NAN);
            }
            None => self.texts.resize(self.texts.len() + n_rows, None),
        }
    }

    fn become_text(&mut self) {
        let numbers = std::mem::take(&mut self.numbers);
        self.texts.extend(numbers.into_iter().map(number_text));
    }

    fn kind(&self) -> Kind {
        if self.has_number && self.texts.is_empty() {
            Kind::Double
        } else {
            Kind::Text
        }
    }

    /// Takes the cells as the file's type; a text that is no number is given back as the error.
    fn take(&mut self, kind: Kind) -> Result<ParquetColumn<'static>, String> {
        if kind == Kind::Text {
            self.become_text();
            return Ok(ParquetColumn::Text(std::mem::take(&mut self.texts)));
        }
        let mut numbers = std::mem::take(&mut self.numbers);
        for text in std::mem::take(&mut self.texts) {
            numbers.push(match text.as_deref().map(str::trim) {
                None | Some("") => f64::NAN,
                Some(text) => text.parse().map_err(|_| text.to_owned())?,
            });
        }
        Ok(ParquetColumn::Double(numbers))
    }
}

fn number_text(number: f64) -> Option<String> {
    (!number.is_nan()).then(|| faithful_number(number))
}

pub(crate) fn start<W: Write + Send>(
    writer: W,
    columns: &[(&str, Kind)],
) -> ParquetResult<SerializedFileWriter<W>> {
    let fields = columns
        .iter()
        .map(|(name, kind)| field(name, *kind))
        .collect::<ParquetResult<Vec<TypePtr>>>()?;
    let schema = Type::group_type_builder("schema")
        .with_fields(fields)
        .build()?;
    SerializedFileWriter::new(writer, Arc::new(schema), Arc::new(properties()))
}

pub(crate) fn properties() -> WriterProperties {
    properties_with(None)
}

/// As [`properties`], with what else a file says of itself.
pub(crate) fn properties_with(metadata: Option<Vec<KeyValue>>) -> WriterProperties {
    WriterProperties::builder()
        .set_key_value_metadata(metadata)
        .set_compression(Compression::SNAPPY)
        .set_statistics_enabled(EnabledStatistics::Chunk)
        .set_created_by("netsec".to_owned())
        .build()
}

pub(crate) fn field(name: &str, kind: Kind) -> ParquetResult<TypePtr> {
    let (physical, logical) = match kind {
        Kind::Double => (Physical::DOUBLE, None),
        Kind::Int64 => (Physical::INT64, None),
        Kind::Text => (Physical::BYTE_ARRAY, Some(LogicalType::String)),
        Kind::Boolean => (Physical::BOOLEAN, None),
        Kind::Moment => (
            Physical::INT64,
            Some(LogicalType::timestamp(true, TimeUnit::MICROS)),
        ),
    };
    Type::primitive_type_builder(name, physical)
        .with_repetition(Repetition::OPTIONAL)
        .with_logical_type(logical)
        .build()
        .map(Arc::new)
}

pub(crate) fn write_group<'a, W: Write + Send>(
    file: &mut SerializedFileWriter<W>,
    columns: impl Iterator<Item = &'a ParquetColumn<'a>>,
    rows: Range<usize>,
) -> ParquetResult<()> {
    let mut group = file.next_row_group()?;
    for column in columns {
        write_column(&mut group, column, rows.clone())?;
    }
    group.close().map(drop)
}

pub(crate) fn write_column<W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    column: &ParquetColumn<'_>,
    rows: Range<usize>,
) -> ParquetResult<()> {
    let mut open = next_column(group)?;
    let writer = open.untyped();
    match column {
        ParquetColumn::Double(cells) => write_doubles(writer, &cells[rows]),
        ParquetColumn::DoubleSlice(cells) => write_doubles(writer, &cells[rows]),
        ParquetColumn::Int64(cells) => write_int64(writer, cells[rows].iter().copied()),
        ParquetColumn::Moment(cells) => write_int64(writer, cells[rows].iter().copied().map(Some)),
        ParquetColumn::WholeSlice(cells) => {
            let whole = |v: &f64| (!v.is_nan()).then_some(*v as i64);
            write_int64(writer, cells[rows].iter().map(whole))
        }
        ParquetColumn::Text(cells) => write_texts(writer, cells[rows].iter().map(Option::as_deref)),
        ParquetColumn::Coded { dictionary, codes } => {
            let text = |code: &u32| dictionary.get(*code as usize).map(String::as_str);
            write_texts(writer, codes[rows].iter().map(text))
        }
        ParquetColumn::Boolean(cells) => write_booleans(writer, cells[rows].iter().copied()),
    }?;
    open.close()
}

/// Writes a column whose cells lie in pieces; what a text takes to be written, it takes a piece at a time.
pub(crate) fn write_pieces<'a, W: Write + Send>(
    group: &mut SerializedRowGroupWriter<'_, W>,
    pieces: impl Iterator<Item = &'a RawColumn>,
) -> ParquetResult<()> {
    let mut open = next_column(group)?;
    for piece in pieces {
        match piece {
            RawColumn::Number(cells) => write_doubles(open.untyped(), cells),
            RawColumn::Text(cells) => write_texts(open.untyped(), cells.iter()),
        }?;
    }
    open.close()
}

fn next_column<'a, W: Write + Send>(
    group: &'a mut SerializedRowGroupWriter<'_, W>,
) -> ParquetResult<SerializedColumnWriter<'a>> {
    let next = group.next_column()?;
    next.ok_or_else(|| ParquetError::General("more columns than the schema has".to_owned()))
}

fn write_doubles(writer: &mut ColumnWriter<'_>, cells: &[f64]) -> ParquetResult<usize> {
    let ColumnWriter::DoubleColumnWriter(writer) = writer else {
        return Err(wrong_type());
    };
    let (values, levels) = split(cells.iter().map(|v| (!v.is_nan()).then_some(*v)));
    writer.write_batch(&values, Some(&levels), None)
}

fn write_int64(
    writer: &mut ColumnWriter<'_>,
    cells: impl Iterator<Item = Option<i64>>,
) -> ParquetResult<usize> {
    let ColumnWriter::Int64ColumnWriter(writer) = writer else {
        return Err(wrong_type());
    };
    let (values, levels) = split(cells);
    writer.write_batch(&values, Some(&levels), None)
}

fn write_texts<'a>(
    writer: &mut ColumnWriter<'_>,
    cells: impl Iterator<Item = Option<&'a str>>,
) -> ParquetResult<usize> {
    let ColumnWriter::ByteArrayColumnWriter(writer) = writer else {
        return Err(wrong_type());
    };
    let (values, levels) = split(cells.map(|cell| cell.map(ByteArray::from)));
    writer.write_batch(&values, Some(&levels), None)
}

fn write_booleans(
    writer: &mut ColumnWriter<'_>,
    cells: impl Iterator<Item = Option<bool>>,
) -> ParquetResult<usize> {
    let ColumnWriter::BoolColumnWriter(writer) = writer else {
        return Err(wrong_type());
    };
    let (values, levels) = split(cells);
    writer.write_batch(&values, Some(&levels), None)
}

/// Parts cells into the values that are there and definition levels: 1 where there is one.
fn split<T>(cells: impl Iterator<Item = Option<T>>) -> (Vec<T>, Vec<i16>) {
    let mut values = Vec::new();
    let levels = cells
        .map(|cell| {
            let level = i16::from(cell.is_some());
            values.extend(cell);
            level
        })
        .collect();
    (values, levels)
}

fn wrong_type() -> ParquetError {
    ParquetError::General("a column is not of the type that the schema says".to_owned())
}
