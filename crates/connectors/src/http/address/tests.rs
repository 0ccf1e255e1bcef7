use super::*;

fn check(uri: &str, expected: &str) {
    let found = match Address::parse(&SourceUri::new(uri)) {
        Ok(a) => format!(
            "{} {:?} {:?} {:?} {:?} {:?}",
            a.url,
            a.login,
            a.format,
            a.records.map(|p| p.0),
            a.paging,
            a.pause
        ),
        Err(error) => error.to_string(),
    };
    assert!(found.contains(expected), "{expected}\nin {found}");
    assert!(!found.contains("s3cr"), "{found}");
}

#[test]
fn what_stands_behind_the_hash_is_ours_and_the_rest_the_servers() {
    check(
        "https://h.example/a/b.csv?x=1&format=2#format=tsv",
        "https://h.example/a/b.csv?x=1&format=2 None Some(\"tsv\") None Whole 0ns",
    );
    check(
        "http://u:p%40@h.example:8080/x",
        "http://h.example:8080/x Some((\"u\", \"p@\"))",
    );
    check("https://h.example/x#rate=4", "Whole 250ms");
}

#[test]
fn pages_follow_by_what_is_named() {
    check(
        "https://h.example/x#records=/data/a~1b&paging=link",
        "Some([\"data\", \"a/b\"]) Link",
    );
    check(
        "https://h.example/x#paging=cursor&cursor=/meta/next&parameter=after",
        "Cursor { at: Pointer([\"meta\", \"next\"]), parameter: Some(\"after\") }",
    );
    check(
        "https://h.example/x#paging=page&first=0",
        "Page { parameter: \"page\", first: 0 }",
    );
    check(
        "https://h.example/x#paging=offset&parameter=skip",
        "Offset { parameter: \"skip\" }",
    );
}

#[test]
fn what_is_not_understood_is_named() {
    for (uri, expected) in [
        ("https://h.example/x#sha=1", "`sha` is not known behind `#`"),
        ("https://h.example/x#records=data", "write records=/data"),
        ("https://h.example/x#paging=pages", "known are link"),
        ("https://h.example/x#paging=cursor", "cursor=/meta/next"),
        ("https://h.example/x#cursor=/n", "needs `paging=cursor`"),
        ("https://h.example/x#first=0", "needs `paging=page`"),
        ("https://h.example/x#parameter=p", "needs `paging`"),
        ("https://h.example/x#rate=0", "rate=0 is no number"),
        ("https://h.example/x#time_limit=0", "from 1"),
        ("https://h.example/x#sha256=12", "no SHA-256"),
        (
            "https://h.example/x#member=a&paging=link",
            "`member` is of one file",
        ),
        ("https://u:s3cr%FFet@h.example/x", "its login is not UTF-8"),
        (
            "https://h.example/x#time_limit=18446744073709551615",
            "from 1",
        ),
        (
            "https://h.example/x#paging=page&first=4294967296",
            "no whole number",
        ),
    ] {
        check(uri, expected);
    }
}
