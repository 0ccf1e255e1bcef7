use super::*;

fn check(uri: &str, expected: &str) {
    let found = match Address::parse(&SourceUri::new(uri)) {
        Ok(address) => format!("{address:?}"),
        Err(error) => error.to_string(),
    };
    assert!(found.contains(expected), "{expected} in {found}");
    assert!(!found.contains("hunter2"), "{found}");
}

#[test]
fn an_address_names_a_table_and_how_it_is_asked() {
    check("dynamodb://my.Table-1_x", r#"table: "my.Table-1_x""#);
    check(
        "dynamodb://tab/?region=eu-central-1",
        r#"Some("eu-central-1")"#,
    );
    let endpoint = "dynamodb://tab?endpoint=http%3A//127.0.0.1:8000&rcu=5";
    check(endpoint, r#"endpoint: Some("http://127.0.0.1:8000")"#);
    check(endpoint, "read_rate: Some(5)");
    check("dynamodb://tab?wcu=7&time_limit=9", "write_rate: Some(7)");
}

#[test]
fn what_is_wrong_with_an_address_is_said() {
    check("dynamodb://", "it names no table");
    let short = "`ab` is no name of a table, which has 3 to 255 letters";
    check("dynamodb://ab", short);
    check(&format!("dynamodb://{}", "t".repeat(256)), "3 to 255");
    check("dynamodb://key:hunter2@table", "it names no table");
    check("dynamodb://table?endpoint=http://me:hunter2@h", "a login");
    check("dynamodb://table?endpoint=http://me:hunter2%40h", "a login");
    check("dynamodb://table/x", "it names no table");
    check("dynamodb://table?rcu=0", "rcu=0 is not a whole number");
    check("dynamodb://table?region=", "`region` has no value");
    check("dynamodb://table?consistent=1", "`consistent` is not known");
}
