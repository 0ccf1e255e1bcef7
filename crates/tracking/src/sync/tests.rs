#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

use artifact::{Classified as _, Digest, ErrorKind};
use registry::{Action, Entry};
use serde_json::{Value, json};
use ureq::tls::TlsConfig;
use url::Url;

use super::*;

/// Answers every request by its method and path.
fn server(answer: impl Fn(&str) -> Value + Send + 'static) -> Settings {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let body = answer(&asked(&stream)).to_string();
            let head = "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length";
            write!(stream, "{head}: {}\r\n\r\n{body}", body.len()).unwrap();
        }
    });
    Settings {
        base: Url::parse(&base).unwrap(),
        authorization: None,
        tls: TlsConfig::default(),
        time_limit: Duration::from_secs(5),
        attempts: 1,
        limit: None,
        experiment: None,
        buckets: None,
    }
}

/// Reads a request; returns its first line.
fn asked(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).unwrap();
    }
    let length = |line: &str| line.strip_prefix("content-length: ")?.parse().ok();
    let length: usize = head.to_lowercase().lines().find_map(length).unwrap_or(0);
    reader.read_exact(&mut vec![0; length]).unwrap();
    head.lines().next().unwrap().to_owned()
}

fn entry() -> Entry {
    let digest = Digest::of(b"a bundle");
    Entry {
        sequence: 0,
        previous: None,
        model: None,
        at: "2026-02-03T00:00:00Z".to_owned(),
        action: Action::Promoted,
        version: 1,
        bundle: digest,
        training_groups: digest,
        evaluation: digest,
        run: "run".to_owned(),
        simulated: false,
        reasons: Vec::new(),
        why: None,
    }
}

#[test]
fn a_decision_that_is_noted_while_another_is_told_stays_pending() {
    let root = tempfile::tempdir().unwrap();
    let registry = Registry::local(root.path());
    registry.append("m", |_| Ok(Some(entry()))).unwrap();
    let tracking = |registry: &Registry| Tracking::new(root.path(), registry.clone());
    let (here, elsewhere) = (tracking(&registry), tracking(&registry));
    let subject = Subject::Model("m".to_owned());
    let note = |by: &Tracking, subject| by.note(subject, None, Origin::default()).unwrap();
    note(&here, subject.clone());
    let bundle = entry().bundle.to_string();
    let settings = server({
        let subject = subject.clone();
        move |asked| {
            if asked.starts_with("POST") && asked.contains("alias") {
                note(&elsewhere, subject.clone());
            }
            let tags = json!([{"key": "netsec.bundle", "value": bundle}]);
            json!({"model_versions": [{"version": "1", "tags": tags}]})
        }
    });
    let sent = here.send(&settings, &subject, &Origin::default()).unwrap();
    assert_eq!(sent.remarks.len(), 1, "{:?}", sent.remarks);
    assert!(here.is_pending(&subject));
    let again = server(|_| json!({}));
    here.send(&again, &subject, &Origin::default()).unwrap();
    assert!(!here.is_pending(&subject));
}

/// The public key of the first test of RFC 8032, section 7.1, with which nothing here is signed.
const KEY: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
";

/// Sends the aliases of the model `m` to a server that knows it in one version, with these tags besides that of its
/// bundle; returns what came of it, and what the server was asked to change.
fn aligned(
    registry: Registry,
    tags: &[(&str, &str)],
) -> (Result<Sent, TrackingError>, Vec<String>) {
    let root = tempfile::tempdir().unwrap();
    let tag = |(key, value): &(&str, &str)| json!({"key": key, "value": value});
    let bundle = entry().bundle.to_string();
    let tags: Vec<Value> = [("netsec.bundle", bundle.as_str())]
        .iter()
        .chain(tags)
        .map(tag)
        .collect();
    let changes = Arc::new(Mutex::new(Vec::new()));
    let settings = server({
        let changes = changes.clone();
        move |asked| {
            // Whose history the model follows is another matter.
            if !asked.starts_with("GET") && !asked.contains("registered-models/set-tag") {
                let (verb, path) = asked.split_once(' ').unwrap();
                let call = path.split(' ').next().unwrap().rsplit('/').next().unwrap();
                changes.lock().unwrap().push(format!("{verb} {call}"));
            }
            json!({"model_versions": [{"version": "1", "tags": tags}]})
        }
    });
    let subject = Subject::Model("m".to_owned());
    let tracking = Tracking::new(root.path(), registry);
    let sent = tracking.send(&settings, &subject, &Origin::default());
    assert_eq!(tracking.is_pending(&subject), sent.is_err());
    let changes = changes.lock().unwrap().clone();
    (sent, changes)
}

