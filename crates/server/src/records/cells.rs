//! Lists of loose values, as tensors and frames have them, and how they become rows.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor},
};

use super::{Rows, Value};
use crate::detector::{Detector, Field};

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

/// What the columns of a frame or the tensors of a request are to the model.
pub struct Places(Vec<Option<usize>>);

impl Places {
    /// Finds the columns of these names; unknown ones and those that stand twice are noted.
    pub fn find<'n>(
        detector: &Detector,
        names: impl Iterator<Item = &'n str>,
        rows: &mut Rows<'_>,
        path: &str,
    ) -> Self {
        let mut places = Vec::new();
        for name in names {
            let place = match detector.field(name, places.len()) {
                Some(Field::Feature(at)) if places.contains(&Some(at)) => {
                    rows.note(shown(path, name), "named twice");
                    None
                }
                Some(Field::Feature(at)) => Some(at),
                Some(Field::PassedOver) => None,
                None => {
                    rows.note(shown(path, name), "there is no such column");
                    None
                }
            };
            places.push(place);
        }
        Self(places)
    }

    /// Adds a row of values, one a column; says whether it is one too many.
    pub fn push<'c>(&self, rows: &mut Rows<'_>, cells: impl Iterator<Item = &'c Cell<'c>>) -> bool {
        if rows.start() {
            return true;
        }
        for (place, cell) in self.0.iter().zip(cells) {
            if let Some(column) = place {
                rows.set(*column, cell.value());
            }
        }
        rows.end();
        false
    }

    /// Adds the rows of lists of values, one list a column, all of the same length.
    pub fn push_lists(&self, rows: &mut Rows<'_>, lists: &[&[Cell<'_>]], path: &str) {
        let n = lists.first().map_or(0, |list| list.len());
        if let Some(other) = lists.iter().find(|list| list.len() != n) {
            let problem = format!("columns of {n} and of {} values", other.len());
            rows.note(path.to_owned(), problem);
            return;
        }
        for row in 0..n {
            if self.push(rows, lists.iter().map(|list| &list[row])) {
                return;
            }
        }
    }

    /// Returns the number of columns.
    pub fn len(&self) -> usize {
        self.0.len()
    }
}

fn shown(path: &str, name: &str) -> String {
    let name: String = name.chars().take(60).collect();
    format!("{path}.{name}")
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
