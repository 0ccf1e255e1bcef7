//! Records into S3 and out again, on a server in another language.

use std::{
    fs,
    io::Write as _,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};
use serde_json::{Value, json};

use super::{
    bucket::{Bucket, Server, environment},
    http,
    mongodb::{payloads, phishing},
    proxy::{Fault, Proxy},
    server::free_port,
    table::Table,
};
use crate::support::{SMALL, TINY, Workplace, send_signal, tiny_csv};

pub(super) const SCHEMA: [&str; 2] = ["--dataset", "tiny.yaml"];

pub(super) fn tiny(rows: usize) -> Workplace {
    let place = Workplace::new();
    place.write_tiny(rows);
    place
}

/// Calls a command through a port and returns its JSON.
pub(super) fn call(place: &Workplace, port: u16, arguments: &[&str]) -> Value {
    let called = place.call_in(arguments, &environment(port));
    assert_eq!(called.code, 0, "{arguments:?}: {}", called.err);
    serde_json::from_str(&called.out).unwrap()
}

pub(super) fn push(place: &Workplace, port: u16, from: &str, to: &str, more: &[&str]) -> Value {
    let fixed = ["push", "--json", "--from", from, "--to", to];
    call(place, port, &[&fixed[..], more].concat())
}

pub(super) fn push_tiny(place: &Workplace, port: u16, to: &str, more: &[&str]) -> Value {
    push(place, port, "tiny.csv", to, &[&SCHEMA[..], more].concat())
}

/// Reads a source to its end.
pub(super) fn count(place: &Workplace, port: u16, from: &str) -> Value {
    let nowhere = "s3://bucket/nowhere.csv";
    let more = [&SCHEMA[..], &["--dry-run"]].concat();
    push(place, port, from, nowhere, &more)["accepted"].clone()
}

/// Trains on a source.
pub(super) fn train(place: &Workplace, port: u16, source: &str) -> Value {
    let fixed = [
        "run",
        "--json",
        "--refresh",
        "--force",
        "--why",
        "a test",
        "--source",
        source,
    ];
    call(place, port, &[&fixed[..], &TINY].concat())
}

fn raw(place: &Workplace, run: &Value) -> Vec<u8> {
    place.artifacts(run)["01-ingestion/raw-dataset.bin"].clone()
}

pub(super) fn doctor(uri: &str) -> [&str; 5] {
    ["doctor", "--dataset", "tiny.yaml", "--source", uri]
}

pub(super) fn fails(
    place: &Workplace,
    environment: &[(&str, String)],
    arguments: &[&str],
    code: i32,
) -> String {
    let called = place.call_in(arguments, environment);
    let said = called.out + &called.err;
    assert_eq!(called.code, code, "{arguments:?}: {said}");
    assert!(!said.contains("hunter2"), "{said}");
    said
}

#[test]
fn phishing_pushed_and_trained_from_gives_the_payloads_of_the_file() {
    let (bucket, place) = (Bucket::new(), Workplace::new());
    let port = bucket.server.port;
    let to = bucket.uri("in/network_data.parquet");
    let pushed = push(&place, port, &phishing(), &to, &["--mode", "replace"]);
    assert_eq!(pushed["written"], 11_055);
    let verified = pushed["verified"].as_str().unwrap();
    assert!(verified.starts_with("11055 records"), "{verified}");
    let from_s3 = call(
        &place,
        port,
        &[&["run", "--json", "--source", &to][..], &SMALL].concat(),
    );
    assert_eq!(from_s3["rows"]["total"], 11_055);
    let expected = payloads(&place, &place.run(&["--source", &phishing()]));
    let found = payloads(&place, &from_s3);
    for (name, bytes) in &found {
        assert!(expected[name] == *bytes, "{name} differs from the file's");
    }
    // The same address at another server, or asked by somebody else, is another source.
    let again = |environment: &[(&str, String)]| {
        place.call_in(
            &[&["run", "--json", "--source", &to][..], &SMALL].concat(),
            environment,
        )
    };
    let nowhere = free_port();
    assert_eq!(again(&environment(nowhere)).code, 69);
    let kept = again(&environment(port));
    assert!(kept.out.contains("\"read_at\""), "{}", kept.out);
}

