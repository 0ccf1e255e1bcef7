//! Documents as rows and back: nested ones flattened with dots, types mapped or named.

use dataset::{
    ColumnType, FieldColumns, MAX_EXACT_INTEGER, RawBatch, RawColumn, RecordCells, Scalar, Schema,
    exact_integer,
};
use mongodb::bson::{
    RawDocument, RawDocumentBuf,
    raw::{CStr, RawBsonRef},
};

/// Takes documents apart, one at a time.
pub(super) struct Flattener {
    /// Whether `_id` is a column of the schema.
    keeps_id: bool,
    cells: RecordCells,
    path: String,
}

impl Flattener {
    pub(super) fn new(schema: &Schema) -> Self {
        Self {
            keeps_id: schema.file_columns().iter().any(|name| name == "_id"),
            cells: RecordCells::default(),
            path: String::new(),
        }
    }

    /// Takes a document apart; on an error its reason is given, and of the cells before it those are
    /// kept whose names were known.
    pub(super) fn flatten(
        &mut self,
        document: &RawDocument,
        columns: &mut FieldColumns,
    ) -> Result<&mut RecordCells, String> {
        let n_names = columns.len();
        self.cells.clear();
        self.path.clear();
        if let Err(reason) = self.visit(document, columns) {
            self.cells.truncate(columns, n_names);
            return Err(reason);
        }
        Ok(&mut self.cells)
    }

    /// Returns the cells of the document last taken apart.
    pub(super) fn cells(&mut self) -> &mut RecordCells {
        &mut self.cells
    }

    fn visit(&mut self, document: &RawDocument, columns: &mut FieldColumns) -> Result<(), String> {
        for element in document.iter() {
            let (key, value) = element.map_err(|e| format!("damaged document: {e}"))?;
            let (key, is_outermost) = (key.as_str(), self.path.is_empty());
            if is_outermost && key == "_id" && !self.keeps_id {
                continue;
            }
            match value {
                RawBsonRef::Document(inner) => {
                    let length = self.enter(key);
                    columns.see_object(&self.path);
                    self.visit(inner, columns)?;
                    self.path.truncate(length);
                }
                // Most are: nothing is copied for them.
                value if is_outermost => self.keep(key.trim(), value, columns),
                value => {
                    let length = self.enter(key);
                    let path = std::mem::take(&mut self.path);
                    self.keep(&path, value, columns);
                    self.path = path;
                    self.path.truncate(length);
                }
            }
        }
        Ok(())
    }

    /// Goes down to a field; returns how long the path was before.
    fn enter(&mut self, key: &str) -> usize {
        let length = self.path.len();
        if length > 0 {
            self.path.push('.');
        }
        self.path.push_str(key.trim());
        length
    }

    fn keep(&mut self, path: &str, value: RawBsonRef<'_>, columns: &mut FieldColumns) {
        let text = text_of(&value);
        let cell = match (&value, &text) {
            (_, Some(text)) => Scalar::Text(text),
            (RawBsonRef::Double(number), _) => Scalar::Number(*number),
            (RawBsonRef::Int32(number), _) => Scalar::Number(f64::from(*number)),
            (RawBsonRef::Int64(number), _) => Scalar::Number(*number as f64),
            (RawBsonRef::String(text) | RawBsonRef::Symbol(text), _) => Scalar::Text(text),
            _ => Scalar::Null,
        };
        self.cells.push(columns, path, cell);
        let is_null = matches!(value, RawBsonRef::Null | RawBsonRef::Undefined);
        if cell == Scalar::Null && !is_null {
            let reason = format!("{}, not a single value", type_name(&value));
            self.cells.note(&reason);
        }
    }
}

