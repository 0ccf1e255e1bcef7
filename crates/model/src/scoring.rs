//! Scoring rows as they come: typed and checked first, bad ones named, the rest scored.

use dataset::{
    Column, ColumnType, Domain, RawBatch, RawColumn, Schema, Table, TableColumn,
    cell::{Cell, CellProblem, read_number, read_text, value_problem},
    format_number,
};

use crate::{ModelBundle, bundle::ScoringError};

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
        };
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
    let mut problems = vec![Vec::new(); n];
    for (row, reason) in &batch.defects {
        problems[*row].push(reason.clone());
    }
    let reader = CellReader::new(schema);
    let columns = schema
        .features()
        .map(|column| {
            let cells = batch.position(&column.name).map(|at| &batch.columns[at]);
            let values = (0..n)
                .map(|row| {
                    let cell = cells.map_or(RawCell::Absent, |cells| RawCell::of(cells, row));
                    reader.read(column, cell).unwrap_or_else(|problem| {
                        problems[row].push(format!("{}: {problem}", column.name));
                        f64::NAN
                    })
                })
                .collect();
            TableColumn {
                name: column.name.clone(),
                values,
            }
        })
        .collect();
    for (row, _) in &batch.defects {
        problems[*row].truncate(1);
    }
    (Table::new(n, columns), problems)
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
                Cell::Value(number) if column.kind == ColumnType::Text => {
                    return level(column, &format_number(number));
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
