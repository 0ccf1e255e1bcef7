//! What ingestion gives: rows read under a schema, in canonical order, and where they came from.

use artifact::Artifact;
use serde::{Deserialize, Serialize};

use crate::Schema;

/// Code of a missing text cell in [`Cells::Texts`].
pub const MISSING_CODE: u32 = u32::MAX;

/// Rows of one [`RawDataset`] at most.
pub const MAX_ROWS: u64 = u32::MAX as u64 - 1;

/// Rows as read under a schema, not yet validated, in canonical order.
///
/// Its bytes depend on the rows and the schema alone: not on the kind of source, the order of rows,
/// their numbers, or time. Those stand in [`Provenance`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RawDataset {
    /// The schema that the rows were read under.
    #[serde(with = "crate::schema::as_yaml")]
    pub schema: Schema,
    /// Number of rows.
    pub n_rows: u64,
    /// The columns of the schema that the source has, in the schema's order, target included.
    pub columns: Vec<IngestedColumn>,
    /// Columns of the schema that the source lacks.
    pub absent: Vec<String>,
    /// Rows that could not be taken apart, ascending, with the reason; their cells are missing.
    pub defects: Vec<(u64, String)>,
    /// Whether the rows were generated rather than observed.
    pub simulated: bool,
}

/// One column of a [`RawDataset`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IngestedColumn {
    /// Name in the schema.
    pub name: String,
    /// Its cells.
    pub cells: Cells,
}

/// The cells of an ingested column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Cells {
    /// Of a numeric or boolean column that is not the target.
    Numbers {
        /// One value a row; NaN where it is missing or unreadable.
        values: Vec<f64>,
        /// Rows whose text is no finite number, ascending, with the text.
        unparsed: Vec<(u64, String)>,
    },
    /// Of a text column, and of the target.
    Texts {
        /// Distinct texts, ascending.
        dictionary: Vec<String>,
        /// Index into the dictionary of each row; [`MISSING_CODE`] where it is missing.
        codes: Vec<u32>,
    },
}

impl RawDataset {
    /// Returns the cells of a column by name.
    pub fn cells(&self, name: &str) -> Option<&Cells> {
        self.columns
            .iter()
            .find(|c| c.name == name)
            .map(|c| &c.cells)
    }
}

impl Cells {
    /// Returns the number of rows.
    pub fn n_rows(&self) -> usize {
        match self {
            Self::Numbers { values, .. } => values.len(),
            Self::Texts { codes, .. } => codes.len(),
        }
    }

    fn problem(&self, n_rows: u64) -> Option<String> {
        if self.n_rows() as u64 != n_rows {
            return Some(format!("{} of {n_rows} rows", self.n_rows()));
        }
        match self {
            Self::Numbers { values, unparsed } => {
                if let Some(row) = values.iter().position(|v| v.is_infinite()) {
                    return Some(format!("row {row} is infinite"));
                }
                let ordered = unparsed.is_sorted_by(|a, b| a.0 < b.0);
                let inside = unparsed.last().is_none_or(|(row, _)| *row < n_rows);
                (!ordered || !inside).then(|| "its list of unparsed cells is damaged".to_owned())
            }
            Self::Texts { dictionary, codes } => codes
                .iter()
                .find(|&&c| c != MISSING_CODE && c as usize >= dictionary.len())
                .map(|code| format!("code {code} of {} texts", dictionary.len())),
        }
    }
}

impl Artifact for RawDataset {
    const KIND: &'static str = "raw-dataset";
    const LAYOUT: u16 = 1;
    artifact::payload!();

    fn check(&self) -> Result<(), String> {
        for c in &self.columns {
            if let Some(problem) = c.cells.problem(self.n_rows) {
                return Err(format!("column `{}`: {problem}", c.name));
            }
        }
        match self.defects.last() {
            Some((row, _)) if *row >= self.n_rows => {
                Err(format!("defect in row {row} of {}", self.n_rows))
            }
            _ => Ok(()),
        }
    }
}

/// Where the rows of a [`RawDataset`] came from; differs between sources of the same rows.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Provenance {
    /// Where the rows were read, without secrets.
    pub source: String,
    /// Names found in the source, in its order, duplicates included.
    pub names_found: Vec<String>,
    /// Names found that the schema does not know; their cells are not kept.
    pub unknown_names: Vec<String>,
    /// Whether the known columns stand in another order than in the schema.
    pub reordered: bool,
    /// Number of the record in the source, from 1, of each canonical row.
    pub row_numbers: Vec<u64>,
}

impl Artifact for Provenance {
    const KIND: &'static str = "provenance";
    const LAYOUT: u16 = 1;
    artifact::payload!();
}
