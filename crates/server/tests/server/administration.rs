use std::{fs, net::SocketAddr, time::Duration};

use serde_json::{Value, json};

use crate::{
    client::{Answer, Connection},
    process::{Server, command},
    trained::Place,
};

/// Has the service listen for administration.
pub const ADMIN: [&str; 2] = ["--admin-listen", "127.0.0.1:0"];

/// Sends a request to the listener for administration.
pub fn admin(server: &Server, method: &str, path: &str, body: &Value) -> Answer {
    let lines = ["Content-Type: application/json"];
    let body = body.to_string();
    Connection::open(server.admin.unwrap()).call(method, path, &lines, body.as_bytes())
}

fn page_of(server: &Server) -> String {
    admin(server, "GET", "/", &json!(null)).text()
}

#[test]
fn the_public_listener_administers_nothing() {
    let server = Server::start(&Place::with_flows(), &ADMIN);
    for path in [
        "/reload",
        "/train",
        "/models/flows/promote",
        "/models/flows/rollback",
    ] {
        assert_eq!(server.post(path, "{}").status, 404, "{path}");
    }
    assert_eq!(server.get("/jobs").status, 404);
}

#[test]
fn a_reload_takes_the_champion_up_at_once() {
    let place = Place::with_flows();
    let server = Server::start(&place, &ADMIN);
    let reload = || admin(&server, "POST", "/reload", &json!({})).json();
    assert_eq!(reload(), json!({"swapped": false, "version": 1}));
    place.promote("flows", |bundle| bundle.training.seed = 9);
    assert_eq!(reload(), json!({"swapped": true, "version": 2}));
    let entry = place.promote("flows", |bundle| bundle.training.seed = 10);
    fs::write(place.blob(entry.bundle), b"damaged").unwrap();
    let refused = admin(&server, "POST", "/reload", &json!({}));
    assert!(
        page_of(&server).contains("cannot be used: "),
        "the page of administration does not say it"
    );
    assert_eq!(refused.status, 409, "{}", refused.text());
    assert_eq!(server.get("/v1/models").json()[0]["champion"], json!(3));
    assert_eq!(
        server.get("/v2/models/flows").json()["versions"],
        json!(["2"])
    );
}

#[test]
fn versions_are_rolled_back_and_promoted_and_taken_up() {
    let place = Place::with_flows();
    place.promote("flows", |bundle| bundle.training.seed = 9);
    let server = Server::start(&place, &ADMIN);
    let version = || server.get("/v2/models/flows").json()["versions"][0].clone();
    assert_eq!(version(), json!("2"));
    let why = json!({"why": "worse in the field"});
    let back = admin(&server, "POST", "/models/flows/rollback", &why).json();
    assert_eq!(
        (&back["action"], &back["why"]),
        (&json!("rolled_back"), &why["why"])
    );
    assert_eq!(version(), json!("1"));
    let forth = admin(
        &server,
        "POST",
        "/models/flows/promote",
        &json!({"version": 2}),
    );
    assert_eq!(forth.status, 200, "{}", forth.text());
    assert_eq!(version(), json!("2"));
    for (path, body, status) in [
        ("/models/flows/promote", json!({"version": 2}), 409),
        ("/models/flows/promote", json!({"version": 9}), 409),
        ("/models/flows/promote", json!({}), 422),
        (
            "/models/flows/promote",
            json!({"version": 1, "force": true}),
            422,
        ),
        ("/models/nothing/promote", json!({"version": 1}), 404),
        ("/models/%2e%2e/rollback", json!({}), 404),
    ] {
        let answer = admin(&server, "POST", path, &body);
        assert_eq!(answer.status, status, "{path} {body}: {}", answer.text());
    }
}

/// Sends a body that is refused to the listener for administration; its problems are told.
#[track_caller]
fn check_refusal(path: &str, body: &Value, problems: &Value) {
    let source = ["--train-source", "daily=/data/daily.csv"];
    let server = Server::start(&Place::with_flows(), &[&ADMIN[..], &source].concat());
    let answer = admin(&server, "POST", path, body);
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert_eq!(&answer.json()["problems"], problems);
}

