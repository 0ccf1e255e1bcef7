//! Rows on their way from a connection to batches; a reading that is begun again must begin alike.

use std::{
    collections::BTreeMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    time::Duration,
};

use dataset::{
    ColumnType, Defect, Extent, FieldColumns, MAX_EXACT_INTEGER, RawBatch, RecordCells, Scalar,
    Schema,
};

use super::kind::kind_of;

/// Rows of a batch at most.
const BATCH_ROWS: usize = 8192;
/// Bytes of a batch, roughly; a batch ends with the row that reaches them.
const BATCH_BYTES: usize = 16 << 20;

/// A column as the server describes it.
pub(super) struct Column {
    pub name: String,
    /// Why it is not read.
    pub unread: Option<String>,
}

/// Takes the rows of one query and gives them on in batches.
///
/// A reading that was cut off is begun again: the rows that were given already are then compared by a
/// digest and not given again. When they are the same, all rows are those of the second reading.
pub(super) struct Rows {
    /// How long the next row may take.
    pub(super) limit: Duration,
    /// What the schema has each column as.
    kinds: BTreeMap<String, ColumnType>,
    columns: FieldColumns,
    described: Vec<Column>,
    /// The kind of each of them.
    kind: Vec<ColumnType>,
    cells: RecordCells,
    n_bytes: usize,
    n_rows: u64,
    hasher: DefaultHasher,
    repeated: Option<Repeated>,
    stopped: Option<Stopped>,
    give: Box<dyn FnMut(RawBatch) -> bool + Send>,
}

/// The rows that an earlier reading has given, and how many of them have come again.
struct Repeated {
    n_rows: u64,
    digest: u64,
    n_seen: u64,
}

/// Why no more rows are wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Stopped {
    /// Nobody takes them any more.
    Unwanted,
    /// The rows are not those of the reading before.
    Changed,
}

impl Rows {
    /// Gives batches to a function, which says whether it wants more.
    pub(super) fn new(
        schema: &Schema,
        limit: Duration,
        give: impl FnMut(RawBatch) -> bool + Send + 'static,
    ) -> Self {
        let kind = |name: String| (name.clone(), kind_of(schema, &name));
        Self {
            limit,
            kinds: schema.file_columns().into_iter().map(kind).collect(),
            columns: FieldColumns::default(),
            described: Vec::new(),
            kind: Vec::new(),
            cells: RecordCells::default(),
            n_bytes: 0,
            n_rows: 0,
            hasher: DefaultHasher::new(),
            repeated: None,
            stopped: None,
            give: Box::new(give),
        }
    }

    /// Begins a reading.
    pub(super) fn begin(&mut self, columns: Vec<Column>) {
        let same = |a: &Column, b: &Column| a.name == b.name && a.unread == b.unread;
        let is_alike = columns.len() == self.described.len()
            && columns.iter().zip(&self.described).all(|(a, b)| same(a, b));
        if self.repeated.is_some() && !is_alike {
            self.stopped = Some(Stopped::Changed);
        }
        self.hasher = DefaultHasher::new();
        let kind = |column: &Column| self.kinds.get(&column.name).copied();
        self.kind = columns
            .iter()
            .map(|column| kind(column).unwrap_or(ColumnType::Text))
            .collect();
        self.described = columns;
        self.cells.clear();
    }

    /// Takes note that a reading was cut off.
    pub(super) fn suspend(&mut self) {
        match &mut self.repeated {
            Some(repeated) if repeated.n_seen < repeated.n_rows => repeated.n_seen = 0,
            _ if self.n_rows > 0 => {
                self.repeated = Some(Repeated {
                    n_rows: self.n_rows,
                    digest: self.hasher.finish(),
                    n_seen: 0,
                });
            }
            _ => {}
        }
    }

