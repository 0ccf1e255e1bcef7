use super::*;

fn check(uri: &str, expected: &str) {
    let shown = match Address::parse(&SourceUri::new(uri)) {
        Err(error) => error.to_string(),
        Ok(a) => {
            let chosen = match &a.selection {
                Selection::Table(name) => format!("table {:?} {:?}", name.schema, name.table),
                Selection::Query(query) => format!("query {query}"),
            };
            format!(
                "{} | {chosen} | {:?} | {:?}",
                a.driver_uri, a.time_limit, a.file
            )
        }
    };
    assert!(shown.contains(expected), "{shown}");
}

#[test]
fn what_is_not_ours_is_left_to_the_driver() {
    check(
        "postgres://me:pw@h:5/db?sslmode=require&table=a%20b&schema=s.t&options=x",
        r#"postgres://me:pw@h:5/db?sslmode=require&options=x | table Some("s.t") "a b" | 30s"#,
    );
    check(
        "mysql://h/db?table=t&time_limit=2",
        r#"mysql://h/db | table None "t" | 2s"#,
    );
    check("sqlite://a%3Fb.db?table=t", r#""./a?b.db""#);
    check("sqlite:///x/:memory:?table=t", r#""/x/:memory:""#);
    check("sqlite://:memory:?table=t", r#""./:memory:""#);
}

#[test]
fn a_name_that_is_longer_than_the_server_takes_is_refused() {
    let name = "ä".repeat(33);
    let of = |scheme: &str, name: &str| format!("{scheme}://h/db?table={name}");
    check(
        &of("postgres", &name),
        "has 66 bytes, of which the server takes 63",
    );
    check(&of("mysql", &name), "30s");
    let name = "ä".repeat(65);
    check(
        &of("mysql", &name),
        "has 65 characters, of which the server takes 64",
    );
}

#[test]
fn an_address_that_does_not_say_what_is_read_says_how_to_write_it() {
    check(
        "postgres://h?table=t",
        "postgres://host/DATABASE?table=NAME",
    );
    check("sqlite://?table=t", "sqlite://FILE?table=NAME");
    check("mysql://h/db", "…?table=NAME or ?query=SELECT …");
    check("mysql://h/db?table=t&query=SELECT 1", "not both");
    check("mysql://h/db?table=t&schema=s", "schema=NAME goes with");
    check("sqlite://a.db?table=t&mode=rwc", "`mode` means nothing");
    check(
        "mysql://h/db?table=a%00b",
        "table holds a character of value 0",
    );
    check(
        "mysql://h/db?table=t&time_limit=0",
        "time_limit=0 is not a whole number",
    );
}

#[test]
fn no_parameter_of_tls_is_passed_over() {
    check(
        "mysql://h/db?table=t&ssl_mode=VERIFY_IDENTITY",
        "`ssl_mode` is not known, so that the connection would be less safe than it says: known are ssl-mode",
    );
    check(
        "postgres://h/db?table=t&channel_binding=require",
        "`channel_binding` is not known",
    );
    check(
        "postgres://h/db?table=t&sslrootcert=no+such%2Fca.pem",
        "sslrootcert=no such/ca.pem: No such",
    );
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
    for (parameter, wanted) in [("ssl-ca", "BEGIN CERTIFICATE"), ("ssl-key", "PRIVATE KEY")] {
        check(&format!("mysql://h/db?table=t&{parameter}={file}"), wanted);
    }
}

#[test]
fn a_parameter_that_the_driver_does_not_know_is_refused_without_its_value() {
    for (uri, said) in [
        (
            "postgres://h/db?table=t&pasword=hidden",
            "`pasword` means nothing to postgres://: leave it out; known are table",
        ),
        (
            "postgresql://h/db?table=t&Password=hidden",
            "`Password` means nothing to postgresql://",
        ),
        (
            "postgres://h/db?table=t&pass%77ort=hidden",
            "`passwort` means nothing",
        ),
        (
            "mysql://h/db?table=t&password=hidden",
            "`password` means nothing to mysql://",
        ),
        (
            "sqlite://a.db?table=t&key=hidden",
            "`key` means nothing to sqlite://",
        ),
    ] {
        let error = Address::parse(&SourceUri::new(uri))
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(said), "{error}");
        assert!(!error.contains("hidden"), "{error}");
    }
    for uri in [
        "postgres://u:p/a?hidden@h/db?table=t",
        "postgres://h/db?table=t&password=a&hidden",
    ] {
        let error = Address::parse(&SourceUri::new(uri))
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("has no name: write & as %26"), "{error}");
    }
    check(
        "postgres://h/db?table=t&options[statement_timeout]=5",
        "options[statement_timeout]=5 |",
    );
}

#[test]
fn a_query_is_one_statement() {
    check("postgres://h/db?query=SELECT 1 ; ; ", "query SELECT 1 ;");
    check("postgres://h/db?query=SELECT 1;", "query SELECT 1 |");
    check(
        "sqlite://a.db?query=SELECT 1; DROP TABLE t",
        "more than one statement",
    );
    check(
        "sqlite://a.db?query=SELECT ';', \"a;\", [b;] /* ; */ -- ;",
        "query SELECT",
    );
}

#[test]
fn a_login_is_told_from_its_absence() {
    let check = |uri: &str, expected| {
        let address = Address::parse(&SourceUri::new(uri)).unwrap();
        assert_eq!(address.has_login(), expected, "{uri}");
    };
    check("postgres://h/db?table=t", (false, false));
    check("postgres://me@h/db?table=t", (true, false));
    check("postgres://me:pw@h/db?table=t", (true, true));
    check("postgres://h/db?table=t&user=me&password=pw", (true, true));
}

#[test]
fn names_that_a_server_would_cut_are_refused() {
    let long = "ä".repeat(32);
    let said = format!("the name `{long}` has 64 bytes, of which the server takes 63");
    check(&format!("postgres://h/db?table={long}"), &said);
    check(&format!("postgres://h/db?table=t&schema={long}"), &said);
    check(
        &format!("sqlite://f?table={long}"),
        &format!("table None {long:?}"),
    );
    let name = "t".repeat(63);
    check(
        &format!("postgres://h/db?table={name}"),
        &format!("table None {name:?}"),
    );
}
