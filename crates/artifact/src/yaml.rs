//! YAML in and out; the only file that names `serde_yaml`.

use serde::{Serialize, de::DeserializeOwned};

/// A YAML document of any shape.
pub type Value = serde_yaml::Value;

/// Parses a document, with the nearest known key in the message when a key is unknown.
///
/// # Errors
/// A sentence with line and column where the parser knows them.
pub fn parse<T: DeserializeOwned>(text: &str) -> Result<T, String> {
    check_depth(text)?;
    serde_yaml::from_str(text).map_err(|e| suggest(&e.to_string()))
}

/// Brackets open at a time at most; quoted ones and those in comments count too.
const MAX_DEPTH: usize = 1000;

/// Refuses what nests so deep that the parser, whose time grows with the square of it, would not end.
fn check_depth(text: &str) -> Result<(), String> {
    let mut depth = 0usize;
    for (line, bytes) in text.lines().enumerate() {
        for byte in bytes.bytes() {
            match byte {
                b'[' | b'{' => depth += 1,
                b']' | b'}' => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        if depth > MAX_DEPTH {
            let line = line + 1;
            return Err(format!(
                "more than {MAX_DEPTH} brackets are open in line {line}"
            ));
        }
    }
    Ok(())
}

/// Turns a document into a typed value.
///
/// # Errors
/// As [`parse`], without line and column.
pub fn from_value<T: DeserializeOwned>(value: Value) -> Result<T, String> {
    serde_yaml::from_value(value).map_err(|e| suggest(&e.to_string()))
}

/// Turns a typed value into a document.
///
/// # Errors
/// When the value has no YAML form.
pub fn to_value<T: Serialize>(value: &T) -> Result<Value, String> {
    serde_yaml::to_value(value).map_err(|e| e.to_string())
}

/// Writes a value as a document.
///
/// # Errors
/// When the value has no YAML form.
pub fn to_text<T: Serialize>(value: &T) -> Result<String, String> {
    serde_yaml::to_string(value).map_err(|e| e.to_string())
}

/// Sets `path.to.key` in a document to a YAML scalar or flow value, making maps on the way.
///
/// # Errors
/// When a key on the way is not a map, or when `text` is not YAML.
pub fn set(document: &mut Value, path: &str, text: &str) -> Result<(), String> {
    let value: Value = parse(text)?;
    let mut place = document;
    for key in path.split('.') {
        if place.is_null() {
            *place = Value::Mapping(Default::default());
        }
        place = match place {
            Value::Mapping(map) => map
                .entry(Value::String(key.to_owned()))
                .or_insert(Value::Null),
            Value::Sequence(items) => {
                let n = items.len();
                key.parse::<usize>()
                    .ok()
                    .and_then(|i| items.get_mut(i))
                    .ok_or_else(|| format!("`{key}` in `{path}` is not one of {n} items"))?
            }
            _ => return Err(format!("`{key}` in `{path}` lies inside a plain value")),
        };
    }
    *place = value;
    Ok(())
}

/// Lays `over` upon `base`: maps are merged key by key, anything else is replaced.
pub fn merge(base: &mut Value, over: Value) {
    match (base, over) {
        (Value::Mapping(base), Value::Mapping(over)) => {
            for (key, value) in over {
                merge(base.entry(key).or_insert(Value::Null), value);
            }
        }
        (_, Value::Null) => {}
        (base, over) => *base = over,
    }
}

/// Returns the candidate nearest to a word, when it is near enough to be a slip of the hand.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .into_iter()
        .map(|c| (strsim::damerau_levenshtein(word, c), c))
        .filter(|(distance, c)| *distance <= 1 + c.len() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, c)| c)
}

/// Adds `did you mean` to serde's message about an unknown field or variant.
pub fn suggest(message: &str) -> String {
    let quoted: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match quoted.split_first() {
        Some((unknown, known)) if message.contains("unknown ") => {
            match nearest(unknown, known.iter().copied()) {
                Some(near) => format!("{message}; did you mean `{near}`?"),
                None => message.to_owned(),
            }
        }
        _ => message.to_owned(),
    }
}
