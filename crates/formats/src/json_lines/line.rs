//! Takes one line apart.

use std::{fmt, ops::Range};

use dataset::{Defect, Extent};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

use super::columns::Columns;

/// One cell of a line.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Scalar<'a> {
    Null,
    Number(f64),
    Text(&'a str),
}

/// The cells of the line last parsed; its allocations are used again for the next.
#[derive(Default)]
pub(super) struct Line {
    cells: Vec<(usize, Held)>,
    text: String,
    path: String,
    /// Positions of cells that are not what a cell should be, with the reason.
    notes: Vec<(usize, &'static str)>,
}

enum Held {
    Null,
    Number(f64),
    /// Where it stands in [`Line::text`].
    Text(Range<usize>),
}

/// Objects inside objects at most.
const MAX_DEPTH: usize = 64;
/// Whole numbers up to here are exact in an `f64`; larger ones are kept as text.
const EXACT: u64 = 1 << 53;
/// Digits that tell every `f64` from every other.
const DIGITS: usize = 17;
const ARRAY: &str = "an array, not a single value";

impl Line {
    /// Parses a line; on an error its reason is given, and of the cells before it those are kept whose
    /// names were known.
    pub(super) fn parse(&mut self, line: &[u8], columns: &mut Columns) -> Result<(), String> {
        let n_names = columns.len();
        self.clear();
        let text = std::str::from_utf8(line).map_err(|_| "not UTF-8".to_owned())?;
        // With its end the line would count as two in the parser's errors.
        let text = text.trim_end();
        self.parse_object(text, columns, holds_long_number(text))
            .or_else(|error| {
                // The parser refuses 1e999 and gives no text of arrays; another pass keeps the text.
                let reason = error.to_string();
                if reason.starts_with("number out of range") || reason.starts_with(ARRAY) {
                    columns.truncate(n_names);
                    self.parse_object(text, columns, true)
                } else {
                    Err(error)
                }
            })
            .map_err(|error| {
                columns.truncate(n_names);
                self.cells.retain(|(position, _)| *position < n_names);
                self.notes.retain(|(position, _)| *position < n_names);
                error.to_string().replace(" at line 1 column ", ", byte ")
            })
    }

    /// Returns the cells with the positions of their columns.
    pub(super) fn cells(&self) -> impl Iterator<Item = (usize, Scalar<'_>)> {
        self.cells.iter().map(|(position, held)| {
            let cell = match held {
                Held::Null => Scalar::Null,
                Held::Number(number) => Scalar::Number(*number),
                Held::Text(range) => Scalar::Text(&self.text[range.clone()]),
            };
            (*position, cell)
        })
    }

    /// Returns what is wrong with single cells.
    pub(super) fn defects(&self, row: usize) -> impl Iterator<Item = Defect> {
        self.notes.iter().map(move |&(column, reason)| Defect {
            extent: Extent::Cell { row, column },
            reason: reason.to_owned(),
        })
    }

    fn clear(&mut self) {
        self.cells.clear();
        self.text.clear();
        self.path.clear();
        self.notes.clear();
    }

    fn parse_object(
        &mut self,
        text: &str,
        columns: &mut Columns,
        raw: bool,
    ) -> serde_json::Result<()> {
        self.clear();
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let object = Object {
            line: self,
            columns,
            raw,
            depth: 0,
        };
        deserializer.deserialize_map(object)?;
        deserializer.end()?;
        self.empty_twins();
        Ok(())
    }

    /// Takes the values of a field that is named twice away; fields mostly come in one order, so that is checked first.
    fn empty_twins(&mut self) {
        if self.cells.is_sorted_by(|a, b| a.0 < b.0) {
            return;
        }
        let mut positions: Vec<usize> = self.cells.iter().map(|(position, _)| *position).collect();
        positions.sort_unstable();
        let pairs = positions.windows(2).filter(|pair| pair[0] == pair[1]);
        let mut twins: Vec<usize> = pairs.map(|pair| pair[0]).collect();
        twins.dedup();
        self.cells
            .retain(|(position, _)| twins.binary_search(position).is_err());
        self.notes
            .retain(|(position, _)| twins.binary_search(position).is_err());
        let notes = twins
            .into_iter()
            .map(|position| (position, "a field is named twice"));
        self.notes.extend(notes);
    }
}

/// Returns whether a line may hold a number of more digits than an `f64` has.
fn holds_long_number(line: &str) -> bool {
    let mut n = 0;
    line.bytes().any(|byte| {
        n = match byte {
            b'0' if n == 0 => 0,
            b'0'..=b'9' => n + 1,
            b'.' => n,
            _ => 0,
        };
        n > DIGITS
    })
}

/// Counts the digits that a number's text needs, without zeros around them; 0 when it is no number.
fn significant_digits(text: &str) -> usize {
    if !text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) {
        return 0;
    }
    let mantissa = text.split(['e', 'E']).next().unwrap_or_default();
    let digits: String = mantissa.chars().filter(char::is_ascii_digit).collect();
    digits.trim_matches('0').len()
}

