//! Scoring rows as they come: typed and checked first, bad ones named, the rest scored.

mod repeated;

use std::collections::{BTreeMap, BTreeSet};

use dataset::{
    Column, ColumnType, Domain, Extent, RawBatch, RawColumn, Schema, Table, TableColumn,
    cell::{Cell, CellProblem, read_number, read_text, value_problem},
    faithful_number, format_number,
};

use crate::{ModelBundle, bundle::ScoringError};
use repeated::ColumnReader;

/// The outcome for one row.
#[derive(Debug, Clone, PartialEq)]
pub enum Prediction {
    /// The row was scored.
    Scored {
        /// Name of the class.
        label: String,
        /// Whether the class is a threat.
        is_threat: bool,
        /// Calibrated probability that it is a threat.
        threat_probability: f64,
        /// Names of the columns that had no value.
        imputed: Vec<String>,
    },
    /// The row was not scored: everything that is wrong with it.
    Refused {
        /// One entry a problem.
        problems: Vec<String>,
    },
}

/// Scores every row of a batch: one prediction a row, in the batch's order.
///
/// Columns are found by name; the target, never-used and unknown columns are not looked at.
///
/// # Errors
/// [`ScoringError`] when the bundle itself does not fit together.
pub fn predict(bundle: &ModelBundle, batch: &RawBatch) -> Result<Vec<Prediction>, ScoringError> {
    let (table, problems) = read(&bundle.schema, batch);
    judge(bundle, &table, problems)
}

/// Scores the rows of a table that have no problem; [`read`] gives both.
///
/// # Errors
/// As [`predict`].
pub fn judge(
    bundle: &ModelBundle,
    table: &Table,
    problems: Vec<Vec<String>>,
) -> Result<Vec<Prediction>, ScoringError> {
    let good: Vec<usize> = (0..table.n_rows())
        .filter(|&row| problems[row].is_empty())
        .collect();
    let scores = if good.len() == table.n_rows() {
        bundle.score(table)?
    } else {
        bundle.score(&table.select(&good))?
    };
    let names = bundle.class_names();
    let mut predictions: Vec<Prediction> = problems
        .into_iter()
        .map(|problems| Prediction::Refused { problems })
        .collect();
    for (scored, &row) in good.iter().enumerate() {
        let label = bundle.verdict(&scores, scored);
        predictions[row] = Prediction::Scored {
            label: names.name(label).to_owned(),
            is_threat: label.is_threat(),
            threat_probability: scores.threat[scored],
            imputed: Vec::new(),
        };
    }
    for column in table.columns() {
        for (prediction, value) in predictions.iter_mut().zip(&column.values) {
            if let Prediction::Scored { imputed, .. } = prediction
                && value.is_nan()
            {
                imputed.push(column.name.clone());
            }
        }
    }
    Ok(predictions)
}

/// Explains every row of a batch that [`predict`] scores: its `k` weightiest reasons, as text.
///
/// # Errors
/// As [`predict`].
pub fn reasons(
    bundle: &ModelBundle,
    batch: &RawBatch,
    k: usize,
) -> Result<Vec<Option<String>>, ScoringError> {
    let (table, problems) = read(&bundle.schema, batch);
    let good: Vec<usize> = (0..batch.n_rows())
        .filter(|&row| problems[row].is_empty())
        .collect();
    let explanations = bundle.explain(&table.select(&good))?;
    let mut texts = vec![None; batch.n_rows()];
    for (explained, &row) in good.iter().enumerate() {
        let reasons = explanations.reasons(explained, k);
        let reasons: Vec<String> = reasons.iter().map(ToString::to_string).collect();
        texts[row] = Some(reasons.join("; "));
    }
    Ok(texts)
}

