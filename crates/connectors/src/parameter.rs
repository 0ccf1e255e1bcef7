//! Values of an address's parameters.

use percent_encoding::percent_decode_str;

pub(crate) fn decode(text: &str) -> Result<String, String> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded
        .map(Into::into)
        .map_err(|_| format!("`{text}` is not UTF-8 behind its percent signs"))
}

pub(crate) fn positive(name: &str, text: &str) -> Result<u32, String> {
    let number = text.parse().ok().filter(|n| *n > 0);
    number.ok_or_else(|| format!("{name}={text} is not a whole number from 1"))
}
