use super::*;

fn check(uri: &str, expected: &str) {
    let found = match Address::parse(&SourceUri::new(uri)) {
        Ok(address) => format!("{} {:?}", address.bucket, address.keys),
        Err(error) => error.to_string(),
    };
    assert!(found.contains(expected), "{expected} in {found}");
}

#[test]
fn an_address_means_one_object_a_prefix_or_a_pattern() {
    check("s3://b/a/x.csv", r#"b One("a/x.csv")"#);
    check("s3://b/a%20b/%2A%3F%25.csv", r#"One("a b/*?%.csv")"#);
    check("s3://b/a/", r#"Prefix("a/")"#);
    check("s3://b", r#"Prefix("")"#);
    check("s3://b/a/*.csv?format=csv", "Pattern");
}

#[test]
fn what_is_wrong_with_an_address_is_said() {
    check("s3:///x.csv", "it names no bucket");
    check("s3://KEY:hunter2@b/x.csv", "not in the address");
    check("s3://b/x.csv?versionId=1", "`versionId` is not known");
    check("s3://b/logs/?version_id=1", "`version_id` is of one object");
    check("s3://b/x?time_limit=0", "time_limit=0");
    check("s3://b/x?anonymous=1", "neither true nor false");
    check("s3://b/%ff", "not UTF-8");
    check("s3://b/x?format=a/../b.csv", "no ending of a name");
    check("s3://b/x?format=", "`format` has no value");
    check("s3://b/x.csv?version_id=", "`version_id` has no value");
    check("s3://b/x#format=csv", "write ?format=csv");
}

#[test]
fn a_secret_in_an_address_is_not_shown() {
    let error = Address::parse(&SourceUri::new("s3://KEY:hunter2@b/x.csv")).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}

#[test]
fn a_star_stands_for_anything_within_a_folder_and_two_for_folders_as_well() {
    let check = |raw: &str, key: &str, expected: bool| {
        let keys = Keys::parse(raw).unwrap();
        assert_eq!(keys.mean(key), expected, "{raw} {key}");
        assert!(!expected || key.starts_with(keys.prefix()));
    };
    for (key, expected) in [
        ("logs/a.csv.gz", true),
        ("logs/.csv.gz", true),
        ("logs/a.csv", false),
        ("logs/2026/a.csv.gz", false),
        ("log/a.csv.gz", false),
        ("logs/é.csv.gz", true),
    ] {
        check("logs/*.csv.gz", key, expected);
    }
    check("logs/**.gz", "logs/2026/a.csv.gz", true);
    check("*/*-*.csv", "a/b-c-d.csv", true);
    check("*/*-*.csv", "a/bcd.csv", false);
    check("**/a.csv", "x/y/a.csv", true);
    check("%2A.csv", "*.csv", true);
    check("%2A.csv", "a.csv", false);
    check("logs/", "logs/2026/a.csv", true);
    check("logs/", "logs/_SUCCESS", false);
    check("logs/", "logs/2026/", false);
    check("", "a.csv", true);
}

#[test]
fn a_load_takes_the_place_of_the_only_star() {
    let filled = |raw: &str| Pattern::parse(raw).unwrap().filled("0af1");
    assert_eq!(filled("logs/*.csv.gz").as_deref(), Some("logs/0af1.csv.gz"));
    assert_eq!(filled("logs/**").as_deref(), Some("logs/0af1"));
    assert_eq!(filled("*/*.csv"), None);
}
