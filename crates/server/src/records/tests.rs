use super::{Stand, literals::replaced};

fn check(json: &str, expected: Option<&str>) {
    check_as(Stand::Text, json, expected);
}

#[track_caller]
fn check_as(by: Stand, json: &str, expected: Option<&str>) {
    let repaired = replaced(json.as_bytes(), by);
    let text = repaired.map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(text.as_deref(), expected, "{json}");
}

#[test]
fn numbers_that_json_does_not_know_become_texts() {
    check(
        "[NaN, -Infinity,Infinity]",
        Some(r#"["NaN", "-Infinity","Infinity"]"#),
    );
    check("[1e999,-1e999,1e9]", Some(r#"["1e999","-1e999",1e9]"#));
}

#[test]
fn what_pandas_leaves_empty_becomes_null() {
    let expected = Some(r#"[null,"NaN","-Infinity"]"#);
    check_as(Stand::Missing, r#"[NaN,"NaN",-Infinity]"#, expected);
}

#[test]
fn texts_and_other_numbers_stay_as_they_are() {
    check(r#"{"NaN":"NaN \" NaN","a":[1,-2.5e3,null]}"#, None);
    check(r#"["Infinity]"#, None);
    check("", None);
}
