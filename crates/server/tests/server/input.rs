use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    process::Server,
    trained::{FLOW, Place},
};

fn server() -> Server {
    Server::start(&Place::with_flows(), &["--max-rows", "20"])
}

/// Checks the status and every problem that is listed, each with its path.
#[track_caller]
fn check(body: &str, status: u16, problems: &[(&str, &str)]) {
    let answer = server().post("/v1/predict", body);
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(
        answer.header("content-type"),
        Some("application/problem+json")
    );
    let json = answer.json();
    assert_eq!(json["status"], json!(status));
    let expected: Vec<_> = problems
        .iter()
        .map(|(path, problem)| json!({"path": path, "problem": problem}))
        .collect();
    let listed = json["problems"].as_array().cloned().unwrap_or_default();
    assert_eq!(listed, expected);
}

/// Checks a record whose text has been changed in one place.
#[track_caller]
fn check_changed(from: &str, to: &str, path: &str, problem: &str) {
    assert!(FLOW.contains(from));
    let body = format!(r#"{{"records":[{FLOW},{}]}}"#, FLOW.replace(from, to));
    check(&body, 422, &[(path, problem)]);
}

#[test]
fn every_kind_of_bad_cell_is_refused_at_its_place() {
    let at = "records[1].duration";
    check_changed("\"duration\":40,", "", at, "missing");
    check_changed("40", "null", at, "missing");
    check_changed("40", "1.5", at, "`1.5` is not a whole number");
    check_changed("40", "\"40\"", at, "`\"40\"` is not a whole number");
    check_changed("40", "true", at, "`true` is not a whole number");
    check_changed("40", "[40]", at, "`a list` is not a whole number");
    check_changed("40", "{\"a\":{}}", at, "`an object` is not a whole number");
    check_changed("40", "1001", at, "1001 is not between 0 and 1000");
    check_changed("40", "NaN", at, "`NaN` is not a whole number");
    check_changed("40", "-Infinity", at, "`-Infinity` is not a whole number");
    check_changed("40", "1e999", at, "`1e999` is not a whole number");
    check_changed("40", "40,\"duration\":40", at, "named twice");
    check_changed(
        "\"tcp\"",
        "\"sctp\"",
        "records[1].protocol",
        "`sctp` is not one of icmp, tcp, udp",
    );
    check_changed("\"tcp\"", "6", "records[1].protocol", "`6` is not text");
    check_changed(
        "false",
        "\"false\"",
        "records[1].root",
        "`\"false\"` is not true or false",
    );
    check_changed("false", "2", "records[1].root", "`2` is not true or false");
}

#[test]
fn a_whole_number_is_one_however_it_is_written() {
    let place = Place::with_flows();
    let server = Server::start(&place, &[]);
    let verdict = |written: &str| {
        let body = format!(r#"{{"records":[{}]}}"#, FLOW.replace("40", written));
        let answer = server.post("/v1/predict", &body);
        assert_eq!(answer.status, 200, "{written}: {}", answer.text());
        answer.text()
    };
    assert_eq!(verdict("40"), verdict("40.0"));
    assert_eq!(verdict("40"), verdict("4e1"));
    let outcome = |version: &str| {
        let body =
            format!(r#"{{"feedback":[{{"version":{version},"predicted":"dos","actual":"dos"}}]}}"#);
        server.post("/v1/feedback", &body).status
    };
    let found = ["1", "1.0", "1e0", "1.5", "-1", "1e300", "\"1\""].map(outcome);
    assert_eq!(found, [200, 200, 200, 422, 422, 422, 422]);
    let explain = |top: &str| {
        let body = format!(r#"{{"records":[{FLOW}],"top":{top}}}"#);
        let answer = server.post("/v1/explain", &body);
        let reasons = &answer.json()["explanations"][0]["reasons"];
        (answer.status, reasons.as_array().map_or(0, Vec::len))
    };
    assert_eq!(explain("2.0"), (200, 2));
    assert_eq!(explain("null"), (200, 5));
    assert_eq!(explain("2.5"), (422, 0));
    assert_eq!(explain("18446744073709551615"), (200, 6));
}

#[test]
fn how_many_reasons_are_asked_for_is_said_once_and_refused_at_its_place() {
    let server = server();
    let refused = |tops: &str| {
        let body = format!(r#"{{"records":[{FLOW}],{tops}}}"#);
        let answer = server.post("/v1/explain", &body);
        (answer.status, answer.json()["problems"][0]["path"].clone())
    };
    assert_eq!(refused(r#""top":"2""#), (422, json!("top")));
    assert_eq!(refused(r#""top":1e999"#), (422, json!("top")));
    assert_eq!(refused(r#""top":2,"top":3"#), (422, json!("top")));
}

/// Checks what is said of a body that is no JSON, also where another parser reads it.
#[track_caller]
fn check_no_json(body: &str, said: &str) {
    let server = server();
    for path in ["/v1/predict", "/v1/feedback"] {
        let answer = server.post(path, body);
        assert_eq!(answer.status, 400, "{}", answer.text());
        assert_eq!(answer.json()["detail"], json!(said), "{path} {body}");
    }
}

#[test]
fn what_is_no_json_is_told_where_it_stops_being_it() {
    check_no_json("", "the body is empty: send JSON");
    let cut = "the body is no JSON: it is cut short, at line 2, column 5";
    check_no_json("{\"a\":\n[{\"b\"", cut);
    let at = |c: char, line: u8, column: u8| {
        format!("the body is no JSON: `{c}` does not belong at line {line}, column {column}")
    };
    check_no_json("records", &at('r', 1, 1));
    check_no_json("{\"a\":\n 5,}", &at('}', 2, 4));
    check_no_json("{\"a\" 5}", &at('5', 1, 6));
    check_no_json("{\"ä\":é}", &at('é', 1, 7));
    check_no_json("{} x", &at('x', 1, 4));
    check_no_json("{\"a\":NaN,\n\"b\":[NaN,-Infinity,}", &at('}', 2, 20));
    check_no_json(
        "{\"a\":\"\u{1}\"}",
        "the body is no JSON from line 1, column 6 on",
    );
}

#[test]
fn a_long_name_stands_whole_in_its_path() {
    let name = "x".repeat(200);
    let path = format!("records[1].{name}");
    check_changed(
        "{",
        &format!("{{\"{name}\":1,"),
        &path,
        "there is no such column",
    );
    let cut = format!("records[1].{}…", "x".repeat(300));
    check_changed(
        "{",
        &format!("{{\"{}\":1,", "x".repeat(400)),
        &cut,
        "there is no such column",
    );
}

#[test]
fn a_body_that_is_not_utf_8_is_no_json_also_where_it_is_passed_over() {
    let server = server();
    for path in ["/v1/predict", "/v1/explain", "/invocations", "/v1/feedback"] {
        let mut body = format!(r#"{{"records":[{{"id":"?",{}]}}"#, &FLOW[1..]).into_bytes();
        let at = body.iter().position(|byte| *byte == b'?').unwrap();
        body[at] = 0xff;
        let lines = ["Content-Type: application/json"];
        let answer = server.connect().call("POST", path, &lines, &body);
        assert_eq!(answer.status, 400, "{path}: {}", answer.text());
        let detail = format!("the body is no JSON: byte {at} is not UTF-8");
        assert_eq!(answer.json()["detail"], json!(detail), "{path}");
    }
}

#[test]
fn unknown_columns_are_refused_with_the_nearest_name() {
    let problem = "there is no such column; did you mean `duration`?";
    check_changed("{", "{\"duratoin\":1,", "records[1].duratoin", problem);
    check_changed(
        "{",
        "{\"zzzzzzzz\":1,",
        "records[1].zzzzzzzz",
        "there is no such column",
    );
}

#[test]
fn all_problems_of_all_records_are_listed() {
    let body = r#"{"records":[{"duration":-1,"protocol":"x","root":0},{"bytes":-2,"root":true}]}"#;
    check(
        body,
        422,
        &[
            ("records[0].duration", "-1 is not between 0 and 1000"),
            ("records[0].protocol", "`x` is not one of icmp, tcp, udp"),
            ("records[1].bytes", "-2 is not at least 0"),
            ("records[1].duration", "missing"),
            ("records[1].protocol", "missing"),
        ],
    );
}

#[test]
fn several_numbers_that_json_does_not_know_are_all_found() {
    let body = r#"{"records":[{"duration":NaN,"bytes":Infinity,"protocol":"tcp","service":"NaN","root":true}]}"#;
    check(
        body,
        422,
        &[
            ("records[0].duration", "`NaN` is not a whole number"),
            ("records[0].bytes", "`Infinity` is not a finite number"),
        ],
    );
}

#[test]
fn a_body_of_another_shape_is_refused() {
    let what = "missing: give a list of records";
    check("{}", 422, &[("records", what)]);
    check(
        r#"{"records":[]}"#,
        422,
        &[("records", "no records: give at least one")],
    );
    let twice = "unknown, or given twice: give `records` once";
    check(
        &format!(r#"{{"records":[{FLOW}],"model":"x"}}"#),
        422,
        &[("model", twice)],
    );
    check(
        &format!(r#"{{"records":[{FLOW}],"records":[]}}"#),
        422,
        &[("records", twice)],
    );
    let give = "give an object of values by column name";
    check(
        r#"{"records":[5,{"duration":1},[]]}"#,
        422,
        &[
            ("records[0]", &format!("`5` is not a record: {give}")),
            ("records[1].protocol", "missing"),
            ("records[1].root", "missing"),
            ("records[2]", &format!("`a list` is not a record: {give}")),
        ],
    );
    for body in [
        r#"{"records":5}"#,
        r#"{"records":{}}"#,
        r#"{"records":null}"#,
    ] {
        let not = "not a list: give a list of records";
        check(body, 422, &[("records", not)]);
    }
    check("[]", 422, &[("", "not an object: give one with `records`")]);
    for body in [
        "",
        "{",
        "records",
        "{\"records\":[{]}",
        "{\"records\":[{}]} x",
        "\u{0}",
    ] {
        check(body, 400, &[]);
    }
}

#[test]
fn more_records_than_allowed_are_refused() {
    let server = server();
    let records = vec![FLOW; 21].join(",");
    check(
        &format!(r#"{{"records":[{records}]}}"#),
        422,
        &[(
            "records",
            "more than 20 records: send them as a file, or in parts",
        )],
    );
    let records = vec![FLOW; 20].join(",");
    let answer = server.post("/v1/predict", &format!(r#"{{"records":[{records}]}}"#));
    assert_eq!(answer.status, 200);
}

#[test]
fn a_list_of_problems_ends_and_says_how_many_more_there_are() {
    let fields: String = (0..1500).map(|i| format!("\"x{i}\":1,")).collect();
    let body = format!(
        r#"{{"records":[{}]}}"#,
        FLOW.replacen('{', &format!("{{{fields}"), 1)
    );
    let answer = server().post("/v1/predict", &body).json();
    assert_eq!(answer["problems"].as_array().unwrap().len(), 1000);
    assert_eq!(answer["problems_left_out"], json!(500));
}

#[test]
fn json_nested_100_000_deep_is_refused_and_harms_nothing() {
    let server = server();
    let n = 100_000;
    let before = server.resident();
    for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let inside = if open == "[" { "" } else { "1" };
        let nested = open.repeat(n) + inside + &close.repeat(n);
        let whole = server.post("/v1/predict", &nested);
        assert!([400, 422].contains(&whole.status), "{}", whole.status);
        for body in [
            format!(r#"{{"records":[{nested}]}}"#),
            format!(r#"{{"records":[{}]}}"#, FLOW.replace("40", &nested)),
            format!(r#"{{"records":[{FLOW}],"other":{nested}}}"#),
            format!(r#"{{"records":[{}]}}"#, FLOW.replace("40", &open.repeat(n))),
        ] {
            let answer = server.post("/v1/predict", &body);
            assert!([400, 422].contains(&answer.status), "{}", answer.status);
        }
    }
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 60 << 10, "{grown} KiB more than before");
    assert_eq!(server.get("/readyz").status, 200);
}

#[test]
fn a_body_of_100_mb_is_refused_by_its_length_before_it_is_sent() {
    let server = server();
    let mut connection = server.connect();
    let lines = ["Content-Type: application/json"];
    let head = connection.head("POST", "/v1/predict", &lines, Some(100 << 20));
    connection.write(head.as_bytes()).unwrap();
    assert_eq!(connection.read().unwrap().status, 413);
}

#[test]
fn a_body_of_100_mb_without_a_length_is_refused_when_it_passes_the_limit() {
    let server = server();
    let mut connection = server.connect();
    let lines = [
        "Content-Type: application/json",
        "Transfer-Encoding: chunked",
    ];
    let head = connection.head("POST", "/v1/predict", &lines, None);
    connection.write(head.as_bytes()).unwrap();
    let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, " ".repeat(1 << 20));
    let before = server.resident();
    for _ in 0..100 {
        // It may hang up at any time from the limit on.
        let _ = connection.write(chunk.as_bytes());
    }
    assert_eq!(connection.read().unwrap().status, 413);
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 40 << 10, "{grown} KiB more than before");
    assert_eq!(server.get("/readyz").status, 200);
}

#[test]
fn bodies_of_another_type_or_compressed_are_refused() {
    let server = server();
    let body = format!(r#"{{"records":[{FLOW}]}}"#);
    for (line, status) in [
        ("Content-Type: text/csv", 415),
        ("Content-Type: application/x-www-form-urlencoded", 415),
        ("Content-Encoding: gzip", 415),
        ("Content-Type: application/json; charset=utf-8", 200),
        ("Content-Type: application/json; Charset=\"UTF-8\"", 200),
        ("Content-Type: application/json; charset=latin1", 415),
        ("Accept: */*", 200),
    ] {
        let answer = server
            .connect()
            .call("POST", "/v1/predict", &[line], body.as_bytes());
        assert_eq!(answer.status, status, "{line}");
    }
}

#[test]
fn a_client_that_stops_in_the_middle_of_its_body_is_told_so() {
    let server = Server::start(&Place::with_flows(), &["--client-timeout", "0.3"]);
    for (path, kind, half) in [
        ("/v1/predict", "application/json", "{\"records\""),
        ("/session", "application/x-www-form-urlencoded", "key=net"),
    ] {
        let mut connection = server.connect();
        let line = format!("Content-Type: {kind}");
        let head = connection.head("POST", path, &[&line], Some(1000));
        let sent = connection.write(format!("{head}{half}").as_bytes());
        sent.unwrap();
        let began = Instant::now();
        assert_eq!(connection.read().unwrap().status, 408, "{path}");
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}

#[test]
fn half_a_body_of_any_kind_is_refused_and_holds_nothing_back() {
    let place = Place::with_flows();
    let server = Server::start(&place, &["--client-timeout", "2"]);
    let before = server.resident();
    let part = "--b\r\nContent-Disposition: form-data; name=\"file\"\r\n\r\nduration\r\n";
    let kinds = [
        ("/v1/predict", "multipart/form-data; boundary=b", part),
        ("/v1/predict/csv", "multipart/form-data; boundary=b", part),
        (
            "/v1/predict/parquet",
            "multipart/form-data; boundary=b",
            part,
        ),
        ("/session", "multipart/form-data; boundary=b", part),
        ("/session", "application/x-www-form-urlencoded", "key=net"),
        ("/v1/predict", "application/json", "{\"records\":[{"),
        ("/v1/explain", "application/json", "{\"records\":[{"),
        ("/invocations", "application/json", "{\"inputs\":{"),
        (
            "/v2/models/flows/infer",
            "application/json",
            "{\"inputs\":[",
        ),
        ("/v1/feedback", "application/json", "{\"feedback\":["),
        ("/v1/predict/csv", "text/csv", "duration,bytes\n1,"),
        ("/v1/predict/parquet", "application/octet-stream", "PAR1"),
    ];
    // More often than files are taken at a time: none of them may keep its place.
    for (path, kind, half) in kinds.into_iter().cycle().take(12 * 40) {
        let mut connection = server.connect();
        let kind = format!("Content-Type: {kind}");
        let head = connection.head("POST", path, &[&kind], Some(half.len() + 1000));
        connection
            .write(format!("{head}{half}").as_bytes())
            .unwrap();
    }
    for (path, kind, half) in kinds {
        let mut connection = server.connect();
        let kind = format!("Content-Type: {kind}");
        let head = connection.head("POST", path, &[&kind], Some(half.len() + 1000));
        connection
            .write(format!("{head}{half}").as_bytes())
            .unwrap();
        // It may hang up where it has nothing more to say.
        if let Ok(answer) = connection.read() {
            assert!(
                (400..500).contains(&answer.status),
                "{path}: {}",
                answer.text()
            );
        }
    }
    let csv = "duration,bytes,protocol,root\n1,2,tcp,yes\n";
    let lines = ["Content-Type: text/csv"];
    let mut connection = server.connect();
    let whole = connection.call("POST", "/v1/predict/csv", &lines, csv.as_bytes());
    assert_eq!(whole.status, 200, "{}", whole.text());
    let grown = server.resident().saturating_sub(before);
    assert!(grown < 40 << 10, "{grown} KiB more than before");
}

#[test]
fn a_client_that_never_ends_its_head_is_cut_off() {
    let server = Server::start(&Place::with_flows(), &["--client-timeout", "0.3"]);
    let mut connection = server.connect();
    connection
        .write(b"POST /v1/predict HTTP/1.1\r\nHost: localhost\r\nX-A: ")
        .unwrap();
    let began = Instant::now();
    let answer = connection.read();
    assert!(answer.is_err() || answer.unwrap().status == 408);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn a_wrong_method_is_refused() {
    let server = server();
    let refused = server.get("/v1/predict");
    assert_eq!(
        (refused.status, refused.header("allow")),
        (405, Some("POST"))
    );
    assert_eq!(server.post("/v1/models", "{}").status, 405);
    assert_eq!(server.get("/nothing").status, 404);
}
