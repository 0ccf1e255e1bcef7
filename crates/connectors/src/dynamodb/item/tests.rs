use serde_json::json;

use super::*;

/// Flattens items and writes each row as `name=text`, followed by what is wrong with it.
fn check(items: &serde_json::Value, expected: &[&str]) {
    let mut flattener = Flattener::without(Some(OWN_KEY.to_owned()));
    let mut columns = FieldColumns::default();
    let items: Vec<Item> = serde_json::from_value(items.clone()).unwrap();
    for item in &items {
        flattener.push(item, &mut columns);
    }
    let batch = columns.take(items.len() as u64);
    let problems = batch.row_problems(|name| batch.position(name).is_some());
    let row = |row: usize| {
        let shown = batch.names.iter().zip(&batch.columns);
        let shown =
            shown.filter_map(|(name, column)| Some(format!("{name}={}", column.text(row)?)));
        let problems = problems.get(&row).into_iter().flatten();
        let problems = problems.map(|problem| format!("! {problem}"));
        shown.chain(problems).collect::<Vec<_>>().join(" ")
    };
    let found: Vec<String> = (0..items.len()).map(row).collect();
    assert_eq!(found, expected);
}

#[test]
fn maps_are_flattened_and_the_key_of_a_push_is_left_out() {
    check(
        &json!([
            {"_key": {"S": "x"}, "a": {"N": "1.50"}, "m": {"M": {"_key": {"BOOL": true}, "n": {"M": {"b": {"S": "t"}}}}}},
            {"a": {"NULL": true}, "z": {"S": ""}},
        ]),
        &["a=1.5 m._key=true m.n.b=t", "z="],
    );
}

#[test]
fn whole_numbers_stay_exact_and_other_types_are_named() {
    check(
        &json!([
            {"a": {"N": "9007199254740993"}, "b": {"N": "-9007199254740992"}, "c": {"N": "1E+3"}},
            {"a": {"L": [{"S": "x"}]}, "b": {"SS": ["x"]}, "c": {"B": "eA=="}},
        ]),
        &[
            "a=9007199254740993 b=-9007199254740992 c=1000",
            "! a: a list, not a single value ! b: a string set, not a single value ! c: binary data, not a single value",
        ],
    );
}

#[test]
fn numbers_that_the_server_does_not_know_are_written_as_texts() {
    for (number, expected) in [
        (0.5, json!({"N": "0.5"})),
        (0.0, json!({"N": "0"})),
        (-0.0, json!({"S": "-0.0"})),
        (1e200, json!({"S": "1e200"})),
        (-1e-200, json!({"S": "-1e-200"})),
    ] {
        assert_eq!(serde_json::to_value(of_number(number)).unwrap(), expected);
    }
}

#[test]
fn an_item_that_is_too_long_is_refused_before_it_is_sent() {
    let item = |n: usize| Item::from([("a".to_owned(), Attribute::Text("x".repeat(n)))]);
    assert!(fitting(item(ITEM_BYTES - 1)).is_ok());
    let reason = fitting(item(ITEM_BYTES)).unwrap_err();
    assert_eq!(
        reason,
        "an item of 409601 bytes, of which DynamoDB takes 409600"
    );
}
