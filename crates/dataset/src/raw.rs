//! Rows as a source gives them, in batches, before any schema has looked at them.

mod columns;

use std::{borrow::Cow, collections::BTreeMap, fmt::Write as _};

use serde::{Deserialize, Serialize};

pub use columns::{FieldColumns, RecordCells, Scalar};

/// Some rows of a source, column by column, as they were found.
///
/// Batches of one source may differ in their columns (JSON Lines may leave fields out); a column that
/// is absent counts as missing in every row of the batch.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct RawBatch {
    /// Names in the source's order; duplicated names are kept, for validation to report.
    pub names: Vec<String>,
    /// One column a name, all of `n_rows` cells.
    pub columns: Vec<RawColumn>,
    /// Number of the record in the source, from 1, of each row.
    pub row_numbers: Vec<u64>,
    /// What could not be read. Cells that could be read are there, also in a defective row.
    pub defects: Vec<Defect>,
    /// The rows, ascending, in which an object or a list stands under a name: it has been taken apart into columns of
    /// other names, or cannot be. Names that no column of a schema can have are left out.
    pub objects: BTreeMap<String, Vec<usize>>,
}

impl RawBatch {
    /// Returns the number of rows.
    pub fn n_rows(&self) -> usize {
        self.row_numbers.len()
    }

    /// Returns the rows of these indices, each at most once, in their order.
    pub fn select(&self, rows: &[usize]) -> Self {
        let places: BTreeMap<usize, usize> =
            match self.defects.is_empty() && self.objects.is_empty() {
                true => BTreeMap::new(),
                false => rows
                    .iter()
                    .enumerate()
                    .map(|(at, row)| (*row, at))
                    .collect(),
            };
        let place = |row: usize| places.get(&row).copied();
        let defect = |defect: &Defect| {
            let extent = match defect.extent {
                Extent::Row(row) => Extent::Row(place(row)?),
                Extent::Cell { row, column } => Extent::Cell {
                    row: place(row)?,
                    column,
                },
                Extent::Column(column) => Extent::Column(column),
            };
            let reason = defect.reason.clone();
            Some(Defect { extent, reason })
        };
        Self {
            names: self.names.clone(),
            columns: self.columns.iter().map(|c| c.select(rows)).collect(),
            row_numbers: rows.iter().map(|&row| self.row_numbers[row]).collect(),
            defects: self.defects.iter().filter_map(defect).collect(),
            objects: self
                .objects
                .iter()
                .map(|(name, rows)| {
                    let mut rows: Vec<usize> = rows.iter().filter_map(|row| place(*row)).collect();
                    rows.sort_unstable();
                    (name.clone(), rows)
                })
                .collect(),
        }
    }

    /// Returns the position of a column by its exact name: the first, where a name is duplicated.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|n| n == name)
    }

    /// Returns the defects of rows and cells by row, cells with their column's name; those of columns
    /// that are not used are left out.
    pub fn row_problems(&self, is_used: impl Fn(&str) -> bool) -> BTreeMap<usize, Vec<String>> {
        let mut problems: BTreeMap<usize, Vec<String>> = BTreeMap::new();
        for defect in &self.defects {
            let reason = &defect.reason;
            match defect.extent {
                Extent::Row(row) => problems.entry(row).or_default().push(reason.clone()),
                Extent::Cell { row, column } if is_used(&self.names[column]) => {
                    let text = format!("{}: {reason}", self.names[column]);
                    problems.entry(row).or_default().push(text);
                }
                Extent::Cell { .. } | Extent::Column(_) => {}
            }
        }
        for (name, rows) in self.objects.iter().filter(|(name, _)| is_used(name)) {
            for &row in rows {
                let text = format!("{name}: {OBJECT}");
                problems.entry(row).or_default().push(text);
            }
        }
        problems
    }

    /// Returns the positions of columns that were not read, with the reason.
    pub fn unread_columns(&self) -> impl Iterator<Item = (usize, &str)> {
        self.defects
            .iter()
            .filter_map(|defect| match defect.extent {
                Extent::Column(column) => Some((column, defect.reason.as_str())),
                _ => None,
            })
    }

    /// Returns, by row, the cells that are empty because they could not be read.
    pub fn lost_cells(&self) -> BTreeMap<usize, String> {
        let mut lost: BTreeMap<usize, String> = BTreeMap::new();
        for defect in &self.defects {
            if let Extent::Cell { row, column } = defect.extent
                && self.columns[column].is_missing(row)
            {
                let text = lost.entry(row).or_default();
                let gap = if text.is_empty() { "" } else { "; " };
                *text += &format!("{gap}{}: {}", self.names[column], defect.reason);
            }
        }
        lost
    }
}