/// Reads the feature columns of a batch: a table of all rows, and what is wrong with each row.
pub fn read(schema: &Schema, batch: &RawBatch) -> (Table, Vec<Vec<String>>) {
    let n = batch.n_rows();
    let found = FoundColumns::of(schema, batch);
    let mut problems = vec![Vec::new(); n];
    for (row, reasons) in batch.row_problems(|name| found.is_used(name)) {
        problems[row] = reasons;
    }
    let reader = CellReader::new(schema);
    let columns = schema.features().map(|column| TableColumn {
        name: column.name.clone(),
        values: match found.cells(column) {
            Ok(None) => vec![f64::NAN; n],
            Ok(Some((at, cells))) => {
                let read_cell = |reader: &mut ColumnReader<'_>, row: usize| {
                    let value = match found.is_torn(row) || found.is_unread(row, at) {
                        true => Ok(f64::NAN),
                        false => reader.read(RawCell::of(cells, row)),
                    };
                    value.unwrap_or_else(|problem| note(&mut problems[row], column, &problem))
                };
                read_column(ColumnReader::new(reader, column), cells, read_cell)
            }
            Err(problem) => (0..n)
                .map(
                    |row| match found.is_torn(row) || found.is_object(row, &column.name) {
                        // It has been said.
                        true => f64::NAN,
                        false => note(&mut problems[row], column, &problem),
                    },
                )
                .collect(),
        },
    });
    (Table::new(n, columns.collect()), problems)
}

/// Reads a column; cells whose text has come before take no more than a look.
fn read_column<'a>(
    mut reader: ColumnReader<'a>,
    cells: &RawColumn,
    mut read_cell: impl FnMut(&mut ColumnReader<'a>, usize) -> f64,
) -> Vec<f64> {
    let RawColumn::Text(texts) = cells else {
        return (0..cells.len())
            .map(|row| read_cell(&mut reader, row))
            .collect();
    };
    let mut values = Vec::with_capacity(texts.len());
    for (row, text) in texts.iter_bytes().enumerate() {
        let known = text.and_then(|text| reader.known(text));
        values.push(known.unwrap_or_else(|| read_cell(&mut reader, row)));
    }
    values
}

fn note(problems: &mut Vec<String>, column: &Column, problem: &str) -> f64 {
    problems.push(format!("{}: {problem}", column.name));
    f64::NAN
}

/// Where a batch has the columns of a schema, and what of it could not be read.
struct FoundColumns<'a> {
    batch: &'a RawBatch,
    /// How often each name stands in the batch, and where first.
    places: BTreeMap<&'a str, (usize, usize)>,
    used: BTreeSet<&'a str>,
    torn_rows: BTreeSet<usize>,
    unread_cells: BTreeSet<(usize, usize)>,
    /// Rows with an object under a name that is no column's.
    objects: BTreeSet<(usize, &'a str)>,
    unread_columns: BTreeMap<usize, &'a str>,
}

impl<'a> FoundColumns<'a> {
    fn of(schema: &'a Schema, batch: &'a RawBatch) -> Self {
        let mut found = Self {
            batch,
            places: BTreeMap::new(),
            used: schema.features().map(|c| c.name.as_str()).collect(),
            torn_rows: BTreeSet::new(),
            unread_cells: BTreeSet::new(),
            objects: BTreeSet::new(),
            unread_columns: batch.unread_columns().collect(),
        };
        for (at, name) in batch.names.iter().enumerate() {
            found.places.entry(name).or_insert((0, at)).0 += 1;
        }
        for defect in &batch.defects {
            match defect.extent {
                Extent::Row(row) => {
                    found.torn_rows.insert(row);
                }
                Extent::Cell { row, column } => {
                    found.unread_cells.insert((row, column));
                }
                Extent::Column(_) => {}
            }
        }
        for (name, rows) in &batch.objects {
            // Where other rows of the file have a value, the batch may have the column.
            match found.places.get(name.as_str()) {
                Some((_, column)) => {
                    let cells = rows.iter().map(|row| (*row, *column));
                    found.unread_cells.extend(cells);
                }
                None if found.is_used(name) => {
                    found
                        .objects
                        .extend(rows.iter().map(|row| (*row, name.as_str())));
                }
                None => {}
            }
        }
        found
    }

    fn is_used(&self, name: &str) -> bool {
        self.used.contains(name)
    }

    fn is_torn(&self, row: usize) -> bool {
        !self.torn_rows.is_empty() && self.torn_rows.contains(&row)
    }

    fn is_object(&self, row: usize, name: &str) -> bool {
        !self.objects.is_empty() && self.objects.contains(&(row, name))
    }

    fn is_unread(&self, row: usize, column: usize) -> bool {
        !self.unread_cells.is_empty() && self.unread_cells.contains(&(row, column))
    }

