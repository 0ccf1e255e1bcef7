//! Trainings that administrators begin: child processes of the service.

use std::{fs, os::unix::fs::PermissionsExt as _, process::Command, thread, time::Duration};

use serde_json::{Value, json};

use crate::{
    administration::{ADMIN, admin},
    client::Connection,
    process::{Server, command, wait_for},
    trained::{FLOWS, Place},
};

/// Writes a program that stands for `netsec`: it says what it was asked, makes progress and ends.
pub fn stand_in(place: &Place, ending: &str) -> String {
    let path = place.path().join("netsec-stand-in");
    let script = format!(
        "#!/bin/sh\necho \"$@\" > asked; echo \"$NETSEC__SOURCE\" > source\necho '{{\"stage\":\"training\",\"done\":1,\"total\":2}}' >&2\n{ending}\n"
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    path.display().to_string()
}

fn train(place: &Place, ending: &str) -> (Server, Value) {
    let program = stand_in(place, ending);
    fs::write(place.path().join("flows.yaml"), FLOWS).unwrap();
    fs::write(place.path().join("daily.csv"), "").unwrap();
    let source = [
        "--train-source",
        "daily:flows.yaml=daily.csv",
        "--netsec",
        &program,
    ];
    let server = Server::start(place, &[&ADMIN[..], &source].concat());
    let begun = admin(&server, "POST", "/train", &json!({"source": "daily"}));
    assert_eq!(begun.status, 202, "{}", begun.text());
    assert_eq!(begun.header("location"), Some("/jobs/1"));
    (server, begun.json())
}

#[test]
fn a_training_is_a_child_that_tells_its_progress() {
    let place = Place::with_flows();
    let ending = "sleep 1; echo '{\"version\":7,\"verdict\":{\"promoted\":true}}'";
    let (server, begun) = train(&place, ending);
    assert_eq!(begun["state"], json!("running"));
    let busy = admin(&server, "POST", "/train", &json!({"source": "daily"}));
    assert_eq!(busy.status, 409, "{}", busy.text());
    let events = admin(&server, "GET", "/jobs/1/events", &json!(null));
    assert_eq!(events.header("content-type"), Some("text/event-stream"));
    let text = events.text();
    assert!(text.contains("\"stage\":\"training\""), "{text}");
    assert!(text.contains("event: done\n"), "{text}");
    let job = admin(&server, "GET", "/jobs/1", &json!(null)).json();
    assert_eq!(job["state"], json!("done"));
    assert_eq!((&job["version"], &job["exit_code"]), (&json!(7), &json!(0)));
    let asked = fs::read_to_string(place.path().join("asked")).unwrap();
    let expected =
        "run --json --progress json --artifacts . --source daily.csv --dataset flows.yaml";
    assert_eq!(asked.trim(), expected);
}

#[test]
fn a_training_that_fails_says_why() {
    let place = Place::with_flows();
    let (server, _) = train(&place, "echo 'error: no such file' >&2; exit 69");
    let job = || admin(&server, "GET", "/jobs/1", &json!(null)).json();
    wait_for("the end", || job()["state"] != json!("running"));
    let job = job();
    assert_eq!(
        (&job["state"], &job["exit_code"]),
        (&json!("failed"), &json!(69))
    );
    assert_eq!(job["error"], json!("error: no such file"));
}

#[test]
fn only_sources_that_are_listed_can_be_trained_on() {
    let place = Place::with_flows();
    let program = stand_in(&place, "exit 0");
    let source = ["--train-source", "a=daily.csv", "--netsec", &program];
    let server = Server::start(&place, &[&ADMIN[..], &source].concat());
    for source in ["b", "/etc/passwd", "../a", "http://evil.example/x.csv", ""] {
        let answer = admin(&server, "POST", "/train", &json!({"source": source}));
        assert_eq!(answer.status, 422, "{source}: {}", answer.text());
    }
    let more = json!({"source": "a", "uri": "/etc/passwd"});
    assert_eq!(admin(&server, "POST", "/train", &more).status, 422);
    assert_eq!(
        admin(&server, "GET", "/jobs", &json!(null)).json(),
        json!([])
    );
    assert_eq!(admin(&server, "GET", "/jobs/1", &json!(null)).status, 404);
}

#[test]
fn a_training_that_outlives_its_service_is_the_only_one() {
    let place = Place::with_flows();
    let (server, _) = train(&place, "until [ -e end ]; do sleep 0.1; done");
    // What it says to a service that is gone would end it.
    wait_for("its progress", || {
        let job = admin(&server, "GET", "/jobs/1", &json!(null)).json();
        !job["progress"].is_null()
    });
    server.end("KILL");
    let program = place.path().join("netsec-stand-in").display().to_string();
    let source = ["--train-source", "a=daily.csv", "--netsec", &program];
    let server = Server::start(&place, &[&ADMIN[..], &source].concat());
    let begin = || admin(&server, "POST", "/train", &json!({"source": "a"}));
    let busy = begin();
    assert_eq!(busy.status, 409, "{}", busy.text());
    let said = "one at a time, until nobody holds `./.training.lock` any more";
    assert!(busy.text().contains(said), "{}", busy.text());
    fs::write(place.path().join("end"), "").unwrap();
    wait_for("the end of the other", || begin().status == 202);
}

#[test]
fn a_training_does_not_wait_for_a_pipe_in_the_place_of_its_lock() {
    let place = Place::with_flows();
    let lock = place.path().join(".training.lock");
    let made = Command::new("mkfifo").arg(&lock).status();
    assert!(made.unwrap().success());
    let program = stand_in(&place, "exit 0");
    fs::write(place.path().join("daily.csv"), "").unwrap();
    let source = ["--train-source", "a=daily.csv", "--netsec", &program];
    let server = Server::start(&place, &[&ADMIN[..], &source].concat());
    let begin = || admin(&server, "POST", "/train", &json!({"source": "a"}));
    let refused = begin();
    assert_eq!(refused.status, 503, "{}", refused.text());
    let said = "./.training.lock: it is no file";
    assert!(refused.text().contains(said), "{}", refused.text());
    fs::remove_file(lock).unwrap();
    assert_eq!(begin().status, 202);
}

#[test]
fn a_source_that_is_no_file_is_refused_and_holds_no_other_up() {
    let place = Place::with_flows();
    let path = |name: &str| place.path().join(name);
    let made = Command::new("mkfifo").arg(path("pipe.csv")).status();
    assert!(made.unwrap().success());
    fs::create_dir(path("folder.csv")).unwrap();
    fs::write(path("records.xyz"), "").unwrap();
    fs::write(path("daily.csv"), "").unwrap();
    let program = stand_in(&place, "exit 0");
    let sources =
        "pipe=pipe.csv;folder=folder.csv; unknown=records.xyz\ngone=gone.csv;good=daily.csv;";
    let arguments = [&ADMIN[..], &["--netsec", &program]].concat();
    let server = Server::start_with(&place, &arguments, &[("NETSEC_TRAIN_SOURCES", sources)]);
    let begin = |source: &str| admin(&server, "POST", "/train", &json!({"source": source}));
    for (source, said) in [
        ("pipe", "pipe.csv: it is no file"),
        ("folder", "folder.csv: it is no file"),
        ("unknown", "records.xyz: its format is not told by its name"),
        ("gone", "gone.csv: there is no such file"),
    ] {
        let refused = begin(source);
        assert_eq!(refused.status, 409, "{}", refused.text());
        assert!(refused.text().contains(said), "{}", refused.text());
        let uri = format!("a={}", said.split(':').next().unwrap());
        let checked = command(&place)
            .args(["--check", "--netsec", &program, "--train-source", &uri])
            .output()
            .unwrap();
        assert_eq!(checked.status.code(), Some(78), "{checked:?}");
        let error = String::from_utf8(checked.stderr).unwrap();
        assert!(
            error.contains(&format!("--train-source a: {said}")),
            "{error}"
        );
    }
    assert_eq!(begin("good").status, 202);
}

#[test]
fn a_training_that_is_cancelled_ends_and_makes_room_for_another() {
    let place = Place::with_flows();
    let (server, _) = train(&place, "[ -e again ] || exec sleep 60");
    let call = |path: &str| admin(&server, "POST", path, &json!({}));
    let cancelled = call("/jobs/1/cancel");
    assert_eq!(cancelled.status, 200, "{}", cancelled.text());
    assert_eq!(cancelled.json()["state"], json!("cancelled"));
    let events = admin(&server, "GET", "/jobs/1/events", &json!(null)).text();
    assert!(events.contains("event: cancelled\n"), "{events}");
    assert_eq!(call("/jobs/1/cancel").status, 409);
    assert_eq!(call("/jobs/2/cancel").status, 404);
    assert_eq!(server.post("/jobs/1/cancel", "{}").status, 404, "public");
    fs::write(place.path().join("again"), "").unwrap();
    let order = json!({"source": "daily"});
    assert_eq!(admin(&server, "POST", "/train", &order).status, 202);
    let state = || admin(&server, "GET", "/jobs/2", &json!(null)).json()["state"].clone();
    wait_for("the end of the other", || state() != json!("running"));
    assert_eq!(state(), json!("done"));
}

#[test]
fn a_training_that_registers_its_candidate_is_not_cancelled() {
    let place = Place::with_flows();
    let ending = "echo '{\"stage\":\"promotion\",\"done\":0,\"total\":1}' >&2; until [ -e end ]; do sleep 0.1; done";
    let (server, _) = train(&place, ending);
    let job = || admin(&server, "GET", "/jobs/1", &json!(null)).json();
    wait_for("its last stage", || {
        job()["progress"]["stage"] == json!("promotion")
    });
    let refused = admin(&server, "POST", "/jobs/1/cancel", &json!({}));
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert!(refused.text().contains("is being registered"));
    fs::write(place.path().join("end"), "").unwrap();
    wait_for("the end", || job()["state"] == json!("done"));
}

#[test]
fn a_training_that_is_ended_too_late_says_that_it_may_have_registered() {
    let place = Place::with_flows();
    // What outlives the one that is ended tells its last stage after the end, as a pipe that was not read yet does.
    let late = "(until [ -e end ]; do sleep 0.1; done; echo '{\"stage\":\"promotion\"}' >&2) & : > begun; exec sleep 60";
    let (server, _) = train(&place, late);
    let path = |name: &str| place.path().join(name);
    wait_for("what tells it", || path("begun").exists());
    let cancelled = thread::scope(|scope| {
        let cancel = scope.spawn(|| admin(&server, "POST", "/jobs/1/cancel", &json!({})));
        thread::sleep(Duration::from_secs(2));
        fs::write(path("end"), "").unwrap();
        cancel.join().unwrap()
    });
    assert_eq!(cancelled.status, 200, "{}", cancelled.text());
    let job = cancelled.json();
    assert_eq!(job["state"], json!("cancelled"));
    let error = job["error"].as_str().unwrap();
    assert!(error.contains("history of the model"), "{error}");
}

#[test]
fn a_training_that_ends_with_the_service_at_its_last_stage_says_that_it_may_have_registered() {
    let place = Place::with_flows();
    let (server, _) = train(
        &place,
        "echo '{\"stage\":\"promotion\"}' >&2; exec sleep 60",
    );
    let mut events = Connection::open(server.admin.unwrap());
    let head = events.head("GET", "/jobs/1/events", &[], None);
    events.write(head.as_bytes()).unwrap();
    let job = || admin(&server, "GET", "/jobs/1", &json!(null)).json();
    let last_stage = json!("promotion");
    wait_for("its last stage", || {
        job()["progress"]["stage"] == last_stage
    });
    server.signal("TERM");
    let told = events.read().unwrap().text();
    assert!(told.contains("the service has ended"), "{told}");
    assert!(told.contains("the history of the model"), "{told}");
    assert_eq!(server.end("TERM"), Some(0));
}

#[test]
fn a_training_that_was_killed_says_by_what() {
    let place = Place::with_flows();
    let (server, _) = train(&place, "kill -9 $$");
    let job = || admin(&server, "GET", "/jobs/1", &json!(null)).json();
    wait_for("the end", || job()["state"] == json!("failed"));
    let error = job()["error"].to_string();
    assert!(error.contains("ended by signal 9"), "{error}");
}

#[test]
fn no_training_begins_once_the_service_ends() {
    let place = Place::with_flows();
    let (server, _) = train(&place, "exec sleep 60");
    let mut events = Connection::open(server.admin.unwrap());
    let head = events.head("GET", "/jobs/1/events", &[], None);
    events.write(head.as_bytes()).unwrap();
    server.signal("TERM");
    wait_for("the end to begin", || server.get("/readyz").status == 503);
    let refused = admin(&server, "POST", "/train", &json!({"source": "daily"}));
    assert_eq!(refused.status, 503, "{}", refused.text());
    let told = events.read().unwrap().text();
    assert!(told.contains("the service has ended"), "{told}");
    assert_eq!(server.end("TERM"), Some(0));
}

#[test]
fn the_list_of_processes_shows_no_password_of_a_source() {
    let place = Place::with_flows();
    let program = stand_in(&place, "exit 0");
    let address = r#"mongodb://u:secret@127.0.0.1/db?collection=c&columns=a,b=c;d&filter={"a": 1}"#;
    let source = format!("daily={address}");
    let source = ["--train-source", &source, "--netsec", &program];
    let server = Server::start(&place, &[&ADMIN[..], &source].concat());
    let begun = admin(&server, "POST", "/train", &json!({"source": "daily"}));
    assert_eq!(begun.status, 202, "{}", begun.text());
    let job = || admin(&server, "GET", "/jobs/1", &json!(null)).json();
    wait_for("the end", || job()["state"] == json!("done"));
    let read = |name: &str| fs::read_to_string(place.path().join(name)).unwrap();
    assert!(!read("asked").contains("secret"), "{}", read("asked"));
    let given: String = serde_json::from_str(&read("source")).unwrap();
    assert_eq!(given, address);
}
