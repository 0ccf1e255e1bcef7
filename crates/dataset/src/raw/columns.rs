//! The columns of a batch while records of named fields are read, in the order in which fields were
//! first seen.

use std::{collections::BTreeMap, ops::Range};

use super::{RawColumn, TextColumn, format_number};

/// One cell of a record of named fields.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Scalar<'a> {
    /// There is no value.
    Null,
    /// A number.
    Number(f64),
    /// A text.
    Text(&'a str),
}

/// Names seen so far in a source and the cells of its current batch.
///
/// A column of a batch is one of numbers until its first text, and of texts from its beginning then.
#[derive(Default)]
pub struct FieldColumns {
    names: Vec<String>,
    positions: BTreeMap<String, usize>,
    cells: Vec<Cells>,
}

/// The cells of one record while it is taken apart; its allocations are used again for the next.
#[derive(Default)]
pub struct RecordCells {
    cells: Vec<(usize, Held)>,
    text: String,
}

enum Held {
    Null,
    Number(f64),
    /// Where it stands in [`RecordCells::text`].
    Text(Range<usize>),
}

impl RecordCells {
    /// Begins another record.
    pub fn clear(&mut self) {
        self.cells.clear();
        self.text.clear();
    }

    /// Takes a cell under its name, which the columns learn when it is new.
    pub fn push(&mut self, columns: &mut FieldColumns, name: &str, cell: Scalar<'_>) {
        let position = columns.position(name, self.cells.len());
        let held = match cell {
            Scalar::Null => Held::Null,
            Scalar::Number(number) => Held::Number(number),
            Scalar::Text(text) => {
                let start = self.text.len();
                self.text.push_str(text);
                Held::Text(start..self.text.len())
            }
        };
        self.cells.push((position, held));
    }

    /// Returns whether two cells have one name; fields mostly come in one order, so that is checked
    /// first.
    pub fn has_twins(&self) -> bool {
        if self.cells.is_sorted_by(|a, b| a.0 < b.0) {
            return false;
        }
        let mut positions: Vec<usize> = self.cells.iter().map(|(position, _)| *position).collect();
        positions.sort_unstable();
        positions.windows(2).any(|pair| pair[0] == pair[1])
    }

    fn iter(&self) -> impl Iterator<Item = (usize, Scalar<'_>)> {
        self.cells.iter().map(|(position, held)| {
            let cell = match held {
                Held::Null => Scalar::Null,
                Held::Number(number) => Scalar::Number(*number),
                Held::Text(range) => Scalar::Text(&self.text[range.clone()]),
            };
            (*position, cell)
        })
    }
}

/// Numbers until the first text; cells are appended late, so that absent fields cost nothing.
enum Cells {
    Numbers(Vec<f64>),
    Texts(TextColumn),
}

impl FieldColumns {
    /// Returns the number of names.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Returns whether no name has been seen.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns the position of a name, added when it is new; `expected` is where it likely stands.
    fn position(&mut self, name: &str, expected: usize) -> usize {
        if self.names.get(expected).is_some_and(|n| n == name) {
            return expected;
        }
        if let Some(&position) = self.positions.get(name) {
            return position;
        }
        let position = self.names.len();
        self.names.push(name.to_owned());
        self.positions.insert(name.to_owned(), position);
        self.cells.push(Cells::Numbers(Vec::new()));
        position
    }

    /// Forgets the names after the first `n`, which a defective record had brought.
    pub fn truncate(&mut self, n: usize) {
        for name in self.names.drain(n..) {
            self.positions.remove(&name);
        }
        self.cells.truncate(n);
    }

    /// Puts the cells of one row in place.
    pub fn push_row(&mut self, row: usize, cells: &RecordCells) {
        for (position, cell) in cells.iter() {
            let column = &mut self.cells[position];
            column.pad(row);
            column.push(cell);
        }
    }

    /// Gives names and columns of a batch of `n_rows`; the names stay for the next one.
    pub fn take(&mut self, n_rows: usize) -> (Vec<String>, Vec<RawColumn>) {
        let columns = self
            .cells
            .iter_mut()
            .map(|cells| {
                cells.pad(n_rows);
                match std::mem::replace(cells, Cells::Numbers(Vec::new())) {
                    Cells::Numbers(numbers) => RawColumn::Number(numbers),
                    Cells::Texts(texts) => RawColumn::Text(texts),
                }
            })
            .collect();
        (self.names.clone(), columns)
    }
}

impl Cells {
    fn pad(&mut self, n_rows: usize) {
        match self {
            Self::Numbers(numbers) => numbers.resize(n_rows, f64::NAN),
            Self::Texts(texts) => (texts.len()..n_rows).for_each(|_| texts.push(None)),
        }
    }

    fn push(&mut self, cell: Scalar<'_>) {
        match (&mut *self, cell) {
            (Self::Numbers(numbers), Scalar::Null) => numbers.push(f64::NAN),
            (Self::Numbers(numbers), Scalar::Number(number)) => numbers.push(number),
            (Self::Texts(texts), Scalar::Null) => texts.push(None),
            (Self::Texts(texts), Scalar::Number(number)) => {
                texts.push(Some(&format_number(number)));
            }
            (Self::Texts(texts), Scalar::Text(text)) => texts.push(Some(text)),
            (Self::Numbers(numbers), Scalar::Text(text)) => {
                let mut texts: TextColumn = TextColumn::new();
                for &number in numbers.iter() {
                    let shown = (!number.is_nan()).then(|| format_number(number));
                    texts.push(shown.as_deref());
                }
                texts.push(Some(text));
                *self = Self::Texts(texts);
            }
        }
    }
}
