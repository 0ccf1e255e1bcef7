//! Records into MongoDB and out again, on the real server.

use std::{collections::BTreeMap, path::PathBuf};

use serde_json::{Value, json};

use super::server::Server;
use crate::support::{TINY, Workplace, tiny_csv};

/// Pushes and returns what is printed.
pub fn push(place: &Workplace, from: &str, to: &str, more: &[&str]) -> Value {
    let fixed = ["push", "--json", "--from", from, "--to", to];
    let called = place.call(&[&fixed[..], more].concat());
    assert_eq!(called.code, 0, "{}", called.err);
    serde_json::from_str(&called.out).unwrap()
}

pub fn push_tiny(place: &Workplace, to: &str, more: &[&str]) -> Value {
    push(
        place,
        "tiny.csv",
        to,
        &[&["--dataset", "tiny.yaml"], more].concat(),
    )
}

pub fn phishing() -> String {
    let root = std::env::var_os("NETSEC_DATA_DIR").expect("NETSEC_DATA_DIR has phishing.csv");
    let path = PathBuf::from(root).join("phishing.csv").canonicalize();
    path.unwrap().display().to_string()
}

/// Returns what the stages have made of the rows.
pub fn payloads(place: &Workplace, run: &Value) -> BTreeMap<String, Vec<u8>> {
    let mut found = place.artifacts(run);
    found.retain(|name, _| {
        name == "01-ingestion/raw-dataset.bin"
            || ["02-validation", "03", "04"]
                .iter()
                .any(|s| name.starts_with(s))
    });
    assert_eq!(found.len(), 6, "{:?}", found.keys());
    found
}

#[test]
fn phishing_pushed_and_trained_from_gives_the_payloads_of_the_file_and_then_asks_no_server() {
    let mut server = Server::start();
    let place = Workplace::new();
    let to = server.address("network_data");
    let pushed = push(&place, &phishing(), &to, &[]);
    assert_eq!(pushed["written"], 11_055);
    assert!(
        pushed["verified"]
            .as_str()
            .unwrap()
            .starts_with("11055 records")
    );
    assert_eq!(server.count("network_data"), 11_055);

    let from_server = place.run(&["--source", &to]);
    let expected = payloads(&place, &place.run(&["--source", &phishing()]));
    let found = payloads(&place, &from_server);
    assert!(found.keys().eq(expected.keys()));
    for (name, bytes) in &found {
        assert!(
            expected[name] == *bytes,
            "{name} differs from that of the file"
        );
    }

    server.kill();
    let again = place.run(&["--source", &to]);
    assert!(!again["snapshot"].is_null(), "{again}");
    assert!(payloads(&place, &again) == found);
    let anew = place.call(&["run", "--refresh", "--source", &to]);
    assert_eq!(anew.code, 69, "{}", anew.err);
    assert!(anew.err.contains("netsec doctor"), "{}", anew.err);
}

#[test]
fn pushing_again_adds_nothing_and_another_file_adds_its_own() {
    let server = Server::start();
    let place = Workplace::new();
    place.write_tiny(2500);
    let to = server.address("tiny");
    assert_eq!(push_tiny(&place, &to, &[])["written"], 2500);
    let again = push_tiny(&place, &to, &[]);
    assert_eq!(again["written"], 0);
    assert_eq!(again["already_there"], 2500);
    assert_eq!(server.count("tiny"), 2500);
    place.write_tiny(100);
    let other = push_tiny(&place, &to, &[]);
    assert_eq!(
        (&other["before"], &other["written"]),
        (&json!(2500), &json!(100))
    );
    assert_eq!(server.count("tiny"), 2600);
}

#[test]
fn what_a_majority_has_not_written_yet_is_written_again_and_not_doubled() {
    for mode in ["append", "replace", "upsert"] {
        let server = Server::start();
        let place = Workplace::new();
        place.write_tiny(1500);
        let mut more = vec!["--mode", mode];
        if mode == "upsert" {
            more.extend(["--key", "a", "--key", "b", "--key", "y"]);
            more.extend(["--duplicates", "drop"]);
        }
        let to = server.address("doubtful");
        let pushed = push_tiny(&place, &to, &more);
        assert_eq!(pushed["rejected"], 0, "{pushed}");
        let n = pushed["accepted"].as_u64().unwrap();
        let sum = |name: &str| pushed[name].as_u64().unwrap();
        assert_eq!(sum("written") + sum("already_there"), n, "{pushed}");
        assert_eq!(server.count("doubtful"), n, "{mode}");
    }
}