#[test]
fn bad_orders_are_refused_with_every_place() {
    check_refusal(
        "/models/flows/promote",
        &json!({"version": -1, "force": 1, "why": 5, "by": "me"}),
        &json!([
            {"path": "by", "problem": "unknown: give `version`, `force`, `why`"},
            {"path": "version", "problem": "`-1` is not a whole number of at least 0"},
            {"path": "force", "problem": "`1` is not true or false"},
            {"path": "why", "problem": "`5` is not a text"},
        ]),
    );
    check_refusal(
        "/models/flows/promote",
        &json!({"force": true}),
        &json!([
            {"path": "version", "problem": "missing: give a whole number of at least 0"},
            {"path": "why", "problem": "missing or empty: `force` asks for a reason"},
        ]),
    );
    check_refusal(
        "/models/flows/rollback",
        &json!({"to": "1"}),
        &json!([{"path": "to", "problem": "`\"1\"` is not a whole number of at least 0"}]),
    );
    check_refusal(
        "/train",
        &json!({}),
        &json!([{"path": "source", "problem": "missing: give the name of a source"}]),
    );
    check_refusal(
        "/train",
        &json!({"source": "weekly"}),
        &json!([{"path": "source", "problem": "the configuration lists no such source; it lists daily"}]),
    );
}

#[test]
fn what_cannot_be_done_is_told_with_what_to_send() {
    let place = Place::with_flows();
    let server = Server::start(&place, &ADMIN);
    let refused = |path: &str, body: Value| {
        let answer = admin(&server, "POST", path, &body);
        assert_eq!(answer.status, 409, "{path} {body}: {}", answer.text());
        answer.json()["detail"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        refused("/models/flows/rollback", json!({})),
        "`flows`: no champion before this one is left to roll back to; give `to` to return to a later one"
    );
    let entry = place.promote("flows", |bundle| bundle.training.seed = 9);
    fs::write(place.blob(entry.bundle), b"damaged").unwrap();
    for said in [
        refused("/reload", json!({})),
        refused("/models/flows/promote", json!({"version": 2})),
        refused("/models/flows/promote", json!({"version": 9})),
    ] {
        assert!(!said.contains("--"), "advice for a command line: {said}");
    }
    let blob = refused("/reload", json!({}));
    let (_, advice) = blob.split_once("; ").unwrap();
    assert_eq!(
        advice,
        "put this file back from a copy of the registry, or serve another version: `POST /models/{name}/rollback` \
         with its number as `to`, or `POST /train`; `netsec models verify` names all damage"
    );
    fs::write(place.in_history("flows", "00000002.json"), "{\"sequence\":").unwrap();
    let expected = "`models/flows/history/00000002.json` in the registry is cut short, at line 1, column 12; put \
         this file back from a copy of the registry, or move it away where it does not belong there; `netsec models \
         list` names all such damage";
    for said in [
        refused("/reload", json!({})),
        refused("/models/flows/promote", json!({"version": 1})),
        refused("/models/flows/rollback", json!({})),
    ] {
        assert_eq!(said, expected);
    }
}

#[test]
fn a_rollback_needs_no_body() {
    let place = Place::with_flows();
    place.promote("flows", |bundle| bundle.training.seed = 9);
    let server = Server::start(&place, &ADMIN);
    let mut connection = Connection::open(server.admin.unwrap());
    let back = connection.call("POST", "/models/flows/rollback", &[], b"");
    assert_eq!((back.status, &back.json()["version"]), (200, &json!(1)));
}

#[test]
fn administration_is_described_on_its_own_listener_alone() {
    let source = ["--train-source", "daily=/data/daily.csv"];
    let server = Server::start(&Place::with_flows(), &[&ADMIN[..], &source].concat());
    let public = server.get("/openapi.json").json();
    let own = admin(&server, "GET", "/openapi.json", &json!(null)).json();
    let n_paths = |document: &Value| document["paths"].as_object().unwrap().len();
    for (path, method) in [
        ("/reload", "post"),
        ("/train", "post"),
        ("/jobs", "get"),
        ("/jobs/{id}", "get"),
        ("/jobs/{id}/events", "get"),
        ("/jobs/{id}/cancel", "post"),
        ("/models/{name}/promote", "post"),
        ("/models/{name}/rollback", "post"),
    ] {
        let operation = &own["paths"][path][method];
        assert_eq!(operation["tags"], json!(["administration"]), "{path}");
        for status in ["401", "403", "405", "421", "429"] {
            assert!(
                operation["responses"][status].is_object(),
                "{path} {status}"
            );
        }
        assert!(public["paths"][path].is_null(), "{path}");
    }
    assert_eq!(n_paths(&own), n_paths(&public) + 8);
    // Generated clients name their functions by these.
    let paths = own["paths"].as_object().unwrap().values();
    let operations = paths.flat_map(|path| path.as_object().unwrap().values());
    let mut ids: Vec<&str> = operations
        .map(|o| o["operationId"].as_str().unwrap())
        .collect();
    let n_operations = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), n_operations, "{ids:?}");
    let sources = &own["components"]["schemas"]["TrainOrder"]["properties"]["source"]["enum"];
    assert_eq!(sources, &json!(["daily"]));
}

