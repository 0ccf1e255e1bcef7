//! What goes wrong between client and server: nothing is lost and nothing doubled.

use std::{
    io::{BufRead as _, BufReader},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    mongodb::push,
    peer,
    proxy::{Fault, Proxy},
    server::{Server, free_port},
};
use crate::support::{TINY, Workplace, send_signal};

const ROWS: usize = 6000;

fn tiny(rows: usize) -> Workplace {
    let place = Workplace::new();
    place.write_tiny(rows);
    place
}

const SCHEMA: [&str; 2] = ["--dataset", "tiny.yaml"];

#[test]
fn a_reading_that_is_cut_off_is_taken_up_where_it_was() {
    let server = Server::start();
    let place = tiny(ROWS);
    push(&place, "tiny.csv", &server.address("tiny"), &SCHEMA);
    let fault = Fault::CutAnswers {
        after: 100_000,
        times: 2,
    };
    let proxy = Proxy::before(server.port, fault);
    let uri = server.uri(proxy.port, "tiny", "&batch_size=500");
    let called = place.train_tiny(&uri, &[]);
    assert_eq!(called.code, 0, "{}", called.err);
    let run: serde_json::Value = serde_json::from_str(&called.out).unwrap();
    assert_eq!(run["rows"]["total"], ROWS);
    assert!(
        proxy.cuts() >= 2,
        "the proxy has cut {} times",
        proxy.cuts()
    );
    let direct = place.train_tiny(&server.address("tiny"), &[]);
    let direct: serde_json::Value = serde_json::from_str(&direct.out).unwrap();
    let raw = "01-ingestion/raw-dataset.bin";
    assert!(place.artifacts(&run)[raw] == place.artifacts(&direct)[raw]);
}

#[test]
fn a_push_that_is_cut_off_in_a_batch_neither_loses_nor_doubles() {
    for mode in ["append", "replace"] {
        let server = Server::start();
        let place = tiny(ROWS);
        let fault = Fault::CutRequests {
            after: 90_000,
            times: 3,
        };
        let proxy = Proxy::before(server.port, fault);
        let to = server.uri(proxy.port, "tiny", "");
        let pushed = push(
            &place,
            "tiny.csv",
            &to,
            &[&SCHEMA[..], &["--mode", mode]].concat(),
        );
        let n = |key: &str| pushed[key].as_u64().unwrap() as usize;
        assert_eq!(n("written") + n("already_there"), ROWS, "{mode}");
        assert!(
            proxy.cuts() >= 3,
            "the proxy has cut {} times",
            proxy.cuts()
        );
        assert_eq!(server.count("tiny"), ROWS as u64, "{mode}");
    }
}

/// Begins a push, and waits until it has loaded something.
fn begun(place: &Workplace, to: &str, mode: &str) -> (Child, impl Iterator<Item = String> + use<>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_netsec"))
        .args(["push", "--progress", "json", "--from", "tiny.csv"])
        .args(["--to", to, "--mode", mode])
        .args(SCHEMA)
        .current_dir(place.path(""))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut progress = lines.map(Result::unwrap);
    assert!(progress.any(|line| line.contains("records loaded")));
    (child, progress)
}

#[test]
fn of_two_equal_replacements_neither_empties_the_collection() {
    const ROWS: usize = 20_000;
    for is_stopped in [false, true] {
        let server = Server::start();
        let place = tiny(100);
        let to = server.address("tiny");
        push(&place, "tiny.csv", &to, &SCHEMA);
        server.ask("tiny", &["index", "a"], "");
        place.write_tiny(ROWS);
        let (mut child, progress) = begun(&place, &to, "replace");
        if is_stopped {
            send_signal(&child, "STOP");
        }
        let replace = [&SCHEMA[..], &["--mode", "replace"]].concat();
        push(&place, "tiny.csv", &to, &replace);
        if is_stopped {
            send_signal(&child, "CONT");
        }
        let said: Vec<String> = progress.collect();
        assert!(child.wait().unwrap().success(), "{said:?}");
        let summary = server.ask("tiny", &["summary"], "");
        assert_eq!(summary["count"], ROWS, "{summary}");
        assert_eq!(summary["collections"], json!(["tiny"]), "{summary}");
        assert_eq!(summary["indexes"], json!(["_id", "a"]), "{summary}");
    }
}

