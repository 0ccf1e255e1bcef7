//! Records into DynamoDB and out again, on a server in another language.

use std::{
    fs,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    bucket::environment,
    http,
    mongodb::{payloads, phishing},
    proxy::{Fault, Proxy},
    s3::{SCHEMA, call, doctor, fails, push, push_tiny, tiny, train},
    server::free_port,
    table::Table,
};
use crate::support::{SMALL, Workplace, send_signal};

fn raw(place: &Workplace, run: &Value) -> Vec<u8> {
    place.artifacts(run)["01-ingestion/raw-dataset.bin"].clone()
}

/// Answers as DynamoDB does when it refuses.
const DENIED: Fault = Fault::Answer {
    status: "400 Bad Request",
    body: "{\"__type\":\"com.amazon.coral.service#AccessDeniedException\",\"Message\":\"not authorized\"}",
    times: usize::MAX,
};
const UNKNOWN: Fault = Fault::Answer {
    status: "400 Bad Request",
    body: "{\"__type\":\"com.amazon.coral.service#UnrecognizedClientException\",\"message\":\"invalid\"}",
    times: usize::MAX,
};

#[test]
fn phishing_pushed_and_trained_from_gives_the_payloads_of_the_file() {
    let (table, place) = (Table::new(), Workplace::new());
    let port = table.server.port;
    let pushed = push(&place, port, &phishing(), &table.uri(), &[]);
    assert_eq!(pushed["written"], 11_055);
    let verified = pushed["verified"].as_str().unwrap();
    assert!(verified.starts_with("11055 records"), "{verified}");
    push(&place, port, &phishing(), &table.uri(), &[]);
    assert_eq!(table.count(), 11_055);
    let source = table.uri();
    let arguments = [&["run", "--json", "--source", &source][..], &SMALL].concat();
    let found = call(&place, port, &arguments);
    assert_eq!(found["rows"]["total"], 11_055);
    let expected = payloads(&place, &place.run(&["--source", &phishing()]));
    for (name, bytes) in &payloads(&place, &found) {
        assert!(expected[name] == *bytes, "{name} differs from the file's");
    }
    // The same table of another region is another source.
    let mut elsewhere = environment(free_port());
    elsewhere.push(("AWS_REGION", "eu-central-1".to_owned()));
    assert_eq!(place.call_in(&arguments, &elsewhere).code, 69);
    let kept = place.call_in(&arguments, &environment(port));
    assert!(kept.out.contains("\"read_at\""), "{}", kept.out);
}

/// Starts a push, and interrupts it once some of it is there.
fn interrupted(table: &Table, place: &Workplace, more: &[&str]) {
    let before = table.count();
    let held = Proxy::before(table.server.port, Fault::HoldRequests { after: 20_000 });
    let child = Command::new(env!("CARGO_BIN_EXE_netsec"))
        .args(["push", "--from", "tiny.csv", "--to", &table.uri()])
        .args(SCHEMA)
        .args(more)
        .current_dir(place.path(""))
        .envs(environment(held.port))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let since = Instant::now();
    while table.count() == before {
        assert!(since.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(20));
    }
    send_signal(&child, "INT");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    let left = table.count() - before;
    assert!((1..3_000).contains(&left), "{left}");
}

#[test]
fn an_interrupted_push_is_completed_by_the_same_push() {
    let (table, place) = (Table::new(), tiny(3_000));
    let port = table.server.port;
    let first = Workplace::new();
    first.write_tiny(10);
    push_tiny(&first, port, &table.uri(), &[]);
    interrupted(&table, &place, &[]);
    let cut = Fault::CutAnswers {
        after: 5_000,
        times: 3,
    };
    let proxy = Proxy::before(port, cut);
    let pushed = push_tiny(&place, proxy.port, &table.uri(), &[]);
    assert_eq!(pushed["written"], 3_000);
    assert!(proxy.cuts() >= 2, "{} cuts", proxy.cuts());
    assert_eq!(table.count(), 3_010);
}

