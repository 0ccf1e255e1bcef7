//! `/invocations`: whatever shape a frame has, its rows get the verdicts of `/v1/predict`.

#![no_main]

use std::iter;

use fuzz::{check_verdicts, post_json, start};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value};

fuzz_target!(init: start(), |body: &[u8]| {
    let Some(answer) = post_json("/invocations", body) else {
        return;
    };
    let verdicts = answer["predictions"].as_array().expect("verdicts");
    // What is passed over may hold numbers that only the service does not look at.
    let Ok(asked) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    let records = records(&asked).expect("one of the shapes");
    let of = |name| verdicts.iter().map(|v| &v[name]).collect::<Vec<_>>();
    check_verdicts(&records, &of("label"), &of("threat_probability"));
});

fn records(asked: &Value) -> Option<Vec<Value>> {
    let lists = ["dataframe_records", "inputs", "instances"];
    let list = lists.iter().find_map(|name| asked.get(name)?.as_array());
    if let Some(list) = list {
        return Some(list.clone());
    }
    let columns = ["inputs", "instances"];
    let columns = columns.iter().find_map(|name| asked.get(name)?.as_object());
    if let Some(columns) = columns {
        let lists: Option<Vec<_>> = columns.values().map(Value::as_array).collect();
        let lists = lists?;
        let n = lists.first()?.len();
        let row = |row: usize| record(columns.keys(), lists.iter().map(|list| &list[row]));
        return Some((0..n).map(row).collect());
    }
    let split = asked.get("dataframe_split")?;
    let names: Option<Vec<String>> = split["columns"]
        .as_array()?
        .iter()
        .map(|name| name.as_str().map(str::to_owned))
        .collect();
    let names = names?;
    let rows = split["data"].as_array()?.iter();
    rows.map(|row| Some(record(names.iter(), row.as_array()?.iter())))
        .collect()
}

fn record<'a>(
    names: impl Iterator<Item = &'a String>,
    values: impl Iterator<Item = &'a Value>,
) -> Value {
    let pairs = iter::zip(names.cloned(), values.cloned());
    Value::Object(pairs.collect::<Map<_, _>>())
}
