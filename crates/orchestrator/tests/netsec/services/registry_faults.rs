//! What goes wrong between a registry and its bucket: it stays consistent, and a retry completes what was begun.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use super::{
    bucket::{Bucket, Server},
    proxy::{Fault, Proxy},
    registry::{Team, run_arguments},
    server::free_port,
};
use crate::support::{Workplace, send_signal};

const SLOW_DOWN: &str =
    "<Error><Code>SlowDown</Code><Message>Reduce your request rate.</Message></Error>";

/// Trains over a proxy with a fault; the run must be whole, and its entry be there once.
fn survives(fault: Fault, least_cuts: usize) {
    let team = Team::new();
    let proxy = Proxy::before(team.bucket.server.port, fault);
    let called = team.run(proxy.port, &[]);
    assert_eq!(called.code, 0, "{}", called.err);
    assert!(proxy.cuts() >= least_cuts, "{} cuts", proxy.cuts());
    assert_eq!(team.history(), [("promoted".to_owned(), 1)]);
    assert_eq!(team.bucket.n_uploads(), 0);
    let listed = team.call(&["models", "list"]);
    assert_eq!(listed.code, 0, "{}", listed.err);
}

#[test]
fn a_server_that_is_busy_or_cuts_is_asked_again() {
    survives(
        Fault::Answer {
            status: "503 Slow Down",
            body: SLOW_DOWN,
            times: 3,
        },
        3,
    );
    let (after, times) = (3_000, 4);
    survives(Fault::CutRequests { after, times }, times);
    survives(Fault::CutAnswers { after, times }, 2);
}

#[test]
fn an_entry_whose_answer_is_lost_is_known_as_ones_own() {
    survives(Fault::Lose("/history/", &[]), 0);
    survives(Fault::Lose("PUT /", &[]), 1);
}

/// Adds an object whose first answer is lost; what asks after it gets these statuses.
fn is_added(then: &'static [&'static str]) {
    let team = Team::new();
    let lost = Fault::Lose("/team/doubt.json", then);
    let proxy = Proxy::before(team.bucket.server.port, lost);
    assert_eq!(team.act(proxy.port, "add doubt.json"), "Ok(true)");
    assert!(proxy.cuts() > then.len() + 1, "{} asked", proxy.cuts());
    assert_eq!(team.n_versions("team/doubt.json"), 1);
}

#[test]
fn an_entry_that_is_seen_late_is_known_as_ones_own() {
    is_added(&["409 Conflict"]);
    is_added(&["409 Conflict", "404 Not Found"]);
    is_added(&["409 Conflict", "400 Bad Request"]);
    is_added(&["503 Slow Down"; 4]);
}

#[test]
fn a_write_that_meets_anothers_is_tried_again_when_that_has_come_to_nothing() {
    let team = Team::new();
    let conflict = Fault::Refuse(&[("/history/00000001.json?x-id=PutObject", "409 Conflict")]);
    let proxy = Proxy::before(team.bucket.server.port, conflict);
    let called = team.run(proxy.port, &[]);
    assert_eq!(called.code, 0, "{}", called.err);
    assert_eq!(proxy.n_refused(), 1, "{}", called.err);
    assert_eq!(team.history(), [("promoted".to_owned(), 1)]);
}

#[test]
fn a_silent_server_costs_its_time_limit_and_the_run_is_refused_before_it_trains() {
    let team = Team::new();
    let silent = Proxy::before(team.bucket.server.port, Fault::Silence);
    let address = team.bucket.uri("team?time_limit=1");
    let since = Instant::now();
    let called = team.run(silent.port, &["--registry", &address]);
    assert_eq!(called.code, 69, "{}", called.err);
    for words in ["no answer within 1 s", "time_limit=", &team.bucket.name] {
        assert!(called.err.contains(words), "{words}: {}", called.err);
    }
    assert!(since.elapsed() < Duration::from_secs(40));
}

const LONG: &str = "20000000";

