//! Which format a file has, told by its name.

use std::path::Path;

use dataset::{SourceError, schema::FileLayout};

/// The format of a file of rows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FileFormat {
    /// Delimited text.
    Csv {
        /// The byte between cells.
        delimiter: u8,
        /// The names, when the file itself has no line of names.
        header: Option<Vec<String>>,
    },
    /// Weka's attribute-relation file format, which repositories of data sets give.
    Arff,
    /// One JSON object a line.
    JsonLines,
    /// Apache Parquet.
    Parquet,
}

/// How delimited text of a data set is laid out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    /// The byte between cells.
    pub delimiter: u8,
    /// The names, when files have no line of names.
    pub header: Option<Vec<String>>,
}

impl Default for Layout {
    fn default() -> Self {
        Self {
            delimiter: b',',
            header: None,
        }
    }
}

impl Layout {
    /// Makes the layout that a schema declares; `columns` are its names in the order of a file.
    pub fn of(file: &FileLayout, columns: Vec<String>) -> Self {
        Self {
            delimiter: u8::try_from(file.delimiter).unwrap_or(b','),
            header: (!file.header).then_some(columns),
        }
    }
}

/// Returns whether a file's name says that it is compressed.
pub(crate) fn is_compressed(name: &Path) -> bool {
    name.extension()
        .is_some_and(|ending| ending.eq_ignore_ascii_case("gz"))
}

impl FileFormat {
    /// Tells the format from the end of a file's name (or of a key, or of a URL's path).
    ///
    /// # Errors
    /// [`SourceError::Unsupported`], with the endings that are known.
    pub fn of_path(path: &Path, layout: &Layout) -> Result<Self, SourceError> {
        let name = path
            .file_name()
            .map(|n| n.to_string_lossy().to_lowercase())
            .unwrap_or_default();
        let plain = name.strip_suffix(".gz").unwrap_or(&name);
        let compressed = plain.len() < name.len();
        let ending = plain.rsplit_once('.').map_or("", |(_, ending)| ending);
        match ending {
            "csv" | "txt" | "data" => Ok(Self::csv(layout, layout.delimiter)),
            "arff" => Ok(Self::Arff),
            "tsv" => Ok(Self::csv(layout, b'\t')),
            "jsonl" | "ndjson" => Ok(Self::JsonLines),
            "parquet" if !compressed => Ok(Self::Parquet),
            _ if path.is_dir() => Err(SourceError::Unavailable {
                location: path.display().to_string(),
                reason: "it is a directory: name a file in it".to_owned(),
            }),
            _ => Err(SourceError::Unsupported {
                location: path.display().to_string(),
                reason: "its format is not told by its name: known are .csv, .txt, .data, .tsv, \
                         .arff, .jsonl, .ndjson (each also with .gz) and .parquet"
                    .to_owned(),
            }),
        }
    }

    /// Tells the format in which a file of this name is to be written.
    ///
    /// # Errors
    /// [`SourceError::Unsupported`] for names of no known format, and for ARFF, which is only read.
    pub fn to_write(path: &Path, layout: &Layout) -> Result<Self, SourceError> {
        match Self::of_path(path, layout) {
            Ok(format) if format != Self::Arff => Ok(format),
            _ => Err(SourceError::Unsupported {
                location: path.display().to_string(),
                reason:
                    "its name tells no format to write it in: .csv, .txt, .data, .tsv, .jsonl and \
                         .ndjson (each also with .gz) and .parquet do"
                        .to_owned(),
            }),
        }
    }

    fn csv(layout: &Layout, delimiter: u8) -> Self {
        Self::Csv {
            delimiter,
            header: layout.header.clone(),
        }
    }
}
