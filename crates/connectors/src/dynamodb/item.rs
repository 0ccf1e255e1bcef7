//! Items as rows and back: maps flattened with dots, types mapped or named.

use dataset::{
    ColumnType, FieldColumns, MAX_EXACT_INTEGER, RawBatch, RawColumn, RecordCells, Scalar, Schema,
    faithful_number,
};

use super::{
    OWN_KEY,
    attribute::{Attribute, Item},
};

/// Bytes of an item that DynamoDB takes at most.
const ITEM_BYTES: usize = 400 << 10;

/// Takes items apart, one at a time.
pub(super) struct Flattener {
    /// A key that is no part of the record.
    left_out: Option<String>,
    cells: RecordCells,
    path: String,
}

impl Flattener {
    pub(super) fn new(schema: &Schema) -> Self {
        let is_column = schema.file_columns().iter().any(|name| name == OWN_KEY);
        Self::without((!is_column).then(|| OWN_KEY.to_owned()))
    }

    pub(super) fn without(left_out: Option<String>) -> Self {
        Self {
            left_out,
            cells: RecordCells::default(),
            path: String::new(),
        }
    }

    /// Appends an item as a row.
    pub(super) fn push(&mut self, item: &Item, columns: &mut FieldColumns) {
        self.cells.clear();
        self.path.clear();
        self.visit(item, columns);
        columns.push_row(&mut self.cells);
    }

    fn visit(&mut self, item: &Item, columns: &mut FieldColumns) {
        for (name, value) in item {
            if self.path.is_empty() && Some(name) == self.left_out.as_ref() {
                continue;
            }
            let length = self.path.len();
            if length > 0 {
                self.path.push('.');
            }
            self.path.push_str(name.trim());
            match value {
                Attribute::Map(inner) => {
                    columns.see_object(&self.path);
                    self.visit(inner, columns);
                }
                value => self.keep(value, columns),
            }
            self.path.truncate(length);
        }
    }

    fn keep(&mut self, value: &Attribute, columns: &mut FieldColumns) {
        let (cell, is_single) = match value {
            Attribute::Text(text) => (Scalar::Text(text), true),
            Attribute::Number(text) => (number(text), true),
            Attribute::Boolean(true) => (Scalar::Text("true"), true),
            Attribute::Boolean(false) => (Scalar::Text("false"), true),
            Attribute::Null(_) => (Scalar::Null, true),
            _ => (Scalar::Null, false),
        };
        self.cells.push(columns, &self.path, cell);
        if !is_single {
            let reason = format!("{}, not a single value", value.type_name());
            self.cells.note(&reason);
        }
    }
}

/// Reads a number of up to 38 digits; a whole one that is not exact otherwise stays a text.
fn number(text: &str) -> Scalar<'_> {
    let is_exact = |whole: i128| whole.unsigned_abs() <= u128::from(MAX_EXACT_INTEGER);
    if text.parse().is_ok_and(|whole| !is_exact(whole)) {
        return Scalar::Text(text);
    }
    text.parse().map_or(Scalar::Text(text), Scalar::Number)
}

/// Makes items of rows.
pub(super) struct Writer {
    schema: Schema,
}

impl Writer {
    pub(super) fn new(schema: Schema) -> Self {
        Self { schema }
    }

    /// Makes the item of a row, or says why DynamoDB would not take it.
    pub(super) fn item(&self, batch: &RawBatch, row: usize) -> Item {
        let cells = batch.names.iter().zip(&batch.columns);
        cells
            .map(|(name, column)| (name.clone(), self.value(name, column, row)))
            .collect()
    }

    /// Returns the value of a cell in the type that its column has in the schema; a missing one is
    /// null, so that the column is seen even where all its cells are missing.
    fn value(&self, name: &str, column: &RawColumn, row: usize) -> Attribute {
        let kind = self.schema.column(name).map(|c| c.kind);
        match column {
            RawColumn::Number(numbers) if numbers[row].is_nan() => Attribute::Null(true),
            RawColumn::Number(numbers) => of_number(numbers[row]),
            RawColumn::Text(texts) => match (texts.get(row), kind) {
                (None, _) => Attribute::Null(true),
                (Some("true"), Some(ColumnType::Boolean)) => Attribute::Boolean(true),
                (Some("false"), Some(ColumnType::Boolean)) => Attribute::Boolean(false),
                (Some(text), _) if name == self.schema.target.column => target(text),
                (Some(text), _) => Attribute::Text(text.to_owned()),
            },
        }
    }
}

/// Writes a number that DynamoDB does not know, or would change, as the text that reads back as it.
fn of_number(number: f64) -> Attribute {
    let magnitude = number.abs();
    let text = faithful_number(number);
    let is_known = (1e-130..=9.99e125).contains(&magnitude);
    match is_known || (number == 0.0 && number.is_sign_positive()) {
        true => Attribute::Number(text),
        false => Attribute::Text(text),
    }
}

/// Writes a target that is a whole number as one: it reads back as the same text.
fn target(text: &str) -> Attribute {
    match text.parse::<i32>() {
        Ok(whole) if whole.to_string() == text => Attribute::Number(text.to_owned()),
        _ => Attribute::Text(text.to_owned()),
    }
}

/// Refuses an item that is too long.
pub(super) fn fitting(item: Item) -> Result<Item, String> {
    let n: usize = item.iter().map(|(name, v)| name.len() + v.n_bytes()).sum();
    if n <= ITEM_BYTES {
        return Ok(item);
    }
    Err(format!(
        "an item of {n} bytes, of which DynamoDB takes {ITEM_BYTES}"
    ))
}

#[cfg(test)]
mod tests;