/// Writes values that are neither numbers nor texts but have one text.
fn text_of(value: &RawBsonRef<'_>) -> Option<String> {
    match value {
        RawBsonRef::Boolean(truth) => Some(truth.to_string()),
        RawBsonRef::Int64(number) if number.unsigned_abs() > MAX_EXACT_INTEGER => {
            Some(number.to_string())
        }
        RawBsonRef::ObjectId(id) => Some(id.to_hex()),
        RawBsonRef::DateTime(moment) => moment.try_to_rfc3339_string().ok(),
        RawBsonRef::Decimal128(number) => Some(number.to_string()),
        _ => None,
    }
}

/// Names a type as MongoDB's documentation does.
fn type_name(value: &RawBsonRef<'_>) -> &'static str {
    match value {
        RawBsonRef::Array(_) => "an array",
        RawBsonRef::Binary(_) => "binary data",
        RawBsonRef::RegularExpression(_) => "a regular expression",
        RawBsonRef::Timestamp(_) => "a timestamp",
        RawBsonRef::DateTime(_) => "a date beyond the year 9999",
        RawBsonRef::JavaScriptCode(_) | RawBsonRef::JavaScriptCodeWithScope(_) => "JavaScript",
        RawBsonRef::MinKey | RawBsonRef::MaxKey => "a smallest or largest key",
        _ => "a deprecated type",
    }
}

/// Makes documents of rows.
pub(super) struct Writer {
    schema: Schema,
}

impl Writer {
    pub(super) fn new(schema: Schema) -> Self {
        Self { schema }
    }

    /// Makes the document of a row, under an `_id` of ours when one is given.
    pub(super) fn document(
        &self,
        batch: &RawBatch,
        row: usize,
        id: Option<&str>,
    ) -> Result<RawDocumentBuf, String> {
        let mut document = RawDocumentBuf::new();
        let mut put = |name: &str, value: RawBsonRef<'_>| {
            let key = <&CStr>::try_from(name).map_err(|_| format!("`{name:?}` is no name"))?;
            document.append(key, value);
            Ok::<(), String>(())
        };
        if let Some(id) = id {
            put("_id", RawBsonRef::String(id))?;
        }
        for (name, column) in batch.names.iter().zip(&batch.columns) {
            put(name, self.value(name, column, row))?;
        }
        Ok(document)
    }

    /// Returns the value of a cell in the type that its column has in the schema; a missing one is
    /// null, so that the column is seen even where all its cells are missing.
    pub(super) fn value<'a>(
        &self,
        name: &str,
        column: &'a RawColumn,
        row: usize,
    ) -> RawBsonRef<'a> {
        let kind = self.schema.column(name).map(|c| c.kind);
        match column {
            RawColumn::Number(numbers) if numbers[row].is_nan() => RawBsonRef::Null,
            RawColumn::Number(numbers) if kind == Some(ColumnType::Number) => {
                RawBsonRef::Double(numbers[row])
            }
            RawColumn::Number(numbers) => number(numbers[row]),
            RawColumn::Text(texts) => match (texts.get(row), kind) {
                (None, _) => RawBsonRef::Null,
                (Some("true"), Some(ColumnType::Boolean)) => RawBsonRef::Boolean(true),
                (Some("false"), Some(ColumnType::Boolean)) => RawBsonRef::Boolean(false),
                (Some(text), _) if name == self.schema.target.column => target(text),
                (Some(text), _) => RawBsonRef::String(text),
            },
        }
    }
}

fn number<'a>(value: f64) -> RawBsonRef<'a> {
    let Some(whole) = exact_integer(value) else {
        return RawBsonRef::Double(value);
    };
    i32::try_from(whole).map_or(RawBsonRef::Int64(whole), RawBsonRef::Int32)
}

/// Writes a target that is a whole number as one: it reads back as the same text.
fn target(text: &str) -> RawBsonRef<'_> {
    match text.parse::<i32>() {
        Ok(whole) if whole.to_string() == text => RawBsonRef::Int32(whole),
        _ => RawBsonRef::String(text),
    }
}

#[cfg(test)]
mod tests;