#[test]
fn replacing_swaps_and_keeps_indexes_and_leaves_the_old_records_when_it_fails() {
    let server = Server::start();
    let place = Workplace::new();
    let to = server.address("tiny");
    place.write_tiny(300);
    push_tiny(&place, &to, &["--mode", "replace"]);
    server.ask("tiny", &["index", "a"], "");
    place.write_tiny(200);
    let replaced = push_tiny(&place, &to, &["--mode", "replace"]);
    assert_eq!(
        (&replaced["before"], &replaced["written"]),
        (&json!(300), &json!(200))
    );
    let summary = server.ask("tiny", &["summary"], "");
    assert_eq!(summary["count"], 200);
    assert_eq!(summary["collections"], json!(["tiny"]));
    assert_eq!(summary["indexes"], json!(["_id", "a"]));

    // What others put into the collection that is loaded into is noticed before the swap.
    place.write_tiny(250);
    let dry = push_tiny(&place, &to, &["--mode", "append", "--dry-run"]);
    assert!(dry["load"].is_null());
    let load = load_name(&place, &server);
    server.ask(&format!("tiny__netsec_{load}"), &["insert"], "{\"a\":1}\n");
    let arguments = [
        "push",
        "--from",
        "tiny.csv",
        "--to",
        &to,
        "--dataset",
        "tiny.yaml",
    ];
    let called = place.call(&[&arguments[..], &["--mode", "replace"]].concat());
    assert_eq!(called.code, 69, "{}", called.err);
    assert!(
        called.err.contains("read back 251 records"),
        "{}",
        called.err
    );
    assert_eq!(server.count("tiny"), 200);
}

/// Returns the name that the load of `tiny.csv` has, by loading it elsewhere.
fn load_name(place: &Workplace, server: &Server) -> String {
    let pushed = push_tiny(place, &server.address("elsewhere"), &[]);
    pushed["load"].as_str().unwrap().to_owned()
}

#[test]
fn upserting_writes_over_equal_keys_and_rejects_contradictions() {
    let server = Server::start();
    let place = Workplace::new();
    let to = server.address("keyed");
    place.write(
        "keyed.yaml",
        "
name: keyed
columns:
- {name: id, type: text, never_use: true}
- {name: a, type: number}
target: {column: y, benign: {ok: ['0']}, threats: {bad: ['1']}}
",
    );
    let upsert = |csv: &str| {
        place.write("keyed.csv", format!("id,a,y\n{csv}"));
        let arguments = ["--dataset", "keyed.yaml", "--mode", "upsert", "--key", "id"];
        push(
            &place,
            "keyed.csv",
            &to,
            &[&arguments[..], &["--max-bad-share", "1"]].concat(),
        )
    };
    let rows = |n: usize, a: usize| -> String {
        (0..n)
            .map(|i| format!("k{i},{},{}\n", a + i, i % 2))
            .collect()
    };
    assert_eq!(upsert(&rows(1500, 0))["written"], 1500);
    assert_eq!(upsert(&rows(1600, 7))["written"], 1600);
    assert_eq!(server.count("keyed"), 1600);
    let found = upsert("k1,5,1\nk1,5,1\nk1,6,1\n,1,0\nk9999,1,0\n");
    assert_eq!(found["duplicates"], 1);
    assert_eq!(found["rejected"], 2);
    let path = place.path(found["quarantine"].as_str().unwrap());
    let rejected = std::fs::read_to_string(path).unwrap();
    assert!(
        rejected.contains("3,row 1 has the same key and other values,k1,6,1"),
        "{rejected}"
    );
    assert!(
        rejected.contains("4,a value of the key (id) is missing,,1,0"),
        "{rejected}"
    );
    assert_eq!(server.count("keyed"), 1601);
}

