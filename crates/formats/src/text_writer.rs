//! Writes delimited text and JSON Lines.

mod lines;

use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

use dataset::{RawBatch, RawColumn, Sink, SinkError, faithful_number};

use crate::output::{TextFile, rejected, unavailable};
use lines::Lines;

/// Delimited text as a sink: a line of names, then one line a row; missing cells are empty.
///
/// The names of the first batch are those of the file: later batches may lack some, in any order.
pub struct CsvWriter {
    location: String,
    path: PathBuf,
    lines: Lines,
    file: TextFile,
    /// A batch before it is written, empty in between.
    bytes: Vec<u8>,
}

impl CsvWriter {
    /// Makes the file; nothing is visible under its name until it is finished.
    ///
    /// # Errors
    /// [`SinkError::Unavailable`].
    pub fn create(path: &Path, delimiter: u8) -> Result<Self, SinkError> {
        Ok(Self {
            location: path.display().to_string(),
            path: path.to_owned(),
            lines: Lines::new(delimiter),
            file: TextFile::create(path)?,
            bytes: Vec::new(),
        })
    }

    /// Leaves the line of names out and writes these columns in this order, as a reader that is given
    /// the names expects them; a column that no batch has stays empty.
    #[must_use]
    pub fn without_header(mut self, names: Vec<String>) -> Self {
        self.lines.without_names(Names(Some(names)));
        self
    }
}

impl Sink for CsvWriter {
    fn description(&self) -> &str {
        &self.location
    }

    fn write(&mut self, batch: &RawBatch) -> Result<(), SinkError> {
        let places = self.lines.names.places(batch, &self.location)?;
        self.bytes.clear();
        self.lines.write(batch, &places, &mut self.bytes);
        self.file
            .write_all(&self.bytes)
            .map_err(|e| unavailable(&self.path, &e))
    }

    fn finish(self: Box<Self>) -> Result<(), SinkError> {
        self.lines.names.require(&self.location)?;
        self.file.commit().map_err(|e| unavailable(&self.path, &e))
    }
}

/// Writes batches as delimited text into memory.
///
/// # Errors
/// [`SinkError::Rejected`] as [`CsvWriter`] gives it.
pub fn csv_bytes(batches: &[RawBatch], delimiter: u8) -> Result<Vec<u8>, SinkError> {
    let location = "memory";
    let mut lines = Lines::new(delimiter);
    let mut bytes = Vec::new();
    for batch in batches {
        let places = lines.names.places(batch, location)?;
        lines.write(batch, &places, &mut bytes);
    }
    lines.names.require(location)?;
    Ok(bytes)
}

/// Writes batches as delimited text, one piece a batch, for whoever sends them on as they come.
///
/// The names of the first batch are those of all, as for [`CsvWriter`].
pub struct CsvPieces(Lines);

impl CsvPieces {
    /// Makes a writer that has written nothing.
    pub fn new(delimiter: u8) -> Self {
        Self(Lines::new(delimiter))
    }

    /// Writes a batch; the first piece begins with the line of names.
    ///
    /// # Errors
    /// [`SinkError::Rejected`] as [`CsvWriter`] gives it.
    pub fn write(&mut self, batch: &RawBatch) -> Result<Vec<u8>, SinkError> {
        let places = self.0.names.places(batch, "memory")?;
        let mut piece = Vec::new();
        self.0.write(batch, &places, &mut piece);
        Ok(piece)
    }
}

/// JSON Lines as a sink: one object a row, `null` where a cell is missing.
///
/// The names of the first batch are those of the file, as for [`CsvWriter`]. Infinite numbers, which
/// JSON does not know, are written as the texts `inf` and `-inf`.
pub struct JsonLinesWriter {
    location: String,
    path: PathBuf,
    names: Names,
    file: TextFile,
}

impl JsonLinesWriter {
    /// Makes the file; nothing is visible under its name until it is finished.
    ///
    /// # Errors
    /// [`SinkError::Unavailable`].
    pub fn create(path: &Path) -> Result<Self, SinkError> {
        Ok(Self {
            location: path.display().to_string(),
            path: path.to_owned(),
            names: Names::default(),
            file: TextFile::create(path)?,
        })
    }
}

