//! Files as they are read without the service.

use std::io::{Cursor, Read};

use dataset::SourceError;
use formats::FileFormat;

/// A table's width and its number of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Columns.
    pub columns: usize,
    /// Rows.
    pub rows: usize,
}

/// CSV as the service reads it.
pub const CSV: FileFormat = FileFormat::Csv {
    delimiter: b',',
    header: None,
};

/// Reads a file whose bytes come one by one.
///
/// # Errors
/// As [`formats::read`].
pub fn shape(bytes: &[u8], format: &FileFormat) -> Result<Shape, SourceError> {
    let reader = Trickle(Cursor::new(bytes.to_vec()));
    let mut source = formats::read(Box::new(reader), "a file".to_owned(), format)?;
    let mut shape = Shape {
        columns: 0,
        rows: 0,
    };
    while let Some(batch) = source.next_batch()? {
        shape.columns = batch.names.len();
        shape.rows += batch.n_rows();
    }
    Ok(shape)
}

struct Trickle(Cursor<Vec<u8>>);

impl Read for Trickle {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = buffer.len().min(1);
        self.0.read(&mut buffer[..n])
    }
}