#[test]
fn objects_of_all_formats_are_read_in_the_order_of_their_keys() {
    let (bucket, place) = (Bucket::new(), tiny(900));
    let port = bucket.server.port;
    let csv = tiny_csv(900);
    let lines: Vec<&str> = csv.lines().collect();
    let (names, rows) = lines.split_first().unwrap();
    let part = |rows: &[&str]| format!("{names}\n{}\n", rows.join("\n"));
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(part(&rows[300..600]).as_bytes()).unwrap();
    let json: String = rows[600..]
        .iter()
        .map(|row| {
            let cells: Vec<&str> = row.split(',').collect();
            format!(
                "{{\"a\":{},\"b\":{},\"y\":{}}}\n",
                cells[0], cells[1], cells[2]
            )
        })
        .collect();
    for (key, content) in [
        ("logs/2/b.csv.gz", gzip.finish().unwrap()),
        ("logs/3/c.jsonl", json.into_bytes()),
        ("logs/1/a.csv", part(&rows[..300]).into_bytes()),
        ("logs/_SUCCESS", Vec::new()),
        ("logs/0/blank.csv", b"\n\n".to_vec()),
        (
            "logs/2/c.csv.gz",
            GzEncoder::new(Vec::new(), Compression::default())
                .finish()
                .unwrap(),
        ),
        ("logs/4/blank.jsonl", b" \n".to_vec()),
        ("blank/1.csv", b"\n".to_vec()),
        ("blank/2.csv", b"\n".to_vec()),
        ("logs/2/", Vec::new()),
        ("logs/2/mark.done", Vec::new()),
        ("other.csv", part(&rows[..10]).into_bytes()),
    ] {
        place.write("part", content);
        bucket.put(key, &place.path("part"));
    }
    let expected = place.run_tiny(&[]);
    for address in ["logs/", "logs/*/*", "logs/**.*"] {
        let run = train(&place, port, &bucket.uri(address));
        assert_eq!(run["rows"]["total"], 900, "{address}");
        assert!(raw(&place, &run) == raw(&place, &expected), "{address}");
    }
    let some = train(&place, port, &bucket.uri("logs/*/*.csv"));
    assert_eq!(some["rows"]["total"], 300);
    let blank = bucket.uri("blank/");
    let run = [&["run", "--source", &blank][..], &TINY].concat();
    let said = fails(&place, &environment(port), &run, 65);
    assert!(said.contains("only empty lines"), "{said}");
    let none = bucket.uri("logs/*.parquet");
    let said = fails(
        &place,
        &environment(port),
        &[&["run", "--source", &none][..], &TINY].concat(),
        65,
    );
    assert!(said.contains("there is no such object"), "{said}");
}

#[test]
fn a_pinned_version_is_read_whatever_came_after_it() {
    let (bucket, place) = (Bucket::new(), tiny(300));
    let status = json!({"VersioningConfiguration": {"Status": "Enabled"}});
    bucket.ask("put_bucket_versioning", status);
    let first = bucket.put("tiny.csv", &place.path("tiny.csv"));
    place.write_tiny(500);
    bucket.put("tiny.csv", &place.path("tiny.csv"));
    let port = bucket.server.port;
    let pinned = format!("tiny.csv?version_id={}", first.as_str().unwrap());
    for (address, rows) in [("tiny.csv", 500), (&pinned, 300)] {
        let run = train(&place, port, &bucket.uri(address));
        assert_eq!(run["rows"]["total"], rows, "{address}");
    }
}

#[test]
fn a_push_writes_each_format_and_says_when_something_is_there() {
    let (bucket, place) = (Bucket::new(), tiny(400));
    let port = bucket.server.port;
    let expected = place.run_tiny(&[]);
    for name in ["t.csv", "t.csv.gz", "t.jsonl", "t.parquet"] {
        let to = bucket.uri(name);
        let pushed = push_tiny(&place, port, &to, &[]);
        assert_eq!(
            (&pushed["written"], &pushed["before"]),
            (&json!(400), &Value::Null)
        );
        let again = push_tiny(&place, port, &to, &[]);
        assert_eq!(
            (&again["written"], &again["already_there"]),
            (&json!(0), &json!(400))
        );
        let run = train(&place, port, &to);
        assert_eq!(run["rows"]["total"], 400, "{name}");
        assert!(raw(&place, &run) == raw(&place, &expected), "{name}");
    }
    place.write_tiny(100);
    let to = bucket.uri("t.csv");
    let arguments = ["push", "--from", "tiny.csv", "--to", &to];
    let arguments = [&arguments[..], &SCHEMA].concat();
    let said = fails(&place, &environment(port), &arguments, 65);
    assert!(said.contains("--mode replace"), "{said}");
    assert_eq!(
        bucket.get("t.csv")["Metadata"]["netsec-load"]
            .as_str()
            .unwrap()
            .len(),
        16
    );
    push_tiny(&place, port, &to, &["--mode", "replace"]);
    assert_eq!(bucket.get("t.csv")["Body"], tiny_csv(100));
    for mode in [
        &["--mode", "upsert", "--key", "a"][..],
        &["--mode", "replace"],
    ] {
        let below = bucket.uri("t/");
        let arguments = ["push", "--from", "tiny.csv", "--to", &below];
        fails(
            &place,
            &environment(port),
            &[&arguments[..], &SCHEMA, mode].concat(),
            64,
        );
    }
}

