//! Texts for people: what data holds must not reach a terminal as commands to it, nor as what nobody sees.

use std::{borrow::Cow, ops::RangeInclusive};

/// The characters of Unicode's category Cf, format, some of which reorder or join what stands around them, those that
/// separate lines and paragraphs (Zl, Zp), and those that are shown by nothing at all, letters among them
/// (Default_Ignorable_Code_Point); from `UnicodeData.txt` and `DerivedCoreProperties.txt` of version 16.
const INVISIBLE: [RangeInclusive<char>; 25] = [
    '\u{ad}'..='\u{ad}',
    '\u{34f}'..='\u{34f}',
    '\u{600}'..='\u{605}',
    '\u{61c}'..='\u{61c}',
    '\u{6dd}'..='\u{6dd}',
    '\u{70f}'..='\u{70f}',
    '\u{890}'..='\u{891}',
    '\u{8e2}'..='\u{8e2}',
    '\u{115f}'..='\u{1160}',
    '\u{17b4}'..='\u{17b5}',
    '\u{180b}'..='\u{180f}',
    '\u{200b}'..='\u{200f}',
    '\u{2028}'..='\u{202e}',
    '\u{2060}'..='\u{206f}',
    '\u{3164}'..='\u{3164}',
    '\u{fe00}'..='\u{fe0f}',
    '\u{feff}'..='\u{feff}',
    '\u{ffa0}'..='\u{ffa0}',
    '\u{fff0}'..='\u{fffb}',
    '\u{110bd}'..='\u{110bd}',
    '\u{110cd}'..='\u{110cd}',
    '\u{13430}'..='\u{1343f}',
    '\u{1bca0}'..='\u{1bca3}',
    '\u{1d173}'..='\u{1d17a}',
    '\u{e0000}'..='\u{e0fff}',
];

/// Returns a text with control and invisible characters escaped, line ends among them: `\u{1b}[2J`.
pub fn printable(text: &str) -> Cow<'_, str> {
    if !text.contains(is_escaped) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for c in text.chars() {
        match is_escaped(c) {
            true => shown.extend(c.escape_default()),
            false => shown.push(c),
        }
    }
    Cow::Owned(shown)
}

/// Returns a text as one word of a shell's command, printable: a name that is anybody's must not become more than that.
pub fn shell_word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c);
    let shown = printable(text);
    match !shown.is_empty() && shown.chars().all(is_plain) {
        true => shown.into_owned(),
        false => format!("'{}'", shown.replace('\'', "'\\''")),
    }
}

fn is_escaped(c: char) -> bool {
    let is_invisible = || INVISIBLE.iter().any(|range| range.contains(&c));
    c.is_control() || (!c.is_ascii() && is_invisible())
}

#[cfg(test)]
mod tests;
