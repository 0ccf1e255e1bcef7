//! Takes one line apart.

use std::fmt;

use dataset::{FieldColumns, MAX_EXACT_INTEGER, RecordCells, Scalar};
use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, MapAccess, SeqAccess, Visitor},
};
use serde_json::value::RawValue;

/// The line last parsed; its allocations are used again for the next.
#[derive(Default)]
pub(super) struct Line {
    cells: RecordCells,
    path: String,
}

/// Objects inside objects at most.
const MAX_DEPTH: usize = 64;
/// Digits that tell every `f64` from every other.
const DIGITS: usize = 17;
const ARRAY: &str = "an array, not a single value";

impl Line {
    /// Parses a line; on an error its reason is given, and of the cells before it those are kept whose
    /// names were known.
    pub(super) fn parse(
        &mut self,
        line: &[u8],
        columns: &mut FieldColumns,
    ) -> Result<&mut RecordCells, String> {
        let n_names = columns.len();
        self.cells.clear();
        let text = std::str::from_utf8(line).map_err(|_| "not UTF-8".to_owned())?;
        // With its end the line would count as two in the parser's errors.
        let text = text.trim_end();
        let parsed = self
            .parse_object(text, columns, holds_long_number(text))
            .or_else(|error| {
                // The parser refuses 1e999 and gives no text of arrays; another pass keeps the text.
                let reason = error.to_string();
                if reason.starts_with("number out of range") || reason.starts_with(ARRAY) {
                    self.cells.truncate(columns, n_names);
                    self.parse_object(text, columns, true)
                } else {
                    Err(error)
                }
            });
        match parsed {
            Ok(()) => Ok(&mut self.cells),
            Err(error) => {
                self.cells.truncate(columns, n_names);
                Err(error.to_string().replace(" at line 1 column ", ", byte "))
            }
        }
    }

    /// Returns the cells of the line last parsed.
    pub(super) fn cells(&mut self) -> &mut RecordCells {
        &mut self.cells
    }

    fn parse_object(
        &mut self,
        text: &str,
        columns: &mut FieldColumns,
        raw: bool,
    ) -> serde_json::Result<()> {
        self.cells.clear();
        self.path.clear();
        let mut deserializer = serde_json::Deserializer::from_str(text);
        let object = Object {
            line: self,
            columns,
            raw,
            depth: 0,
        };
        deserializer.deserialize_map(object)?;
        deserializer.end()
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
    columns: &'a mut FieldColumns,
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
            self.0.keep(Scalar::Text(text));
            self.0.line.cells.note(ARRAY);
            return Ok(());
        }
        if significant_digits(text) > DIGITS {
            self.0.keep(Scalar::Text(text));
            return Ok(());
        }
        let result = serde_json::Deserializer::from_str(text).deserialize_any(Cell(Object {
            line: &mut *self.0.line,
            columns: &mut *self.0.columns,
            ..self.0
        }));
        match result {
            Err(_) if text.starts_with(|c: char| c == '-' || c.is_ascii_digit()) => {
                self.0.keep(Scalar::Text(text));
                Ok(())
            }
            other => other.map_err(de::Error::custom),
        }
    }
}

impl Object<'_> {
    fn keep(&mut self, cell: Scalar<'_>) {
        let Line { cells, path } = &mut *self.line;
        cells.push(self.columns, path, cell);
    }
}

impl<'de> Visitor<'de> for Cell<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text, true, false, null or an object of these")
    }

    fn visit_unit<E: de::Error>(mut self) -> Result<(), E> {
        self.0.keep(Scalar::Null);
        Ok(())
    }

    fn visit_bool<E: de::Error>(mut self, truth: bool) -> Result<(), E> {
        self.0
            .keep(Scalar::Text(if truth { "true" } else { "false" }));
        Ok(())
    }

    fn visit_f64<E: de::Error>(mut self, number: f64) -> Result<(), E> {
        self.0.keep(Scalar::Number(number));
        Ok(())
    }

    fn visit_i64<E: de::Error>(mut self, number: i64) -> Result<(), E> {
        if number.unsigned_abs() > MAX_EXACT_INTEGER {
            self.0.keep(Scalar::Text(&number.to_string()));
        } else {
            self.0.keep(Scalar::Number(number as f64));
        }
        Ok(())
    }

    fn visit_u64<E: de::Error>(mut self, number: u64) -> Result<(), E> {
        if number > MAX_EXACT_INTEGER {
            self.0.keep(Scalar::Text(&number.to_string()));
        } else {
            self.0.keep(Scalar::Number(number as f64));
        }
        Ok(())
    }

    fn visit_str<E: de::Error>(mut self, text: &str) -> Result<(), E> {
        self.0.keep(Scalar::Text(text));
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
