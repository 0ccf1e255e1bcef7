//! Lists of loose values, as tensors and frames have them, and how they become rows.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{Rows, Value, name_in_path, no_column, read_as};
use crate::{detector::Field, problem::Faults};

/// A value that was read before its column was known.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    Null,
    Truth(bool),
    Number(f64),
    Text(Cow<'a, str>),
    Other(&'static str),
}

impl Cell<'_> {
    fn value(&self) -> Value<'_> {
        match self {
            Self::Null => Value::Null,
            Self::Truth(truth) => Value::Truth(*truth),
            Self::Number(number) => Value::Number(*number),
            Self::Text(text) => Value::Text(text),
            Self::Other(what) => Value::Other(what),
        }
    }
}

/// How loose values lie in a request, which says where each of them stands.
#[derive(Debug, Clone, Copy)]
pub enum Layout {
    /// Rows of a frame: `dataframe_split.data[3][5]`.
    Split,
    /// A list for each column: `inputs.port[3]`.
    Columns(&'static str),
    /// A tensor for each column: `inputs[5].data[3]`.
    Tensors,
}

impl Layout {
    /// Returns where a name stands.
    fn path_of_name(self, at: usize, name: &str) -> String {
        match self {
            Self::Split => format!("dataframe_split.columns[{at}]"),
            Self::Columns(root) => format!("{root}.{}", name_in_path(name)),
            Self::Tensors => format!("inputs[{at}].name"),
        }
    }

    /// Returns where the list of a column's values stands.
    fn path_of_list(self, at: usize, name: &str) -> String {
        match self {
            Self::Tensors => format!("inputs[{at}].data"),
            _ => self.path_of_name(at, name),
        }
    }

    fn path_of_cell(self, at: usize, name: &str, row: usize) -> String {
        match self {
            Self::Split => format!("dataframe_split.data[{row}][{at}]"),
            _ => format!("{}[{row}]", self.path_of_list(at, name)),
        }
    }

    /// Returns where a column should have stood.
    fn path_of_missing(self, name: &str) -> String {
        match self {
            Self::Split => "dataframe_split.columns".to_owned(),
            Self::Columns(root) => format!("{root}.{name}"),
            Self::Tensors => "inputs".to_owned(),
        }
    }

    /// Names the column in a problem, where its path does not.
    fn said_of(self, name: &str, problem: &str) -> String {
        match self {
            Self::Columns(_) => problem.to_owned(),
            _ => format!("{}: {problem}", name_in_path(name)),
        }
    }
}

/// What the columns of a frame or the tensors of a request are to the model.
pub struct Places<'n> {
    layout: Layout,
    names: Vec<&'n str>,
    columns: Vec<Option<usize>>,
}

impl<'n> Places<'n> {
    /// Finds the columns of these names; unknown ones and those that stand twice are noted.
    pub fn find(layout: Layout, names: Vec<&'n str>, rows: &mut Rows<'_>) -> Self {
        let detector = rows.detector;
        let mut columns = Vec::with_capacity(names.len());
        let mut seen = vec![false; detector.columns().len()];
        for (at, name) in names.iter().enumerate() {
            let path = || layout.path_of_name(at, name);
            let column = match detector.field(name, at) {
                Some(Field::Feature(column)) if seen[column] => {
                    rows.faults.push(path, layout.said_of(name, "named twice"));
                    None
                }
                Some(Field::Feature(column)) => {
                    seen[column] = true;
                    Some(column)
                }
                Some(Field::PassedOver) => None,
                None => {
                    let problem = || no_column(detector, &name_in_path(name));
                    let note = || (path(), layout.said_of(name, &problem()));
                    rows.faults.note(note);
                    None
                }
            };
            columns.push(column);
        }
        Self {
            layout,
            names,
            columns,
        }
    }

    /// Notes the columns that must be there and are not.
    pub fn note_missing(&self, rows: &mut Rows<'_>) {
        let detector = rows.detector;
        for (at, column) in detector.columns().iter().enumerate() {
            if column.may_be_missing || self.columns.contains(&Some(at)) {
                continue;
            }
            let path = || self.layout.path_of_missing(&column.name);
            let problem = self.layout.said_of(&column.name, "missing");
            rows.faults.push(path, problem);
        }
    }

    /// Returns the column that something of the request is, by its place there.
    pub fn column(&self, at: usize) -> Option<usize> {
        self.columns[at]
    }

    /// Looks no more at the values of something whose problem is noted already.
    pub fn pass_over(&mut self, at: usize) {
        self.columns[at] = None;
    }