/// Something of a [`RawBatch`] that could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Defect {
    /// What it concerns.
    pub extent: Extent,
    /// Why, without the column's name.
    pub reason: String,
}

/// What of a batch a [`Defect`] concerns; rows and columns are counted from 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Extent {
    /// A row that could not be taken apart: which cell belongs where is not certain.
    Row(usize),
    /// One cell.
    Cell {
        /// Row in the batch.
        row: usize,
        /// Position of the column.
        column: usize,
    },
    /// A column of a type that is not read; its cells are missing.
    Column(usize),
}

/// What is said of an object in the place of a cell.
const OBJECT: &str = "an object, not a single value";

/// One column of a [`RawBatch`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum RawColumn {
    /// Cells as text, as CSV gives them.
    Text(TextColumn),
    /// Cells as numbers; NaN is a missing cell.
    Number(Vec<f64>),
}

impl RawColumn {
    /// Returns the number of cells.
    pub fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Number(numbers) => numbers.len(),
        }
    }

    /// Returns whether there are no cells.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Returns whether a cell is missing.
    pub fn is_missing(&self, row: usize) -> bool {
        match self {
            Self::Text(text) => text.get(row).is_none(),
            Self::Number(numbers) => numbers[row].is_nan(),
        }
    }

    /// Returns the text of a cell, of a number as well; `None` is a missing one.
    pub fn text(&self, row: usize) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(texts) => texts.get(row).map(Cow::Borrowed),
            Self::Number(numbers) if numbers[row].is_nan() => None,
            Self::Number(numbers) => Some(Cow::Owned(format_number(numbers[row]))),
        }
    }

    fn select(&self, rows: &[usize]) -> Self {
        match self {
            Self::Text(texts) => Self::Text(rows.iter().map(|&row| texts.get(row)).collect()),
            Self::Number(numbers) => Self::Number(rows.iter().map(|&row| numbers[row]).collect()),
        }
    }
}

/// A column of text cells in one allocation, with absent cells apart from empty ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextColumn {
    bytes: String,
    /// End of each cell in `bytes`; the highest bit marks an absent cell.
    ends: Vec<u32>,
}

const ABSENT: u32 = 1 << 31;

impl TextColumn {
    /// Makes an empty column.
    pub fn new() -> Self {
        Self::default()
    }

    /// Appends a cell; `None` is an absent one (a JSON null, a field left out).
    ///
    /// # Panics
    /// When the batch's text exceeds 2 GiB; sources cut batches long before.
    #[inline]
    pub fn push(&mut self, cell: Option<&str>) {
        match *cell.unwrap_or_default().as_bytes() {
            // Most cells are short: without a call to copy them.
            [a] => self.bytes.push(char::from(a)),
            [a, b] if a.is_ascii() && b.is_ascii() => {
                self.bytes.push(char::from(a));
                self.bytes.push(char::from(b));
            }
            _ => self.bytes.push_str(cell.unwrap_or_default()),
        }
        let end = u32::try_from(self.bytes.len()).unwrap_or(u32::MAX);
        assert!(end < ABSENT, "a batch of text is under 2 GiB");
        self.ends
            .push(if cell.is_some() { end } else { end | ABSENT });
    }

    /// Returns the number of cells.
    pub fn len(&self) -> usize {
        self.ends.len()
    }

    /// Returns whether there are no cells.
    pub fn is_empty(&self) -> bool {
        self.ends.is_empty()
    }

    /// Returns the bytes of text held, for sources that cut batches by size.
    pub fn n_bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Returns the text of all cells, one after the other.
    pub fn text(&self) -> &str {
        &self.bytes
    }

