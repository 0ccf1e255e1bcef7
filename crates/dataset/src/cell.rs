//! One cell: from text or number to a typed value, and whether the schema allows it.
//!
//! Ingestion, validation and scoring all read cells through this file, so that a value means the same
//! in training and in serving.

use crate::{Column, ColumnType, Domain, Schema};

/// A cell of a numeric or boolean column after reading.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Cell {
    /// There is no value.
    Missing,
    /// A finite value, never -0.0.
    Value(f64),
    /// There is a text that is no finite number (no boolean, for a boolean column).
    Unreadable,
}

/// Reads a text as a cell of a numeric or boolean column; white space around it does not count.
pub fn read_text(schema: &Schema, column: &Column, text: &str) -> Cell {
    let trimmed = text.trim();
    if column.kind == ColumnType::Boolean
        && let Some(truth) = read_boolean(trimmed)
    {
        return Cell::Value(f64::from(u8::from(truth)));
    }
    if schema.is_missing_token(trimmed) {
        return Cell::Missing;
    }
    match fast_float2::parse::<f64, _>(trimmed) {
        Ok(number) if number.is_finite() => Cell::Value(number + 0.0),
        _ => Cell::Unreadable,
    }
}

/// Reads a number as a cell; NaN is a missing one.
pub fn read_number(number: f64) -> Cell {
    if number.is_nan() {
        Cell::Missing
    } else if number.is_finite() {
        Cell::Value(number + 0.0)
    } else {
        Cell::Unreadable
    }
}

/// Reads a text as a boolean: `true`/`false`, `yes`/`no` or `1`/`0`, capitals or not.
pub(crate) fn read_boolean(text: &str) -> Option<bool> {
    let is = |words: [&str; 3]| words.iter().any(|w| text.eq_ignore_ascii_case(w));
    if is(["true", "yes", "1"]) {
        Some(true)
    } else if is(["false", "no", "0"]) {
        Some(false)
    } else {
        None
    }
}

/// Returns what a schema has against a finite value of a numeric or boolean column.
pub fn value_problem(column: &Column, value: f64) -> Option<CellProblem> {
    match column.kind {
        ColumnType::Integer if value != value.trunc() => Some(CellProblem::WrongType),
        ColumnType::Boolean if value != 0.0 && value != 1.0 => Some(CellProblem::WrongType),
        _ if !column.domain.contains(value) => Some(CellProblem::OutsideDomain),
        _ => None,
    }
}

/// What is wrong with a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum CellProblem {
    /// Missing where a value is required.
    Missing,
    /// Not of the column's type.
    WrongType,
    /// Of the type, but outside the domain.
    OutsideDomain,
}

impl CellProblem {
    /// Says what is wrong with a value, for people: `port: 7 is not one of -1, 1`.
    pub fn explain(self, column: &Column, value: &str) -> String {
        format!("{}: {}", column.name, self.describe(column, value))
    }

    /// Says the same without the column's name, for whoever shows it beside the name.
    pub fn describe(self, column: &Column, value: &str) -> String {
        let shown: String = value.chars().take(40).collect();
        match self {
            Self::Missing => "missing".to_owned(),
            Self::WrongType => {
                let kind = match column.kind {
                    ColumnType::Integer => "a whole number",
                    ColumnType::Number => "a finite number",
                    ColumnType::Boolean => "true or false",
                    ColumnType::Text => "text",
                };
                format!("`{shown}` is not {kind}")
            }
            Self::OutsideDomain => match &column.domain {
                Domain::Range { .. } => format!("{shown} is not {}", column.domain),
                _ => format!("`{shown}` is not {}", column.domain),
            },
        }
    }
}

#[cfg(test)]
mod tests;
