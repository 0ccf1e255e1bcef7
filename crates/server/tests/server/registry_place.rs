//! Where the registry is.

use std::fs;
#[cfg(feature = "s3")]
use std::{
    net::TcpListener,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

#[cfg(feature = "s3")]
use crate::process::command_behind;
use crate::{
    client::Connection,
    process::{Server, command, wait_for},
    trained::Place,
    trainings::stand_in,
};

#[test]
fn a_registry_in_another_directory_is_served_and_what_is_no_place_of_one_is_refused() {
    let (place, trained) = (Place::empty(), Place::with_flows());
    let elsewhere = trained.path().join("registry").display().to_string();
    let server = Server::start(&place, &["--registry", &elsewhere]);
    assert_eq!(server.get("/readyz").status, 200);
    let by_variable = [("NETSEC_REGISTRY", elsewhere.as_str())];
    let server = Server::start_with(&place, &[], &by_variable);
    assert_eq!(server.get("/readyz").status, 200);
    // As files of compose pass on what is not set.
    let server = Server::start_with(&trained, &[], &[("NETSEC_REGISTRY", "")]);
    assert_eq!(server.get("/readyz").status, 200);

    for address in ["https://host/models", "s3://bucket/a*"] {
        let refused = command(&place).args(["--registry", address]).output();
        let refused = refused.unwrap();
        assert_ne!(refused.status.code(), Some(0), "{address}");
        let said = String::from_utf8(refused.stderr).unwrap();
        assert!(said.contains(address), "{said}");
    }
    let checked = command(&place)
        .args(["--check", "--registry", "nope"])
        .output();
    let checked = checked.unwrap();
    assert_eq!(checked.status.code(), Some(78));
    let said = String::from_utf8(checked.stderr).unwrap();
    assert!(
        said.contains("--registry nope: there is no such directory"),
        "{said}"
    );
}

#[test]
fn a_training_registers_where_the_service_reads() {
    let place = Place::with_flows();
    let program = stand_in(&place, "exit 0");
    fs::write(place.path().join("daily.csv"), "").unwrap();
    let registry = place.path().join("registry").display().to_string();
    let source = ["--train-source", "daily=daily.csv", "--netsec", &program];
    let listen = ["--admin-listen", "127.0.0.1:0", "--registry", &registry];
    let server = Server::start(&place, &[&source[..], &listen].concat());
    let mut administration = Connection::open(server.admin.unwrap());
    let kind = ["Content-Type: application/json"];
    let begun = administration.call("POST", "/train", &kind, br#"{"source":"daily"}"#);
    assert_eq!(begun.status, 202, "{}", begun.text());
    let asked = place.path().join("asked");
    wait_for("the training", || asked.exists());
    let words = format!("--registry {registry}");
    wait_for(&words, || {
        fs::read_to_string(&asked).is_ok_and(|asked| asked.contains(&words))
    });
}

/// As the first process of a container, which no signal ends that it does not listen to.
#[cfg(feature = "s3")]
#[test]
fn sigterm_before_a_silent_bucket_has_answered_ends_what_would_ignore_it() {
    for (check, code) in [(None, 0), (Some("--check"), 143)] {
        let place = Place::empty();
        let silent = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", silent.local_addr().unwrap());
        let child = command_behind(&place, "trap '' TERM")
            .args(["--listen", "127.0.0.1:0", "--registry", "s3://bucket/p"])
            .args(check)
            .env("AWS_ENDPOINT_URL", endpoint)
            .envs([("AWS_ACCESS_KEY_ID", "key"), ("AWS_REGION", "eu-west-1")])
            .env("AWS_SECRET_ACCESS_KEY", "a secret of the test")
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // Asked for the champion, the bucket keeps still.
        let _asked = silent.accept().unwrap();
        let began = Instant::now();
        let id = child.id().to_string();
        let sent = Command::new("kill").args(["-s", "TERM", &id]).status();
        assert!(sent.unwrap().success());
        let ended = child.wait_with_output().unwrap();
        assert_eq!(ended.status.code(), Some(code), "{check:?}");
        assert_eq!(String::from_utf8(ended.stdout).unwrap(), "");
        assert!(began.elapsed() < Duration::from_secs(4), "{check:?}");
    }
}