#[test]
fn what_is_appended_below_a_prefix_is_there_once() {
    let (bucket, place) = (Bucket::new(), tiny(400));
    let port = bucket.server.port;
    for to in ["day/", "day/*.csv.gz"] {
        place.write_tiny(400);
        let to = bucket.uri(to);
        assert_eq!(push_tiny(&place, port, &to, &[])["written"], 400);
        assert_eq!(push_tiny(&place, port, &to, &[])["already_there"], 400);
        place.write_tiny(150);
        assert_eq!(push_tiny(&place, port, &to, &[])["written"], 150);
    }
    assert_eq!(bucket.keys().len(), 4);
    let run = train(&place, port, &bucket.uri("day/*.csv.gz"));
    assert_eq!(run["rows"]["total"], 550);
    let run = train(&place, port, &bucket.uri("day/"));
    assert_eq!(run["rows"]["total"], 1100);
}

#[test]
fn nothing_is_pushed_into_what_it_is_read_from() {
    let (bucket, place) = (Bucket::new(), tiny(400));
    let port = bucket.server.port;
    for key in ["day/a.csv", "day/more/b.csv"] {
        bucket.put(key, &place.path("tiny.csv"));
    }
    let push = |from: &str, to: &str, code: i32| {
        let (from, to) = (bucket.uri(from), bucket.uri(to));
        let fixed = ["push", "--from", &from, "--to", &to];
        fails(
            &place,
            &environment(port),
            &[&fixed[..], &SCHEMA].concat(),
            code,
        )
    };
    for (from, to) in [
        ("day/", "day/"),
        ("", "day/more/"),
        ("day/**.csv", "day/other/*.csv"),
        ("day/*.csv", "day/all.csv"),
        ("day/a.csv", "day/a.csv"),
    ] {
        let said = push(from, to, 64);
        assert!(said.contains("would be read with it from"), "{said}");
    }
    assert_eq!(bucket.keys().len(), 2);
    for (from, to) in [
        ("day/more/", "day/"),
        ("day/**.csv", "day/"),
        ("day/a.csv", "day/c.csv"),
    ] {
        push(from, to, 0);
    }
    assert_eq!(bucket.keys().len(), 5);
}

#[test]
fn an_object_whose_key_says_gzip_is_gzip() {
    let (bucket, place) = (Bucket::new(), tiny(400));
    bucket.put("tiny.csv.gz", &place.path("tiny.csv"));
    let environment = environment(bucket.server.port);
    let (key, named) = (
        bucket.uri("tiny.csv.gz"),
        bucket.uri("tiny.csv.gz?format=csv"),
    );
    for (source, code) in [(key, 65), (named, 0)] {
        let run = [&["run", "--source", &source][..], &TINY].concat();
        let said = fails(&place, &environment, &run, code);
        assert_eq!(said.contains("it is to be gzip"), code == 65, "{said}");
    }
}

#[test]
fn a_server_that_is_busy_or_cuts_is_asked_again() {
    let (bucket, place) = (Bucket::new(), tiny(40_000));
    let port = bucket.server.port;
    bucket.put("tiny.csv", &place.path("tiny.csv"));
    let expected = place.run_tiny(&[]);
    let busy = Fault::Answer {
        status: "503 Slow Down",
        body: "<Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>",
        times: 3,
    };
    let cut = Fault::CutAnswers {
        after: 150_000,
        times: 2,
    };
    for fault in [busy, cut] {
        let proxy = Proxy::before(port, fault);
        let run = train(&place, proxy.port, &bucket.uri("tiny.csv"));
        assert_eq!(run["rows"]["total"], 40_000);
        assert!(raw(&place, &run) == raw(&place, &expected));
        assert!(proxy.cuts() >= 2, "{} cuts", proxy.cuts());
    }
    let proxy = Proxy::before(
        port,
        Fault::CutRequests {
            after: 90_000,
            times: 2,
        },
    );
    let pushed = push_tiny(&place, proxy.port, &bucket.uri("copy.csv"), &[]);
    assert_eq!(pushed["written"], 40_000);
    assert!(proxy.cuts() >= 2, "{} cuts", proxy.cuts());
    assert_eq!(bucket.get("copy.csv")["Body"], tiny_csv(40_000));
    let silent = Proxy::before(port, Fault::Silence);
    let uri = bucket.uri("tiny.csv?time_limit=1");
    let since = Instant::now();
    let said = fails(
        &place,
        &environment(silent.port),
        &[&["run", "--source", &uri][..], &TINY].concat(),
        69,
    );
    assert!(said.contains("no answer within 1 s"), "{said}");
    assert!(since.elapsed() < Duration::from_secs(30));
}

