//! Numbers that JSON does not know, but that clients write all the same.

use std::iter;

/// What stands for a number that JSON does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stand {
    /// It in quotes: so it gets to the cell it stands in, and is refused there with its place.
    Text,
    /// The same, but null for NaN: so clients with frames of pandas write what is missing.
    Missing,
}

/// Returns the text with NaN, infinite and too large numbers replaced; `None` when it has none.
///
/// Python's `json` writes `NaN` and `Infinity` where it should refuse.
pub fn replaced(json: &[u8], by: Stand) -> Option<Vec<u8>> {
    let mut repaired = Vec::with_capacity(json.len() + 16);
    let mut found = false;
    for token in tokens(json) {
        let replacement = replacement(token, by);
        found |= replacement.is_some();
        repaired.extend_from_slice(replacement.as_deref().unwrap_or(token));
    }
    found.then_some(repaired)
}

fn replacement(token: &[u8], by: Stand) -> Option<Vec<u8>> {
    match token {
        b"NaN" if by == Stand::Missing => Some(b"null".to_vec()),
        _ if is_no_json_number(token) => Some([b"\"", token, b"\""].concat()),
        _ => None,
    }
}

/// Returns the column that a place in what [`replaced`] has made of a text has there; all numbers begin with 1.
pub fn column_as_sent(
    sent: &[u8],
    known: &[u8],
    by: Stand,
    (line, column): (usize, usize),
) -> usize {
    let lines = known.split_inclusive(|byte| *byte == b'\n');
    let start: usize = lines.take(line.saturating_sub(1)).map(<[u8]>::len).sum();
    let end = start + column.saturating_sub(1);
    let in_line = added_before(sent, by, end) - added_before(sent, by, start);
    column.saturating_sub(in_line)
}

/// Returns how many bytes [`replaced`] has added before one of those that it gave.
fn added_before(json: &[u8], by: Stand, byte: usize) -> usize {
    let (mut end, mut added) = (0, 0);
    for token in tokens(json) {
        let n = replacement(token, by).map_or(token.len(), |bytes| bytes.len());
        end += n;
        if end > byte {
            break;
        }
        added += n - token.len();
    }
    added
}

/// Splits a text into strings, numbers and words, and what stands between them byte by byte.
fn tokens(json: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = json;
    iter::from_fn(move || {
        let n = match *rest.first()? {
            b'"' => string_length(rest),
            b'-' | b'0'..=b'9' | b'N' | b'I' => word_length(rest),
            _ => 1,
        };
        let (token, after) = rest.split_at(n);
        rest = after;
        Some(token)
    })
}

/// Characters of a text that are shown at most.
const SHOWN: usize = 60;
/// Characters of a name that a path has at most: columns have shorter ones, clients may send any.
const OF_NAME: usize = 300;

/// Shows a text of a request so that it is not taken for a number; what was a number is shown as it was written.
pub fn shown(text: &str) -> String {
    let start = cut(text, SHOWN);
    if is_no_json_number(text.as_bytes()) {
        return start;
    }
    format!("\"{start}\"")
}

/// Returns a name as a path has it.
pub fn name_in_path(name: &str) -> String {
    cut(name, OF_NAME)
}

fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text.to_owned(),
    }
}

fn is_no_json_number(token: &[u8]) -> bool {
    match token {
        b"NaN" | b"Infinity" | b"-Infinity" => true,
        [b'-' | b'0'..=b'9', ..] => std::str::from_utf8(token)
            .ok()
            .and_then(|text| text.parse::<f64>().ok())
            .is_some_and(f64::is_infinite),
        _ => false,
    }
}

/// Returns the length of the string that a text begins with, its quotes included.
fn string_length(text: &[u8]) -> usize {
    let mut escaped = false;
    for (at, byte) in text.iter().enumerate().skip(1) {
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = true,
            b'"' => return at + 1,
            _ => {}
        }
    }
    text.len()
}

/// Returns the length of the number or word that a text begins with.
fn word_length(text: &[u8]) -> usize {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || b"+-.".contains(byte);
    text.iter().take_while(|byte| is_part(byte)).count().max(1)
}
