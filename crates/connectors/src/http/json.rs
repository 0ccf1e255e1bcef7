//! Finds what stands at a JSON pointer of a document, which is never held as a whole.

use std::{
    cell::Cell,
    fmt,
    io::{self, Read},
};

use serde::{
    Deserialize, Deserializer,
    de::{self, DeserializeSeed, IgnoredAny, MapAccess, SeqAccess, Visitor},
};
use serde_json::{Value, value::RawValue};

use super::address::Pointer;

/// Bytes of one record at most, as of a line of JSON Lines.
const RECORD_BYTES: u64 = 16 << 20;
/// Bytes at most of what leads to the next page.
const VALUE_BYTES: u64 = 1 << 20;

/// Gives each element of the array at a pointer; returns how many there are.
pub(super) fn elements(
    document: impl Read,
    at: &Pointer,
    take: &mut dyn FnMut(&RawValue) -> Result<(), String>,
) -> Result<u64, String> {
    let (mut n, left) = (0, Cell::new(u64::MAX));
    let leaf = Elements {
        take,
        n: &mut n,
        left: &left,
    };
    match descend(Bounded::new(document, &left), at, leaf)? {
        true => Ok(n),
        false => Err(format!("it has nothing at {at}")),
    }
}

/// Returns the value at a pointer.
pub(super) fn value(document: impl Read, at: &Pointer) -> Result<Option<Value>, String> {
    let (mut found, left) = (None, Cell::new(u64::MAX));
    let leaf = Whole {
        found: &mut found,
        left: &left,
    };
    descend(Bounded::new(document, &left), at, leaf)?;
    Ok(found)
}

/// A document of which what is held as a whole has an end: `left` says how many bytes may still come.
struct Bounded<'a, R> {
    document: R,
    left: &'a Cell<u64>,
}

impl<'a, R: Read> Bounded<'a, R> {
    fn new(document: R, left: &'a Cell<u64>) -> Self {
        Self { document, left }
    }
}

impl<R: Read> Read for Bounded<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.document.read(buffer)?;
        let left = self.left.get().checked_sub(n as u64);
        let left = left.ok_or_else(|| {
            let reason = "a value is longer than records are: is there another array of records?";
            io::Error::new(io::ErrorKind::InvalidData, reason)
        })?;
        self.left.set(left);
        Ok(n)
    }
}

/// Returns the names of a document's own fields that hold arrays.
pub(super) fn arrays(document: impl Read) -> Vec<String> {
    let mut deserializer = serde_json::Deserializer::from_reader(document);
    deserializer.deserialize_any(Arrays).unwrap_or_default()
}

fn descend<'a, L>(document: impl Read, at: &'a Pointer, leaf: L) -> Result<bool, String>
where
    L: for<'de> DeserializeSeed<'de, Value = ()>,
{
    let mut leaf = Some(leaf);
    let mut deserializer = serde_json::Deserializer::from_reader(document);
    let seed = Descent {
        steps: &at.0,
        leaf: &mut leaf,
        is_array: &mut false,
    };
    let read = seed.deserialize(&mut deserializer);
    read.and_then(|()| deserializer.end())
        .map_err(|e| e.to_string())?;
    Ok(leaf.is_none())
}

/// Goes down the steps; what is beside them is passed over.
struct Descent<'a, L> {
    steps: &'a [String],
    leaf: &'a mut Option<L>,
    /// Whether an array was gone into last.
    is_array: &'a mut bool,
}

impl<'de, L: DeserializeSeed<'de, Value = ()>> DeserializeSeed<'de> for Descent<'_, L> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        match self.leaf.take_if(|_| self.steps.is_empty()) {
            Some(leaf) => leaf.deserialize(deserializer),
            None => deserializer.deserialize_any(self),
        }
    }
}

impl<'de, L: DeserializeSeed<'de, Value = ()>> Visitor<'de> for Descent<'_, L> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "a JSON document with something at {}",
            Pointer(self.steps.to_vec())
        )
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(name) = map.next_key::<String>()? {
            match self.steps.split_first() {
                Some((step, steps)) if *step == name => map.next_value_seed(Descent {
                    steps,
                    leaf: &mut *self.leaf,
                    is_array: &mut *self.is_array,
                })?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        *self.is_array = true;
        let step = self.steps.split_first();
        let wanted = step.and_then(|(step, steps)| Some((step.parse::<usize>().ok()?, steps)));
        for at in 0.. {
            let more = match wanted {
                Some((wanted, steps)) if wanted == at => array
                    .next_element_seed(Descent {
                        steps,
                        leaf: &mut *self.leaf,
                        is_array: &mut *self.is_array,
                    })?
                    .is_some(),
                _ => array.next_element::<IgnoredAny>()?.is_some(),
            };
            if !more {
                break;
            }
        }
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }
}

/// Takes an array element by element.
struct Elements<'a> {
    take: &'a mut dyn FnMut(&RawValue) -> Result<(), String>,
    n: &'a mut u64,
    left: &'a Cell<u64>,
}

