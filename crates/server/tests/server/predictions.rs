use dataset::{RawBatch, RawColumn, TextColumn};
use model::scoring::{self, Prediction};
use serde_json::{Value, json};

use crate::{
    process::Server,
    trained::{FLOW, Place},
};

#[test]
fn an_answer_has_the_documented_shape() {
    let place = Place::with_flows();
    let server = Server::start(&place, &[]);
    let (entry, bundle) = place.registry().champion("flows").unwrap();
    let answer = server.post("/v1/predict", &format!(r#"{{"records":[{FLOW}]}}"#));
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let answer = answer.json();
    let probability = answer["predictions"][0]["threat_probability"]
        .as_f64()
        .unwrap();
    let threat = probability >= bundle.thresholds.operating;
    let expected = json!({
        "model": {
            "name": "flows",
            "version": 1,
            "digest": entry.bundle.to_string(),
            "simulated": false,
        },
        "threshold": bundle.thresholds.operating,
        "predictions": [{
            "label": if threat { "dos" } else { "normal" },
            "threat": threat,
            "threat_probability": probability,
            "imputed": [],
        }],
    });
    assert_eq!(answer, expected);
}

/// Makes records with everything that a record may have, and the same as a batch of a file.
fn records(n: usize) -> (Vec<Value>, RawBatch) {
    let mut texts = vec![TextColumn::new(); 5];
    let mut records = Vec::new();
    for i in 0..n {
        let duration = json!(i * 7 % 101);
        let bytes = if i % 5 == 0 {
            Value::Null
        } else {
            json!((i * 13 % 1000) as f64 + 0.25)
        };
        let protocol = json!(["tcp", "udp", "icmp"][i % 3]);
        let service = [json!("dns"), json!("ssh"), Value::Null][i % 3].clone();
        let root = json!(i % 2 == 0);
        let values = [&duration, &bytes, &protocol, &service, &root];
        for (column, value) in texts.iter_mut().zip(values) {
            let text = match value {
                Value::Null => None,
                Value::String(text) => Some(text.clone()),
                other => Some(other.to_string()),
            };
            column.push(text.as_deref());
        }
        records.push(json!({
            "duration": duration, "bytes": bytes, "protocol": protocol, "service": service,
            "root": root, "id": "passed over", "attack": [1, 2],
        }));
    }
    let names = ["duration", "bytes", "protocol", "service", "root"];
    let batch = RawBatch {
        names: names.map(str::to_owned).to_vec(),
        columns: texts.into_iter().map(RawColumn::Text).collect(),
        row_numbers: (1..=n as u64).collect(),
        defects: Vec::new(),
        ..RawBatch::default()
    };
    (records, batch)
}

fn check_agreement(n: usize) {
    let place = Place::with_flows();
    let server = Server::start(&place, &[]);
    let (records, batch) = records(n);
    let expected = scoring::predict(&place.bundle("flows"), &batch).unwrap();
    let body = json!({"records": records}).to_string();
    let answer = server.post("/v1/predict", &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let answer = answer.json();
    let predictions = answer["predictions"].as_array().unwrap();
    assert_eq!(predictions.len(), n);
    let mut threats = 0;
    for (row, (got, expected)) in predictions.iter().zip(expected).enumerate() {
        let Prediction::Scored {
            label,
            is_threat,
            threat_probability,
            imputed: in_file,
        } = expected
        else {
            panic!("row {row}: {expected:?}");
        };
        assert_eq!(got["label"], json!(label), "row {row}");
        assert_eq!(got["threat"], json!(is_threat), "row {row}");
        assert_eq!(
            got["threat_probability"],
            json!(threat_probability),
            "row {row}"
        );
        let imputed: Vec<&str> = [("bytes", row % 5 == 0), ("service", row % 3 == 2)]
            .into_iter()
            .filter_map(|(name, missing)| missing.then_some(name))
            .collect();
        assert_eq!(got["imputed"], json!(imputed), "row {row}");
        assert_eq!(imputed, in_file, "row {row}");
        threats += usize::from(is_threat);
    }
    assert!(
        n < 10 || (1..n).contains(&threats),
        "every verdict is the same"
    );
}

#[test]
fn one_record_is_scored_as_a_file_is() {
    check_agreement(1);
}

#[test]
fn many_records_are_scored_as_a_file_is() {
    check_agreement(500);
}

#[test]
fn so_many_records_that_another_thread_takes_them_are_scored_as_a_file_is() {
    check_agreement(5000);
}

#[test]
fn columns_may_come_in_any_order_and_with_white_space_between() {
    let server = Server::start(&Place::with_flows(), &[]);
    let straight = server
        .post("/v1/predict", &format!(r#"{{"records":[{FLOW}]}}"#))
        .json();
    let turned = r#"
        { "records" : [ { "root" : false, "service" : "http", "bytes" : 12.5,
          "protocol" : "tcp", "duration" : 40.0 } ] } "#;
    assert_eq!(server.post("/v1/predict", turned).json(), straight);
}

#[test]
fn reasons_add_up_to_the_score() {
    let server = Server::start(&Place::with_flows(), &[]);
    let body = format!(r#"{{"records":[{FLOW}],"top":100}}"#);
    let answer = server.post("/v1/explain", &body).json();
    let explained = &answer["explanations"][0];
    let reasons = explained["reasons"].as_array().unwrap();
    let sum: f64 = reasons
        .iter()
        .map(|r| r["contribution"].as_f64().unwrap())
        .sum();
    let (base, score) = (
        explained["base"].as_f64().unwrap(),
        explained["score"].as_f64().unwrap(),
    );
    assert!((base + sum - score).abs() < 1e-9, "{explained}");
    assert_eq!(reasons.len(), 6, "one a column, the derived one too");
    let few = server
        .post("/v1/explain", &format!(r#"{{"records":[{FLOW}],"top":2}}"#))
        .json();
    assert_eq!(
        few["explanations"][0]["reasons"].as_array().unwrap(),
        &reasons[..2]
    );
    let plain = server
        .post("/v1/predict", &format!(r#"{{"records":[{FLOW}]}}"#))
        .json();
    assert_eq!(explained["verdict"], plain["predictions"][0]);
}
