//! What one client, or many, may take of the service, and for how long.

use crate::{
    process::{Server, wait_for},
    security::make_key,
    trained::{FLOW, Place},
};

#[test]
fn thousands_of_idle_connections_keep_nobody_from_being_answered() {
    let place = Place::with_flows();
    let server = Server::start(&place, &["--client-timeout", "60"]);
    // The client's own limit: each of its ends is a file as well.
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    let allowed = limit.current.unwrap_or(u64::MAX).saturating_sub(1000) as usize;
    let n = allowed.min(10_000);
    assert!(n >= 1000, "{n} connections prove little: raise `ulimit -n`");
    let before = server.resident();
    let mut idle: Vec<_> = (0..n).map(|_| server.connect()).collect();
    for half in idle.iter_mut().step_by(2) {
        half.write(b"POST /v1/predict HTTP/1.1\r\n").unwrap();
    }
    let body = format!(r#"{{"records":[{FLOW}]}}"#);
    let began = std::time::Instant::now();
    assert_eq!(server.post("/v1/predict", &body).status, 200);
    assert!(began.elapsed().as_secs() < 5);
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 300 << 10, "{grown} KiB more than before");
}

#[test]
fn one_client_does_not_take_the_slots_of_all() {
    let place = Place::with_flows();
    let (ann, first) = make_key(&place, "ann", "predict");
    let (bob, second) = make_key(&place, "bob", "predict");
    let keys = format!("{first};{second}");
    // What is held must outlast a machine that is busy with the other tests.
    let patient = ["--client-timeout", "60", "--upload-rate-span", "60"];
    let arguments = [&["--max-uploads", "4"], &patient[..]].concat();
    let server = Server::start_with(&place, &arguments, &[("NETSEC_API_KEYS", &keys)]);
    let begin = |key: &str| {
        let mut connection = server.connect();
        let line = format!("X-API-Key: {key}");
        let head = connection.head("POST", "/v1/predict/csv", &[&line], Some(100));
        connection.write(head.as_bytes()).unwrap();
        connection
    };
    let upload = |key: &str| {
        let lines = [&*format!("X-API-Key: {key}")];
        let csv = b"duration,bytes,protocol,root\n1,2,tcp,yes\n";
        server
            .connect()
            .call("POST", "/v1/predict/csv", &lines, csv)
    };
    // What is begun may come behind the upload that asks whether it has come, and be refused instead of that.
    let mut held = Vec::new();
    wait_for("the share of one", || {
        held.push(begin(&ann));
        upload(&ann).status == 429
    });
    let refused = upload(&ann);
    assert_eq!(refused.header("retry-after"), Some("1"));
    let said = "this client sends 2 files already, as many as one may at a time: try again later";
    assert_eq!(refused.json()["detail"].as_str(), Some(said));
    assert_eq!(upload(&bob).status, 200);
    drop(held);
    wait_for("the slots", || upload(&ann).status == 200);
}

#[test]
fn what_is_no_http_does_not_fill_the_log() {
    let place = Place::with_flows();
    let server = Server::start_behind(&place, "", &[]);
    let mut connection = server.connect();
    connection
        .write(b"\x16\x03\x01 what is this\r\n\r\n")
        .unwrap();
    let answer = connection.read();
    assert!(answer.is_err() || answer.unwrap().status == 400);
    assert_eq!(server.get("/healthz").status, 200);
    let log = std::fs::read_to_string(place.path().join("stderr")).unwrap();
    assert_eq!(log, "");
}

/// Sends half a chunk behind a request's head, and waits until its connection is closed behind the answer.
#[track_caller]
fn check_half_a_chunk(server: &Server, method: &str, path: &str, status: u16) {
    let mut connection = server.connect();
    let lines = [
        "Transfer-Encoding: chunked",
        "Content-Type: application/json",
    ];
    let head = connection.head(method, path, &lines, None);
    connection
        .write(format!("{head}5\r\n{{\"").as_bytes())
        .unwrap();
    let answer = connection.read().unwrap();
    assert_eq!(answer.status, status, "{method} {path}");
    let began = std::time::Instant::now();
    assert!(connection.read().is_err(), "{method} {path}");
    let waited = began.elapsed().as_secs();
    assert!(waited < 30, "{method} {path}: open for {waited} s");
}

#[test]
fn half_a_chunked_body_holds_no_connection_once_it_has_its_answer() {
    let place = Place::with_flows();
    let server = Server::start(&place, &["--client-timeout", "1"]);
    check_half_a_chunk(&server, "POST", "/nothing", 404);
    check_half_a_chunk(&server, "GET", "/healthz", 200);
    check_half_a_chunk(&server, "POST", "/v1/predict/parquet", 415);
    check_half_a_chunk(&server, "POST", "/v1/predict", 408);
    check_half_a_chunk(&server, "POST", "/invocations", 408);
}

