use super::*;

fn check(uri: &str, expected: &str) {
    let shown = match Address::parse(&SourceUri::new(uri)) {
        Err(error) => error.to_string(),
        Ok(a) => format!(
            "{} | {} | {} | {:?} | {} | {:?}",
            a.driver_uri,
            a.full_name(),
            a.filter,
            a.projection.map(|p| p.to_string()),
            a.batch_size,
            a.time_limit
        ),
    };
    assert!(shown.contains(expected), "{shown}");
}

#[test]
fn what_is_not_ours_is_left_to_the_driver() {
    check(
        "mongodb+srv://me:pw@h.example/db?tls=true&collection=c&readPreference=secondary",
        "mongodb+srv://me:pw@h.example/db?tls=true&readPreference=secondary | db.c",
    );
    check(
        "mongodb://h/db?collection=c",
        "mongodb://h/db | db.c | {} |",
    );
}

#[test]
fn the_record_of_a_cluster_has_its_name_behind_the_service() {
    let check = |uri: &str, expected: Option<&str>| {
        let address = Address::parse(&SourceUri::new(uri)).unwrap();
        assert_eq!(address.record().as_deref(), expected, "{uri}");
    };
    let plain = "_mongodb._tcp.c.example.net";
    check("mongodb+srv://c.example.net/db?collection=c", Some(plain));
    check(
        "mongodb+srv://me:p%40@c.example.net/db?collection=c&w=1",
        Some(plain),
    );
    let other = "mongodb+srv://c.example.net/db?collection=c&srvServiceName=own";
    check(other, Some("_own._tcp.c.example.net"));
    check("mongodb://c.example.net/db?collection=c", None);
}

#[test]
fn filter_and_projection_are_extended_json_behind_percent_signs() {
    check(
        r#"mongodb://h/db?collection=c&filter={"day":{"$gte":7},"_id":{"$gt":{"$oid":"5f0000000000000000000001"}}}"#,
        r#"| { "day": { "$gte": 7 }, "_id": { "$gt": ObjectId("5f0000000000000000000001") } } |"#,
    );
    check(
        "mongodb://h/db?collection=c&filter=%7B%22a%26b%22%3A1%7D&projection=a%20b,c.d",
        r#"{ "a&b": 1 } | Some("{ \"a b\": 1, \"c.d\": 1 }")"#,
    );
    check(
        r#"mongodb://h/db?collection=c&batch_size=10&time_limit=2&projection={"a":0}"#,
        r#"Some("{ \"a\": 0 }") | 10 | 2s"#,
    );
}

#[test]
fn an_address_that_does_not_say_what_is_read_says_how_to_write_it() {
    check("mongodb://h?collection=c", "mongodb://host/DATABASE");
    check("mongodb://h/db", "…/db?collection=NAME");
    check(
        "mongodb://h/db?collection=c&filter=day",
        "filter is no JSON",
    );
    check(
        "mongodb://h/db?collection=c&batch_size=0",
        "batch_size=0 is not a whole number from 1",
    );
}

#[test]
fn an_error_holds_no_password() {
    let uri = SourceUri::new("mongodb://me:hunter2@h/db?filter={");
    let error = Address::parse(&uri).err().unwrap().to_string();
    assert!(error.contains("me:***@h") && !error.contains("hunter2"));
}