#[test]
fn an_object_that_changes_while_it_is_read_is_read_anew() {
    let (bucket, place) = (Bucket::new(), tiny(40_000));
    bucket.put("tiny.csv", &place.path("tiny.csv"));
    let fault = Fault::CutThenWait { after: 150_000 };
    let proxy = Proxy::before(bucket.server.port, fault);
    let uri = bucket.uri("tiny.csv");
    let fixed = [
        "run", "--json", "--force", "--why", "a test", "--source", &uri,
    ];
    let child = Command::new(env!("CARGO_BIN_EXE_netsec"))
        .args([&fixed[..], &TINY].concat())
        .current_dir(place.path(""))
        .envs(environment(proxy.port))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    place.write("other.csv", tiny_csv(39_000));
    while proxy.cuts() == 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    bucket.put("tiny.csv", &place.path("other.csv"));
    proxy.open();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(output.status.success(), "{said}");
    assert!(said.contains("changed, reading it anew"), "{said}");
    let run: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(run["rows"]["total"], 39_000);
}

#[test]
fn a_long_file_goes_and_comes_in_parts_and_an_interrupted_one_leaves_nothing() {
    let (bucket, place) = (Bucket::new(), tiny(1_300_000));
    let port = bucket.server.port;
    assert!(fs::metadata(place.path("tiny.csv")).unwrap().len() > 9 << 20);
    let to = bucket.uri("long.csv");
    let held = Proxy::before(port, Fault::HoldRequests { after: 1 << 20 });
    let child = Command::new(env!("CARGO_BIN_EXE_netsec"))
        .args(["push", "--from", "tiny.csv", "--to", &to])
        .args(SCHEMA)
        .current_dir(place.path(""))
        .envs(environment(held.port))
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let since = Instant::now();
    while bucket.n_uploads() == 0 {
        assert!(since.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(20));
    }
    send_signal(&child, "INT");
    assert_eq!(child.wait_with_output().unwrap().status.code(), Some(130));
    assert_eq!((bucket.keys().len(), bucket.n_uploads()), (0, 0));

    let proxy = Proxy::before(
        port,
        Fault::CutRequests {
            after: 1 << 20,
            times: 2,
        },
    );
    let pushed = push_tiny(&place, proxy.port, &to, &[]);
    assert_eq!(pushed["written"], 1_300_000);
    let verified = pushed["verified"].as_str().unwrap();
    assert!(verified.starts_with("1300000 records"), "{verified}");
    assert!(proxy.cuts() >= 2, "{} cuts", proxy.cuts());
    assert_eq!(bucket.n_uploads(), 0);
    // What a library of ours has to say is for its users.
    let arguments = ["push", "--from", "tiny.csv", "--to", &to];
    let arguments = [&arguments[..], &SCHEMA, &["--mode", "replace"]].concat();
    let said = fails(&place, &environment(port), &arguments, 0);
    assert!(!said.contains("aws_sdk_s3"), "{said}");
    let put = bucket.get("long.csv");
    assert!(
        put["ETag"].as_str().unwrap().contains("-2"),
        "in two parts: {}",
        put["ETag"]
    );
    assert!(put["Body"] == tiny_csv(1_300_000));

    let cut = Fault::CutAnswers {
        after: 3 << 20,
        times: 2,
    };
    let proxy = Proxy::before(port, cut);
    assert_eq!(count(&place, proxy.port, &to), 1_300_000);
    assert!(proxy.cuts() >= 2, "{} cuts", proxy.cuts());
}

#[test]
fn another_addition_that_came_first_is_told_and_stays() {
    let (bucket, place, other) = (Bucket::new(), tiny(40), tiny(30));
    let (port, to) = (bucket.server.port, bucket.uri("new.csv"));
    let held = Proxy::before(port, Fault::Interrupt("PUT /"));
    let called = std::thread::scope(|scope| {
        let arguments = ["push", "--from", "tiny.csv", "--to", &to];
        let arguments = [&arguments[..], &SCHEMA].concat();
        let environment = environment(held.port);
        let pushed = scope.spawn(|| {
            let (arguments, environment) = (arguments, environment);
            place.call_in(&arguments, &environment)
        });
        while held.cuts() == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        push_tiny(&other, port, &to, &[]);
        held.open();
        pushed.join().unwrap()
    });
    assert_eq!(called.code, 65, "{}", called.err);
    let said = "there is another object already";
    assert!(called.err.contains(said), "{}", called.err);
    assert!(bucket.get("new.csv")["Body"] == tiny_csv(30));
}