#[test]
fn bodies_share_one_room_and_what_does_not_fit_is_told_to_wait() {
    let place = Place::with_flows();
    let limits = ["--max-body", "1000", "--max-bodies", "1200"];
    let alone = ["--max-bodies-per-client", "1200"];
    let patient = ["--client-timeout", "60"];
    let server = Server::start(&place, &[&limits[..], &alone, &patient].concat());
    let body = format!(r#"{{"records":[{FLOW}]}}{}"#, " ".repeat(300));
    assert!((300..1000).contains(&body.len()));
    let begin = || {
        let mut connection = server.connect();
        let lines = ["Content-Type: application/json"];
        let head = connection.head("POST", "/v1/predict", &lines, Some(1000));
        let sent = [head.as_bytes(), &[b' '; 950]].concat();
        connection.write(&sent).unwrap();
        connection
    };
    // What is begun may come behind the body that asks whether it has come, and be refused instead of that.
    let mut held = Vec::new();
    wait_for("a full room", || {
        held.push(begin());
        server.post("/v1/predict", &body).status == 429
    });
    // What is small by its nature is not kept out.
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    let asked = server.connect().call("POST", "/session", &form, b"key=x");
    assert_eq!(asked.status, 401);
    let refused = server.post("/v1/predict", &body);
    assert_eq!(refused.header("retry-after"), Some("1"));
    let said = "bodies and answers of 1200 bytes are worked on already, as many as may be at a time: try again later";
    assert_eq!(refused.json()["detail"].as_str(), Some(said));
    drop(held);
    wait_for("room", || server.post("/v1/predict", &body).status == 200);
}

#[test]
fn one_client_does_not_take_the_room_of_all() {
    let place = Place::with_flows();
    let (ann, first) = make_key(&place, "ann", "predict");
    let (bob, second) = make_key(&place, "bob", "predict");
    let keys = format!("{first};{second}");
    let limits = ["--max-body", "1000", "--max-bodies", "3000"];
    let patient = ["--client-timeout", "60"];
    let arguments = [&limits[..], &patient].concat();
    let server = Server::start_with(&place, &arguments, &[("NETSEC_API_KEYS", &keys)]);
    let kind = "Content-Type: application/json";
    let begin = |key: &str| {
        let mut connection = server.connect();
        let lines = [kind, &format!("X-API-Key: {key}")];
        let head = connection.head("POST", "/v1/predict", &lines, Some(1000));
        let sent = [head.as_bytes(), &[b' '; 950]].concat();
        connection.write(&sent).unwrap();
        connection
    };
    let body = format!(r#"{{"records":[{FLOW}]}}{}"#, " ".repeat(600));
    assert!((600..1000).contains(&body.len()));
    let predict = |key: &str| {
        let lines = [kind, &format!("X-API-Key: {key}")];
        let mut connection = server.connect();
        connection.call("POST", "/v1/predict", &lines, body.as_bytes())
    };
    // What is begun may come behind the body that asks whether it has come, and be refused instead of that.
    let mut held = Vec::new();
    wait_for("the share of one", || {
        held.push(begin(&ann));
        predict(&ann).status == 429
    });
    let refused = predict(&ann);
    assert_eq!(refused.header("retry-after"), Some("1"));
    let said = "bodies of this client are worked on already, or answers to it wait to be read, of which one may \
                have 1500 bytes at a time: try again later, or send smaller ones";
    assert_eq!(refused.json()["detail"].as_str(), Some(said));
    assert_eq!(predict(&bob).status, 200);
    drop(held);
    wait_for("room", || predict(&ann).status == 200);
}

#[test]
fn an_answer_that_nobody_reads_takes_the_room_of_its_client_and_is_let_go() {
    let place = Place::with_flows();
    let limits = [
        "--max-body",
        "4000000",
        "--max-bodies-per-client",
        "4000000",
    ];
    let arguments = [&limits[..], &["--client-timeout", "3"]].concat();
    let server = Server::start_with(&place, &arguments, &[]);
    let records = vec![FLOW; 10_000].join(",");
    let body = format!(r#"{{"records":[{records}],"top":30}}"#);
    let kind = "Content-Type: application/json";
    let mut unread = server.connect();
    let head = unread.head("POST", "/v1/explain", &[kind], Some(body.len()));
    unread
        .write(&[head.as_bytes(), body.as_bytes()].concat())
        .unwrap();
    let answered = unread.read_head().unwrap();
    assert_eq!(answered.status, 200);
    let length: usize = answered.header("content-length").unwrap().parse().unwrap();
    // More than the system takes off a service that writes.
    assert!(length > 7_000_000, "{length}");
    let predict = || {
        let body = format!(r#"{{"records":[{FLOW}]}}"#);
        let mut connection = server.connect();
        connection.call("POST", "/v1/predict", &[kind], body.as_bytes())
    };
    let refused = predict();
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert!(refused.text().contains("answers to it wait to be read"));
    wait_for("the room of what nobody reads", || predict().status == 200);
    // It ends short of its length.
    assert!(unread.read_rest(length).is_err());
}