#[test]
fn a_long_blob_goes_in_parts_and_a_failed_one_leaves_nothing() {
    let team = Team::new();
    let port = team.bucket.server.port;
    let cut = Fault::CutRequests {
        after: 1 << 20,
        times: 3,
    };
    let proxy = Proxy::before(port, cut);
    assert_eq!(team.act(proxy.port, &format!("put {LONG}")), "put");
    assert!(proxy.cuts() >= 3, "{} cuts", proxy.cuts());
    assert_eq!(team.bucket.n_uploads(), 0);
    let put = team
        .bucket
        .ask("head_object", json!({"Key": "team/blobs/long.bin"}));
    assert!(put["ETag"].as_str().unwrap().contains("-3"), "{put}");

    let truncated = Fault::CutAnswers {
        after: 3 << 20,
        times: 3,
    };
    let proxy = Proxy::before(port, truncated);
    assert_eq!(team.act(proxy.port, &format!("get {LONG}")), "the same");
    assert!(proxy.cuts() >= 3, "{} cuts", proxy.cuts());

    let refused = Fault::Refuse(&[("partNumber=2", "403 Forbidden")]);
    let proxy = Proxy::before(port, refused);
    let said = team.act(proxy.port, "put 17000000");
    assert!(said.contains("docs/registry.md lists the rights"), "{said}");
    assert_eq!((proxy.n_refused(), team.bucket.n_uploads()), (1, 0));
    assert_eq!(team.act(port, &format!("get {LONG}")), "the same");
}

#[test]
fn a_kill_between_upload_and_promotion_leaves_a_registry_that_a_retry_completes() {
    let team = Team::new();
    let held = Proxy::before(
        team.bucket.server.port,
        Fault::Hold("/history/00000001.json?x-id=PutObject"),
    );
    let mut child = Command::new(env!("CARGO_BIN_EXE_netsec"))
        .args(run_arguments())
        .current_dir(team.place.path(""))
        .envs(team.environment(held.port))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let since = Instant::now();
    while held.cuts() == 0 {
        assert!(since.elapsed() < Duration::from_secs(120));
        std::thread::sleep(Duration::from_millis(5));
    }
    send_signal(&child, "KILL");
    child.wait().unwrap();

    assert!(team.keys("blobs/").len() > 3, "{:?}", team.keys(""));
    assert!(
        team.keys("models/tiny/history/").is_empty(),
        "{:?}",
        team.keys("")
    );
    assert_eq!(team.ask(&["models", "list"]), json!([]));
    let kept = team.ask(&["runs", "kept"]);
    let name = kept[0].as_str().unwrap();
    let doctor = ["doctor", "--source", "tiny.csv", "--dataset", "tiny.yaml"];
    let healthy = team.call(&doctor);
    assert_eq!(healthy.code, 0, "{}", healthy.out);

    // Another machine can take it up as well.
    let fetch = ["runs", "fetch", name, "--artifacts", "elsewhere"];
    let directory = team.ask(&fetch)["run"].as_str().unwrap().to_owned();
    for run in [&directory, name] {
        let retried = team.call(&["stage", "promotion", "--run", run, "--json"]);
        assert_eq!(retried.code, 0, "{}", retried.err);
        assert_eq!(team.history().len(), 1);
    }
    for key in team.keys("blobs/") {
        assert_eq!(team.n_versions(&key), 1, "{key}");
    }
}

#[test]
fn a_damaged_object_is_noticed_and_its_earlier_version_comes_back() {
    let team = Team::new();
    team.train(&[]);
    let key = team.bundle_key();
    team.place.write("damaged", "not what it was");
    let version = team.bucket.put(&key, &team.place.path("damaged"));
    let predict = ["predict", "--input", "tiny.csv", "--output", "out.csv"];
    for command in [&predict[..], &["models", "show", "tiny"], &["doctor"]] {
        let called = team.call(command);
        let said = called.out + &called.err;
        assert_eq!(called.code, 70, "{command:?}: {said}");
        assert!(said.contains("has 15 bytes, of which"), "{said}");
        assert!(said.contains(&team.bucket.name), "{said}");
    }
    assert_eq!(team.n_versions(&key), 2);
    let arguments = json!({"Key": key, "VersionId": version});
    team.bucket.ask("delete_object", arguments);
    assert_eq!(team.call(&predict).code, 0);
}

