//! What is still to be told to a tracking server, and the way to one.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::mpsc::{Receiver, channel},
};

use serde_json::{Value, json};

use crate::{
    integrity::{SIGN, TRUST, place_with_keys, write_entry},
    support::{Called, TINY, Workplace},
};

/// Part of a request, and what is answered to it.
type Answer = (&'static str, u16, &'static str);

/// Answers every request with what is given for the first of these that its line contains, else with an empty object;
/// returns its address.
fn server(answers: &'static [Answer]) -> String {
    recording_server(answers).0
}

/// As [`server`]; what it is asked comes out as well.
fn recording_server(answers: &'static [Answer]) -> (String, Receiver<String>) {
    let (sender, receiver) = channel();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Whoever only looks whether somebody listens asks nothing, and TLS is not understood.
            let mut stream = stream.unwrap();
            let asked = asked(&stream).unwrap_or_default();
            let mut answers = answers.iter();
            let found = answers.find(|(part, ..)| asked.contains(part));
            let (_, status, body) = found.unwrap_or(&("", 200, "{}"));
            let head = format!("HTTP/1.1 {status} -\r\nconnection: close\r\ncontent-length");
            let _ = write!(stream, "{head}: {}\r\n\r\n{body}", body.len());
            // Most tests do not listen.
            let _ = sender.send(asked.lines().next().unwrap_or_default().to_owned());
        }
    });
    (address, receiver)
}

/// What a server answers that knows a run and keeps models.
const MLFLOW: &[Answer] = &[
    (
        "experiments/get-by-name",
        200,
        r#"{"experiment": {"experiment_id": "1"}}"#,
    ),
    (
        "runs/search",
        200,
        r#"{"runs": [{"info": {"run_id": "r", "artifact_uri": "mlflow-artifacts:/1/r"}}]}"#,
    ),
    (
        "runs/create",
        200,
        r#"{"run": {"info": {"run_id": "n", "artifact_uri": "mlflow-artifacts:/1/n"}}}"#,
    ),
    (
        "model-versions/create",
        200,
        r#"{"model_version": {"version": "1"}}"#,
    ),
];

/// What one answers that keeps no models.
const PLAIN: &[Answer] = &[
    ("registered-models", 404, "{}"),
    MLFLOW[0],
    MLFLOW[1],
    MLFLOW[2],
];

/// Where nobody listens.
const NOBODY: &str = "http://127.0.0.1:9";

/// Reads a request; returns its head.
fn asked(stream: &TcpStream) -> Option<String> {
    let (head, _) = request(stream);
    (!head.is_empty()).then_some(head)
}

fn call_at(place: &Workplace, server: &str, arguments: &[&str]) -> Called {
    let environment = [
        ("MLFLOW_TRACKING_URI", server),
        ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0"),
    ];
    place.call_with(arguments, &environment)
}

#[test]
fn a_damaged_note_is_named_and_keeps_no_other_from_being_sent() {
    let place = Workplace::new();
    place.write_tiny(300);
    for name in ["tiny", "other", "third"] {
        place.run_tiny(&["--model", name]);
        // Nobody is there to be told.
        let withdraw = ["models", "withdraw", name, "--version", "1", "--why", "-"];
        let done = call_at(&place, "http://127.0.0.1:9", &withdraw);
        assert_eq!(done.code, 0, "{}", done.err);
    }
    let note = |name: &str| place.path(&format!("artifacts/tracking/model-{name}.json"));
    fs::write(note("other"), "{").unwrap();
    fs::copy(note("tiny"), note("third")).unwrap();
    let named = |called: &Called| {
        assert_eq!(called.code, 70, "{}", called.err);
        for words in [
            "model-other.json",
            "`netsec tracking sync --model other`",
            "model-third.json",
            "`netsec tracking sync --model third`",
        ] {
            assert!(called.err.contains(words), "{words}: {}", called.err);
        }
    };
    let address = server(&[]);
    let status = call_at(&place, &address, &["tracking", "status"]);
    named(&status);
    assert!(status.out.contains("aliases of tiny"), "{}", status.out);
    let told = call_at(&place, &address, &["tracking", "status", "--json"]);
    named(&told);
    let told: Value = serde_json::from_str(&told.out).unwrap();
    assert_eq!(told["pending"].as_array().unwrap().len(), 1, "{told}");
    assert_eq!(told["damaged"].as_array().unwrap().len(), 2, "{told}");

    let synced = call_at(&place, &address, &["tracking", "sync"]);
    named(&synced);
    assert!(
        synced.out.contains("aliases of tiny: http"),
        "{}",
        synced.out
    );
    assert!(!note("tiny").exists() && note("other").exists());
    for name in ["other", "third"] {
        fs::remove_file(note(name)).unwrap();
        let sync = ["tracking", "sync", "--model", name];
        assert_eq!(call_at(&place, &address, &sync).code, 0);
    }
    assert_eq!(call_at(&place, &address, &["tracking", "status"]).code, 0);
}

