use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use ed25519_compact::{KeyPair, Seed};
use serde_json::json;

use crate::{
    client::Connection,
    process::{Server, wait_for},
    trained::{FLOW, Place},
};

fn version(server: &Server) -> u64 {
    let body = format!(r#"{{"records":[{FLOW}]}}"#);
    let answer = server.post("/v1/predict", &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()["model"]["version"].as_u64().unwrap()
}

#[test]
fn a_new_champion_is_taken_up_without_a_restart() {
    let place = Place::with_flows();
    let server = Server::start(&place, &["--poll", "0.05"]);
    assert_eq!(version(&server), 1);
    place.promote("flows", |bundle| bundle.training.seed = 99);
    wait_for("version 2", || version(&server) == 2);
}

#[test]
fn a_damaged_candidate_is_refused_and_the_old_one_serves_on() {
    let place = Place::with_flows();
    let server = Server::start(&place, &["--poll", "0.05"]);
    let entry = place.promote("flows", |bundle| bundle.training.seed = 99);
    let blob = place.blob(entry.bundle);
    let mut bytes = fs::read(&blob).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&blob, &bytes).unwrap();
    thread::sleep(Duration::from_millis(300));
    assert_eq!(version(&server), 1);
    assert_eq!(server.get("/readyz").status, 200);
    let said = "ersion 1 goes on serving, no other is taken up: a file of the champion in the registry is damaged";
    let model = server.get("/v1/models").json()[0].clone();
    assert_eq!(
        (&model["champion"], &model["serving"]),
        (&json!(2), &json!(true))
    );
    assert!(model["problem"].as_str().unwrap().contains(said), "{model}");
    assert!(server.get("/").text().contains(said), "the page");
    bytes[middle] ^= 1;
    fs::write(&blob, &bytes).unwrap();
    wait_for("the mended version 2", || version(&server) == 2);
    assert_eq!(server.get("/v1/models").json()[0].get("problem"), None);
    assert!(
        !server.get("/").text().contains("goes on serving"),
        "the page"
    );
}

#[test]
fn a_candidate_that_answers_otherwise_than_it_was_evaluated_is_refused() {
    let place = Place::with_flows();
    let server = Server::start(&place, &["--poll", "0.05"]);
    place.promote("flows", |bundle| {
        bundle.calibration = model::calibration::Calibration::Platt { a: -7.0, b: 0.5 };
    });
    thread::sleep(Duration::from_millis(300));
    assert_eq!(version(&server), 1);
}

#[test]
fn a_champion_serves_only_once_a_trusted_key_has_signed_it() {
    let place = Place::with_flows();
    let pair = KeyPair::from_seed(Seed::from_slice(&[7; 32]).unwrap());
    let (private, public) = (
        place.path().join("private.pem"),
        place.path().join("public.pem"),
    );
    fs::write(&private, pair.sk.to_pem()).unwrap();
    fs::write(&public, pair.pk.to_pem()).unwrap();
    let signing = place.registry().keyed(Some(&private), None).unwrap();
    let server = Server::start(
        &place,
        &["--poll", "0.05", "--trusted-keys", public.to_str().unwrap()],
    );
    assert_eq!(server.get("/readyz").status, 503);
    let sign = |version| {
        let key = signing.signing_key().unwrap();
        let chosen = registry::Chosen {
            version: Some(version),
            entries: [version].into(),
        };
        signing.sign(&key, "flows", &chosen).unwrap();
    };
    sign(1);
    wait_for("the signed version 1", || {
        server.get("/readyz").status == 200
    });
    place.promote("flows", |bundle| bundle.training.seed = 99);
    thread::sleep(Duration::from_millis(300));
    assert_eq!(version(&server), 1);
    sign(2);
    wait_for("the signed version 2", || version(&server) == 2);
    // A decision that nobody has signed is none, whatever is signed of the version.
    let appended = place.registry().append("flows", |history| {
        let first = history.version(1).unwrap().clone();
        let action = registry::Action::RolledBack;
        Ok(Some(registry::Entry { action, ..first }))
    });
    assert_eq!(appended.unwrap().unwrap().sequence, 3);
    thread::sleep(Duration::from_millis(300));
    assert_eq!(version(&server), 2);
    let told = || server.get("/v1/models").json()[0].clone();
    assert_eq!(told()["champion"], 2, "{}", told());
    let problem = told()["problem"].as_str().unwrap().to_owned();
    assert!(problem.contains("not signed"), "{problem}");
    let now = artifact::clock::now();
    signing.disown("flows", 3, "a test", now).unwrap();
    wait_for("the disowned entry", || told()["problem"].is_null());
    assert_eq!(
        (told()["champion"].clone(), version(&server)),
        (2.into(), 2)
    );
    let told = server.get("/v1/models/flows/history").json();
    assert_eq!(told[3]["action"], "disowned", "{told}");
    assert_eq!(told[3]["disowned"], 3, "{told}");
    assert_eq!(told[2]["disowned_by"], 4, "{told}");
}

/// Champions that come in the test under load; every tenth is damaged.
const CHAMPIONS: u64 = if cfg!(feature = "soak") { 1000 } else { 200 };

#[test]
fn no_request_fails_while_champions_come_and_go() {
    let place = Place::with_flows();
    let server = Server::start(&place, &["--poll", "0.01"]);
    let load = Load::start(&server);
    let before = {
        wait_for("some answers", || load.answered() > 200);
        server.resident()
    };
    let mut bundle = place.bundle("flows");
    for n in 1..=CHAMPIONS {
        bundle.training.seed = 1000 + n;
        let digest = place.registry().write(&bundle).unwrap();
        if n % 10 == 0 {
            // Damaged before anybody can look at it.
            fs::write(place.blob(digest), b"damaged").unwrap();
        }
        let entry = place.append("flows", digest);
        if n % 10 != 0 {
            wait_for("the new champion", || version(&server) == entry.version);
        }
    }
    let grown = server.resident().saturating_sub(before);
    let answered = load.end();
    assert!(answered > CHAMPIONS, "{answered}");
    assert!(grown < 30 << 10, "{grown} KiB more than before");
    let refused = server.get("/metrics").text();
    assert!(
        !refused.contains("netsec_reloads_refused_total 0"),
        "{refused}"
    );
}

/// Clients that ask without a pause, and take nothing but an answer.
struct Load {
    stop: Arc<AtomicBool>,
    answered: Arc<AtomicU64>,
    clients: Vec<thread::JoinHandle<()>>,
}

impl Load {
    fn start(server: &Server) -> Self {
        let (stop, answered) = <(Arc<AtomicBool>, Arc<AtomicU64>)>::default();
        let client = |_| {
            let (stop, answered) = (Arc::clone(&stop), Arc::clone(&answered));
            let mut connection = server.connect();
            let body = format!(r#"{{"records":[{FLOW}]}}"#);
            thread::spawn(move || {
                let lines = ["Content-Type: application/json"];
                while !stop.load(Ordering::Relaxed) {
                    let answer = connection.call("POST", "/v1/predict", &lines, body.as_bytes());
                    assert_eq!(answer.status, 200);
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            })
        };
        let clients = (0..2).map(client).collect();
        Self {
            stop,
            answered,
            clients,
        }
    }

    fn answered(&self) -> u64 {
        self.answered.load(Ordering::Relaxed)
    }

    /// Ends the clients; fails when one of them has.
    fn end(self) -> u64 {
        self.stop.store(true, Ordering::Relaxed);
        for client in self.clients {
            client.join().unwrap();
        }
        self.answered.load(Ordering::Relaxed)
    }
}

#[test]
fn on_sigterm_what_has_come_over_kept_connections_is_answered() {
    let place = Place::with_flows();
    let server = Server::start(&place, &[]);
    let body = format!(r#"{{"records":[{FLOW}]}}"#);
    let lines = ["Content-Type: application/json"];
    let mut kept: Vec<Connection> = (0..20).map(|_| server.connect()).collect();
    for connection in &mut kept {
        let answer = connection.call("POST", "/v1/predict", &lines, body.as_bytes());
        assert_eq!(answer.header("connection"), None);
    }
    server.signal("STOP");
    for connection in &mut kept {
        let head = connection.head("POST", "/v1/predict", &lines, Some(body.len()));
        connection
            .write(&[head.as_bytes(), body.as_bytes()].concat())
            .unwrap();
    }
    server.signal("TERM");
    server.signal("CONT");
    for connection in &mut kept {
        assert_eq!(connection.read().unwrap().status, 200);
    }
    assert_eq!(server.end("TERM"), Some(0));
}

#[test]
fn on_sigterm_clients_that_go_on_asking_are_told_and_lose_nothing() {
    let place = Place::with_flows();
    let server = Server::start(&place, &[]);
    let body = format!(r#"{{"records":[{FLOW}]}}"#);
    let ask_until_told = || {
        let mut connection = server.connect();
        let lines = ["Content-Type: application/json"];
        loop {
            let answer = connection.call("POST", "/v1/predict", &lines, body.as_bytes());
            assert_eq!(answer.status, 200);
            if answer.header("connection") == Some("close") {
                // Those who send requests here are told as well.
                for ready in ["/readyz", "/v2/models/flows/ready"] {
                    assert_eq!(server.get(ready).status, 503);
                }
                assert_eq!(server.get("/healthz").status, 200);
                return;
            }
        }
    };
    thread::scope(|scope| {
        let clients: Vec<_> = (0..16).map(|_| scope.spawn(ask_until_told)).collect();
        thread::sleep(Duration::from_millis(300));
        server.signal("TERM");
        clients
            .into_iter()
            .for_each(|client| client.join().unwrap());
    });
    assert_eq!(server.end("TERM"), Some(0));
}

#[test]
fn sigint_ends_a_service_that_drains_at_once() {
    let place = Place::with_flows();
    let server = Server::start(&place, &[]);
    let mut connection = server.connect();
    let head = connection.head(
        "POST",
        "/v1/predict",
        &["Content-Type: application/json"],
        Some(9),
    );
    connection.write(head.as_bytes()).unwrap();
    thread::sleep(Duration::from_millis(200));
    server.signal("TERM");
    // By then it waits for the request, as it would for half a minute.
    thread::sleep(Duration::from_secs(1));
    let began = Instant::now();
    assert_eq!(server.end("INT"), Some(0));
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn on_sigterm_it_finishes_what_it_has_begun_and_ends_with_0() {
    let place = Place::with_flows();
    let server = Server::start(&place, &[]);
    let mut connection = server.connect();
    let body = format!(r#"{{"records":[{FLOW}]}}"#);
    let lines = ["Content-Type: application/json"];
    let head = connection.head("POST", "/v1/predict", &lines, Some(body.len()));
    connection.write(head.as_bytes()).unwrap();
    connection.write(&body.as_bytes()[..10]).unwrap();
    thread::sleep(Duration::from_millis(200));
    server.signal("TERM");
    thread::sleep(Duration::from_millis(200));
    connection.write(&body.as_bytes()[10..]).unwrap();
    assert_eq!(connection.read().unwrap().status, 200);
    drop(connection);
    assert_eq!(server.end("TERM"), Some(0));
}
