use super::*;

#[test]
fn control_characters_are_escaped_and_all_others_kept() {
    assert_eq!(printable("naïve `x` 7 \u{2014}"), "naïve `x` 7 \u{2014}");
    assert_eq!(printable("a\u{1b}[2J\nb\u{9b}"), "a\\u{1b}[2J\\nb\\u{9b}");
}
