//! `/v2/models/{name}/infer`: the rows of tensors get the verdicts of `/v1/predict`.

#![no_main]

use fuzz::{check_verdicts, post_json, start};
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

fuzz_target!(init: start(), |body: &[u8]| {
    let Some(answer) = post_json("/v2/models/flows/infer", body) else {
        return;
    };
    // What is passed over may hold numbers that only the service does not look at.
    let Ok(asked) = serde_json::from_slice::<Value>(body) else {
        return;
    };
    assert_eq!(asked.get("id").unwrap_or(&Value::Null), answer.get("id").unwrap_or(&Value::Null));
    let records = records(&asked);
    let n = records.len();
    let outputs = answer["outputs"].as_array().expect("outputs");
    let of = |name: &str| {
        let output = outputs.iter().find(|output| output["name"] == name)?;
        assert_eq!(output["shape"], json!([n]));
        Some(output["data"].as_array().expect("values").iter().collect::<Vec<_>>())
    };
    // Only those that are asked for are given.
    if let (Some(labels), Some(probabilities)) = (of("label"), of("threat_probability")) {
        check_verdicts(&records, &labels, &probabilities);
    }
});

fn records(asked: &Value) -> Vec<Value> {
    let tensors = asked["inputs"].as_array().expect("tensors");
    let data = |tensor: &Value| tensor["data"].as_array().expect("values").clone();
    let n = tensors.first().map_or(0, |tensor| data(tensor).len());
    let mut records = vec![Map::new(); n];
    for tensor in tensors {
        let name = tensor["name"].as_str().expect("a name");
        for (record, value) in records.iter_mut().zip(data(tensor)) {
            record.insert(name.to_owned(), value);
        }
    }
    records.into_iter().map(Value::Object).collect()
}
