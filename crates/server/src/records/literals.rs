//! Numbers that JSON does not know, but that clients write all the same.

/// Returns the text with NaN, infinite and too large numbers in quotes; `None` when it has none.
///
/// Python's `json` writes `NaN` and `Infinity` where it should refuse. As texts they get to the cell
/// they stand in, and are refused there with their place.
pub fn as_texts(json: &[u8]) -> Option<Vec<u8>> {
    let mut repaired = Vec::with_capacity(json.len() + 16);
    let mut rest = json;
    let mut found = false;
    while let Some((&first, after)) = rest.split_first() {
        let n = match first {
            b'"' => string_length(rest),
            b'-' | b'0'..=b'9' | b'N' | b'I' => word_length(rest),
            _ => 1,
        };
        let (token, after) = if n == 1 {
            (&rest[..1], after)
        } else {
            rest.split_at(n)
        };
        if is_no_json_number(token) {
            found = true;
            repaired.push(b'"');
            repaired.extend_from_slice(token);
            repaired.push(b'"');
        } else {
            repaired.extend_from_slice(token);
        }
        rest = after;
    }
    found.then_some(repaired)
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
