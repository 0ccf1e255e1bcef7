//! The columns of a batch while records of named fields are read, in the order in which fields were
//! first seen.

use std::{collections::BTreeMap, ops::Range};

use super::{Defect, Extent, RawBatch, RawColumn, TextColumn, faithful_number};
use crate::schema::MAX_NAME_BYTES;

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

/// Names seen so far in a source and the rows of its current batch.
///
/// A column of a batch is one of numbers until its first text, and of texts from its beginning then.
#[derive(Default)]
pub struct FieldColumns {
    names: Vec<String>,
    positions: BTreeMap<String, usize>,
    cells: Vec<Cells>,
    n_rows: usize,
    defects: Vec<Defect>,
    /// Rows of the batch in which an object stands at a path.
    objects: BTreeMap<String, Vec<usize>>,
}

/// The cells of one record while it is taken apart; its allocations are used again for the next.
#[derive(Default)]
pub struct RecordCells {
    cells: Vec<(usize, Held)>,
    text: String,
    /// Positions of cells that are not what a cell should be, with the reason.
    notes: Vec<(usize, String)>,
}

enum Held {
    Null,
    Number(f64),
    /// Where it stands in [`RecordCells::text`].
    Text(Range<usize>),
}

/// Numbers until the first text; cells are appended late, so that absent fields cost nothing.
enum Cells {
    Numbers(Vec<f64>),
    Texts(TextColumn),
}