#[test]
fn aliases_that_stay_as_they_are_are_no_success_and_stay_pending() {
    let place = Workplace::new();
    place.write_tiny(300);
    place.run_tiny(&[]);
    // The public key of the first test of RFC 8032, section 7.1: nobody here has the other half.
    let key = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";
    let pem = format!("-----BEGIN PUBLIC KEY-----\n{key}\n-----END PUBLIC KEY-----\n");
    place.write("trusted.pem", pem);
    let sync = ["tracking", "sync", "--trusted-keys", "trusted.pem"];
    let address = server(&[]);
    let named = [&sync[..], &["--model", "tiny"]].concat();
    for arguments in [&named[..], &sync] {
        let synced = call_at(&place, &address, arguments);
        assert_eq!((synced.code, &*synced.out), (65, ""), "{}", synced.err);
        let said = "the aliases of `tiny` stay as they are";
        assert!(synced.err.contains(said), "{}", synced.err);
    }
    let synced = call_at(&place, &address, &sync[..2]);
    assert_eq!(synced.code, 0, "{}", synced.err);
}

/// Makes two versions, both promoted and signed, of which no server has heard of the second yet.
fn place_with_a_pending_run() -> Workplace {
    let place = place_with_keys();
    place.run_tiny(&SIGN);
    let run = ["run", "--force", "--why", "-", "--source", "tiny.csv"];
    let run = [&run[..], &TINY, &SIGN, &TRUST, &["--seed", "8"]].concat();
    let ran = call_at(&place, NOBODY, &run);
    assert_eq!(ran.code, 0, "{}", ran.err);
    place
}

/// Carries out something on the model, of which no server is told.
fn decide(place: &Workplace, command: &str, more: &[&str]) {
    let done = place.call(&[&["models", command, "tiny"], more].concat());
    assert_eq!(done.code, 0, "{}", done.err);
}

/// Sends what is pending; returns the exit code and what is said, and what the server was asked.
fn synced(place: &Workplace) -> (Called, Vec<String>) {
    let (address, asked) = recording_server(MLFLOW);
    let sync = [&["tracking", "sync"], &TRUST[..]].concat();
    let called = call_at(place, &address, &sync);
    (called, asked.try_iter().collect())
}

fn is_pending(place: &Workplace) -> bool {
    let status = place.call(&["tracking", "status"]);
    assert_eq!(status.code, 0, "{}", status.err);
    !status.out.contains("nothing is pending")
}

#[test]
fn a_run_stays_pending_until_its_model_has_a_champion_that_is_signed() {
    let place = place_with_a_pending_run();
    decide(&place, "rollback", &["--why", "-"]);
    for _ in 0..2 {
        let (called, asked) = synced(&place);
        assert_eq!(called.code, 65, "{}", called.err);
        let said = "the aliases of `tiny` stay as they are: ";
        assert!(called.err.contains(said), "{}", called.err);
        // All but the aliases is there.
        for call in ["model-versions/create", "runs/update"] {
            assert!(asked.iter().any(|line| line.contains(call)), "{asked:?}");
        }
        assert!(is_pending(&place));
    }
    decide(&place, "sign", &[&["--entry", "3"][..], &SIGN].concat());
    let (called, _) = synced(&place);
    assert_eq!(called.code, 0, "{}", called.err);
    assert!(!is_pending(&place));
}

