//! CSV, JSON Lines, Parquet and ARFF: bytes to batches of raw rows and back.
//!
//! Owns how rows are laid out in files, compression included.
//! Must not know what columns mean: of a schema it sees the layout of text files alone.

mod arff;
mod columnar;
mod delimited;
mod format;
mod input;
mod json_lines;
mod output;
mod parquet_extension;
mod parquet_groups;
mod parquet_writer;
mod text_writer;

use std::{fs::File, io::Read, path::Path};

use dataset::{Sink, SinkError, Source, SourceError};

pub use format::{FileFormat, Layout};
pub use input::{believable_bytes, unpacked};
pub use parquet_extension::ParquetExtension;
pub use parquet_groups::ParquetGroups;
pub use parquet_writer::{ParquetColumn, ParquetWriter, parquet_bytes};
pub use text_writer::{CsvPieces, CsvWriter, JsonLinesWriter, csv_bytes, json_lines_bytes};

/// Rows of a batch at most.
const BATCH_ROWS: usize = 8192;
/// Bytes of a batch, roughly; a batch ends with the row that reaches them.
const BATCH_BYTES: usize = 16 << 20;
/// Bytes of one record of text at most; beyond it a quote or a line was never closed.
const RECORD_BYTES: usize = 16 << 20;

/// Columns of a file at most.
const MAX_COLUMNS: usize = 1 << 16;

/// Opens a file for reading; gzip is recognised by its content, and must be it where the name ends with `.gz`.
///
/// # Errors
/// [`SourceError::Unavailable`] when the path is no readable file, [`SourceError::Malformed`] when it
/// is empty, damaged or no gzip against its name, [`SourceError::Unsupported`] when it holds another format.
pub fn open(path: &Path, format: &FileFormat) -> Result<Box<dyn Source>, SourceError> {
    let location = path.display().to_string();
    let file = input::open_file(path, &location)?;
    read_named(file, path, location, format)
}

/// Reads rows from an open file that has a name for it, as [`open`] does; `location` is for people.
///
/// # Errors
/// As [`open`].
pub fn read_named(
    file: File,
    name: &Path,
    location: String,
    format: &FileFormat,
) -> Result<Box<dyn Source>, SourceError> {
    if !format::is_compressed(name) {
        return read_file(file, location, format);
    }
    let reader = input::gzip_alone(Box::new(file), &location)?;
    read(reader, location, format)
}

/// Reads rows from an open file, from where it stands; `location` is for people.
///
/// # Errors
/// As [`open`].
pub fn read_file(
    file: File,
    location: String,
    format: &FileFormat,
) -> Result<Box<dyn Source>, SourceError> {
    match format {
        FileFormat::Parquet => Ok(Box::new(columnar::ParquetSource::of_file(file, location)?)),
        _ => read(Box::new(file), location, format),
    }
}

/// Reads rows from any stream of bytes, as a connector has them; `location` is for people.
///
/// Parquet needs its end first, so its bytes are held in memory.
///
/// # Errors
/// As [`open`].
pub fn read(
    reader: Box<dyn Read + Send>,
    location: String,
    format: &FileFormat,
) -> Result<Box<dyn Source>, SourceError> {
    Ok(match format {
        FileFormat::Csv { delimiter, header } => {
            let text = input::text(reader, &location)?;
            let header = header.clone();
            Box::new(delimited::CsvSource::new(
                text, location, *delimiter, header,
            )?)
        }
        FileFormat::Arff => {
            let text = input::text(reader, &location)?;
            Box::new(arff::ArffSource::new(text, location)?)
        }
        FileFormat::JsonLines => {
            let text = input::text(reader, &location)?;
            Box::new(json_lines::JsonLinesSource::new(text, location))
        }
        FileFormat::Parquet => {
            let bytes = input::all(reader, &location)?;
            Box::new(columnar::ParquetSource::of_bytes(bytes, location)?)
        }
    })
}

/// Makes a file of a format, visible under its name only once it is finished; text is compressed when
/// the name ends with `.gz`. A format that brings its own names is written without a line of names.
///
/// # Errors
/// [`SinkError::Unavailable`] when the file cannot be made, [`SinkError::Rejected`] for ARFF.
pub fn create(path: &Path, format: &FileFormat) -> Result<Box<dyn Sink>, SinkError> {
    Ok(match format {
        FileFormat::Csv { delimiter, header } => {
            let writer = CsvWriter::create(path, *delimiter)?;
            match header {
                None => Box::new(writer),
                Some(names) => Box::new(writer.without_header(names.clone())),
            }
        }
        FileFormat::Arff => {
            return Err(SinkError::Rejected {
                location: path.display().to_string(),
                reason: "ARFF is read, not written: name it .csv, .jsonl or .parquet".to_owned(),
            });
        }
        FileFormat::JsonLines => Box::new(JsonLinesWriter::create(path)?),
        FileFormat::Parquet => Box::new(ParquetWriter::create(path)?),
    })
}

fn check_width(n_columns: usize, location: &str) -> Result<(), SourceError> {
    if n_columns <= MAX_COLUMNS {
        return Ok(());
    }
    let reason = format!("it has {n_columns} columns, at most {MAX_COLUMNS} are read");
    Err(input::malformed(location, &reason))
}

#[cfg(test)]
mod tests;