#[test]
fn who_may_not_is_told_what_to_do_and_no_secret_is_shown() {
    let server: &'static Server = Box::leak(Box::new(Server::start()));
    for name in ["mine", "theirs"] {
        server.ask("create_bucket", json!({"Bucket": name}));
    }
    let key = server.ask("guard", json!({}));
    let place = Workplace::new();
    place.write_tiny(100);
    let call = |address: &str, secret: &str, code: i32, words: &str| {
        let mut environment = super::bucket::environment(server.port);
        environment[1].1 = key["id"].as_str().unwrap().to_owned();
        environment[2].1 = secret.to_owned();
        environment.push(("NETSEC_REGISTRY", address.to_owned()));
        for arguments in [&run_arguments()[..], &["models", "list"], &["doctor"]] {
            let called = place.call_in(arguments, &environment);
            let said = called.out + &called.err;
            assert_eq!(called.code, code, "{arguments:?}: {said}");
            let is_told = arguments[0] == "doctor" && code == 0 || said.contains(words);
            assert!(is_told, "{arguments:?}, {words}: {said}");
            assert!(!said.contains(secret), "{said}");
        }
    };
    let secret = key["secret"].as_str().unwrap();
    call("s3://mine/team", secret, 0, "");
    call("s3://mine/team", "hunter2", 69, "AWS_SECRET_ACCESS_KEY");
    call("s3://theirs/team", secret, 69, "AccessDenied");
}

/// Trains against a server that answers each request of some kind with these bytes; returns what is said.
fn said(bytes: &'static str) -> String {
    let team = Team::new();
    let proxy = Proxy::before(team.bucket.server.port, Fault::Say { bytes, times: 99 });
    let called = team.run(proxy.port, &[]);
    assert_eq!(called.code, 69, "{}", called.err);
    called.err
}

#[test]
fn a_clock_that_is_wrong_and_a_bucket_that_is_not_there_are_named() {
    let skewed = said(
        "HTTP/1.1 403 Forbidden\r\ncontent-length: 48\r\nconnection: close\r\n\r\n\
         <Error><Code>RequestTimeTooSkewed</Code></Error>",
    );
    assert!(skewed.contains("set this machine's clock"), "{skewed}");
    let team = Team::new();
    let called = team.run(team.bucket.server.port, &["--registry", "s3://no-such/x"]);
    assert_eq!(called.code, 69);
    assert!(
        called.err.contains("check the bucket's name"),
        "{}",
        called.err
    );
    let away = team.run(free_port(), &[]);
    assert_eq!(away.code, 69);
    assert!(
        away.err.contains("netsec doctor --registry"),
        "{}",
        away.err
    );
}

#[test]
fn doctor_names_no_step_of_its_own_and_doubts_no_bucket_that_nobody_has_written_to() {
    let team = Team::new();
    let doctor = |port: u16| team.place.call_in(&["doctor"], &team.environment(port));
    let away = doctor(free_port());
    assert!(away.out.contains("check host and port"), "{}", away.out);
    assert!(!away.out.contains("netsec doctor"), "{}", away.out);
    for _ in 0..2 {
        let new = doctor(team.bucket.server.port);
        let said = "ok    registry      versions: not kept yet";
        assert!(new.out.contains(said), "{}", new.out);
    }
    let ran = team.run(team.bucket.server.port, &[]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let used = doctor(team.bucket.server.port);
    let said = "ok    registry      versions: kept: ";
    assert!(used.out.contains(said), "{}", used.out);
}

#[test]
fn a_bucket_that_may_not_be_told_to_keep_versions_is_a_warning() {
    let team = Team::new();
    let refused = Fault::Refuse(&[("?versioning", "403 Forbidden")]);
    let proxy = Proxy::before(team.bucket.server.port, refused);
    let called = team.run(proxy.port, &[]);
    assert_eq!(called.code, 0, "{}", called.err);
    let words = "put-bucket-versioning --bucket";
    assert!(called.err.contains(words), "{}", called.err);

    // What somebody has decided stays.
    let suspended = Bucket::new();
    let status = json!({"VersioningConfiguration": {"Status": "Suspended"}});
    suspended.ask("put_bucket_versioning", status);
    let address = suspended.uri("team");
    let called = team.run(suspended.server.port, &["--registry", &address]);
    assert_eq!(called.code, 0, "{}", called.err);
    assert!(
        called.err.contains("somebody has suspended it"),
        "{}",
        called.err
    );
    let status = suspended.ask("get_bucket_versioning", json!({}));
    assert_eq!(status["Status"], "Suspended");
    let doctor = ["doctor", "--registry", &address];
    let doctor = team.call(&doctor);
    assert!(
        doctor
            .out
            .contains("warn  registry      versions: not kept"),
        "{}",
        doctor.out
    );
}
