//! One JSON record: names to columns, values to cells.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::{Rows, Value, shown};
use crate::detector::{Detector, Field};

/// Reads a record as the next row.
pub struct Record<'r, 'd>(pub &'r mut Rows<'d>);

impl<'de> DeserializeSeed<'de> for Record<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl Record<'_, '_> {
    fn refuse<E: Error>(self, shown: &str) -> Result<(), E> {
        if self.0.no_record(shown) {
            return Err(E::custom("too many records"));
        }
        Ok(())
    }
}

impl<'de> Visitor<'de> for Record<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a record: an object of values by column name")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self(rows) = self;
        if rows.start() {
            return Err(A::Error::custom("too many records"));
        }
        let mut expected = 0;
        loop {
            let key = Key {
                detector: rows.detector,
                expected,
            };
            match map.next_key_seed(key)? {
                None => break,
                Some(Name::Known(Field::Feature(column))) => {
                    map.next_value_seed(Cell { rows, column })?;
                    expected = column + 1;
                }
                Some(Name::Known(Field::PassedOver)) => drop(map.next_value::<IgnoredAny>()?),
                Some(Name::Unknown(name)) => {
                    map.next_value::<IgnoredAny>()?;
                    rows.unknown(&name);
                }
            }
        }
        rows.end();
        Ok(())
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.refuse("null")
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<(), E> {
        self.refuse(if truth { "true" } else { "false" })
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.refuse(&dataset::format_number(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.refuse(&number.to_string())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.refuse(&number.to_string())
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.refuse(&shown(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        self.refuse("a list")
    }
}

/// What a name in a record is.
enum Name {
    Known(Field),
    Unknown(String),
}

struct Key<'d> {
    detector: &'d Detector,
    expected: usize,
}

impl<'de> DeserializeSeed<'de> for Key<'_> {
    type Value = Name;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Name, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl Visitor<'_> for Key<'_> {
    type Value = Name;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a column name")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Name, E> {
        Ok(match self.detector.field(name, self.expected) {
            Some(field) => Name::Known(field),
            None => Name::Unknown(name.to_owned()),
        })
    }
}

/// Reads a value as a cell of the row.
struct Cell<'r, 'd> {
    rows: &'r mut Rows<'d>,
    column: usize,
}

impl Cell<'_, '_> {
    fn set<E>(self, value: Value<'_>) -> Result<(), E> {
        self.rows.set(self.column, value);
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Cell<'_, '_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Cell<'_, '_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text, true, false or null")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.set(Value::Null)
    }

    fn visit_bool<E: Error>(self, truth: bool) -> Result<(), E> {
        self.set(Value::Truth(truth))
    }

    fn visit_f64<E: Error>(self, number: f64) -> Result<(), E> {
        self.set(Value::Number(number))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<(), E> {
        self.set(Value::Number(number as f64))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<(), E> {
        self.set(Value::Number(number as f64))
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<(), E> {
        self.set(Value::Text(text))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        // However deep it goes, it is passed over without recursion.
        while list.next_element::<IgnoredAny>()?.is_some() {}
        self.set(Value::Other("a list"))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        self.set(Value::Other("an object"))
    }
}