impl RecordCells {
    /// Begins another record.
    pub fn clear(&mut self) {
        self.cells.clear();
        self.text.clear();
        self.notes.clear();
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

    /// Notes what is wrong with the cell pushed last.
    pub fn note(&mut self, reason: &str) {
        if let Some((position, _)) = self.cells.last() {
            self.notes.push((*position, reason.to_owned()));
        }
    }

    /// Keeps the cells of the first `n` names alone, and makes the columns forget the others: a record
    /// that breaks off brings no columns.
    pub fn truncate(&mut self, columns: &mut FieldColumns, n: usize) {
        columns.truncate(n);
        self.cells.retain(|(position, _)| *position < n);
        self.notes.retain(|(position, _)| *position < n);
    }

    /// Takes the values of a field that is named twice away; fields mostly come in one order, so that
    /// is checked first.
    fn empty_twins(&mut self) {
        if self.cells.is_sorted_by(|a, b| a.0 < b.0) {
            return;
        }
        let mut positions: Vec<usize> = self.cells.iter().map(|(position, _)| *position).collect();
        positions.sort_unstable();
        let pairs = positions.windows(2).filter(|pair| pair[0] == pair[1]);
        let mut twins: Vec<usize> = pairs.map(|pair| pair[0]).collect();
        twins.dedup();
        let is_single = |position: usize| twins.binary_search(&position).is_err();
        self.cells.retain(|(position, _)| is_single(*position));
        self.notes.retain(|(position, _)| is_single(*position));
        let notes = twins
            .iter()
            .map(|position| (*position, "a field is named twice".to_owned()));
        self.notes.extend(notes);
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

impl FieldColumns {
    /// Returns the number of names.
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Returns whether no name has been seen.
    pub fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Returns the number of rows of the current batch.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Notes that the record that is being taken apart has an object at a path.
    pub fn see_object(&mut self, path: &str) {
        if path.len() > MAX_NAME_BYTES {
            return;
        }
        if let Some(rows) = self.objects.get_mut(path) {
            rows.push(self.n_rows);
        } else {
            self.objects.insert(path.to_owned(), vec![self.n_rows]);
        }
    }

    /// Appends a row; a field that the record names twice has no value in it.
    pub fn push_row(&mut self, record: &mut RecordCells) {
        record.empty_twins();
        for (position, cell) in record.iter() {
            let column = &mut self.cells[position];
            column.pad(self.n_rows);
            column.push(cell);
        }
        let row = self.n_rows;
        self.defects
            .extend(record.notes.iter().map(|(column, reason)| Defect {
                extent: Extent::Cell {
                    row,
                    column: *column,
                },
                reason: reason.clone(),
            }));
        self.n_rows += 1;
    }

    /// Appends a row of a record that could not be taken apart, with the cells that could be read.
    pub fn push_defective(&mut self, record: &mut RecordCells, reason: String) {
        let extent = Extent::Row(self.n_rows);
        self.defects.push(Defect { extent, reason });
        self.push_row(record);
    }

    /// Gives the batch, of which the last row is the `last`th of the source; the names stay for the
    /// next one.
    pub fn take(&mut self, last: u64) -> RawBatch {
        let mut objects = std::mem::take(&mut self.objects);
        // Those that a record names twice, and whose line was read twice.
        objects.values_mut().for_each(Vec::dedup);
        let n_rows = std::mem::take(&mut self.n_rows);
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
        RawBatch {
            names: self.names.clone(),
            columns,
            row_numbers: (last + 1 - n_rows as u64..=last).collect(),
            defects: std::mem::take(&mut self.defects),
            objects,
        }
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
    fn truncate(&mut self, n: usize) {
        for name in self.names.drain(n..) {
            self.positions.remove(&name);
        }
        self.cells.truncate(n);
    }
}

impl Cells {
    fn pad(&mut self, n_rows: usize) {
        match self {
            Self::Numbers(numbers) if numbers.len() < n_rows => numbers.resize(n_rows, f64::NAN),
            Self::Numbers(_) => {}
            Self::Texts(texts) => (texts.len()..n_rows).for_each(|_| texts.push(None)),
        }
    }

    fn push(&mut self, cell: Scalar<'_>) {
        match (&mut *self, cell) {
            (Self::Numbers(numbers), Scalar::Null) => numbers.push(f64::NAN),
            (Self::Numbers(numbers), Scalar::Number(number)) => numbers.push(number),
            (Self::Texts(texts), Scalar::Null) => texts.push(None),
            (Self::Texts(texts), Scalar::Number(number)) => {
                texts.push(Some(&faithful_number(number)));
            }
            (Self::Texts(texts), Scalar::Text(text)) => texts.push(Some(text)),
            (Self::Numbers(numbers), Scalar::Text(text)) => {
                let mut texts: TextColumn = TextColumn::new();
                for &number in numbers.iter() {
                    let shown = (!number.is_nan()).then(|| faithful_number(number));
                    texts.push(shown.as_deref());
                }
                texts.push(Some(text));
                *self = Self::Texts(texts);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pushes records of `name=text` cells, one that begins with `!` as defective, and shows the rows.
    fn check(records: &[&str], expected: &[&str]) {
        let mut columns = FieldColumns::default();
        let mut cells = RecordCells::default();
        for record in records {
            cells.clear();
            let fields = record.trim_start_matches('!').split_whitespace();
            for (name, text) in fields.filter_map(|field| field.split_once('=')) {
                let number = text.parse().map(Scalar::Number);
                cells.push(&mut columns, name, number.unwrap_or(Scalar::Text(text)));
            }
            match record.starts_with('!') {
                true => columns.push_defective(&mut cells, "torn".to_owned()),
                false => columns.push_row(&mut cells),
            }
        }
        let batch = columns.take(records.len() as u64);
        assert!(
            batch
                .columns
                .iter()
                .all(|column| column.len() == records.len())
        );
        let problems = batch.row_problems(|_| true);
        let row = |row: usize| {
            let cells = batch.columns.iter().map(|column| {
                let text = column.text(row);
                text.map_or("~".to_owned(), |text| text.into_owned())
            });
            let problems = problems.get(&row).into_iter().flatten().cloned();
            cells.chain(problems).collect::<Vec<_>>().join(" ")
        };
        let found: Vec<String> = (0..records.len()).map(row).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn a_field_that_is_named_twice_shifts_no_other_row() {
        let torn = "torn a: a field is named twice";
        check(
            &["a=x b=1", "!a=y a=z", "a=w b=2"],
            &["x 1", &format!("~ ~ {torn}"), "w 2"],
        );
        check(
            &["a=1 b=x", "a=2 a=3 b=y", "b=z a=4"],
            &["1 x", "~ y a: a field is named twice", "4 z"],
        );
    }

    #[test]
    fn numbers_become_texts_with_the_first_text_of_their_column() {
        check(
            &["a=1.5", "b=2", "a=x", "a=-0"],
            &["1.5 ~", "~ 2", "x ~", "-0.0 ~"],
        );
    }

    #[test]
    fn an_object_is_told_whatever_stands_in_other_rows_and_no_cell_is_lost_by_it() {
        for others in [None, Some("1"), Some("text")] {
            let mut columns = FieldColumns::default();
            let mut cells = RecordCells::default();
            columns.see_object("a");
            columns.see_object(&"n".repeat(MAX_NAME_BYTES + 1));
            cells.push(&mut columns, "a.x", Scalar::Null);
            columns.push_row(&mut cells);
            cells.clear();
            if let Some(text) = others {
                cells.push(&mut columns, "a", Scalar::Text(text));
            }
            columns.push_row(&mut cells);
            let batch = columns.take(2);
            let told = batch.row_problems(|name| name == "a");
            let told: Vec<_> = told.into_iter().collect();
            assert_eq!(
                told,
                [(0, vec!["a: an object, not a single value".to_owned()])]
            );
            assert!(batch.row_problems(|name| name == "a.x").is_empty());
            assert!(batch.lost_cells().is_empty());
            assert_eq!(batch.objects.len(), 1);
            let moved = batch.select(&[1, 0]);
            assert_eq!(moved.objects["a"], [1]);
        }
    }
}