/// Takes the version of the pending run away, by a decision that is signed.
fn withdraw_second(place: &Workplace) {
    decide(place, "rollback", &[&["--why", "-"][..], &SIGN].concat());
    let second = ["--version", "2", "--why", "leaks"];
    decide(place, "withdraw", &[&second[..], &SIGN].concat());
}

#[test]
fn what_takes_a_version_away_or_brings_it_back_is_believed_only_where_it_is_signed() {
    let is_registered = |asked: &[String]| {
        let mut asked = asked.iter();
        asked.any(|line| line.contains("model-versions/create"))
    };
    let disown = |place: &Workplace, entry: &str| {
        let entry = ["--entry", entry, "--why", "forged"];
        decide(place, "disown", &[&entry[..], &SIGN, &TRUST].concat());
    };
    // Somebody says that the version was withdrawn.
    let place = place_with_a_pending_run();
    decide(&place, "rollback", &[&["--why", "-"][..], &SIGN].concat());
    decide(&place, "withdraw", &["--version", "2", "--why", "evil"]);
    let (called, asked) = synced(&place);
    assert_eq!(called.code, 65, "{}", called.err);
    assert!(!called.err.contains("was withdrawn"), "{}", called.err);
    assert!(!is_registered(&asked) && is_pending(&place), "{asked:?}");
    disown(&place, "4");
    let (called, asked) = synced(&place);
    assert_eq!(called.code, 0, "{}", called.err);
    assert!(is_registered(&asked) && !is_pending(&place), "{asked:?}");

    // Somebody says that the withdrawal does not count.
    let place = place_with_a_pending_run();
    withdraw_second(&place);
    let history = place.path("artifacts/registry/models/tiny/history");
    let fourth = fs::read(history.join("00000004.json")).unwrap();
    let mut forged: Value = serde_json::from_slice(&fourth).unwrap();
    forged["action"] = json!({"disowned": 4});
    write_entry(&history, 5, forged);
    let (called, asked) = synced(&place);
    assert_eq!(called.code, 65, "{}", called.err);
    assert!(called.err.contains("--entry 5"), "{}", called.err);
    assert!(!is_registered(&asked) && is_pending(&place), "{asked:?}");
    disown(&place, "5");
    let (called, asked) = synced(&place);
    assert_eq!(called.code, 0, "{}", called.err);
    assert!(called.err.contains("was withdrawn (leaks)"));
    assert!(!is_registered(&asked) && !is_pending(&place), "{asked:?}");
}

#[test]
fn what_answers_that_it_has_nothing_is_taken_for_no_server_without_a_model_registry() {
    let place = Workplace::new();
    place.write_tiny(300);
    place.run_tiny(&[]);
    let nothing = server(&[("/", 404, "<html>")]);
    let plain = server(&[("model-versions", 404, "{}")]);
    let sync = ["tracking", "sync", "--model", "tiny"];
    let said = "it has no call api/2.0/mlflow/experiments/get-by-name (404)";
    let synced = call_at(&place, &nothing, &sync);
    assert_eq!(synced.code, 69, "{}", synced.out);
    assert!(synced.err.contains(said), "{}", synced.err);
    assert!(is_pending(&place));
    // Of a model that is not there, nothing is to be sent later.
    let unknown = call_at(&place, &plain, &["tracking", "sync", "--model", "tyni"]);
    assert_eq!(unknown.code, 64, "{}", unknown.out);
    assert!(unknown.err.contains("known: tiny"), "{}", unknown.err);
    let synced = call_at(&place, &plain, &sync[..2]);
    assert_eq!(synced.code, 0, "{}", synced.err);
    let remark = "the server has no model registry";
    assert!(synced.err.contains(remark), "{}", synced.err);
    assert!(!is_pending(&place));
    // Of a champion that a server does not have, that is said.
    let empty = call_at(&place, &server(MLFLOW), &sync);
    assert_eq!(empty.code, 0, "{}", empty.err);
    let missing = "`tiny` version 1 is not on the server, and `champion` names nothing there";
    assert!(empty.err.contains(missing), "{}", empty.err);
    let withdraw = ["models", "withdraw", "tiny", "--version", "1", "--why", "-"];
    let done = call_at(&place, &nothing, &withdraw);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.err.contains(said), "{}", done.err);
    assert!(is_pending(&place));
}

