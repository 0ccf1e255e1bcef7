//! Objects of a request, member by member, so that everything that is wrong with them is found.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize,
    de::{Deserializer, MapAccess, Visitor},
};
use serde_json::value::RawValue;

use super::{literals, name_in_path};
use crate::problem::Faults;

/// An object whose members have not been looked into yet.
pub struct Object<'a> {
    path: String,
    members: Members<'a>,
}

impl<'a> Object<'a> {
    /// Reads an object that stands at a path; notes members of other names than these, and those given twice.
    pub fn read(
        value: &'a RawValue,
        path: impl Into<String>,
        names: &[&str],
        faults: &mut Faults,
    ) -> Option<Self> {
        let path = path.into();
        if !value.get().starts_with('{') {
            faults.note(|| {
                let (shown, names) = (shown(value), listed(names));
                (path, format!("`{shown}` is not an object: give {names}"))
            });
            return None;
        }
        let object = Self::read_any(value, path, "an object", faults)?;
        let mut seen = vec![false; names.len()];
        for (name, _) in &object.members.0 {
            match names.iter().position(|known| known == name) {
                None => faults.note(|| {
                    let problem = format!("unknown: give {}", listed(names));
                    (object.path_of(name), problem)
                }),
                Some(at) if seen[at] => faults.push(|| object.path_of(name), "given twice"),
                Some(at) => seen[at] = true,
            }
        }
        Some(object)
    }

    /// Reads an object whose members may have any names.
    pub fn read_any(
        value: &'a RawValue,
        path: impl Into<String>,
        what: &str,
        faults: &mut Faults,
    ) -> Option<Self> {
        let path = path.into();
        let members: Members<'a> = read_as(value, || path.clone(), what, faults)?;
        if members.1 > 0 {
            let n = members.0.len() + members.1;
            let problem = format!("an object of {n} members, at most {MOST_MEMBERS} are read");
            faults.push(|| path.clone(), problem);
        }
        Some(Self { path, members })
    }

    /// Returns all names with their values.
    pub fn members(&self) -> &[(Cow<'a, str>, &'a RawValue)] {
        &self.members.0
    }

    /// Returns a member; one that is `null` is not there.
    pub fn member(&self, name: &str) -> Option<&'a RawValue> {
        let mut members = self.members.0.iter();
        let (_, value) = members.find(|(given, value)| given == name && value.get() != "null")?;
        Some(value)
    }

    /// Reads a member that may be left out; `what` says what it should be.
    pub fn get<T: Deserialize<'a>>(
        &self,
        name: &str,
        what: &str,
        faults: &mut Faults,
    ) -> Option<T> {
        read_as(self.member(name)?, || self.path_of(name), what, faults)
    }

    /// Reads a member that must be there.
    pub fn need<T: Deserialize<'a>>(
        &self,
        name: &str,
        what: &str,
        faults: &mut Faults,
    ) -> Option<T> {
        if self.member(name).is_none() {
            faults.push(|| self.path_of(name), format!("missing: give {what}"));
        }
        self.get(name, what, faults)
    }

    /// Returns where a member stands.
    pub fn path_of(&self, name: &str) -> String {
        let name = name_in_path(name);
        if self.path.is_empty() {
            return name;
        }
        format!("{}.{name}", self.path)
    }
}

/// Reads what stands at a path; `what` says what it should be.
pub fn read_as<'a, T: Deserialize<'a>>(
    value: &'a RawValue,
    path: impl FnOnce() -> String,
    what: &str,
    faults: &mut Faults,
) -> Option<T> {
    match serde_json::from_str(value.get()) {
        Ok(read) => Some(read),
        // It is known to be JSON, which may write such a text all the same.
        Err(error) if !error.is_data() && value.get().starts_with(['"', '[', '{']) => {
            faults.push(path, "a text has half of a pair of surrogates");
            None
        }
        Err(_) => {
            faults.note(|| (path(), format!("`{}` is not {what}", shown(value))));
            None
        }
    }
}

fn listed(names: &[&str]) -> String {
    let names: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    names.join(", ")
}

/// Shows a value in a few words.
fn shown(value: &RawValue) -> String {
    let text = value.get();
    match text.as_bytes().first() {
        Some(b'[') => "a list".to_owned(),
        Some(b'{') => "an object".to_owned(),
        Some(b'"') => literals::shown(text.trim_matches('"')),
        _ => name_in_path(text),
    }
}

/// Members of an object, or names of a list, at most: each takes many times its text once it is read.
pub const MOST_MEMBERS: usize = 1 << 16;

/// Names and values in the order of the text, and how many more of them there are.
struct Members<'a>(Vec<(Cow<'a, str>, &'a RawValue)>, usize);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(AnyMembers)
    }
}

struct AnyMembers;

impl<'de> Visitor<'de> for AnyMembers {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members<'de>, A::Error> {
        let mut members = Vec::new();
        let mut left_out = 0;
        while let Some(member) = map.next_entry::<Cow<'de, str>, &'de RawValue>()? {
            match members.len() {
                MOST_MEMBERS => left_out += 1,
                _ => members.push(member),
            }
        }
        Ok(Members(members, left_out))
    }
}
