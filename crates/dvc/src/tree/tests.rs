#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use super::*;

/// Checks a directory's object and its name; both are those of DVC 3.67.
fn check(files: &[(&str, &str)], bytes: &str, md5: &str) {
    let entry = |(relpath, content): &(&str, &str)| Entry {
        relpath: (*relpath).to_owned(),
        md5: Md5::of(content.as_bytes()),
        size: content.len() as u64,
        is_executable: false,
    };
    let written = to_bytes(&files.iter().map(entry).collect::<Vec<_>>());
    assert_eq!(std::str::from_utf8(&written).unwrap(), bytes);
    assert_eq!(Md5::of(&written).to_string(), md5);
}

#[test]
fn an_empty_directory_is_an_empty_list() {
    check(&[], "[]", "d751713988987e9331980363e24189ce");
}

#[test]
fn names_beyond_ascii_are_written_as_python_writes_them() {
    check(
        &[
            ("a", "a\n"),
            ("link", "a\n"),
            ("sub/b", "b\n"),
            ("sub/deep/c", "c\n"),
            ("x.y/😀", "e\n"),
            ("zero", ""),
            ("ü/naïve €.txt", "ü\n"),
        ],
        "[{\"md5\": \"60b725f10c9c85c70d97880dfe8191b3\", \"relpath\": \"a\"}, \
         {\"md5\": \"60b725f10c9c85c70d97880dfe8191b3\", \"relpath\": \"link\"}, \
         {\"md5\": \"3b5d5c3712955042212316173ccf37be\", \"relpath\": \"sub/b\"}, \
         {\"md5\": \"2cd6ee2c70b0bde53fbe6cac3c8b8bb1\", \"relpath\": \"sub/deep/c\"}, \
         {\"md5\": \"9ffbf43126e33be52cd2bf7e01d627f9\", \"relpath\": \"x.y/\\ud83d\\ude00\"}, \
         {\"md5\": \"d41d8cd98f00b204e9800998ecf8427e\", \"relpath\": \"zero\"}, \
         {\"md5\": \"b1308e45d7501076cd34ebb17d843a9b\", \"relpath\": \"\\u00fc/na\\u00efve \\u20ac.txt\"}]",
        "8fa12a61ea2db990b20af71441fb5d31",
    );
}

#[test]
fn what_json_must_escape_is_escaped() {
    let mut text = String::new();
    escape("q\"b\\n\nt\tr\rb\u{8}f\u{c}e\u{1b}d\u{7f}", &mut text);
    assert_eq!(text, r#"q\"b\\n\nt\tr\rb\bf\fe\u001bd\u007f"#);
}