    /// Returns a cell; `None` is an absent one.
    #[inline]
    pub fn get(&self, row: usize) -> Option<&str> {
        let start = if row == 0 {
            0
        } else {
            self.ends[row - 1] & !ABSENT
        };
        let end = self.ends[row];
        (end & ABSENT == 0).then(|| &self.bytes[start as usize..end as usize])
    }

    /// Returns the bytes of all cells in order, for loops in which a cell is looked at but not read.
    pub fn iter_bytes(&self) -> CellBytes<'_> {
        CellBytes {
            bytes: self.bytes.as_bytes(),
            start: 0,
            ends: self.ends.iter(),
        }
    }

    /// Returns all cells in order.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = Option<&str>> {
        (0..self.len()).map(|row| self.get(row))
    }
}

/// The bytes of a column's cells in order; `None` is an absent one.
#[derive(Debug, Clone)]
pub struct CellBytes<'a> {
    bytes: &'a [u8],
    start: usize,
    ends: std::slice::Iter<'a, u32>,
}

impl<'a> Iterator for CellBytes<'a> {
    type Item = Option<&'a [u8]>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let end = *self.ends.next()?;
        let stop = (end & !ABSENT) as usize;
        let cell = &self.bytes[self.start..stop];
        self.start = stop;
        Some((end & ABSENT == 0).then_some(cell))
    }
}

impl<'a> FromIterator<Option<&'a str>> for TextColumn {
    fn from_iter<I: IntoIterator<Item = Option<&'a str>>>(cells: I) -> Self {
        let mut column = Self::new();
        cells.into_iter().for_each(|cell| column.push(cell));
        column
    }
}

/// Whole numbers up to here, and down to its negative, are exact in an `f64`: larger ones are kept as text.
pub const MAX_EXACT_INTEGER: u64 = 1 << 53;

/// Returns the whole number that a number is exactly, if it is one.
#[inline]
pub fn exact_integer(number: f64) -> Option<i64> {
    let is_exact = number == number.trunc() && number.abs() <= MAX_EXACT_INTEGER as f64;
    is_exact.then_some(number as i64)
}

/// Writes a number the way every source is compared: whole numbers without a fraction (`-1`, not
/// `-1.0`), others in the shortest form that reads back as the same `f64`, with an exponent where
/// ECMAScript writes one: from 1e21 on, and below 1e-6.
pub fn format_number(number: f64) -> String {
    let mut text = String::new();
    write_number(number, &mut text);
    text
}

/// Appends a number to a text as [`format_number`] writes it.
pub(crate) fn write_number(number: f64, text: &mut String) {
    let (magnitude, whole) = (number.abs(), number as i64);
    let written = if whole as f64 == number && magnitude < 1e15 {
        write_whole(whole, text);
        Ok(())
    } else if (1e-6..1e21).contains(&magnitude) || !number.is_finite() {
        write!(text, "{number}")
    } else {
        write!(text, "{number:e}")
    };
    written.expect("a text takes whatever is written");
}

/// Writes a whole number: most cells are one of few digits, for which the standard library's way takes longer than all
/// else that is done with a cell.
fn write_whole(number: i64, text: &mut String) {
    if number < 0 {
        text.push('-');
    }
    let mut rest = number.unsigned_abs();
    let mut digits = [0; 20];
    let mut start = digits.len();
    loop {
        start -= 1;
        digits[start] = b'0' + (rest % 10) as u8;
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    text.extend(digits[start..].iter().map(|digit| char::from(*digit)));
}

/// Writes a number to be passed on: as [`format_number`], but a negative zero keeps its sign.
pub fn faithful_number(number: f64) -> String {
    if number == 0.0 && number.is_sign_negative() {
        "-0.0".to_owned()
    } else {
        format_number(number)
    }
}

/// Returns a name that is not taken: with `prefix` in front, as often as it needs.
pub fn free_name(name: &str, prefix: &str, is_taken: impl Fn(&str) -> bool) -> String {
    let mut name = name.to_owned();
    while is_taken(&name) {
        name.insert_str(0, prefix);
    }
    name
}

#[cfg(test)]
mod tests;
