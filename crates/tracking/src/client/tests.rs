#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
};

use expect_test::{Expect, expect};
use serde_json::json;
use ureq::tls::TlsConfig;

use super::*;
use crate::settings::Secret;

const HANG: &str = "";

/// A server that answers each request with the next of some answers, and keeps what it was asked.
struct Script {
    base: Url,
    asked: Arc<Mutex<Vec<String>>>,
}

fn script(answers: &[&str]) -> Script {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let base = format!("http://{}/", listener.local_addr().unwrap());
    let asked = Arc::new(Mutex::new(Vec::new()));
    let (answers, heard) = (
        answers.iter().map(|a| (*a).to_owned()).collect::<Vec<_>>(),
        asked.clone(),
    );
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().unwrap();
            heard.lock().unwrap().push(read(&stream));
            if answer == HANG {
                std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_secs(5));
                    drop(stream);
                });
                continue;
            }
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    Script {
        base: Url::parse(&base).unwrap(),
        asked,
    }
}

/// Reads a request, and returns its head.
fn read(stream: &TcpStream) -> String {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).unwrap();
    }
    let length = head.to_lowercase().lines().find_map(|line| {
        line.strip_prefix("content-length: ")
            .map(|n| n.parse::<usize>().unwrap())
    });
    let mut body = vec![0; length.unwrap_or_default()];
    reader.read_exact(&mut body).unwrap();
    head
}

