//! Lines of delimited text, as the `csv` crate writes them: quotes only where they are needed.

use dataset::{CellBytes, RawBatch, RawColumn, TextColumn, faithful_number};

use super::{Names, Places};

/// Lines that begin with one of names.
pub(super) struct Lines {
    pub(super) names: Names,
    delimiter: u8,
    is_named: bool,
}

impl Lines {
    pub(super) fn new(delimiter: u8) -> Self {
        Self {
            names: Names::default(),
            delimiter,
            is_named: false,
        }
    }

    /// Leaves the line of names out.
    pub(super) fn without_names(&mut self, names: Names) {
        self.names = names;
        self.is_named = true;
    }

    /// Writes a batch, after the line of names the first time.
    pub(super) fn write(&mut self, batch: &RawBatch, places: &Places, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.is_named, true) {
            let begin = out.len();
            for name in self.names.0.iter().flatten() {
                self.push(out, name);
            }
            end(out, begin);
        }
        let columns = places.iter().map(|place| place.map(|i| &batch.columns[i]));
        let n_bytes: usize = columns.clone().map(n_bytes).sum();
        let mut columns: Vec<Cells<'_>> = columns.map(|c| Cells::of(c, self.delimiter)).collect();
        out.reserve(n_bytes + batch.n_rows() * columns.len());
        for row in 0..batch.n_rows() {
            let begin = out.len();
            for cells in &mut columns {
                match cells {
                    Cells::Plain(cells) => {
                        self.push_plain(out, cells.next().flatten().unwrap_or_default());
                    }
                    Cells::Text(texts) => self.push(out, texts.get(row).unwrap_or_default()),
                    Cells::Number(numbers) if !numbers[row].is_nan() => {
                        self.push(out, &faithful_number(numbers[row]));
                    }
                    Cells::Number(_) | Cells::Absent => out.push(self.delimiter),
                }
            }
            end(out, begin);
        }
    }

    /// Writes a cell and the delimiter behind it.
    fn push(&self, out: &mut Vec<u8>, cell: &str) {
        if is_plain_text(cell, self.delimiter) {
            return self.push_plain(out, cell.as_bytes());
        }
        push_quoted(out, cell);
        out.push(self.delimiter);
    }

    /// Writes a cell that needs no quotes, and the delimiter behind it.
    #[inline]
    fn push_plain(&self, out: &mut Vec<u8>, cell: &[u8]) {
        // Most cells are short: without a call to copy them.
        match *cell {
            [] => out.push(self.delimiter),
            [a] => out.extend_from_slice(&[a, self.delimiter]),
            [a, b] => out.extend_from_slice(&[a, b, self.delimiter]),
            ref bytes => {
                out.extend_from_slice(bytes);
                out.push(self.delimiter);
            }
        }
    }
}

/// The cells of a column.
enum Cells<'a> {
    /// Texts of which none needs quotes, from row to row.
    Plain(CellBytes<'a>),
    Text(&'a TextColumn),
    Number(&'a [f64]),
    Absent,
}

impl<'a> Cells<'a> {
    fn of(column: Option<&'a RawColumn>, delimiter: u8) -> Self {
        match column {
            Some(RawColumn::Text(texts)) if is_plain_text(texts.text(), delimiter) => {
                Self::Plain(texts.iter_bytes())
            }
            Some(RawColumn::Text(texts)) => Self::Text(texts),
            Some(RawColumn::Number(numbers)) => Self::Number(numbers),
            None => Self::Absent,
        }
    }
}

/// Returns about how many bytes the cells of a column are written with.
fn n_bytes(column: Option<&RawColumn>) -> usize {
    match column {
        Some(RawColumn::Text(texts)) => texts.n_bytes(),
        Some(RawColumn::Number(numbers)) => 20 * numbers.len(),
        None => 0,
    }
}

/// Returns whether a text needs no quotes; every byte is looked at, many at a time.
#[inline]
fn is_plain_text(text: &str, delimiter: u8) -> bool {
    let is_special = |b: u8| (b == delimiter) | (b == b'"') | (b == b'\r') | (b == b'\n');
    let found = |found: bool, byte: &u8| found | is_special(*byte);
    !text.as_bytes().iter().fold(false, found)
}

fn push_quoted(out: &mut Vec<u8>, cell: &str) {
    out.push(b'"');
    for byte in cell.bytes() {
        if byte == b'"' {
            out.push(b'"');
        }
        out.push(byte);
    }
    out.push(b'"');
}

/// Ends the line that began there: the last delimiter becomes its end.
fn end(out: &mut Vec<u8>, begin: usize) {
    out.truncate(begin.max(out.len().saturating_sub(1)));
    if out.len() == begin {
        // An empty line would be no row for a reader.
        out.extend_from_slice(b"\"\"");
    }
    out.push(b'\n');
}
