//! A directory as DVC hashes it: the MD5 of a list of its files, by the bytes that Python writes.

use crate::Md5;

/// A file of a directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its path within the directory, with `/` between names.
    pub relpath: String,
    /// The MD5 of its content.
    pub md5: Md5,
    /// Bytes.
    pub size: u64,
    /// Whether its owner may execute it; DVC forgets it of files in directories.
    pub is_executable: bool,
}

/// Returns the object that stands for a directory: what `json.dumps(…, sort_keys=True)` makes of its files, which
/// must be sorted by path. Empty directories and modes are not part of it.
pub(crate) fn to_bytes(entries: &[Entry]) -> Vec<u8> {
    let mut text = String::with_capacity(2 + entries.len() * 96);
    text.push('[');
    for (at, entry) in entries.iter().enumerate() {
        if at > 0 {
            text.push_str(", ");
        }
        text.push_str(&format!("{{\"md5\": \"{}\", \"relpath\": \"", entry.md5));
        escape(&entry.relpath, &mut text);
        text.push_str("\"}");
    }
    text.push(']');
    text.into_bytes()
}

/// Writes a text as Python does with `ensure_ascii`: printable ASCII as it is, anything else in UTF-16.
fn escape(text: &str, into: &mut String) {
    for character in text.chars() {
        match character {
            '"' => into.push_str("\\\""),
            '\\' => into.push_str("\\\\"),
            '\n' => into.push_str("\\n"),
            '\r' => into.push_str("\\r"),
            '\t' => into.push_str("\\t"),
            '\u{8}' => into.push_str("\\b"),
            '\u{c}' => into.push_str("\\f"),
            ' '..='~' => into.push(character),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    into.push_str(&format!("\\u{unit:04x}"));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests;