#[test]
fn documents_of_every_shape_are_read_or_named() {
    let server = Server::start();
    let place = Workplace::new();
    place.write(
        "odd.yaml",
        "
name: odd
columns:
- {name: net.bytes, type: number}
- {name: $port, type: integer}
- {name: größe in kB, type: number, may_be_missing: true}
- {name: a.b, type: boolean}
target: {column: y, benign: {ok: ['0']}, threats: {bad: ['1']}}
quality: {max_bad_share: 0.01}
",
    );
    let document = |i: usize| {
        let mut document = json!({
            "net": {"bytes": i % 97}, "$port": i % 7, "größe in kB": 0.5, "a.b": i.is_multiple_of(2),
            "y": u8::from(i % 97 > 40), "unknown": [1, 2],
        });
        match i {
            // A field changes its type here; a text that is a number is one all the same.
            5000 => document["net"]["bytes"] = json!("12"),
            5001 => document["net"]["bytes"] = json!("twelve"),
            5002 => drop(document.as_object_mut().unwrap().remove("größe in kB")),
            5003 => document["$port"] = json!([1]),
            5004 => drop(document.as_object_mut().unwrap().remove("$port")),
            _ => {}
        }
        document.to_string() + "\n"
    };
    let lines: String = (0..6000).map(document).collect();
    assert_eq!(server.ask("odd", &["insert"], &lines), 6000);
    let tree = [
        "--set",
        "training.families=[decision_tree]",
        "--set",
        "training.folds=2",
    ];
    let source = server.address("odd");
    let arguments = [
        "run",
        "--json",
        "--dataset",
        "odd.yaml",
        "--source",
        &source,
    ];
    let called = place.call(&[&arguments[..], &tree].concat());
    assert_eq!(called.code, 0, "{}", called.err);
    let run: Value = serde_json::from_str(&called.out).unwrap();
    assert_eq!(run["rows"]["total"], 6000);
    assert_eq!(run["rows"]["quarantined"], 3);
    let directory = place.path(run["run"].as_str().unwrap());
    let path = directory.join("02-validation/quarantine.csv");
    let rejected = std::fs::read_to_string(path).unwrap();
    for part in [
        "5002,net.bytes: `twelve` is not a finite number",
        "5004,\"$port: an array, not a single value",
        "5005,$port: missing",
    ] {
        assert!(rejected.contains(part), "{rejected}");
    }
    // The same documents by way of a push, whose names stay as they are.
    let copy = server.address("copy");
    let pushed = push(&place, &source, &copy, &["--dataset", "odd.yaml"]);
    assert_eq!(
        (&pushed["rows"], &pushed["rejected"]),
        (&json!(6000), &json!(3))
    );
    assert_eq!(pushed["left_out"], json!(["unknown"]));
    let summary = server.ask("copy", &["summary"], "");
    assert_eq!(summary["count"], 5997);
    let first = json!({"net.bytes": 0.0, "$port": 0, "größe in kB": 0.5, "a.b": true, "y": 0});
    assert_eq!(summary["first"], first);
}

#[test]
fn filter_and_projection_choose_and_an_empty_collection_is_no_data_set() {
    let server = Server::start();
    let place = Workplace::new();
    place.write_tiny(500);
    push_tiny(&place, &server.address("tiny"), &[]);
    let chosen = tiny_csv(500)
        .lines()
        .skip(1)
        .filter(|l| !l.starts_with("0,"))
        .count();
    let uri = server.uri(
        server.port,
        "tiny",
        "&filter={\"a\":{\"$gt\":0}}&projection=a,b,y&batch_size=7",
    );
    let arguments = [
        "run", "--json", "--force", "--why", "a test", "--source", &uri,
    ];
    let called = place.call(&[&arguments[..], &TINY].concat());
    assert_eq!(called.code, 0, "{}", called.err);
    let run: Value = serde_json::from_str(&called.out).unwrap();
    assert_eq!(run["rows"]["total"], chosen);
    let empty = server.address("nothing");
    let called = place.call(&[&["run", "--source", &empty][..], &TINY].concat());
    assert_eq!(called.code, 65, "{}", called.err);
    let words = "collection `nothing` of database `network_security` holds no documents";
    assert!(called.err.contains(words), "{}", called.err);
}

#[test]
fn doctor_looks_at_one_step_after_another() {
    let server = Server::start();
    let place = Workplace::new();
    place.write_tiny(100);
    let to = server.address("tiny");
    push_tiny(&place, &to, &[]);
    let called = place.call(&["doctor", "--dataset", "tiny.yaml", "--source", &to]);
    assert_eq!(called.code, 0, "{}", called.out);
    let checks: Vec<&str> = called
        .out
        .lines()
        .filter_map(|l| l.get(6..19))
        .map(str::trim)
        .collect();
    let steps = ["name", "port", "TLS", "credentials", "permission", "source"];
    let found: Vec<&&str> = checks.iter().filter(|c| steps.contains(c)).collect();
    assert_eq!(found, steps.iter().collect::<Vec<_>>(), "{}", called.out);
}
