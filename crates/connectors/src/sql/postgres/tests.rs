use super::*;

fn check(cell: &str, expected: &str) {
    assert_eq!(plain(cell), expected);
}

#[test]
fn escapes_of_copy_are_undone() {
    check("a\\tb\\nc\\\\d", "a\tb\nc\\d");
    check("\\b\\f\\r\\v", "\u{8}\u{c}\r\u{b}");
    check("ä\\\\N", "ä\\N");
}

#[test]
fn moments_are_iso_8601() {
    assert_eq!(iso("2026-02-03 04:05:06.7+00"), "2026-02-03T04:05:06.7Z");
    assert_eq!(iso("2026-02-03 04:05:06"), "2026-02-03T04:05:06");
    assert_eq!(iso("infinity"), "infinity");
}