#[test]
fn a_replacement_lets_the_old_records_go_once_the_new_ones_are_there() {
    let (table, place) = (Table::new(), tiny(400));
    let port = table.server.port;
    let old = push_tiny(&place, port, &table.uri(), &[])["load"].clone();
    let n_old = || {
        let filter = json!({
            "FilterExpression": "begins_with(#k, :l)",
            "ExpressionAttributeNames": {"#k": "_key"},
            "ExpressionAttributeValues": {":l": {"S": old}},
        });
        table.ask("scan", filter)["Count"].clone()
    };
    place.write_tiny(3_000);
    interrupted(&table, &place, &["--mode", "replace"]);
    assert_eq!(n_old(), 400);
    place.write_tiny(300);
    push_tiny(&place, port, &table.uri(), &["--mode", "replace"]);
    assert_eq!((table.count(), n_old()), (300, json!(0)));
    let run = train(&place, port, &table.uri());
    assert!(raw(&place, &run) == raw(&place, &place.run_tiny(&[])));
}

#[test]
fn records_are_written_over_by_the_key_of_the_table() {
    let (table, place) = (Table::new(), tiny(1));
    let port = table.server.port;
    let upsert = ["--mode", "upsert", "--key", "a"];
    place.write("tiny.csv", "a,b,y\n1,2,0\n2,3,1\n");
    assert_eq!(push_tiny(&place, port, &table.uri(), &upsert)["written"], 2);
    place.write("tiny.csv", "a,b,y\n2,,0\n3,5,1\n");
    assert_eq!(push_tiny(&place, port, &table.uri(), &upsert)["written"], 2);
    let mut items = table.items();
    items.sort_by_key(|item| item["a"]["N"].to_string());
    assert_eq!(
        items,
        [
            json!({"a": {"N": "1"}, "b": {"N": "2"}, "y": {"N": "0"}}),
            json!({"a": {"N": "2"}, "b": {"NULL": true}, "y": {"N": "0"}}),
            json!({"a": {"N": "3"}, "b": {"N": "5"}, "y": {"N": "1"}}),
        ]
    );
    let to = table.uri();
    let refused = |more: &[&str], words: &str| {
        let arguments = ["push", "--from", "tiny.csv", "--to", &to];
        let arguments = [&arguments[..], &SCHEMA, more].concat();
        let said = fails(&place, &environment(port), &arguments, 65);
        assert!(said.contains(words), "{words}: {said}");
    };
    refused(&["--mode", "upsert", "--key", "y"], "its key is (a)");
    refused(&[], "its key is (a), but records are added");
    refused(&["--mode", "replace"], "use --mode upsert");
    assert_eq!(table.count(), 3);

    let pairs = Table::new();
    pairs.create(&[("b", "S"), ("a", "N")]);
    place.write("tiny.csv", "a,b,y\n1,2,0\n2,2,1\n1,2.5,1\n");
    let both = ["--mode", "upsert", "--key", "a", "--key", "b"];
    assert_eq!(push_tiny(&place, port, &pairs.uri(), &both)["written"], 3);
    push_tiny(&place, port, &pairs.uri(), &both);
    assert_eq!(pairs.count(), 3);
    let read = fails(&place, &environment(port), &doctor(&pairs.uri()), 0);
    assert!(read.contains("first 3 rows read, none bad"), "{read}");
}

