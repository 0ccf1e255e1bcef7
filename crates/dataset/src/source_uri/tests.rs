use std::path::PathBuf;

use super::*;

fn check(uri: &str, shown: &str) {
    let source = SourceUri::new(uri);
    assert_eq!(source.to_string(), shown, "{uri}");
    assert_eq!(format!("{source:?}"), format!("SourceUri({shown})"));
    let again = SourceUri::new(shown);
    assert_eq!(again.to_string(), shown, "masking twice changes nothing");
    assert_eq!(again.lacks_secrets(), uri != shown, "{uri}");
    assert_eq!(again.with_secrets().is_err(), uri != shown, "{uri}");
    assert_eq!(source.with_secrets().unwrap(), uri);
}

#[test]
fn a_password_is_masked_wherever_it_stands() {
    check(
        "mongodb+srv://u:p%40@h/d?c=x",
        "mongodb+srv://u:***@h/d?c=x",
    );
    check(
        "mongodb+srv://me:s3@cret@host/db",
        "mongodb+srv://me:***@host/db",
    );
    check("postgres://u:p/w@h/d", "postgres://u:***@h/d");
    check("postgres://u:p?w#x@h/d", "postgres://u:***@h/d");
    check("postgres:/u:p@h/d", "postgres:/u:***@h/d");
    check(
        "jdbc:mysql://h/d;user=u;password=p",
        "jdbc:mysql://h/d;user=u;password=***",
    );
    check("https://ghp_1234@h/x.csv", "https://***@h/x.csv");
    check(
        "file://u:p@/data/x.csv?token=t",
        "file://u:***@/data/x.csv?token=***",
    );
}

#[test]
fn secret_parameters_are_masked_by_their_names() {
    check(
        "https://h/x?auth_token=1&page=2",
        "https://h/x?auth_token=***&page=2",
    );
    check(
        "https://h/x?page=2&API-KEY=k#access_token=t",
        "https://h/x?page=2&API-KEY=***#access_token=***",
    );
    check(
        "https://h/x?to%6Ben=t&sig=s&key=k",
        "https://h/x?to%6Ben=***&sig=***&key=***",
    );
    check(
        "s3://b/k?X-Amz-Signature=s&X-Amz-Credential=c",
        "s3://b/k?X-Amz-Signature=***&X-Amz-Credential=***",
    );
}

#[test]
fn what_is_no_secret_is_left_alone() {
    for uri in [
        "data/a@b.csv",
        "C:/data/me@x.csv",
        "http://h:80/a@b",
        "http://[::1]/a@b",
        "s3://bucket/a:b@c",
        "postgres://me@h/d",
        "synth://phishing?rows=3&seed=4",
        "sqlite://d?query=select a from #t where token='x'",
        "https://h/x?token=",
        "a :// b",
    ] {
        check(uri, uri);
    }
}

#[test]
fn a_fingerprint_follows_the_query_and_not_the_password() {
    let of = |uri: &str| SourceUri::new(uri).fingerprint();
    assert_eq!(
        of("postgres://u:p@h/d?table=a"),
        of("postgres://u:q@h/d?table=a")
    );
    assert_eq!(of("https://h/x?sig=1"), of("https://h/x?sig=2"));
    assert_ne!(
        of("postgres://u:p@h/d?table=a"),
        of("postgres://u:p@h/d?table=b")
    );
    // What one user may read is not what another may.
    assert_ne!(of("postgres://u:p@h/d"), of("postgres://v:p@h/d"));
    // A name that may be a secret's, but may be a part of the question as well.
    assert_ne!(of("https://h/x?key=2024"), of("https://h/x?key=2025"));
    assert_ne!(
        of("sqlite://d?query=select 1; select b where token='x'"),
        of("sqlite://d?query=select 1; select b where token='y'"),
    );
}

#[test]
fn a_file_is_found_whatever_stands_around_its_path() {
    for (uri, path) in [
        ("a/b.csv", Some("a/b.csv")),
        ("file:///a/b.csv", Some("/a/b.csv")),
        ("file://u:p@/a/b.csv?token=t#x", Some("/a/b.csv")),
        ("file://localhost/a/b.csv", Some("/a/b.csv")),
        ("file:///my%20flows/100%25.csv", Some("/my flows/100%.csv")),
        ("my%20flows.csv", Some("my%20flows.csv")),
        ("file://host/a/b.csv", None),
        ("file://b.csv", None),
        ("https://h/a.csv", None),
        ("postgres:/u:p@h/d", None),
    ] {
        assert_eq!(
            SourceUri::new(uri).local_path(),
            path.map(PathBuf::from),
            "{uri}"
        );
    }
}

#[test]
fn spaces_around_a_uri_hide_no_secret() {
    let uri = SourceUri::new(" postgres://u:p@h/d\n");
    assert_eq!(uri.to_string(), "postgres://u:***@h/d");
    let path = SourceUri::new(" a.csv");
    assert_eq!(path.local_path(), Some(PathBuf::from(" a.csv")));
}
