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
