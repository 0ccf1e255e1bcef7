use super::*;

#[test]
fn control_characters_are_escaped_and_all_others_kept() {
    assert_eq!(printable("naïve `x` 7 \u{2014}"), "naïve `x` 7 \u{2014}");
    assert_eq!(printable("a\u{1b}[2J\nb\u{9b}"), "a\\u{1b}[2J\\nb\\u{9b}");
}

#[test]
fn what_reorders_a_line_hides_in_it_or_breaks_it_is_escaped() {
    for c in [
        '\u{ad}',
        '\u{34f}',
        '\u{115f}',
        '\u{3164}',
        '\u{fe0f}',
        '\u{ffa0}',
        '\u{2065}',
        '\u{e01ef}',
        '\u{61c}',
        '\u{200b}',
        '\u{200f}',
        '\u{2028}',
        '\u{2029}',
        '\u{202e}',
        '\u{2060}',
        '\u{2066}',
        '\u{206f}',
        '\u{feff}',
        '\u{fff9}',
        '\u{1d173}',
        '\u{e0001}',
        '\u{e007f}',
    ] {
        let escaped = format!("a\\u{{{:x}}}b", c as u32);
        assert_eq!(printable(&format!("a{c}b")), escaped);
    }
    let kept = "\u{a0}\u{2010}\u{2027}\u{202f}\u{2030}\u{2070}\u{301}日本語 العربية 🙂";
    assert_eq!(printable(kept), kept);
}

#[test]
fn a_word_of_a_command_is_one_word_and_no_command_itself() {
    for plain in ["20260203T101112Z-1f9c04ab", "a/b.json", "s3://bucket/runs"] {
        assert_eq!(shell_word(plain), plain);
    }
    assert_eq!(shell_word(""), "''");
    assert_eq!(shell_word("$(id) `x` it's"), "'$(id) `x` it'\\''s'");
    assert_eq!(shell_word("a\u{1b}b"), "'a\\u{1b}b'");
}