fn registry_with(root: &Path, actions: &[Action]) -> Registry {
    let registry = Registry::local(root);
    for action in actions {
        let entry = Entry {
            action: *action,
            ..entry()
        };
        registry.append("m", |_| Ok(Some(entry.clone()))).unwrap();
    }
    registry
}

fn trusting(root: &Path, registry: Registry) -> Registry {
    let keys = root.join("trusted.pem");
    std::fs::write(&keys, KEY).unwrap();
    registry.keyed(None, Some(&keys)).unwrap()
}

#[test]
fn the_alias_of_a_challenger_that_nobody_has_signed_stays_as_it_is() {
    let root = tempfile::tempdir().unwrap();
    let registry = registry_with(root.path(), &[Action::Declined]);
    let (sent, changes) = aligned(registry.clone(), &[]);
    assert_eq!(sent.unwrap().remarks, Vec::<String>::new());
    assert_eq!(changes, ["DELETE alias", "POST alias"]);
    let (sent, changes) = aligned(trusting(root.path(), registry), &[]);
    let remarks = sent.unwrap().remarks;
    assert!(
        remarks[0].contains("`challenger` of `m` stays as it is"),
        "{remarks:?}"
    );
    assert_eq!(changes, ["DELETE alias"]);
}

#[test]
fn aliases_that_stay_as_they_are_since_nobody_has_signed_the_champion_are_a_failure() {
    let root = tempfile::tempdir().unwrap();
    let registry = registry_with(root.path(), &[Action::Promoted]);
    let (sent, changes) = aligned(trusting(root.path(), registry), &[]);
    let error = sent.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Rejected);
    let said = error.to_string();
    assert!(
        said.starts_with("the aliases of `m` stay as they are: "),
        "{said}"
    );
    assert_eq!(changes, Vec::<String>::new());
}

#[test]
fn a_version_that_was_withdrawn_is_marked_on_the_server_once() {
    let both = ["DELETE alias", "DELETE alias"];
    let mark = ("netsec.status", "withdrawn");
    let check = |actions: &[Action], tags: &[(&str, &str)], last: &[&str]| {
        let root = tempfile::tempdir().unwrap();
        let (sent, changes) = aligned(registry_with(root.path(), actions), tags);
        sent.unwrap();
        assert_eq!(changes, [&both, last].concat(), "{actions:?}");
    };
    let withdrawn = [Action::Promoted, Action::Withdrawn];
    check(&withdrawn, &[], &["POST set-tag"]);
    check(&withdrawn, &[mark], &[]);
    check(
        &[Action::Promoted, Action::Disowned(1)],
        &[],
        &["POST set-tag"],
    );
    // The withdrawal does not count any more.
    let root = tempfile::tempdir().unwrap();
    let back = [Action::Declined, Action::Withdrawn, Action::Disowned(2)];
    let (sent, changes) = aligned(registry_with(root.path(), &back), &[mark]);
    sent.unwrap();
    assert_eq!(changes, ["DELETE alias", "POST alias", "DELETE delete-tag"]);
}

#[test]
fn a_note_whose_run_is_gone_is_told_with_what_forgets_it() {
    let root = tempfile::tempdir().unwrap();
    let tracking = Tracking::new(root.path(), Registry::local(root.path()));
    let subject = Subject::Run("gone".to_owned());
    let none = Origin::default();
    tracking.note(subject.clone(), None, none.clone()).unwrap();
    let refused = tracking.send(&server(|_| json!({})), &subject, &none);
    let said = refused.unwrap_err().to_string();
    let note = root.path().join("tracking/run-gone.json");
    assert!(said.contains(&format!("`rm {}`", note.display())), "{said}");
}