#[test]
fn doctor_names_the_step_that_fails_and_no_secret_is_shown() {
    let server: &'static Server = Box::leak(Box::new(Server::start()));
    server.ask("create_bucket", json!({"Bucket": "mine"}));
    server.ask("create_bucket", json!({"Bucket": "theirs"}));
    let key = server.ask("guard", json!({}));
    let text = |name: &str| key[name].as_str().unwrap().to_owned();
    let place = tiny(50);
    let with = |port: u16, id: String, secret: String| {
        let mut environment = environment(port);
        environment[1].1 = id;
        environment[2].1 = secret;
        environment
    };
    let right = with(server.port, text("id"), text("secret"));
    let to = "s3://mine/tiny.csv";
    let pushed = place.call_in(
        &[&["push", "--from", "tiny.csv", "--to", to][..], &SCHEMA].concat(),
        &right,
    );
    assert_eq!(pushed.code, 0, "{}", pushed.err);
    let healthy = place.call_in(&doctor(to), &right);
    assert_eq!(healthy.code, 0, "{}", healthy.out);
    for step in ["name", "port", "TLS", "credentials", "permission", "object"] {
        assert!(
            healthy.out.contains(&format!("ok    {step} ")),
            "{step}: {}",
            healthy.out
        );
    }
    let (id, secret) = (text("id"), text("secret"));
    let profile = format!("[mine]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n");
    let mut by_profile = with(server.port, String::new(), String::new());
    by_profile[4].1 = place.write("profiles", profile);
    by_profile.push(("AWS_PROFILE", "mine".to_owned()));
    let healthy = place.call_in(&doctor(to), &by_profile);
    assert_eq!(healthy.code, 0, "{}", healthy.out);
    let check = |environment: &[(&str, String)], uri: &str, step: &str, code: i32, words: &str| {
        let said = fails(&place, environment, &doctor(uri), code);
        assert!(said.contains(&format!("FAIL  {step} ")), "{step}: {said}");
        assert!(said.contains(words), "{words}: {said}");
        assert!(!said.contains(&text("secret")), "{said}");
    };
    let unknown = with(server.port, "AKIAUNKNOWN".to_owned(), text("secret"));
    check(&unknown, to, "credentials", 69, "AWS_ACCESS_KEY_ID");
    let wrong = with(server.port, text("id"), "hunter2".to_owned());
    check(&wrong, to, "credentials", 69, "SignatureDoesNotMatch");
    check(
        &right,
        "s3://theirs/x.csv",
        "permission",
        69,
        "AccessDenied",
    );
    check(&right, "s3://mine/x.csv", "object", 64, "NoSuchKey");
    let shared = Bucket::new();
    check(
        &environment(shared.server.port),
        "s3://no-such/x.csv",
        "bucket",
        64,
        "NoSuchBucket",
    );
    check(&environment(free_port()), to, "port", 69, "refused");
    let mut elsewhere = right.clone();
    elsewhere[0].1 = "http://no-such-host.invalid".to_owned();
    check(&elsewhere, to, "name", 69, "no-such-host.invalid");
    let mut encrypted = right.clone();
    encrypted[0].1 = format!("https://127.0.0.1:{}", server.port);
    check(&encrypted, to, "TLS", 69, "does not speak TLS at this port");
    let page = Workplace::new();
    fs::create_dir(page.path("served")).unwrap();
    fs::create_dir(page.path("served/mine")).unwrap();
    let web = http::Server::start(&page);
    let items = Table::new();
    for port in [web.port, items.server.port] {
        check(&environment(port), to, "server", 69, "not as S3 does");
    }
    // Amazon's own, where neither region nor credentials are, and no instance that has them.
    let mut amazon = environment(free_port());
    amazon[0].0 = "AWS_EC2_METADATA_SERVICE_ENDPOINT";
    amazon[1].1.clear();
    amazon[2].1.clear();
    let said = fails(&place, &amazon, &doctor(to), 69);
    assert!(said.contains("bucket mine, region us-east-1"), "{said}");
    let mut nobody = environment(server.port);
    nobody[1].1.clear();
    nobody[2].1.clear();
    nobody.push(("AWS_EC2_METADATA_DISABLED", "true".to_owned()));
    check(&nobody, to, "credentials", 69, "AWS_PROFILE");
}