#[test]
fn administration_asks_for_a_key_of_its_scope() {
    let place = Place::with_flows();
    let make = |name: &str, scope: &str| {
        let made = command(&place)
            .args(["--new-key", name, "--scope", scope])
            .output()
            .unwrap();
        let text = String::from_utf8(made.stdout).unwrap();
        let (key, line) = text.trim_end().split_once('\n').unwrap();
        (key.to_owned(), line.to_owned())
    };
    let (predict, first) = make("ci", "predict");
    let (ops, second) = make("ops", "admin");
    let keys = format!("{first};{second}");
    let source = ["--train-source", "daily=synth://phishing?rows=9"];
    let arguments = [&ADMIN[..], &source].concat();
    let server = Server::start_with(&place, &arguments, &[("NETSEC_API_KEYS", &keys)]);
    let call = |method: &str, path: &str, key: &str| {
        let line = format!("Authorization: Bearer {key}");
        let mut connection = Connection::open(server.admin.unwrap());
        connection.call(method, path, &[&line], b"")
    };
    let reload = |key: &str| call("POST", "/reload", key).status;
    assert_eq!(
        [reload("x"), reload(&predict), reload(&ops)],
        [401, 403, 200]
    );
    // However a path is written, it is the one that it leads to.
    for (method, path) in [
        ("POST", "/%72eload"),
        ("POST", "/%74rain"),
        ("GET", "/%6Aobs"),
        ("POST", "/%6dodels/flows/rollback"),
        ("POST", "/m%6fdels/flows/promote"),
    ] {
        assert_eq!(call(method, path, &predict).status, 403, "{path}");
    }
    let sources = |key: &str| {
        let description = call("GET", "/openapi.json", key).json();
        description["components"]["schemas"]["TrainOrder"]["properties"]["source"]["enum"].clone()
    };
    assert_eq!(sources(&ops), json!(["daily"]));
    assert!(sources(&predict).is_null());
    assert!(sources("x").is_null());
}

#[test]
fn administration_without_a_key_stays_on_this_machine() {
    let place = Place::with_flows();
    let open = ["--admin-listen", "0.0.0.0:0", "--insecure", "--check"];
    let refused = command(&place).args(open).output().unwrap();
    assert_eq!(refused.status.code(), Some(78), "{refused:?}");
}

#[test]
fn pages_of_other_sites_administer_nothing_and_what_is_open_is_said() {
    let server = Server::start(&Place::with_flows(), &ADMIN);
    let call = |method: &str, path: &str, site: &str| {
        let line = format!("Sec-Fetch-Site: {site}");
        let mut connection = Connection::open(server.admin.unwrap());
        connection.call(method, path, &[&line], b"").status
    };
    let found =
        ["cross-site", "same-site", "same-origin", "none"].map(|s| call("POST", "/reload", s));
    assert_ne!(found[2], 403);
    assert_eq!((found[0], found[1], found[2]), (403, 403, found[3]));
    assert_eq!(call("GET", "/jobs", "cross-site"), 200);
    for said in [
        ", open to all who reach it: there are no keys\n",
        "administration, open to all users and programs of this machine: there are no keys\n",
    ] {
        assert!(server.greeting.contains(said), "{}", server.greeting);
    }
}

#[test]
fn an_upload_in_progress_is_waited_for_on_either_listener() {
    let arguments = [&ADMIN[..], &["--drain", "20"]].concat();
    for is_admin in [false, true] {
        let server = Server::start(&Place::with_flows(), &arguments);
        let address = if is_admin {
            server.admin.unwrap()
        } else {
            server.address
        };
        end_in_the_middle_of_an_upload(server, address);
    }
}

fn end_in_the_middle_of_an_upload(server: Server, address: SocketAddr) {
    let mut connection = Connection::open(address);
    let csv = "duration,bytes,protocol,root\n1,2,tcp,yes\n";
    let (first, rest) = csv.split_at(10);
    let lines = ["Content-Type: text/csv"];
    let head = connection.head("POST", "/v1/predict/csv", &lines, Some(csv.len()));
    connection
        .write(format!("{head}{first}").as_bytes())
        .unwrap();
    std::thread::sleep(Duration::from_millis(200));
    server.signal("TERM");
    // As long as the other listener takes to end, and more.
    std::thread::sleep(Duration::from_millis(1500));
    connection.write(rest.as_bytes()).unwrap();
    let answer = connection.read().unwrap();
    assert_eq!((answer.status, answer.text().lines().count()), (200, 2));
    drop(connection);
    assert_eq!(server.end("TERM"), Some(0));
}