impl<'de> DeserializeSeed<'de> for Elements<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_seq(self)
    }
}

impl<'de> Visitor<'de> for Elements<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an array of records")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<(), A::Error> {
        loop {
            self.left.set(RECORD_BYTES);
            let element = array.next_element::<Box<RawValue>>()?;
            self.left.set(u64::MAX);
            let Some(element) = element else {
                return Ok(());
            };
            (self.take)(&element).map_err(de::Error::custom)?;
            *self.n += 1;
        }
    }
}

/// Takes a value as it is.
struct Whole<'a> {
    found: &'a mut Option<Value>,
    left: &'a Cell<u64>,
}

impl<'de> DeserializeSeed<'de> for Whole<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        self.left.set(VALUE_BYTES);
        let found = Value::deserialize(deserializer);
        self.left.set(u64::MAX);
        *self.found = Some(found?);
        Ok(())
    }
}

struct Arrays;

impl<'de> Visitor<'de> for Arrays {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut names = Vec::new();
        while let Some((name, IsArray(is_array))) = map.next_entry()? {
            names.extend(is_array.then_some(name));
        }
        Ok(names)
    }
}

/// Whether a value is an array; its elements are passed over.
struct IsArray(bool);

impl<'de> Deserialize<'de> for IsArray {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut leaf = None::<Whole<'_>>;
        let mut is_array = false;
        deserializer.deserialize_any(Descent {
            steps: &[],
            leaf: &mut leaf,
            is_array: &mut is_array,
        })?;
        Ok(Self(is_array))
    }
}

impl fmt::Display for Pointer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("its top");
        }
        let step = |step: &String| format!("/{}", step.replace('~', "~0").replace('/', "~1"));
        f.write_str(&self.0.iter().map(step).collect::<String>())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: &str, at: &[&str], expected: &str) {
        let at = Pointer(at.iter().map(|step| (*step).to_owned()).collect());
        let mut found = Vec::new();
        let mut take = |element: &RawValue| {
            found.push(element.get().to_owned());
            Ok(())
        };
        let n = elements(document.as_bytes(), &at, &mut take);
        let shown = match n {
            Ok(n) => format!("{n}: {}", found.join(" ")),
            Err(reason) => reason,
        };
        assert!(shown.contains(expected), "{expected} in {shown}");
    }

    #[test]
    fn the_elements_at_a_pointer_are_given_as_they_are_written() {
        check("[{\"a\": 1.50}, 2]", &[], "2: {\"a\": 1.50} 2");
        check(
            "{\"x\":[9],\"d\":{\"r/s\":[1,[2]]},\"y\":{}}",
            &["d", "r/s"],
            "2: 1 [2]",
        );
        check("[[1],[{\"k\":[7,8]}]]", &["1", "0", "k"], "2: 7 8");
        check("{\"d\":[]}", &["d"], "0: ");
    }

    #[test]
    fn what_is_not_there_or_no_array_or_cut_short_is_said() {
        check("{\"d\":{\"e\":1}}", &["d", "r"], "nothing at /d/r");
        check("{\"d\":{\"e\":1}}", &["d", "e", "f"], "nothing at /d/e/f");
        check("{\"d\":1}", &["d"], "expected an array of records");
        check("{\"d\":[1,2", &["d"], "EOF");
        check("[1] x", &[], "trailing");
    }

    #[test]
    fn what_is_held_as_a_whole_has_an_end() {
        let long = "x".repeat(RECORD_BYTES as usize);
        // What is passed over may be as long as it likes.
        check(&format!("{{\"a\":\"{long}\",\"d\":[1]}}"), &["d"], "1: 1");
        let document = format!("{{\"d\":[1,{{\"a\":\"{long}\"}}]}}");
        check(&document, &["d"], "longer than records are");
        let at = Pointer(vec!["d".to_owned()]);
        let found = value(document.as_bytes(), &at).unwrap_err();
        assert!(found.contains("longer than records are"), "{found}");
        let next = format!("{{\"d\":\"c\",\"a\":\"{long}\"}}");
        assert_eq!(value(next.as_bytes(), &at).unwrap(), Some(Value::from("c")));
    }

    #[test]
    fn a_value_and_the_arrays_of_a_document_are_found() {
        let document = "{\"m\":{\"next\":\"c 1\"},\"a\":[1],\"b\":{},\"c\":[]}";
        let at = Pointer(vec!["m".to_owned(), "next".to_owned()]);
        let found = value(document.as_bytes(), &at).unwrap();
        assert_eq!(found, Some(Value::from("c 1")));
        assert_eq!(
            value(document.as_bytes(), &Pointer(vec!["q".to_owned()])).unwrap(),
            None
        );
        assert_eq!(arrays(document.as_bytes()), ["a", "c"]);
        assert!(arrays(&b"[1]"[..]).is_empty());
    }
}
