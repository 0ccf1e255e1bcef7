//! Accepted records between the survey and the load, in a temporary file: what is loaded is what was
//! judged, whatever becomes of the source in the meantime.

use std::{
    fs::File,
    io::{self, BufReader, BufWriter, Read as _, Seek as _, Write as _},
};

use artifact::{
    ErrorKind, Failure,
    codec::{decode_payload, encode_payload},
};
use dataset::RawBatch;
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

/// The length of what stands behind the last batch; each batch stands behind its length.
const END: u64 = 0;

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
            _ => self.write(batch).map_err(|e| no_room(&e)),
        }
    }

    fn write(&mut self, batch: &RawBatch) -> io::Result<()> {
        let payload = encode_payload(&(&batch.row_numbers, &batch.columns));
        let payload = payload.map_err(io::Error::other)?;
        self.file.write_all(&(payload.len() as u64).to_le_bytes())?;
        self.file.write_all(&payload)
    }

    /// Goes back to the first record.
    pub(super) fn finish(mut self) -> Result<Spooled, Failure> {
        let rewind = || {
            self.file.write_all(&END.to_le_bytes())?;
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
        self.read().map_err(|e| no_room(&e))
    }

    fn read(&mut self) -> io::Result<Option<RawBatch>> {
        let mut length = END.to_le_bytes();
        self.file.read_exact(&mut length)?;
        let mut payload = Vec::new();
        match u64::from_le_bytes(length) {
            END => return Ok(None),
            length => (&mut self.file).take(length).read_to_end(&mut payload)?,
        };
        let ((row_numbers, columns), _) = decode_payload(&payload).map_err(io::Error::other)?;
        Ok(Some(RawBatch {
            names: self.names.clone(),
            columns,
            row_numbers,
            defects: Vec::new(),
            ..RawBatch::default()
        }))
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

#[cfg(test)]
mod tests;
