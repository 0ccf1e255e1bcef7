use serde_json::{Value, json};

use crate::{
    process::{Server, wait_for},
    trained::{FLOW, Place},
};

fn send(server: &Server, record: impl Fn(usize) -> String, n: usize) {
    let records: Vec<String> = (0..n).map(record).collect();
    let body = format!(r#"{{"records":[{}]}}"#, records.join(","));
    let answer = server.post("/v1/predict", &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
}

fn drift(server: &Server, rows: u64) -> Value {
    let report = || server.get("/v1/drift").json()["report"].clone();
    wait_for("the records", || report()["rows_fresh"] == json!(rows));
    report()
}

fn drifted(report: &Value) -> Vec<&str> {
    let columns = report["columns"].as_array().unwrap().iter();
    let drifted = columns.filter(|c| c["drifted"] == json!(true));
    drifted.map(|c| c["name"].as_str().unwrap()).collect()
}

/// A flow as those that the model has learned from.
fn usual(i: usize) -> String {
    let i = i * 7919;
    let protocol = ["tcp", "udp", "icmp"][i / 7 % 3];
    let service = ["\"dns\"", "\"http\"", "null", "\"ssh\""][i / 11 % 4];
    let bytes = if i.is_multiple_of(20) {
        "null".to_owned()
    } else {
        format!("{}.5", i * 31 % 1000)
    };
    format!(
        r#"{{"duration":{},"bytes":{bytes},"protocol":"{protocol}","service":{service},"root":{}}}"#,
        i % 100,
        (i / 13).is_multiple_of(2)
    )
}

#[test]
fn usual_traffic_is_stable_and_other_traffic_has_drifted() {
    let server = Server::start(&Place::with_flows(), &[]);
    assert_eq!(drift(&server, 0)["verdict"], json!("stable"));
    send(&server, usual, 2000);
    let report = drift(&server, 2000);
    assert_eq!(report["verdict"], json!("stable"), "{:?}", drifted(&report));
    send(&server, |i| usual(i).replace("\"tcp\"", "\"udp\""), 6000);
    let report = drift(&server, 8000);
    assert_eq!(drifted(&report), ["protocol"]);
    let metrics = server.get("/metrics").text();
    assert!(
        metrics.contains("netsec_drifted{column=\"protocol\"} 1"),
        "{metrics}"
    );
    assert!(
        metrics.contains("netsec_drifted{column=\"duration\"} 0"),
        "{metrics}"
    );
    assert!(server.get("/").text().contains("protocol"));
}

#[test]
fn rows_of_files_are_looked_at_as_well_and_refused_ones_are_not() {
    let server = Server::start(&Place::with_flows(), &[]);
    let row = |i: usize| {
        let i = i * 7919;
        let protocol = if i.is_multiple_of(10) { "sctp" } else { "udp" };
        format!(
            "{},{}.5,{protocol},dns,{}\n",
            i % 100,
            i * 31 % 1000,
            i.is_multiple_of(2)
        )
    };
    let rows: String = (0..4000).map(row).collect();
    let csv = format!("duration,bytes,protocol,service,root\n{rows}");
    let lines = ["Content-Type: text/csv"];
    let mut connection = server.connect();
    let answer = connection.call("POST", "/v1/predict/csv", &lines, csv.as_bytes());
    assert_eq!(answer.status, 200);
    let report = drift(&server, 3600);
    // Of the bytes none is missing any more.
    assert_eq!(drifted(&report), ["bytes", "protocol", "service"]);
}

#[test]
fn another_champion_begins_anew() {
    let place = Place::with_flows();
    let server = Server::start(&place, &["--poll", "0.05"]);
    send(&server, |_| FLOW.to_owned(), 600);
    drift(&server, 600);
    place.promote("flows", |bundle| bundle.training.seed = 77);
    wait_for("version 2", || {
        server.get("/v1/drift").json()["model"]["version"] == json!(2)
    });
    drift(&server, 0);
    send(&server, |_| FLOW.to_owned(), 5);
    drift(&server, 5);
}

#[test]
fn late_labels_give_live_precision_and_recall() {
    let server = Server::start(&Place::with_flows(), &[]);
    let one = |predicted: &str, actual: &str| json!({"version": 1, "predicted": predicted, "actual": actual});
    let body = json!({"feedback": [
        one("dos", "dos"), one("dos", "dos"), one("dos", "normal"), one("normal", "dos"),
        one("normal", "normal"), one("normal", "normal"), one("normal", "normal"),
    ]});
    let answer = server.post("/v1/feedback", &body.to_string());
    let expected = json!([{
        "version": 1, "labelled": 7, "precision": 2.0 / 3.0, "recall": 2.0 / 3.0,
        "false_positive_rate": 0.25,
    }]);
    assert_eq!(answer.json(), expected);
    assert_eq!(server.get("/v1/feedback").json(), expected);
}

#[test]
fn bad_feedback_is_refused_and_nothing_of_it_counted() {
    // The registry stays: it knows the versions.
    let place = Place::with_flows();
    let server = Server::start(&place, &[]);
    let body = json!({"feedback": [
        {"version": 1, "predicted": "dos", "actual": "dos"},
        {"version": 2, "predicted": "DoS", "actual": "normal"},
    ]});
    let answer = server.post("/v1/feedback", &body.to_string());
    assert_eq!(answer.status, 422);
    let problems = json!([
        {"path": "feedback[1].predicted", "problem": "no such label; the model knows normal, dos"},
        {"path": "feedback[1].version", "problem": "no such version: the newest is 1"},
    ]);
    assert_eq!(answer.json()["problems"], problems);
    assert_eq!(server.get("/v1/feedback").json(), json!([]));
}

#[test]
fn feedback_of_another_shape_is_refused_with_every_place() {
    let server = Server::start(&Place::with_flows(), &[]);
    let refused = |body: &str| {
        let answer = server.post("/v1/feedback", body);
        assert_eq!(answer.status, 422, "{}", answer.text());
        answer.json()
    };
    let body = r#"{"feedback":[5,{"version":"1","predicted":"dos","actual":null,"x":1},
        {"version":1,"predicted":"zz","actual":"dos"}],"more":0}"#;
    let answer = refused(body);
    let detail = "6 problems with the content: nothing was done";
    assert_eq!(answer["detail"], json!(detail));
    let problems = json!([
        {"path": "more", "problem": "unknown: give `feedback`"},
        {"path": "feedback[0]", "problem": "`5` is not an object: give `version`, `predicted`, `actual`"},
        {"path": "feedback[1].x", "problem": "unknown: give `version`, `predicted`, `actual`"},
        {"path": "feedback[1].version", "problem": "`\"1\"` is not a whole number of at least 0"},
        {"path": "feedback[1].actual", "problem": "missing: give the name of a label"},
        {"path": "feedback[2].predicted", "problem": "no such label; the model knows normal, dos"},
    ]);
    assert_eq!(answer["problems"], problems);
    let problem = "`a list` is not an object: give `feedback`";
    assert_eq!(
        refused("[]")["problems"],
        json!([{"path": "", "problem": problem}])
    );
    let problem = "missing: give a list of outcomes";
    assert_eq!(
        refused("{}")["problems"],
        json!([{"path": "feedback", "problem": problem}])
    );
}