/// Visits an object and everything inside it; `raw` looks at the text of each value first.
struct Object<'a> {
    line: &'a mut Line,
    columns: &'a mut Columns,
    raw: bool,
    depth: usize,
}

impl<'de> Visitor<'de> for Object<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        if self.depth > MAX_DEPTH {
            return Err(de::Error::custom("objects lie too deep in each other"));
        }
        let prefix = self.line.path.len();
        while map.next_key_seed(Key(&mut self.line.path))?.is_some() {
            map.next_value_seed(Cell(Object {
                line: &mut *self.line,
                columns: &mut *self.columns,
                raw: self.raw,
                depth: self.depth,
            }))?;
            self.line.path.truncate(prefix);
        }
        Ok(())
    }
}

/// Appends a key to the dotted path.
struct Key<'a>(&'a mut String);

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_str<E: de::Error>(self, name: &str) -> Result<(), E> {
        if !self.0.is_empty() {
            self.0.push('.');
        }
        self.0.push_str(name.trim());
        Ok(())
    }
}

/// Reads the value at the path.
struct Cell<'a>(Object<'a>);

impl<'de> DeserializeSeed<'de> for Cell<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(mut self, deserializer: D) -> Result<(), D::Error> {
        if !self.0.raw {
            return deserializer.deserialize_any(self);
        }
        let text = <&RawValue>::deserialize(deserializer)?.get();
        if text.starts_with('[') {
            let at = self.0.keep_text(text);
            self.0.line.notes.push((at, ARRAY));
            return Ok(());
        }
        if significant_digits(text) > DIGITS {
            self.0.keep_text(text);
            return Ok(());
        }
        let result = serde_json::Deserializer::from_str(text).deserialize_any(Cell(Object {
            line: &mut *self.0.line,
            columns: &mut *self.0.columns,
            ..self.0
        }));
        match result {
            Err(_) if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                self.0.keep_text(text);
                Ok(())
            }
            other => other.map_err(de::Error::custom),
        }
    }
}

impl Object<'_> {
    fn keep(&mut self, held: Held) -> usize {
        let expected = self.line.cells.len();
        let position = self.columns.position(&self.line.path, expected);
        self.line.cells.push((position, held));
        position
    }

    fn keep_text(&mut self, text: &str) -> usize {
        let start = self.line.text.len();
        self.line.text.push_str(text);
        self.keep(Held::Text(start..start + text.len()))
    }
}

impl<'de> Visitor<'de> for Cell<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text, true, false, null or an object of these")
    }

    fn visit_unit<E: de::Error>(mut self) -> Result<(), E> {
        self.0.keep(Held::Null);
        Ok(())
    }

    fn visit_bool<E: de::Error>(mut self, truth: bool) -> Result<(), E> {
        self.0.keep_text(if truth { "true" } else { "false" });
        Ok(())
    }

    fn visit_f64<E: de::Error>(mut self, number: f64) -> Result<(), E> {
        self.0.keep(Held::Number(number));
        Ok(())
    }

    fn visit_i64<E: de::Error>(mut self, number: i64) -> Result<(), E> {
        if number.unsigned_abs() > EXACT {
            self.0.keep_text(&number.to_string());
        } else {
            self.0.keep(Held::Number(number as f64));
        }
        Ok(())
    }

    fn visit_u64<E: de::Error>(mut self, number: u64) -> Result<(), E> {
        if number > EXACT {
            self.0.keep_text(&number.to_string());
        } else {
            self.0.keep(Held::Number(number as f64));
        }
        Ok(())
    }

    fn visit_str<E: de::Error>(mut self, text: &str) -> Result<(), E> {
        self.0.keep_text(text);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, _: A) -> Result<(), A::Error> {
        Err(de::Error::custom(ARRAY))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.0.columns.see_object(&self.0.line.path);
        Object {
            depth: self.0.depth + 1,
            ..self.0
        }
        .visit_map(map)
    }
}