#[test]
fn what_somebody_decides_while_a_server_is_told_is_told_as_well() {
    let place = place_with_keys();
    place.run_tiny(&SIGN);
    let more = ["--seed", "8"];
    place.run_tiny(&[&SIGN[..], &TRUST, &more].concat());
    let history = place.call(&["models", "history", "tiny", "--json"]);
    let history: Value = serde_json::from_str(&history.out).unwrap();
    let version = |number: usize| {
        let bundle = &history[number - 1]["bundle"];
        let tags = json!([{"key": "netsec.bundle", "value": bundle}]);
        json!({"name": "tiny", "version": number.to_string(), "tags": tags})
    };
    let versions = json!({"model_versions": [version(1), version(2)]}).to_string();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let told = std::thread::scope(|scope| {
        let server = scope.spawn(|| {
            let mut told = Vec::new();
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let (head, body) = request(&stream);
                let answer = match () {
                    () if head.contains("model-versions/search") => &versions,
                    () if head.starts_with("GET /end") => return told,
                    () => "{}",
                };
                if head.starts_with("POST") && body["alias"] == "champion" {
                    told.push(body["version"].clone());
                    if told.len() == 1 {
                        // Elsewhere, and told before this one is.
                        decide(&place, "rollback", &[&["--why", "-"][..], &SIGN].concat());
                    }
                }
                let length = answer.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 -\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n{answer}"
                );
            }
            told
        });
        let sync = ["tracking", "sync", "--model", "tiny"];
        let called = call_at(&place, &address, &[&sync[..], &TRUST].concat());
        assert_eq!(called.code, 0, "{}", called.err);
        let mut end = TcpStream::connect(address.trim_start_matches("http://")).unwrap();
        write!(end, "GET /end HTTP/1.1\r\n\r\n").unwrap();
        server.join().unwrap()
    });
    assert_eq!(told, ["2", "1"]);
}

/// Reads a request; returns its head and what it holds.
fn request(stream: &TcpStream) -> (String, Value) {
    let mut reader = BufReader::new(stream);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") && reader.read_line(&mut head).unwrap_or(0) > 0 {}
    let length = |line: &str| line.strip_prefix("content-length: ")?.parse().ok();
    let length: usize = head.to_lowercase().lines().find_map(length).unwrap_or(0);
    let mut body = vec![0; length];
    // Whoever only looks whether somebody listens sends none.
    let _ = reader.read_exact(&mut body);
    (head, serde_json::from_slice(&body).unwrap_or_default())
}

#[test]
fn a_server_that_keeps_no_models_gets_the_model_of_a_run_all_the_same() {
    let place = place_with_a_pending_run();
    let (address, asked) = recording_server(PLAIN);
    let sync = [&["tracking", "sync"], &TRUST[..]].concat();
    let called = call_at(&place, &address, &sync);
    assert_eq!(called.code, 0, "{}", called.err);
    let asked: Vec<String> = asked.try_iter().collect();
    let asks = |part: &str| asked.iter().any(|line| line.contains(part));
    assert!(asks("/model/MLmodel"), "{asked:#?}");
    assert!(!asks("model-versions"), "{asked:#?}");
    assert!(!is_pending(&place));
}

/// Sends a pending run to a server that answers some calls otherwise; returns what is said of it, and what the server was
/// asked.
fn synced_with(faults: &'static [Answer], code: i32) -> (String, Vec<String>) {
    let place = place_with_a_pending_run();
    let answers: Vec<Answer> = [faults, MLFLOW].concat();
    let (address, asked) = recording_server(answers.leak());
    let sync = [&["tracking", "sync"], &TRUST[..]].concat();
    let called = call_at(&place, &address, &sync);
    assert_eq!(called.code, code, "{}", called.err);
    assert_eq!(is_pending(&place), code != 0);
    (called.err, asked.try_iter().collect())
}