#[test]
fn a_record_that_the_server_refuses_goes_to_quarantine_alone() {
    let (table, place) = (Table::new(), Workplace::new());
    let schema = "name: named\ncolumns: [{name: n, type: text}, {name: a, type: number}]\n\
                  target: {column: y, benign: {ok: ['0']}, threats: {bad: ['1']}}\n";
    place.write("named.yaml", schema);
    let row = |i: usize| {
        format!(
            "{},{i},0\n",
            if i == 17 {
                "n".repeat(2_049)
            } else {
                format!("n{i}")
            }
        )
    };
    place.write(
        "named.csv",
        "n,a,y\n".to_owned() + &(0..60).map(row).collect::<String>(),
    );
    let more = [
        "--dataset",
        "named.yaml",
        "--mode",
        "upsert",
        "--key",
        "n",
        "--max-bad-share",
        "0.1",
        "--quarantine",
        "bad.csv",
    ];
    let pushed = push(&place, table.server.port, "named.csv", &table.uri(), &more);
    assert_eq!(
        (&pushed["written"], &pushed["rejected"]),
        (&json!(59), &json!(1))
    );
    assert_eq!(table.count(), 59);
    let bad = fs::read_to_string(place.path("bad.csv")).unwrap();
    assert!(
        bad.contains("18,") && bad.contains("ValidationException"),
        "{bad}"
    );
}

#[test]
fn what_is_not_taken_for_want_of_capacity_is_sent_again() {
    let (table, place) = (Table::new(), tiny(100));
    let port = table.server.busy_port;
    let arguments = ["push", "--from", "tiny.csv", "--to", &table.uri()];
    let said = fails(
        &place,
        &environment(port),
        &[&arguments[..], &SCHEMA].concat(),
        0,
    );
    for words in ["ProvisionedThroughputExceededException", "it has not taken"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(table.count(), 100);
    let run = train(&place, port, &table.uri());
    assert!(raw(&place, &run) == raw(&place, &place.run_tiny(&[])));
    let keyed = Table::new();
    keyed.create(&[("a", "N")]);
    place.write(
        "tiny.csv",
        "a,b,y\n".to_owned() + &(0..30).map(|i| format!("{i},1,0\n")).collect::<String>(),
    );
    let upsert = ["--mode", "upsert", "--key", "a"];
    assert_eq!(
        push_tiny(&place, port, &keyed.uri(), &upsert)["written"],
        30
    );
    assert_eq!(keyed.count(), 30);
}

#[test]
fn of_two_replacements_at_once_the_one_that_lost_its_items_says_so() {
    let (table, place) = (Table::new(), tiny(300));
    let port = table.server.port;
    push_tiny(&place, port, &table.uri(), &[]);
    let (first, second) = (tiny(200), tiny(50));
    std::thread::scope(|scope| {
        // Its deletions wait for capacity, while the other one comes and goes.
        let slow = scope.spawn(|| {
            let uri = table.uri() + "?wcu=100";
            let arguments = [
                "push", "--from", "tiny.csv", "--to", &uri, "--mode", "replace",
            ];
            first.call_in(&[&arguments[..], &SCHEMA].concat(), &environment(port))
        });
        let since = Instant::now();
        let mut most = 0;
        while most < 500 || table.count() == most {
            most = most.max(table.count());
            assert!(since.elapsed() < Duration::from_secs(60), "{most}");
        }
        push_tiny(&second, port, &table.uri(), &["--mode", "replace"]);
        assert_eq!(table.count(), 50);
        let slow = slow.join().unwrap();
        assert_eq!(slow.code, 69, "{}", slow.err);
        let said = "another replacement has run at the same time";
        assert!(slow.err.contains(said), "{}", slow.err);
    });
    assert_eq!(table.count(), 50);
}

#[test]
fn capacity_is_used_no_quicker_than_the_address_says() {
    let (table, place) = (Table::new(), tiny(300));
    let port = table.server.port;
    let since = Instant::now();
    push_tiny(&place, port, &(table.uri() + "?wcu=100"), &[]);
    // A unit each, of which the last four requests' need not be waited for.
    let took = since.elapsed();
    assert!(took >= Duration::from_millis(1_900), "{took:?}");
    assert_eq!(table.count(), 300);
}

#[test]
fn types_are_mapped_or_named() {
    let (table, place) = (Table::new(), tiny(1));
    let port = table.server.port;
    table.create(&[("id", "S")]);
    for item in [
        json!({"id": {"S": "1"}, "a": {"N": "1.50"}, "b": {"NULL": true}, "y": {"N": "0"}, "m": {"M": {"x": {"L": []}}}}),
        json!({"id": {"S": "2"}, "a": {"S": " 2 "}, "y": {"S": "1"}, "tags": {"SS": ["x"]}}),
        json!({"id": {"S": "3"}, "a": {"L": [{"N": "1"}]}, "b": {"N": "1"}, "y": {"N": "1"}}),
    ] {
        table.put(item);
    }
    let more = ["--max-bad-share", "0.5", "--quarantine", "bad.csv"];
    let more = [&SCHEMA[..], &more].concat();
    let pushed = push(&place, port, &table.uri(), "out.csv", &more);
    assert_eq!(
        (&pushed["written"], &pushed["rejected"]),
        (&json!(2), &json!(1))
    );
    let out = fs::read_to_string(place.path("out.csv")).unwrap();
    let mut lines: Vec<&str> = out.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["1.5,,0", "2,,1", "a,b,y"]);
    let bad = fs::read_to_string(place.path("bad.csv")).unwrap();
    assert!(bad.contains("a: a list, not a single value"), "{bad}");
    for name in ["id", "m.x", "tags"] {
        assert!(pushed["left_out"].to_string().contains(name), "{pushed}");
    }
}

