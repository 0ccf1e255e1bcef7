//! What data frames hold in a column of a schema.

use dataset::{Column, ColumnType};

/// The type of a column in a data frame that was read from a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CellType {
    /// Whole numbers of 64 bits, none of which may be missing.
    Long,
    /// Doubles, NaN where missing; booleans are 0 and 1.
    Double,
    /// Texts; a missing token of the schema where missing.
    Text,
}

impl CellType {
    /// Returns the type of a column.
    pub fn of(column: &Column) -> Self {
        match column.kind {
            ColumnType::Text => Self::Text,
            ColumnType::Integer if !column.may_be_missing => Self::Long,
            _ => Self::Double,
        }
    }
}