impl Sink for JsonLinesWriter {
    fn description(&self) -> &str {
        &self.location
    }

    fn write(&mut self, batch: &RawBatch) -> Result<(), SinkError> {
        let places = self.names.places(batch, &self.location)?;
        self.names.require_distinct(&self.location)?;
        write_objects(&mut self.file, &self.names, batch, &places)
            .map_err(|e| unavailable(&self.path, &e))
    }

    fn finish(self: Box<Self>) -> Result<(), SinkError> {
        self.names.require(&self.location)?;
        self.file.commit().map_err(|e| unavailable(&self.path, &e))
    }
}

/// Writes batches as JSON Lines into memory.
///
/// # Errors
/// [`SinkError::Rejected`] as [`JsonLinesWriter`] gives it.
pub fn json_lines_bytes(batches: &[RawBatch]) -> Result<Vec<u8>, SinkError> {
    let location = "memory";
    let mut names = Names::default();
    let mut bytes = Vec::new();
    for batch in batches {
        let places = names.places(batch, location)?;
        names.require_distinct(location)?;
        write_objects(&mut bytes, &names, batch, &places)
            .map_err(|e| rejected(location, e.to_string()))?;
    }
    names.require(location)?;
    Ok(bytes)
}

fn write_objects(
    writer: &mut impl Write,
    names: &Names,
    batch: &RawBatch,
    places: &Places,
) -> io::Result<()> {
    let keys: Vec<String> = names
        .0
        .iter()
        .flatten()
        .map(|name| serde_json::Value::from(name.as_str()).to_string())
        .collect();
    for row in 0..batch.n_rows() {
        for (i, (key, place)) in keys.iter().zip(places).enumerate() {
            write!(writer, "{}{key}:", if i == 0 { '{' } else { ',' })?;
            write_json(writer, place.map(|i| &batch.columns[i]), row)?;
        }
        writer.write_all(b"}\n")?;
    }
    Ok(())
}

fn write_json(writer: &mut impl Write, column: Option<&RawColumn>, row: usize) -> io::Result<()> {
    match column {
        Some(RawColumn::Text(texts)) => match texts.get(row) {
            Some(text) => serde_json::to_writer(writer, text).map_err(io::Error::from),
            None => writer.write_all(b"null"),
        },
        Some(RawColumn::Number(numbers)) if numbers[row].is_finite() => {
            writer.write_all(faithful_number(numbers[row]).as_bytes())
        }
        Some(RawColumn::Number(numbers)) if numbers[row].is_infinite() => {
            write!(writer, "\"{}\"", faithful_number(numbers[row]))
        }
        _ => writer.write_all(b"null"),
    }
}

/// Position in a batch of each column of the file; `None` where the batch lacks it.
type Places = Vec<Option<usize>>;

/// The names of the file, once the first batch has been seen.
#[derive(Default)]
pub(crate) struct Names(pub(crate) Option<Vec<String>>);

impl Names {
    /// Finds the file's columns in a batch; the first batch decides what they are.
    pub(crate) fn places(&mut self, batch: &RawBatch, location: &str) -> Result<Places, SinkError> {
        let names = self.0.get_or_insert_with(|| batch.names.clone());
        if *names == batch.names {
            return Ok((0..names.len()).map(Some).collect());
        }
        if let Some(new) = batch.names.iter().find(|name| !names.contains(name)) {
            let reason = format!("column `{new}` is not among those that the file began with");
            return Err(rejected(location, reason));
        }
        Ok(names.iter().map(|name| batch.position(name)).collect())
    }

    pub(crate) fn require(&self, location: &str) -> Result<(), SinkError> {
        match self.0.as_deref() {
            None | Some([]) => Err(rejected(location, "there is nothing to write: no columns")),
            Some(_) => Ok(()),
        }
    }

    /// Refuses a name that stands twice, for formats that cannot hold it.
    pub(crate) fn require_distinct(&self, location: &str) -> Result<(), SinkError> {
        let mut sorted: Vec<&String> = self.0.iter().flatten().collect();
        sorted.sort_unstable();
        match sorted.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(rejected(
                location,
                format!("two columns are named `{}`", pair[0]),
            )),
            None => Ok(()),
        }
    }
}