    /// Takes the next cell of a row.
    pub(super) fn cell(&mut self, column: usize, cell: Scalar<'_>) {
        match cell {
            Scalar::Null => 0u8.hash(&mut self.hasher),
            Scalar::Number(number) => number.to_bits().hash(&mut self.hasher),
            Scalar::Text(text) => text.hash(&mut self.hasher),
        }
        if self.is_repeating() {
            return;
        }
        if let Scalar::Text(text) = cell {
            self.n_bytes += text.len();
        }
        let cell = match cell {
            cell if self.kind[column] == ColumnType::Boolean => truth(cell),
            cell => cell,
        };
        self.cells
            .push(&mut self.columns, &self.described[column].name, cell);
    }

    /// Takes a whole number, which stays exact.
    pub(super) fn integer(&mut self, column: usize, number: i128) {
        match i64::try_from(number) {
            Ok(number) if number.unsigned_abs() <= MAX_EXACT_INTEGER => {
                self.cell(column, Scalar::Number(number as f64));
            }
            _ => self.cell(column, Scalar::Text(&number.to_string())),
        }
    }

    /// Takes a boolean, which is 1 or 0 where the schema has numbers.
    pub(super) fn boolean(&mut self, column: usize, is_true: bool) {
        let cell = match (self.kind[column], is_true) {
            (ColumnType::Integer | ColumnType::Number, _) => {
                Scalar::Number(f64::from(u8::from(is_true)))
            }
            (_, true) => Scalar::Text("true"),
            (_, false) => Scalar::Text("false"),
        };
        self.cell(column, cell);
    }

    /// Takes a cell that is not read.
    pub(super) fn unread(&mut self, column: usize, reason: &str) {
        self.cell(column, Scalar::Null);
        if !self.is_repeating() {
            self.cells.note(reason);
        }
    }

    /// Ends a row; returns whether more are wanted.
    pub(super) fn end_row(&mut self) -> bool {
        match &mut self.repeated {
            Some(repeated) if repeated.n_seen < repeated.n_rows => {
                repeated.n_seen += 1;
                let is_last = repeated.n_seen == repeated.n_rows;
                if is_last && repeated.digest != self.hasher.finish() {
                    self.stopped = Some(Stopped::Changed);
                }
            }
            _ => self.keep_row(),
        }
        self.stopped.is_none()
    }

    /// Ends a reading that has come to its end.
    pub(super) fn finish(&mut self) {
        if self.is_repeating() {
            self.stopped = Some(Stopped::Changed);
        }
        if self.stopped.is_none() && self.columns.n_rows() > 0 {
            self.give_batch();
        }
    }

    /// Returns the number of rows so far.
    pub(super) fn n_rows(&self) -> u64 {
        self.n_rows
    }

    pub(super) fn stopped(&self) -> Option<Stopped> {
        self.stopped
    }

    fn is_repeating(&self) -> bool {
        self.repeated.as_ref().is_some_and(|r| r.n_seen < r.n_rows)
    }

    fn keep_row(&mut self) {
        self.columns.push_row(&mut self.cells);
        self.cells.clear();
        self.n_rows += 1;
        self.n_bytes += 8 * self.described.len();
        if self.columns.n_rows() >= BATCH_ROWS || self.n_bytes >= BATCH_BYTES {
            self.give_batch();
        }
    }

    fn give_batch(&mut self) {
        self.n_bytes = 0;
        let mut batch = self.columns.take(self.n_rows);
        for column in &self.described {
            if let (Some(reason), Some(position)) = (&column.unread, batch.position(&column.name)) {
                batch.defects.push(Defect {
                    extent: Extent::Column(position),
                    reason: reason.clone(),
                });
            }
        }
        if !(self.give)(batch) {
            self.stopped = Some(Stopped::Unwanted);
        }
    }
}

/// Writes a boolean in one way: some servers keep them as numbers.
fn truth(cell: Scalar<'_>) -> Scalar<'_> {
    match cell {
        Scalar::Number(0.0) | Scalar::Text("0") => Scalar::Text("false"),
        Scalar::Number(1.0) | Scalar::Text("1") => Scalar::Text("true"),
        other => other,
    }
}

#[cfg(test)]
mod tests;