/// Returns whether a server was asked for something.
fn holds(asked: &[String], part: &str) -> bool {
    asked.iter().any(|line| line.contains(part))
}

#[test]
fn a_server_that_has_a_part_of_a_model_registry_gets_the_rest_and_is_not_waited_for() {
    const PARTS: [&[Answer]; 3] = [
        &[("model-versions", 404, "{}")],
        &[("model-versions/create", 501, "{}")],
        &[("registered-models/get", 405, "{}")],
    ];
    for lacking in PARTS {
        let (said, asked) = synced_with(lacking, 0);
        let remark = format!("api/2.0/mlflow/{}", lacking[0].0);
        assert!(
            said.contains("or not all of it") && said.contains(&remark),
            "{said}"
        );
        assert!(
            holds(&asked, "/model/MLmodel") && holds(&asked, "runs/update"),
            "{asked:#?}"
        );
    }
}

#[test]
fn a_pending_run_goes_into_the_experiment_that_was_asked_for_when_it_ended() {
    let place = Workplace::new();
    place.write_tiny(300);
    let run = [&["run", "--source", "tiny.csv"][..], &TINY].concat();
    let named = [
        ("MLFLOW_TRACKING_URI", NOBODY),
        ("MLFLOW_EXPERIMENT_NAME", "ours"),
    ];
    let ran = place.call_with(
        &run,
        &[&named[..], &[("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")]].concat(),
    );
    assert_eq!(ran.code, 0, "{}", ran.err);
    let (address, asked) = recording_server(MLFLOW);
    let called = call_at(&place, &address, &["tracking", "sync"]);
    assert_eq!(called.code, 0, "{}", called.err);
    let asked: Vec<String> = asked.try_iter().collect();
    assert!(holds(&asked, "experiment_name=ours"), "{asked:#?}");
    assert!(!holds(&asked, "experiment_name=tiny"), "{asked:#?}");
}

#[test]
fn what_is_pending_stays_so_while_its_registry_is_not_where_it_was() {
    let place = Workplace::new();
    place.write_tiny(300);
    let registry = ["--registry", "shared"];
    let run = [&["run", "--source", "tiny.csv"][..], &TINY, &registry].concat();
    let ran = call_at(&place, NOBODY, &run);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let aliases = ["tracking", "sync", "--model", "tiny"];
    let put_off = call_at(&place, NOBODY, &[&aliases[..], &registry].concat());
    assert_eq!(put_off.code, 69, "{}", put_off.err);
    fs::rename(place.path("shared"), place.path("moved")).unwrap();
    let sync = |more: &[&str]| {
        let (address, asked) = recording_server(MLFLOW);
        let called = call_at(&place, &address, &[&["tracking", "sync"], more].concat());
        (called, asked.try_iter().collect::<Vec<String>>())
    };
    let (called, asked) = sync(&[]);
    assert_eq!(called.code, 69, "{}", called.err);
    assert!(
        called.err.contains("--registry") && called.err.contains("shared"),
        "{}",
        called.err
    );
    assert!(
        holds(&asked, "runs/update") && !holds(&asked, "model-versions/create"),
        "{asked:#?}"
    );
    let pending = place.call(&["tracking", "status"]).out;
    assert!(
        pending.contains("run ") && pending.contains("aliases of tiny"),
        "{pending}"
    );
    let (called, asked) = sync(&["--registry", "moved"]);
    assert_eq!(called.code, 0, "{}", called.err);
    assert!(
        holds(&asked, "model-versions/create") && !is_pending(&place),
        "{asked:#?}"
    );
}

#[test]
fn a_run_is_finished_on_the_server_before_its_model_registry_is_asked() {
    let (said, asked) = synced_with(&[("registered-models", 500, "{}")], 69);
    assert!(said.contains("500"), "{said}");
    assert!(
        holds(&asked, "/model/MLmodel") && holds(&asked, "runs/update"),
        "{asked:#?}"
    );
}