    /// Adds a row of values, one a column, which `check` is asked about first; says whether it is one too many.
    fn push<'c>(
        &self,
        rows: &mut Rows<'_>,
        cells: impl Iterator<Item = &'c Cell<'c>>,
        check: &impl Fn(usize, &Cell<'_>) -> Result<(), String>,
    ) -> bool {
        if rows.start() {
            return true;
        }
        for (at, (column, cell)) in self.columns.iter().zip(cells).enumerate() {
            let Some(column) = column else { continue };
            let put = check(at, cell).and_then(|()| rows.put(*column, cell.value()));
            if let Err(problem) = put {
                let (name, row) = (self.names[at], rows.n_rows);
                let path = || self.layout.path_of_cell(at, name, row);
                rows.faults.push(path, self.layout.said_of(name, &problem));
            }
        }
        rows.close();
        false
    }

    /// Reads a row of a frame, one value a column, and adds it; says whether it is one too many.
    pub fn push_row(&self, rows: &mut Rows<'_>, row: &RawValue) -> bool {
        let (at, expected) = (rows.n_rows, self.columns.len());
        let path = || format!("dataframe_split.data[{at}]");
        let what = "a list of values";
        let faults = &mut rows.faults;
        let cells: Option<Vec<Cell<'_>>> = match read_as(row, path, what, faults) {
            Some(Length(n)) if n == expected => read_as(row, path, what, faults),
            Some(Length(n)) => {
                faults.push(path, format!("{n} values for {expected} columns"));
                None
            }
            None => None,
        };
        // What is noted already counts as a row without values.
        let cells = cells.unwrap_or_default();
        self.push(rows, cells.iter(), &|_, _| Ok(()))
    }

    /// Adds the rows of lists of values, one list a column, all of the same length.
    pub fn push_lists(
        &self,
        rows: &mut Rows<'_>,
        lists: &[&[Cell<'_>]],
        check: impl Fn(usize, &Cell<'_>) -> Result<(), String>,
    ) {
        // What is no column has no values here.
        let first = self.columns.iter().position(Option::is_some);
        let n = first.map_or(0, |first| lists[first].len());
        let others = lists.iter().enumerate();
        let others = others.filter(|(at, list)| self.columns[*at].is_some() && list.len() != n);
        let mut is_even = true;
        for (at, list) in others {
            is_even = false;
            let (name, first) = (self.names[at], name_in_path(self.names[first.unwrap_or(0)]));
            let problem = format!("{} values, but `{first}` has {n}", list.len());
            let path = || self.layout.path_of_list(at, name);
            rows.faults.push(path, self.layout.said_of(name, &problem));
        }
        for row in 0..if is_even { n } else { 0 } {
            let cells = lists
                .iter()
                .map(|list| list.get(row).unwrap_or(&Cell::Null));
            if self.push(rows, cells, &check) {
                return;
            }
        }
    }
}

/// Checks that a list has at most so many values, before it is read: each takes many times its text once it is.
pub fn check_length(
    list: &RawValue,
    path: impl Fn() -> String,
    what: &str,
    most: usize,
    faults: &mut Faults,
) -> Option<()> {
    let n = length(list, &path, what, faults)?;
    if n <= most {
        return Some(());
    }
    let problem = format!("{n} values, more than {most} records: send them as a file, or in parts");
    faults.push(path, problem);
    None
}

/// Counts the values of a list.
pub fn length(
    list: &RawValue,
    path: impl Fn() -> String,
    what: &str,
    faults: &mut Faults,
) -> Option<usize> {
    let Length(n) = read_as(list, path, what, faults)?;
    Some(n)
}

/// How many values a list has.
struct Length(usize);

impl<'de> Deserialize<'de> for Length {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(AnyLength)
    }
}

struct AnyLength;

impl<'de> Visitor<'de> for AnyLength {
    type Value = Length;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Length, A::Error> {
        let mut length = 0;
        while list.next_element::<IgnoredAny>()?.is_some() {
            length += 1;
        }
        Ok(Length(length))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Cell<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AnyCell)
    }
}

struct AnyCell;

impl<'de> Visitor<'de> for AnyCell {
    type Value = Cell<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text, true, false or null")
    }

    fn visit_unit<E: Error>(self) -> Result<Cell<'de>, E> {
        Ok(Cell::Null)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<Cell<'de>, E> {
        Ok(Cell::Truth(truth))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<Cell<'de>, E> {
        Ok(Cell::Number(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Cell<'de>, E> {
        Ok(Cell::Number(number as f64))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Cell<'de>, E> {
        Ok(Cell::Number(number as f64))
    }

    fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Cell<'de>, E> {
        Ok(Cell::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Cell<'de>, E> {
        Ok(Cell::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Cell<'de>, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Cell::Other("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Cell<'de>, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Cell::Other("an object"))
    }
}
