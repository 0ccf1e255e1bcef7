#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use artifact::Digest;
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
