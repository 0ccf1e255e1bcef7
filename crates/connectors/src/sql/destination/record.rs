//! Rows as values of their columns' types.

use artifact::Digest;
use dataset::{ColumnType, RawBatch, RawColumn, Schema, exact_integer};

use crate::sql::{
    kind::{kind_of, whole},
    link::Value,
};

/// A row on its way.
#[derive(Clone)]
pub(super) struct Record {
    /// Index in its batch.
    pub row: usize,
    /// Number within the load.
    pub number: i64,
    pub values: Vec<Value>,
    /// Known where records are compared one request at a time.
    pub digest: Option<Digest>,
}

impl Record {
    /// Returns the values with those by which the load is known.
    pub(super) fn under(&self, load: &str) -> Vec<Value> {
        let ours = [Value::from(load), Value::Integer(self.number)];
        self.values.iter().cloned().chain(ours).collect()
    }

    pub(super) fn n_bytes(&self) -> usize {
        self.values.iter().map(Value::n_bytes).sum::<usize>() + 64
    }
}

/// Makes records of rows.
pub(super) struct Recorder {
    schema: Schema,
    /// What the target is kept as.
    target: ColumnType,
}

impl Recorder {
    pub(super) fn new(schema: &Schema) -> Self {
        Self {
            schema: schema.clone(),
            target: kind_of(schema, &schema.target.column),
        }
    }

    /// Returns what a column is kept as in a table that we make.
    pub(super) fn kind(&self, name: &str) -> ColumnType {
        match name == self.schema.target.column {
            true => self.target,
            false => kind_of(&self.schema, name),
        }
    }

    pub(super) fn record(&self, batch: &RawBatch, row: usize, digests: &[Digest]) -> Record {
        let columns = batch.names.iter().zip(&batch.columns);
        Record {
            row,
            number: batch.row_numbers[row] as i64,
            values: columns
                .map(|(name, column)| self.value(name, column, row))
                .collect(),
            digest: digests.get(row).copied(),
        }
    }

    fn value(&self, name: &str, column: &RawColumn, row: usize) -> Value {
        match column {
            RawColumn::Number(numbers) => number(numbers[row]),
            RawColumn::Text(texts) => match (texts.get(row), self.kind(name)) {
                (None, _) => Value::Null,
                // Every server takes these for booleans.
                (Some("true"), ColumnType::Boolean) => Value::Integer(1),
                (Some("false"), ColumnType::Boolean) => Value::Integer(0),
                (Some(text), ColumnType::Integer) => {
                    whole(text).map_or_else(|| text.into(), Value::Integer)
                }
                (Some(text), _) => text.into(),
            },
        }
    }
}

fn number(value: f64) -> Value {
    match exact_integer(value) {
        _ if value.is_nan() => Value::Null,
        Some(whole) => Value::Integer(whole),
        None => Value::Real(value),
    }
}
