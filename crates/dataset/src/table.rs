//! Validated raw values: one `f64` a cell, NaN where a value is missing.

use serde::{Deserialize, Serialize};

use crate::Schema;

/// Validated values of the feature columns, column by column.
///
/// Numbers are themselves, booleans 0 and 1, text the position of its level in the schema. Missing
/// cells are NaN; every other value is finite and there is no -0.0. Shape: `n_rows` × `columns().len()`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Table {
    n_rows: usize,
    columns: Vec<TableColumn>,
}

/// One column of a [`Table`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableColumn {
    /// Name in the schema.
    pub name: String,
    /// One value a row; NaN is missing.
    pub values: Vec<f64>,
}

impl Table {
    /// Makes a table of columns of equal length.
    ///
    /// # Panics
    /// When the lengths differ: whoever builds a table has checked its rows.
    pub fn new(n_rows: usize, columns: Vec<TableColumn>) -> Self {
        let wrong = columns.iter().find(|c| c.values.len() != n_rows);
        assert!(wrong.is_none(), "every column has {n_rows} rows");
        Self { n_rows, columns }
    }

    /// Returns the number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Returns the columns in order.
    pub fn columns(&self) -> &[TableColumn] {
        &self.columns
    }

    /// Returns the values of a column by name.
    pub fn column(&self, name: &str) -> Option<&[f64]> {
        self.columns
            .iter()
            .find(|c| c.name == name)
            .map(|c| c.values.as_slice())
    }

    /// Returns the feature columns of a schema alone, without derived ones.
    pub fn features_of(&self, schema: &Schema) -> Self {
        let columns = schema
            .features()
            .filter_map(|c| self.columns.iter().find(|own| own.name == c.name).cloned())
            .collect();
        Self {
            n_rows: self.n_rows,
            columns,
        }
    }

    /// Appends a column.
    ///
    /// # Panics
    /// When its length is not `n_rows`.
    pub fn push(&mut self, column: TableColumn) {
        assert_eq!(
            column.values.len(),
            self.n_rows,
            "every column has as many rows"
        );
        self.columns.push(column);
    }

    /// Returns the rows of these indices, in their order; an index may repeat.
    pub fn select(&self, rows: &[usize]) -> Self {
        let columns = self
            .columns
            .iter()
            .map(|c| TableColumn {
                name: c.name.clone(),
                values: rows.iter().map(|&row| c.values[row]).collect(),
            })
            .collect();
        Self {
            n_rows: rows.len(),
            columns,
        }
    }

    /// Checks the shape and that values are finite or NaN; used after decoding.
    ///
    /// # Errors
    /// A sentence that names column and row.
    pub fn check(&self) -> Result<(), String> {
        for c in &self.columns {
            if c.values.len() != self.n_rows {
                return Err(format!(
                    "column `{}` has {} of {} rows",
                    c.name,
                    c.values.len(),
                    self.n_rows
                ));
            }
            if let Some(row) = c.values.iter().position(|v| v.is_infinite()) {
                return Err(format!("column `{}`, row {row}: infinite", c.name));
            }
        }
        Ok(())
    }
}