fn answer(status: &str, headers: &str, body: &str) -> String {
    let length = body.len();
    format!(
        "HTTP/1.1 {status}\r\n{headers}content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

fn client(base: Url) -> Client {
    Client::new(Settings {
        base,
        authorization: Some(Secret("Bearer hunter2".to_owned())),
        tls: TlsConfig::default(),
        time_limit: Duration::from_secs(1),
        attempts: 3,
        limit: None,
        experiment: None,
        buckets: None,
    })
}

/// Asks a server of some answers once, and writes what came of it and how often it was asked.
fn check(answers: &[&str], expected: &Expect) {
    let script = script(answers);
    let client = client(script.base.clone());
    let result = client.call(&Call {
        path: "api/runs/get",
        verb: Verb::Post(&json!({"run_id": "1"})),
    });
    let asked = script.asked.lock().unwrap();
    assert!(asked.iter().all(|head| head.contains("Bearer hunter2")));
    let text = match result {
        Ok(value) => value.to_string(),
        Err(error) => error.to_string(),
    };
    assert!(!text.contains("hunter2"), "{text}");
    let text = text.replace(&client.location(), "SERVER");
    expected.assert_eq(&format!("{text}; asked {} times", asked.len()));
}

#[test]
fn an_answer_is_an_object_or_a_word_or_nothing() {
    check(
        &[&answer("200 OK", "", "{\"a\": 1}")],
        &expect![[r#"{"a":1}; asked 1 times"#]],
    );
    check(
        &[&answer("200 OK", "", "3.17.2")],
        &expect![[r#""3.17.2"; asked 1 times"#]],
    );
    check(
        &[&answer("200 OK", "", "")],
        &expect!["null; asked 1 times"],
    );
    check(
        &[&answer("200 OK", "", "<html>a page</html>")],
        &expect![
            "tracking server SERVER: it answers api/runs/get with something else than MLflow does: expected value at line 1 column 1; asked 1 times"
        ],
    );
}

#[test]
fn what_passes_is_asked_again_and_what_lasts_is_not() {
    let good = answer("200 OK", "", "{}");
    let failed = answer("500 Internal Server Error", "", "it failed");
    check(&[&failed, &good], &expect!["{}; asked 2 times"]);
    check(
        &[&failed, &failed, &failed],
        &expect![
            "tracking server SERVER: 500 Internal Server Error to api/runs/get: it failed; asked 3 times"
        ],
    );
    let body = "{\"error_code\": \"RESOURCE_DOES_NOT_EXIST\", \"message\": \"Run '1' not found\"}";
    check(
        &[&answer("404 Not Found", "", body)],
        &expect![
            "tracking server SERVER refuses api/runs/get: RESOURCE_DOES_NOT_EXIST: Run '1' not found; asked 1 times"
        ],
    );
}

#[test]
fn a_call_that_a_server_does_not_have_is_told_from_a_thing_that_is_not_there() {
    check(
        &[&answer("404 Not Found", "", "<!doctype html>")],
        &expect!["tracking server SERVER: it has no call api/runs/get (404); asked 1 times"],
    );
    check(
        &[&answer("405 Method Not Allowed", "", "")],
        &expect!["tracking server SERVER: it has no call api/runs/get (405); asked 1 times"],
    );
    let body = "{\"error_code\": \"ENDPOINT_NOT_FOUND\", \"message\": \"no\"}";
    check(
        &[&answer("404 Not Found", "", body)],
        &expect!["tracking server SERVER: it has no call api/runs/get (404); asked 1 times"],
    );
}

#[test]
fn whoever_is_not_accepted_is_told_what_to_set() {
    check(
        &[&answer("401 Unauthorized", "", "You are not authenticated")],
        &expect![
            "tracking server SERVER: 401 Unauthorized to api/runs/get: it does not accept who asks, or not for this: set MLFLOW_TRACKING_USERNAME and MLFLOW_TRACKING_PASSWORD, or MLFLOW_TRACKING_TOKEN; asked 1 times"
        ],
    );
    let body = "Invalid Host header - possible DNS rebinding attack detected";
    check(
        &[&answer("403 Forbidden", "", body)],
        &expect![
            "tracking server SERVER: 403 Forbidden to api/runs/get: it does not go by this name: start it with --allowed-hosts; asked 1 times"
        ],
    );
    check(
        &[&answer(
            "302 Found",
            "location: http://u:hunter2@x/y\r\n",
            "",
        )],
        &expect![
            "tracking server SERVER: it redirects to http://u:***@x/y: write the address that it has now; asked 1 times"
        ],
    );
}

#[test]
fn a_wait_that_the_server_asks_for_is_kept_unless_it_is_too_long() {
    let good = answer("200 OK", "", "{}");
    let watch = Stopwatch::start();
    check(
        &[
            &answer("429 Too Many Requests", "retry-after: 1\r\n", ""),
            &good,
        ],
        &expect!["{}; asked 2 times"],
    );
    assert!(watch.seconds() >= 1.0);
    check(
        &[&answer(
            "429 Too Many Requests",
            "retry-after: 3600\r\n",
            "",
        )],
        &expect![
            "tracking server SERVER: 429 Too Many Requests to api/runs/get; it asks to wait 3600 s; asked 1 times"
        ],
    );
    let past = "retry-after: Wed, 21 Oct 2015 07:28:00 GMT\r\n";
    check(
        &[&answer("503 Service Unavailable", past, ""), &good],
        &expect!["{}; asked 2 times"],
    );
}

#[test]
fn a_server_that_hangs_or_breaks_off_is_asked_again() {
    let good = answer("200 OK", "", "{}");
    check(&[HANG, &good], &expect!["{}; asked 2 times"]);
    let short = "HTTP/1.1 200 OK\r\ncontent-length: 99\r\nconnection: close\r\n\r\n{";
    check(&[short, &good], &expect!["{}; asked 2 times"]);
}

#[test]
fn a_certificate_of_an_authority_is_told_from_one_that_is_not_trusted() {
    let said = |reason: &str| {
        let client = client(Url::parse("https://mlflow/").unwrap());
        let inner = std::io::Error::new(std::io::ErrorKind::InvalidData, reason);
        match client.unreached(&ureq::Error::Io(inner)) {
            Trouble::Lasting(error) => error.to_string(),
            Trouble::Passing { reason, .. } => reason,
        }
    };
    let authority = said("invalid peer certificate: Other(OtherError(CaUsedAsEndEntity))");
    assert!(authority.contains("CA:FALSE"), "{authority}");
    assert!(!authority.contains("CERT_PATH"), "{authority}");
    let unknown = said("invalid peer certificate: UnknownIssuer");
    assert!(
        unknown.contains("MLFLOW_TRACKING_SERVER_CERT_PATH"),
        "{unknown}"
    );
}

#[test]
fn what_a_run_waits_for_has_an_end_whatever_the_server_does() {
    let trickle = |seconds: u64| {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let base = Url::parse(&format!("http://{}/", listener.local_addr().unwrap())).unwrap();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                std::thread::spawn(move || {
                    read(&stream);
                    let head = "HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n";
                    let mut sent = stream.write_all(head.as_bytes());
                    while sent.is_ok() {
                        std::thread::sleep(Duration::from_millis(100));
                        sent = stream.write_all(b" ");
                    }
                });
            }
        });
        let client = client(base);
        let settings = client.settings.clone();
        Client::new(settings.within(Duration::from_secs(seconds)))
    };
    let ask = |client: &Client| {
        let call = Call {
            path: "x",
            verb: Verb::Get(&[]),
        };
        let watch = Stopwatch::start();
        let said = client.call(&call).unwrap_err().to_string();
        assert!(watch.seconds() < 4.0, "{}", watch.seconds());
        assert!(said.contains("it has not taken all within"), "{said}");
    };
    ask(&trickle(2));
    // Retry-After asks for more than there is.
    let busy = answer("429 Too Many Requests", "retry-after: 60\r\n", "");
    let script = script(&[&busy]);
    let settings = client(script.base.clone()).settings.clone();
    ask(&Client::new(settings.within(Duration::from_secs(2))));
}