#[test]
fn what_a_server_will_never_take_is_left_out_and_said() {
    let (said, asked) = synced_with(&[("/curves.json", 413, "<html>too large</html>")], 0);
    assert!(
        said.contains("`curves.json`") && said.contains("client_max_body_size"),
        "{said}"
    );
    assert!(
        holds(&asked, "model-versions/create") && holds(&asked, "runs/update"),
        "{asked:#?}"
    );
    // What is not all there is no model.
    let (said, asked) = synced_with(&[("/model/model.onnx", 413, "")], 0);
    assert!(said.contains("the model is not registered"), "{said}");
    assert!(
        !holds(&asked, "model-versions/create") && holds(&asked, "runs/update"),
        "{asked:#?}"
    );
    let refusal = r#"{"error_code": "INVALID_PARAMETER_VALUE", "message": "it is too long"}"#;
    let (said, asked) = synced_with(Vec::leak(vec![("log-inputs", 400, refusal)]), 0);
    assert!(
        said.contains("lineage") && said.contains("it is too long"),
        "{said}"
    );
    assert!(holds(&asked, "runs/update"), "{asked:#?}");
}

#[test]
fn what_stands_in_the_place_of_the_notes_is_named() {
    let place = Workplace::new();
    fs::create_dir(place.path("artifacts")).unwrap();
    place.write("artifacts/tracking", "");
    for command in ["status", "sync"] {
        let called = call_at(&place, NOBODY, &["tracking", command]);
        assert_eq!((called.code, &*called.out), (69, ""), "{}", called.err);
        let said = "artifacts/tracking: Not a directory";
        assert!(called.err.contains(said), "{}", called.err);
    }
}

/// Looks at the way to a server; returns the exit code, and the state of each step with what was said.
fn doctor(place: &Workplace, server: &str) -> (i32, String) {
    let called = call_at(place, server, &["doctor", "--json"]);
    let said: Value = serde_json::from_str(&called.out).unwrap();
    let checks = said["checks"].as_array().unwrap().iter();
    let checks = checks.filter(|check| check["check"] == "tracking");
    let line = |check: &Value| {
        let [state, message] = ["state", "message"].map(|key| check[key].as_str().unwrap());
        format!("{state} {message}\n")
    };
    (called.code, checks.map(line).collect())
}

/// Checks the exit code, and what is said among the rest.
#[track_caller]
fn check_doctor(server: &str, code: i32, said: &[&str]) {
    let (found, lines) = doctor(&Workplace::new(), server);
    assert_eq!(found, code, "{lines}");
    for words in said {
        assert!(lines.contains(words), "{words}: {lines}");
    }
}

#[test]
fn doctor_looks_at_the_way_to_the_tracking_server_that_is_named() {
    assert_eq!(doctor(&Workplace::new(), ""), (0, String::new()));
    let address = server(&[]);
    let steps = ["ok name: ", "ok port: ", "ok answer: ", "ok credentials: "];
    check_doctor(&address, 0, &steps);
    check_doctor(&address, 0, &["ok registry: "]);
    let plain = server(&[("registered-models", 404, "{}")]);
    check_doctor(
        &plain,
        0,
        &["warn registry: the server has no model registry"],
    );
    let closed = server(&[("/api/", 401, "who?")]);
    let said = ["fail credentials: ", "MLFLOW_TRACKING_USERNAME"];
    check_doctor(&closed, 69, &said);
    let other = server(&[("/api/", 404, "<html>")]);
    check_doctor(&other, 69, &["fail answer: "]);
    check_doctor("http://127.0.0.1:9", 69, &["ok name: ", "fail port: "]);
    check_doctor("http://no-such-host.invalid", 69, &["fail name: "]);
    // One that speaks no TLS.
    let secure = address.replace("http:", "https:");
    let said = "the server speaks no TLS at this port: write http://";
    check_doctor(&secure, 69, &["ok port: ", "fail TLS: ", said]);
    check_doctor("ftp://host", 78, &["fail settings: MLFLOW_TRACKING_URI"]);
}