#[test]
fn doctor_names_the_step_that_fails_and_no_secret_is_shown() {
    let (table, place) = (Table::new(), tiny(60));
    let port = table.server.port;
    let uri = table.uri();
    let check = |environment: &[(&str, String)], uri: &str, step: &str, code: i32, words: &str| {
        let said = fails(&place, environment, &doctor(uri), code);
        assert!(said.contains(&format!("FAIL  {step} ")), "{step}: {said}");
        assert!(said.contains(words), "{words}: {said}");
    };
    check(
        &environment(port),
        &uri,
        "table",
        64,
        "ResourceNotFoundException",
    );
    push_tiny(&place, port, &uri, &[]);
    let given = format!("{uri}?region=eu-west-3&endpoint=http://127.0.0.1:{port}");
    let healthy = fails(&place, &environment(free_port()), &doctor(&given), 0);
    for step in [
        "address",
        "name",
        "port",
        "TLS",
        "credentials",
        "permission",
        "table",
    ] {
        assert!(
            healthy.contains(&format!("ok    {step} ")),
            "{step}: {healthy}"
        );
    }
    assert!(healthy.contains("region eu-west-3"), "{healthy}");
    check(&environment(free_port()), &uri, "port", 69, "refused");
    let denied = Proxy::before(port, DENIED);
    check(
        &environment(denied.port),
        &uri,
        "permission",
        69,
        "AccessDeniedException",
    );
    let unknown = Proxy::before(port, UNKNOWN);
    check(
        &environment(unknown.port),
        &uri,
        "credentials",
        69,
        "AWS_ACCESS_KEY_ID",
    );
    let page = Workplace::new();
    fs::create_dir(page.path("served")).unwrap();
    let web = http::Server::start(&page);
    let foreign = "but not as DynamoDB does: check host and port";
    check(&environment(web.port), &uri, "server", 69, foreign);
    let silent = Proxy::before(port, Fault::Silence);
    let limited = format!("{uri}?time_limit=1");
    let nothing = "no answer within 1 s";
    check(&environment(silent.port), &limited, "server", 69, nothing);
    let mut nobody = environment(port);
    nobody[1].1.clear();
    nobody[2].1.clear();
    nobody.push(("AWS_EC2_METADATA_DISABLED", "true".to_owned()));
    check(&nobody, &uri, "credentials", 69, "AWS_PROFILE");
    let with_login = format!("{uri}?endpoint=http://me:hunter2@127.0.0.1:{port}");
    check(
        &environment(port),
        &with_login,
        "address",
        64,
        "holds a login",
    );
    table.ask("delete_table", json!({}));
    check(&environment(port), &uri, "table", 69, "is being deleted");
}