    /// Returns the one column that is meant and where it stands, `None` where there may be none, or what
    /// keeps every row from having it.
    fn cells(&self, column: &Column) -> Result<Option<(usize, &'a RawColumn)>, String> {
        match self.places.get(column.name.as_str()) {
            Some((1, at)) => match self.unread_columns.get(at) {
                Some(reason) => Err((*reason).to_owned()),
                None => Ok(Some((*at, &self.batch.columns[*at]))),
            },
            Some((n, _)) => Err(format!("{n} columns have this name")),
            None if column.may_be_missing => Ok(None),
            None => Err(self.absence(&column.name)),
        }
    }

    fn absence(&self, name: &str) -> String {
        let within = format!("{name}.");
        let mut parts = self.places.range(within.as_str()..);
        match parts.next().filter(|(part, _)| part.starts_with(&within)) {
            None => "column is missing".to_owned(),
            Some((part, _)) => format!("column is missing: it is an object, with `{part}`"),
        }
    }
}

/// A cell as a file or a request has it.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum RawCell<'a> {
    /// The column is not there at all.
    Absent,
    /// There is no value.
    Null,
    /// A number; NaN is a missing one.
    Number(f64),
    /// A text.
    Text(&'a str),
}

impl<'a> RawCell<'a> {
    #[inline]
    fn of(cells: &'a RawColumn, row: usize) -> Self {
        match cells {
            RawColumn::Text(texts) => texts.get(row).map_or(Self::Null, Self::Text),
            RawColumn::Number(numbers) => Self::Number(numbers[row]),
        }
    }
}

/// Reads cells as ingestion does.
#[derive(Debug, Clone, Copy)]
pub struct CellReader<'a> {
    schema: &'a Schema,
    has_numeric_token: bool,
}

impl<'a> CellReader<'a> {
    /// Makes the reader of a schema's cells.
    pub fn new(schema: &'a Schema) -> Self {
        Self {
            schema,
            has_numeric_token: schema.has_numeric_token(),
        }
    }

    /// Reads a cell of a column; NaN is a missing one, where it may be missing.
    ///
    /// # Errors
    /// What is wrong with it, without the column's name.
    pub fn read(&self, column: &Column, cell: RawCell<'_>) -> Result<f64, String> {
        let schema = self.schema;
        let number = match cell {
            RawCell::Absent if !column.may_be_missing => {
                return Err("column is missing".to_owned());
            }
            RawCell::Absent | RawCell::Null => return missing(column),
            RawCell::Text(text) if column.kind == ColumnType::Text => {
                let trimmed = text.trim();
                return if schema.is_missing_token(trimmed) {
                    missing(column)
                } else {
                    level(column, trimmed)
                };
            }
            RawCell::Text(text) => match read_text(schema, column, text) {
                Cell::Missing => return missing(column),
                Cell::Unreadable => {
                    return Err(CellProblem::WrongType.describe(column, text.trim()));
                }
                Cell::Value(number) => number,
            },
            RawCell::Number(number) => match read_number(number) {
                Cell::Value(number) if self.is_token(number) => return missing(column),
                Cell::Missing => return missing(column),
                Cell::Unreadable => {
                    return Err(CellProblem::WrongType.describe(column, "infinite"));
                }
                Cell::Value(_) if column.kind == ColumnType::Text => {
                    return level(column, &faithful_number(number));
                }
                Cell::Value(number) => number,
            },
        };
        match value_problem(column, number) {
            Some(problem) => Err(problem.describe(column, &format_number(number))),
            None => Ok(number),
        }
    }

    fn is_token(&self, number: f64) -> bool {
        self.has_numeric_token && self.schema.is_missing_token(&format_number(number))
    }
}

fn missing(column: &Column) -> Result<f64, String> {
    if column.may_be_missing {
        Ok(f64::NAN)
    } else {
        Err(CellProblem::Missing.describe(column, ""))
    }
}

fn level(column: &Column, text: &str) -> Result<f64, String> {
    if column.domain == Domain::Any {
        return Ok(f64::NAN);
    }
    column
        .level_code(text)
        .ok_or_else(|| CellProblem::OutsideDomain.describe(column, text))
}

#[cfg(test)]
mod tests;