#[test]
fn what_an_equal_push_has_put_in_its_place_is_not_said_to_be_taken_back() {
    let server = Server::start();
    let place = tiny(100);
    let to = server.address("tiny");
    push(&place, "tiny.csv", &to, &SCHEMA);
    place.write_tiny(20_000);
    let (mut child, progress) = begun(&place, &to, "replace");
    send_signal(&child, "STOP");
    let replace = [&SCHEMA[..], &["--mode", "replace"]].concat();
    push(&place, "tiny.csv", &to, &replace);
    server.ask("tiny", &["insert"], "{\"a\": 7, \"b\": 7, \"y\": 1}\n");
    send_signal(&child, "CONT");
    let said = progress.collect::<Vec<_>>().join("\n");
    assert_eq!(child.wait().unwrap().code(), Some(69), "{said}");
    let words = "what was loaded has taken the place of the records that were there";
    assert!(said.contains(words), "{said}");
    assert!(!said.contains("taken back"), "{said}");
    let summary = server.ask("tiny", &["summary"], "");
    assert_eq!(summary["count"], 20_001, "{summary}");
    assert_eq!(summary["collections"], json!(["tiny"]), "{summary}");
}

#[test]
fn an_interrupted_push_is_completed_by_the_same_push() {
    for (mode, is_hidden) in [("append", false), ("replace", true)] {
        let server = Server::start();
        let place = tiny(100);
        let to = server.address("tiny");
        push(&place, "tiny.csv", &to, &SCHEMA);
        place.write_tiny(40_000);
        let (mut child, _progress) = begun(&place, &to, mode);
        send_signal(&child, "INT");
        assert_eq!(child.wait().unwrap().code(), Some(130));
        let partial = server.count("tiny");
        match is_hidden {
            true => assert_eq!(partial, 100),
            false => assert!((101..40_100).contains(&partial), "{partial}"),
        }
        let again = push(
            &place,
            "tiny.csv",
            &to,
            &[&SCHEMA[..], &["--mode", mode]].concat(),
        );
        let there = again["already_there"].as_u64().unwrap();
        assert!(there > 0, "{again}");
        assert_eq!(again["written"].as_u64().unwrap() + there, 40_000);
        let expected = if is_hidden { 40_000 } else { 40_100 };
        assert_eq!(server.count("tiny"), expected);
    }
}

