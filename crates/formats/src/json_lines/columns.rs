//! The columns of a batch while its lines are read, in the order in which fields were first seen.

use std::collections::BTreeMap;

use dataset::{Defect, Extent, RawColumn, TextColumn, faithful_number};

use super::line::Scalar;

/// Names seen so far in the file and the cells of the current batch.
#[derive(Default)]
pub(super) struct Columns {
    names: Vec<String>,
    positions: BTreeMap<String, usize>,
    cells: Vec<Cells>,
    /// The row that is being read.
    row: usize,
    /// Rows of the batch in which an object stands at a path.
    objects: BTreeMap<String, Vec<usize>>,
}

/// Numbers until the first text; cells are appended late, so that absent fields cost nothing.
enum Cells {
    Numbers(Vec<f64>),
    Texts(TextColumn),
}

impl Columns {
    pub(super) fn len(&self) -> usize {
        self.names.len()
    }

    pub(super) fn begin_row(&mut self, row: usize) {
        self.row = row;
    }

    /// Notes that the current row has an object at a path.
    pub(super) fn see_object(&mut self, path: &str) {
        if let Some(rows) = self.objects.get_mut(path) {
            rows.push(self.row);
        } else {
            self.objects.insert(path.to_owned(), vec![self.row]);
        }
    }

    /// Takes the objects of the batch that stand where other rows have a single value.
    pub(super) fn objects_among_values(&mut self) -> Vec<Defect> {
        let objects = std::mem::take(&mut self.objects);
        let known = objects.into_iter().filter_map(|(path, mut rows)| {
            rows.dedup();
            Some((*self.positions.get(&path)?, rows))
        });
        let defect = |row, column| Defect {
            extent: Extent::Cell { row, column },
            reason: "an object, not a single value".to_owned(),
        };
        known
            .flat_map(|(column, rows)| rows.into_iter().map(move |row| defect(row, column)))
            .collect()
    }

    /// Returns the position of a name, added when it is new; `expected` is where it likely stands.
    pub(super) fn position(&mut self, name: &str, expected: usize) -> usize {
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

    /// Forgets the names after the first `n`, which a defective line had brought.
    pub(super) fn truncate(&mut self, n: usize) {
        for name in self.names.drain(n..) {
            self.positions.remove(&name);
        }
        self.cells.truncate(n);
    }

    /// Puts the cells of one row in place.
    pub(super) fn push_row<'a>(
        &mut self,
        row: usize,
        cells: impl Iterator<Item = (usize, Scalar<'a>)>,
    ) {
        for (position, cell) in cells {
            let column = &mut self.cells[position];
            column.pad(row);
            column.push(cell);
        }
    }

    /// Gives names and columns of a batch of `n_rows`; the names stay for the next one.
    pub(super) fn take(&mut self, n_rows: usize) -> (Vec<String>, Vec<RawColumn>) {
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
