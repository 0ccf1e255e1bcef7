//! Accepted records between the survey and the load, in a temporary file: what is loaded is what was
//! judged, whatever becomes of the source in the meantime.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek as _, Write},
};

use artifact::{ErrorKind, Failure};
use dataset::{RawBatch, RawColumn, TextColumn};
use flate2::{Compression, read::GzDecoder, write::GzEncoder};

/// Takes records. The file has no name, so that it goes with the process, however that ends; it is
/// compressed, which leaves a fraction of what the same records are as CSV.
pub(super) struct Spool {
    names: Vec<String>,
    file: GzEncoder<BufWriter<File>>,
}

/// Gives them again, in the same batches.
pub(super) struct Spooled {
    names: Vec<String>,
    file: GzDecoder<BufReader<File>>,
}

/// What stands for the length of a text that is missing.
const ABSENT: u32 = u32::MAX;
const NUMBERS: u8 = 0;
const TEXTS: u8 = 1;

impl Spool {
    /// Makes one for batches of these columns.
    pub(super) fn create(names: Vec<String>) -> Result<Self, Failure> {
        let file = tempfile::tempfile().map_err(|e| no_room(&e))?;
        let file = GzEncoder::new(BufWriter::new(file), Compression::fast());
        Ok(Self { names, file })
    }

    pub(super) fn push(&mut self, batch: &RawBatch) -> Result<(), Failure> {
        debug_assert_eq!(batch.names, self.names);
        match batch.n_rows() {
            0 => Ok(()),
            _ => write_batch(&mut self.file, batch).map_err(|e| no_room(&e)),
        }
    }

    /// Goes back to the first record.
    pub(super) fn finish(self) -> Result<Spooled, Failure> {
        let rewind = || {
            let written = self.file.finish()?;
            let mut file = written
                .into_inner()
                .map_err(io::IntoInnerError::into_error)?;
            file.rewind()?;
            Ok(GzDecoder::new(BufReader::new(file)))
        };
        Ok(Spooled {
            names: self.names,
            file: rewind().map_err(|e| no_room(&e))?,
        })
    }
}

impl Spooled {
    pub(super) fn next_batch(&mut self) -> Result<Option<RawBatch>, Failure> {
        read_batch(&mut self.file, &self.names).map_err(|e| no_room(&e))
    }
}

fn no_room(error: &io::Error) -> Failure {
    let folder = std::env::temp_dir();
    let folder = folder.display();
    Failure::new(
        ErrorKind::Unavailable,
        format!(
            "cannot keep the accepted records in a temporary file in {folder}: {error}: make room there, \
             or set TMPDIR to another folder"
        ),
    )
}

fn write_batch(file: &mut impl Write, batch: &RawBatch) -> io::Result<()> {
    let n_rows = u32::try_from(batch.n_rows()).map_err(io::Error::other)?;
    file.write_all(&n_rows.to_le_bytes())?;
    for number in &batch.row_numbers {
        file.write_all(&number.to_le_bytes())?;
    }
    for column in &batch.columns {
        match column {
            RawColumn::Number(numbers) => {
                file.write_all(&[NUMBERS])?;
                for number in numbers {
                    file.write_all(&number.to_le_bytes())?;
                }
            }
            RawColumn::Text(texts) => {
                file.write_all(&[TEXTS])?;
                for text in texts.iter() {
                    write_text(file, text)?;
                }
            }
        }
    }
    Ok(())
}

fn write_text(file: &mut impl Write, text: Option<&str>) -> io::Result<()> {
    let Some(text) = text else {
        return file.write_all(&ABSENT.to_le_bytes());
    };
    let length = u32::try_from(text.len()).map_err(io::Error::other)?;
    file.write_all(&length.to_le_bytes())?;
    file.write_all(text.as_bytes())
}

/// Reads a batch; `None` at the end.
fn read_batch(file: &mut impl Read, names: &[String]) -> io::Result<Option<RawBatch>> {
    let mut n_rows = [0; 4];
    if file.read(&mut n_rows[..1])? == 0 {
        return Ok(None);
    }
    file.read_exact(&mut n_rows[1..])?;
    let n_rows = u32::from_le_bytes(n_rows);
    let row_numbers = (0..n_rows).map(|_| Ok(u64::from_le_bytes(bytes(file)?)));
    let row_numbers: Vec<u64> = row_numbers.collect::<io::Result<_>>()?;
    let columns = names.iter().map(|_| read_column(file, n_rows));
    Ok(Some(RawBatch {
        columns: columns.collect::<io::Result<_>>()?,
        names: names.to_vec(),
        row_numbers,
        defects: Vec::new(),
    }))
}

fn read_column(file: &mut impl Read, n_rows: u32) -> io::Result<RawColumn> {
    if bytes::<1>(file)? == [NUMBERS] {
        let numbers = (0..n_rows).map(|_| Ok(f64::from_le_bytes(bytes(file)?)));
        return Ok(RawColumn::Number(numbers.collect::<io::Result<_>>()?));
    }
    let (mut texts, mut text) = (TextColumn::new(), Vec::new());
    for _ in 0..n_rows {
        match u32::from_le_bytes(bytes(file)?) {
            ABSENT => texts.push(None),
            length => {
                text.resize(length as usize, 0);
                file.read_exact(&mut text)?;
                texts.push(Some(std::str::from_utf8(&text).map_err(io::Error::other)?));
            }
        }
    }
    Ok(RawColumn::Text(texts))
}

fn bytes<const N: usize>(file: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    file.read_exact(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests;
