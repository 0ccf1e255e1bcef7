use std::{
    fs,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::json;

use crate::{
    administration::ADMIN,
    client::Connection,
    process::{Server, wait_for},
    trained::{FLOW, Place},
    trainings::stand_in,
};

/// Returns what the listeners say while no model serves, each part of a page or an answer that tells why.
fn said(server: &Server) -> [String; 4] {
    let body = format!(r#"{{"records":[{FLOW}]}}"#);
    let ready = server.get("/readyz");
    let predicted = server.post("/v1/predict", &body);
    assert_eq!((ready.status, predicted.status), (503, 503));
    let mut admin = Connection::open(server.admin.unwrap());
    let detail = |answer: crate::client::Answer| answer.json()["detail"].to_string();
    [
        detail(ready),
        detail(predicted),
        server.get("/").text(),
        admin.call("GET", "/", &[], b"").text(),
    ]
}

#[test]
fn a_history_that_is_damaged_at_the_start_is_named_everywhere_and_its_file_to_administrators() {
    let place = Place::with_flows();
    let entry = place.in_history("flows", "00000001.json");
    let whole = fs::read_to_string(&entry).unwrap();
    fs::write(&entry, &whole[..50]).unwrap();
    let server = Server::start_behind(&place, "", &ADMIN);
    let [ready, predicted, page, admin] = said(&server);
    for text in [&ready, &predicted, &page, &admin] {
        let named = text.contains("model's history in the registry is damaged")
            || text.contains("model&#39;s history in the registry is damaged");
        assert!(named, "{text}");
    }
    for text in [&ready, &predicted, &page] {
        assert!(
            !text.contains("00000001") && !text.contains("flows"),
            "{text}"
        );
    }
    let log = fs::read_to_string(place.path().join("stderr")).unwrap();
    for text in [&admin, &log, &server.greeting] {
        assert!(
            text.contains("models/flows/history/00000001.json"),
            "{text}"
        );
        assert!(text.contains("a copy of the registry"), "{text}");
    }
    assert!(
        server.greeting.contains("netsec models list"),
        "{}",
        server.greeting
    );
    fs::write(&entry, whole).unwrap();
    let mut admin = Connection::open(server.admin.unwrap());
    assert_eq!(admin.call("POST", "/reload", &[], b"").status, 200);
    assert_eq!(server.get("/readyz").status, 200);
}

#[test]
fn a_simulated_model_does_not_take_the_place_of_a_real_one_that_is_damaged() {
    let place = Place::with_phishing();
    place.register_as("phishing-simulated", "phishing");
    fs::write(place.in_history("phishing", "00000001.json"), "{").unwrap();
    let server = Server::start(&place, &[]);
    assert_eq!(server.get("/readyz").status, 503, "{}", server.greeting);
}

#[test]
fn of_several_models_one_has_to_be_chosen_and_that_is_said() {
    let place = Place::with_flows();
    place.register_as("flows", "other");
    let server = Server::start(&place, &ADMIN);
    let [ready, ..] = said(&server);
    assert!(ready.contains("`--model` chooses one of them"), "{ready}");
    assert!(
        server.greeting.contains("known: flows, other"),
        "{}",
        server.greeting
    );
}

#[test]
fn while_the_registry_is_away_nothing_is_taken_for_lost() {
    let place = Place::with_flows();
    let program = stand_in(&place, "exit 0");
    fs::write(place.path().join("daily.csv"), "").unwrap();
    let source = ["--train-source", "a=daily.csv", "--netsec", &program];
    let server = Server::start(&place, &[&ADMIN[..], &source].concat());
    let statuses = || {
        let paths = [
            "/v1/models",
            "/v1/models/flows/history",
            "/v1/models/x/history",
            "/",
            "/readyz",
        ];
        paths.map(|path| server.get(path).status)
    };
    assert_eq!(statuses(), [200, 200, 404, 200, 200]);
    let (registry, away) = (place.path().join("registry"), place.path().join("away"));
    fs::rename(&registry, &away).unwrap();
    assert_eq!(statuses(), [503, 503, 503, 200, 200]);
    assert!(
        server
            .get("/")
            .text()
            .contains("The registry does not show the model that serves")
    );
    let reload = || {
        let mut admin = Connection::open(server.admin.unwrap());
        admin.call("POST", "/reload", &[], b"")
    };
    let refused = reload();
    assert_eq!(refused.status, 503, "{}", refused.text());
    let advice = "put it back before anything is trained in its place";
    assert!(refused.text().contains(advice), "{}", refused.text());
    let train = || {
        let mut admin = Connection::open(server.admin.unwrap());
        let kind = ["Content-Type: application/json"];
        let begun = admin.call("POST", "/train", &kind, br#"{"source":"a"}"#);
        begun.status
    };
    assert_eq!(train(), 503);
    let page = server.get("/").text();
    assert!(page.contains("goes on serving") && !page.contains("trains one"));
    fs::rename(&away, &registry).unwrap();
    assert_eq!(reload().status, 200);
    assert_eq!(train(), 202);
    assert_eq!(statuses(), [200, 200, 404, 200, 200]);
    // Something else than a directory cannot be listed.
    fs::rename(registry.join("models"), &away).unwrap();
    fs::write(registry.join("models"), "").unwrap();
    assert_eq!(statuses(), [503, 503, 503, 200, 200]);
}

/// A file that no other process can open meanwhile: to open it takes as long as on a network that does not answer.
struct Held(Child);

impl Held {
    fn hold(path: &Path) -> Self {
        let lease = "import fcntl, os, signal, sys, time\n\
             signal.signal(signal.SIGIO, signal.SIG_IGN)\n\
             fcntl.fcntl(os.open(sys.argv[1], os.O_RDWR), fcntl.F_SETLEASE, fcntl.F_WRLCK)\n\
             print('held', flush=True)\n\
             time.sleep(600)";
        let mut child = Command::new("python3")
            .args(["-c", lease])
            .arg(path)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut line).unwrap();
        assert_eq!(
            line,
            "held\n",
            "python3 holds no lease on {}",
            path.display()
        );
        Self(child)
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_registry_that_does_not_answer_holds_back_neither_answers_nor_the_end() {
    let place = Place::with_flows();
    let server = Server::start(&place, &["--poll", "0.05"]);
    let _held = Held::hold(&place.in_history("flows", "00000001.json"));
    let began = Instant::now();
    let mut pages: Vec<Connection> = (0..12).map(|_| server.connect()).collect();
    for page in &mut pages {
        let head = page.head("GET", "/", &[], None);
        page.write(head.as_bytes()).unwrap();
    }
    assert_eq!(server.get("/v1/models").status, 503);
    for page in &mut pages {
        let answer = page.read().unwrap();
        assert_eq!(answer.status, 200);
        assert!(
            answer
                .text()
                .contains("The registry has not answered within 5 seconds")
        );
    }
    let body = format!(r#"{{"records":[{FLOW}]}}"#);
    assert_eq!(server.post("/v1/predict", &body).status, 200);
    drop(pages);
    assert_eq!(server.end("TERM"), Some(0));
    // The system breaks such a lease after 45 seconds.
    assert!(
        began.elapsed() < Duration::from_secs(30),
        "{:?}",
        began.elapsed()
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_registry_that_does_not_answer_at_the_start_is_taken_up_once_it_does() {
    let place = Place::with_flows();
    let held = Held::hold(&place.in_history("flows", "00000001.json"));
    let server = Server::start(&place, &[&ADMIN[..], &["--poll", "0.05"]].concat());
    let [ready, ..] = said(&server);
    assert!(
        ready.contains("the registry has not answered so far"),
        "{ready}"
    );
    drop(held);
    wait_for("the model", || server.get("/readyz").status == 200);
    assert_eq!(server.get("/v1/models").json()[0]["champion"], json!(1));
}
