//! Lines of delimited text, as the `csv` crate writes them: quotes only where they are needed.

use dataset::{RawBatch, RawColumn, faithful_number};

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
        let columns: Vec<Cells<'_>> = columns.map(|c| Cells::of(c, self.delimiter)).collect();
        let n_bytes = columns.iter().map(Cells::n_bytes).sum::<usize>();
        out.reserve(n_bytes + batch.n_rows() * columns.len());
        for row in 0..batch.n_rows() {
            let begin = out.len();
            for cells in &columns {
                match cells.column {
                    Some(RawColumn::Text(texts)) if cells.are_plain => {
                        self.push_plain(out, texts.get(row).unwrap_or(""));
                    }
                    Some(RawColumn::Text(texts)) => {
                        self.push(out, texts.get(row).unwrap_or(""));
                    }
                    Some(RawColumn::Number(numbers)) if !numbers[row].is_nan() => {
                        self.push(out, &faithful_number(numbers[row]));
                    }
                    _ => out.push(self.delimiter),
                }
            }
            end(out, begin);
        }
    }

    /// Writes a cell and the delimiter behind it.
    fn push(&self, out: &mut Vec<u8>, cell: &str) {
        if is_plain_text(cell, self.delimiter) {
            return self.push_plain(out, cell);
        }
        push_quoted(out, cell);
        out.push(self.delimiter);
    }

    /// Writes a cell that needs no quotes, and the delimiter behind it.
    #[inline]
    fn push_plain(&self, out: &mut Vec<u8>, cell: &str) {
        // Most cells are short: without a call to copy them.
        match *cell.as_bytes() {
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

/// A column, and whether none of its cells needs quotes.
struct Cells<'a> {
    column: Option<&'a RawColumn>,
    are_plain: bool,
}

impl<'a> Cells<'a> {
    fn of(column: Option<&'a RawColumn>, delimiter: u8) -> Self {
        let are_plain = match column {
            Some(RawColumn::Text(texts)) => is_plain_text(texts.text(), delimiter),
            _ => false,
        };
        Self { column, are_plain }
    }

    /// Returns about how many bytes its cells are written with.
    fn n_bytes(&self) -> usize {
        match self.column {
            Some(RawColumn::Text(texts)) => texts.n_bytes(),
            Some(RawColumn::Number(numbers)) => 20 * numbers.len(),
            None => 0,
        }
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
