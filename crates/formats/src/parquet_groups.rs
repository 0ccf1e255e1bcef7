//! Writes Parquet one row group after another, for what is not all there at once.

use std::path::{Path, PathBuf};

use dataset::SinkError;
use parquet::file::writer::SerializedFileWriter;

use crate::{
    output::{PendingFile, rejected, unavailable},
    parquet_writer::{Kind, ParquetColumn, start, write_group},
};

/// A Parquet file whose row groups come one by one, all with the columns of the first.
pub struct ParquetGroups {
    path: PathBuf,
    file: SerializedFileWriter<PendingFile>,
    kinds: Vec<Kind>,
}

impl ParquetGroups {
    /// Makes the file with its first row group; nothing is visible under its name until it is finished.
    ///
    /// # Errors
    /// [`SinkError::Unavailable`] when it cannot be written.
    pub fn create<N: AsRef<str>>(
        path: &Path,
        columns: &[(N, ParquetColumn<'_>)],
    ) -> Result<Self, SinkError> {
        let file = PendingFile::create(path)?;
        let kinds: Vec<Kind> = columns.iter().map(|(_, column)| column.kind()).collect();
        let names = columns.iter().map(|(name, _)| name.as_ref());
        let schema: Vec<(&str, Kind)> = names.zip(kinds.iter().copied()).collect();
        let mut groups = Self {
            path: path.to_owned(),
            file: start(file, &schema).map_err(|e| unavailable(path, &e))?,
            kinds,
        };
        groups.write(columns)?;
        Ok(groups)
    }

    /// Writes a row group.
    ///
    /// # Errors
    /// [`SinkError::Rejected`] when its columns are not those of the first or differ in length,
    /// [`SinkError::Unavailable`] when it cannot be written.
    pub fn write<N>(&mut self, columns: &[(N, ParquetColumn<'_>)]) -> Result<(), SinkError> {
        let columns = || columns.iter().map(|(_, column)| column);
        let n_rows = columns().next().map_or(0, ParquetColumn::len);
        let is_same = columns()
            .map(ParquetColumn::kind)
            .eq(self.kinds.iter().copied());
        if !is_same || columns().any(|column| column.len() != n_rows) {
            let location = self.path.display().to_string();
            return Err(rejected(&location, "a row group is not like the first"));
        }
        write_group(&mut self.file, columns(), 0..n_rows).map_err(|e| unavailable(&self.path, &e))
    }

    /// Returns how many bytes the file has so far, without its end.
    pub fn n_bytes(&self) -> u64 {
        self.file.bytes_written() as u64
    }

    /// Makes the file whole, durable and visible.
    ///
    /// # Errors
    /// [`SinkError::Unavailable`].
    pub fn finish(self) -> Result<(), SinkError> {
        let Self { path, file, .. } = self;
        let file = file.into_inner().map_err(|e| unavailable(&path, &e))?;
        file.commit().map_err(|e| unavailable(&path, &e))
    }
}