#[test]
fn labels_of_any_registered_version_count_also_after_a_rollback() {
    let place = Place::with_flows();
    place.promote("flows", |bundle| bundle.training.seed = 9);
    let roll_back = |to| {
        let now = artifact::clock::now();
        place
            .registry()
            .roll_back("flows", Some(to), None, now)
            .unwrap()
    };
    roll_back(1);
    let server = Server::start(&place, &[]);
    assert!(
        server.greeting.contains("flows version 1"),
        "{}",
        server.greeting
    );
    let label = |version: u64| {
        let outcome = json!({"version": version, "predicted": "dos", "actual": "dos"});
        server.post("/v1/feedback", &json!({"feedback": [outcome]}).to_string())
    };
    assert_eq!(label(2).status, 200);
    // Registered while the service runs, never served by it.
    place.promote("flows", |bundle| bundle.training.seed = 10);
    assert_eq!((label(3).status, label(1).status), (200, 200));
    let refused = label(4).json();
    let said = &refused["problems"][0]["problem"];
    assert_eq!(said, &json!("no such version: the newest is 3"));
    let known = server.get("/v1/feedback").json();
    let versions: Vec<_> = known
        .as_array()
        .unwrap()
        .iter()
        .map(|q| &q["version"])
        .collect();
    assert_eq!(versions, [1, 2, 3]);
    let version = &server.get("/openapi.json").json()["components"]["schemas"]["Outcome"]["properties"]
        ["version"];
    assert_eq!(
        (&version["minimum"], &version["maximum"]),
        (&json!(1), &json!(null))
    );
    let (registry, away) = (place.path().join("registry"), place.path().join("away"));
    std::fs::rename(&registry, &away).unwrap();
    assert_eq!((label(1).status, label(2).status), (200, 503));
    std::fs::rename(&away, &registry).unwrap();
    assert_eq!(label(2).status, 200);
    std::fs::write(place.in_history("flows", "00000009.json"), "{").unwrap();
    assert_eq!((label(1).status, label(2).status), (200, 503));
}