#[test]
fn a_server_that_is_killed_and_comes_back_is_waited_for() {
    let mut server = Server::start();
    let place = tiny(40_000);
    let to = server.address("tiny");
    let mut child = Command::new(env!("CARGO_BIN_EXE_netsec"))
        .args([
            "push",
            "--json",
            "--progress",
            "json",
            "--from",
            "tiny.csv",
            "--to",
            &to,
        ])
        .args(SCHEMA)
        .current_dir(place.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut progress = BufReader::new(child.stderr.take().unwrap()).lines();
    assert!(progress.any(|line| line.unwrap().contains("records loaded")));
    server.kill();
    server.restart();
    // What is still said must be read.
    let rest = std::thread::spawn(move || progress.map(Result::unwrap).collect::<Vec<_>>());
    let output = child.wait_with_output().unwrap();
    let rest = rest.join().unwrap();
    assert!(output.status.success(), "{rest:?}");
    let pushed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let n = |key: &str| pushed[key].as_u64().unwrap();
    assert_eq!(n("written") + n("already_there"), 40_000);
    assert_eq!(server.count("tiny"), 40_000);
}

#[test]
fn a_slow_network_is_slow_and_a_silent_one_is_given_up() {
    let server = Server::start();
    let place = tiny(40);
    push(&place, "tiny.csv", &server.address("tiny"), &SCHEMA);
    let trickle = Proxy::before(server.port, Fault::Trickle(Duration::from_micros(100)));
    let slow = server.uri(trickle.port, "tiny", "");
    let copy = push(&place, &slow, &server.address("copy"), &SCHEMA);
    assert_eq!(copy["written"], 40);

    let crawl = Proxy::before(server.port, Fault::Trickle(Duration::from_millis(50)));
    let too_slow = server.uri(crawl.port, "tiny", "&time_limit=1&connectTimeoutMS=60000");
    let silent = Proxy::before(server.port, Fault::Silence);
    let silent = server.uri(silent.port, "tiny", "&connectTimeoutMS=500&time_limit=2");
    for uri in [too_slow, silent] {
        let since = Instant::now();
        let called = place.train_tiny(&uri, &[]);
        assert_eq!(called.code, 69, "{}", called.err);
        assert!(called.err.contains("read documents"), "{}", called.err);
        assert!(since.elapsed() < Duration::from_secs(60));
    }
    assert_eq!(server.count("tiny"), 40);
}

#[test]
fn a_wrong_password_is_said_once_and_never_shown() {
    let port = peer::that_refuses_passwords();
    let place = tiny(10);
    let uri = format!(
        "mongodb://me@127.0.0.1:{port}/db?collection=c&directConnection=true&authMechanism=SCRAM-SHA-256"
    );
    let with_password = uri.replace("me@", "me:hunter2@");
    let environment = [("NETSEC_MONGODB_PASSWORD", "hunter2")];
    for (uri, environment) in [(&with_password, &[][..]), (&uri, &environment[..])] {
        let since = Instant::now();
        let run = place.call_with(
            &[&["run", "--source", uri][..], &TINY].concat(),
            environment,
        );
        assert_eq!(run.code, 69, "{}", run.err);
        let words = [
            "Authentication failed",
            "check user, password and authSource",
        ];
        assert!(words.iter().all(|w| run.err.contains(w)), "{}", run.err);
        // Nothing is tried again: it would fail again, and may lock the user out.
        assert!(since.elapsed() < Duration::from_secs(5));
        let doctor = place.call_with(&["doctor", "--source", uri], environment);
        assert_eq!(doctor.code, 69, "{}", doctor.out);
        assert!(doctor.out.contains("FAIL  credentials"), "{}", doctor.out);
        assert!(doctor.out.contains("ok    port"), "{}", doctor.out);
        for said in [run.err, run.out, doctor.out, doctor.err] {
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}

#[test]
fn doctor_names_the_step_that_fails() {
    let place = tiny(10);
    let check = |host: &str, more: &str, step: &str| {
        let limits = "serverSelectionTimeoutMS=500&connectTimeoutMS=500";
        let uri = format!("mongodb://{host}/db?collection=c&directConnection=true&{limits}{more}");
        let called = place.call(&["doctor", "--source", &uri]);
        assert_eq!(called.code, 69, "{}", called.out);
        assert!(
            called.out.contains(&format!("FAIL  {step}")),
            "{}",
            called.out
        );
        called.out
    };
    check("no-such-host.invalid", "", "name");
    check(&format!("127.0.0.1:{}", free_port()), "", "port");
    let server = Server::start();
    let said = check(&format!("127.0.0.1:{}", server.port), "&tls=true", "TLS");
    assert!(said.contains("the server does not speak it"), "{said}");
    let silent = Proxy::before(server.port, Fault::Silence);
    check(&format!("127.0.0.1:{}", silent.port), "", "server");
}

#[test]
fn a_duplicate_key_in_mid_batch_goes_to_quarantine_and_the_others_are_loaded() {
    let server = Server::start();
    let place = tiny(0);
    let row = |i: usize| format!("{},{i},{}\n", if i == 700 { 3 } else { i }, i % 2);
    let rows: String = (0..2000).map(row).collect();
    place.write("tiny.csv", format!("a,b,y\n{rows}"));
    let to = server.address("tiny");
    server.ask("tiny", &["index", "a", "unique"], "");
    for (written, already_there) in [(1999, 0), (0, 1999)] {
        let more = [&SCHEMA[..], &["--quarantine", "bad.csv"]].concat();
        let pushed = push(&place, "tiny.csv", &to, &more);
        assert_eq!(pushed["written"], written);
        assert_eq!(pushed["already_there"], already_there);
        assert_eq!(pushed["rejected"], 1);
        assert_eq!(server.count("tiny"), 1999);
        let rejected = std::fs::read_to_string(place.path("bad.csv")).unwrap();
        let line = rejected.lines().nth(1).unwrap();
        assert!(
            line.starts_with("701,") && line.ends_with(",3,700,0"),
            "{rejected}"
        );
    }
}

#[test]
fn a_document_that_is_too_long_goes_to_quarantine() {
    let server = Server::start();
    let place = Workplace::new();
    place.write(
        "text.yaml",
        "
name: text
columns:
- {name: a, type: text}
- {name: b, type: number}
target: {column: y, benign: {ok: ['0']}, threats: {bad: ['1']}}
",
    );
    let long = "x".repeat(8 << 20);
    let line = |a: &str, b: usize| json!({"a": a, "b": b, "y": b % 2}).to_string() + "\n";
    // A line of JSON may be this long, but the document of it is longer and may not.
    let schema = std::fs::read_to_string(place.path("text.yaml")).unwrap();
    place.write(
        "text.yaml",
        schema.replace("- {name: b", "- {name: c, type: text}\n- {name: b"),
    );
    let with_c = |a: &str, c: &str, b: usize| {
        let mut object: serde_json::Value = serde_json::from_str(&line(a, b)).unwrap();
        object["c"] = json!(c);
        object.to_string() + "\n"
    };
    let rows = [
        with_c("u", "v", 1),
        with_c(&long, &long[..(8 << 20) - 50], 2),
        with_c("w", "z", 3),
    ];
    place.write("text.jsonl", rows.concat());
    let more = [
        "--dataset",
        "text.yaml",
        "--max-bad-share",
        "0.5",
        "--quarantine",
        "bad.csv",
    ];
    let pushed = push(&place, "text.jsonl", &server.address("text"), &more);
    assert_eq!(
        (&pushed["written"], &pushed["rejected"]),
        (&json!(2), &json!(1))
    );
    assert_eq!(server.count("text"), 2);
    assert!(place.path("bad.csv").metadata().unwrap().len() > 16 << 20);
}
