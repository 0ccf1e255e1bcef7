//! What an MLflow server knows of runs and models, also after outages.

use std::{
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::{Value, json};

use super::{
    bucket::{self, Bucket},
    proxy::{Fault, Proxy},
    server::free_port,
    tracker::{PASSWORD, Tracker},
};
use crate::support::{Called, TINY, Workplace, flows_csv, flows_schema};

const ROWS: usize = 400;
/// The public key of the first test of RFC 8032, section 7.1.
const KEY: &str = "-----BEGIN PUBLIC KEY-----
MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=
-----END PUBLIC KEY-----
";

/// A directory with an experiment of its own on a server.
struct Lab {
    place: Workplace,
    name: &'static str,
    /// Seconds that a server may keep still.
    patience: &'static str,
}

impl Lab {
    fn new(name: &'static str) -> Self {
        let place = Workplace::new();
        place.write_tiny(ROWS);
        Self {
            place,
            name,
            patience: "30",
        }
    }

    fn environment(&self, port: u16) -> Vec<(&'static str, String)> {
        vec![
            ("MLFLOW_TRACKING_URI", format!("http://127.0.0.1:{port}")),
            ("MLFLOW_EXPERIMENT_NAME", self.name.to_owned()),
            ("MLFLOW_HTTP_REQUEST_TIMEOUT", self.patience.to_owned()),
            ("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "2".to_owned()),
            ("USER", "ann".to_owned()),
        ]
    }

    fn call(&self, port: u16, arguments: &[&str]) -> Called {
        self.place.call_in(arguments, &self.environment(port))
    }

    /// Trains on the tiny data set; the run itself must succeed.
    fn run(&self, port: u16, more: &[&str]) -> Called {
        let called = self.call(port, &self.arguments(more));
        assert_eq!(called.code, 0, "{}", called.err);
        called
    }

    fn arguments<'a>(&'a self, more: &[&'a str]) -> Vec<&'a str> {
        let fixed = [
            "run", "--json", "--force", "--why", "a test", "--source", "tiny.csv",
        ];
        [&fixed[..], &["--model", self.name], &TINY, more].concat()
    }

    fn n_pending(&self) -> usize {
        let called = self.place.call(&["tracking", "status", "--json"]);
        let status: Value = serde_json::from_str(&called.out).unwrap();
        status["pending"].as_array().unwrap().len()
    }

    /// Sends what is pending to a server; everything must arrive.
    fn sync(&self, port: u16) -> Value {
        let called = self.call(port, &["tracking", "sync", "--json"]);
        assert_eq!(called.code, 0, "{}", called.err);
        assert_eq!(self.n_pending(), 0);
        serde_json::from_str(&called.out).unwrap()
    }

    /// Checks that the server has one run of this experiment, whole.
    fn check_whole(&self, server: &Tracker) -> Value {
        let (run, nested) = server.only_run(self.name);
        assert_eq!(run["status"], "FINISHED");
        assert_eq!(nested.len(), 1);
        assert_eq!(nested[0]["status"], "FINISHED");
        let history = server.ask("history", json!([nested[0]["id"], "cv_fold/f1"]));
        assert_eq!(history.as_array().unwrap().len(), 2, "{history}");
        let model = server.ask("model", json!([self.name]));
        assert_eq!(
            model,
            json!({"versions": ["1"], "aliases": {"champion": "1"}})
        );
        run
    }
}

#[test]
fn a_run_stands_where_users_of_mlflow_look_and_stands_there_once() {
    let (server, lab) = (Tracker::shared(), Lab::new("tiny-once"));
    let called = lab.run(server.port, &[]);
    assert!(
        called.err.contains("tracked: http://127.0.0.1"),
        "{}",
        called.err
    );
    let run = lab.check_whole(server);
    assert_eq!(run["params"]["training.folds"], "2");
    assert_eq!(run["params"]["source"], "tiny.csv");
    assert_eq!(run["tags"]["mlflow.user"], "ann");
    assert_eq!(run["tags"]["netsec.verdict"], "promoted");
    assert_eq!(run["tags"]["netsec.data"].as_str().unwrap().len(), 64);
    assert_eq!(run["inputs"], json!(["evaluation", "training"]));
    let summary: Value = serde_json::from_str(&called.out).unwrap();
    assert_eq!(
        run["metrics"]["holdout/f1"],
        summary["holdout"]["f1"]["value"]
    );
    let files = server.ask("artifacts", json!([run["id"], ""]));
    let expected = [
        "bundle",
        "config.yaml",
        "curves.json",
        "model",
        "report.html",
        "schema.yaml",
        "stages",
    ];
    assert_eq!(files, json!(expected));

    let again = lab.call(
        server.port,
        &["tracking", "sync", run["name"].as_str().unwrap()],
    );
    assert_eq!(again.code, 0, "{}", again.err);
    assert_eq!(lab.check_whole(server), run);
}

#[test]
fn mlflow_gives_the_probabilities_that_netsec_gives() {
    let server = Tracker::shared();
    for classes in ["binary", "families"] {
        let place = Workplace::new();
        place.write("flows.yaml", flows_schema(classes));
        place.write("flows.csv", flows_csv(900, 1, 0));
        let uri = format!("http://127.0.0.1:{}", server.port);
        let model = format!("scored-{classes}");
        let fixed = [
            "run",
            "--force",
            "--why",
            "a test",
            "--dataset",
            "flows.yaml",
            "--source",
            "flows.csv",
        ];
        let search = [
            "--model",
            &model,
            "--set",
            "training.families=[gradient_boosting]",
            "--set",
            "training.search.gradient_boosting={n_estimators: [20]}",
            "--set",
            "training.folds=2",
            "--set",
            "training.baseline_rows=0",
        ];
        let called = place.call_with(
            &[&fixed[..], &search].concat(),
            &[("MLFLOW_TRACKING_URI", &uri)],
        );
        assert!(called.err.contains("tracked: "), "{}", called.err);
        let output = [
            "predict",
            "--model",
            &model,
            "--input",
            "flows.csv",
            "--output",
            "out.jsonl",
        ];
        assert_eq!(place.call(&output).code, 0);
        let ours = std::fs::read_to_string(place.path("out.jsonl")).unwrap();
        let uri = format!("models:/{model}@champion");
        let theirs = server.ask("predict", json!([uri, place.path("flows.csv")]));
        let mut n = 0;
        for (line, probability) in ours
            .lines()
            .zip(theirs["threat_probability"].as_array().unwrap())
        {
            let row: Value = serde_json::from_str(line).unwrap();
            let (a, b) = (
                row["threat_probability"].as_f64().unwrap(),
                probability.as_f64().unwrap(),
            );
            assert!((a - b).abs() < 1e-5, "{a} and {b}");
            n += 1;
        }
        assert_eq!(n, 900);
    }
    let runs = server.ask("runs", json!(["flows"]));
    let is_nested = |run: &&Value| run["tags"]["mlflow.parentRunId"].is_string();
    let nested: Vec<&Value> = runs.as_array().unwrap().iter().filter(is_nested).collect();
    assert_eq!(nested.len(), 2);
    for run in nested {
        let curve = server.ask("history", json!([run["id"], "cv_round/log_loss"]));
        let steps = curve.as_array().unwrap().iter();
        let steps: Vec<u64> = steps.map(|point| point[0].as_u64().unwrap()).collect();
        assert_eq!(steps, (1..=20).collect::<Vec<u64>>());
    }
}

#[test]
fn an_outage_costs_no_run_and_is_made_up_for() {
    let (server, lab) = (Tracker::shared(), Lab::new("tiny-outage"));
    let called = lab.run(free_port(), &[]);
    assert!(called.err.contains("not tracked yet"), "{}", called.err);
    assert!(
        called.err.contains("netsec tracking sync"),
        "{}",
        called.err
    );
    assert_eq!(lab.n_pending(), 1);
    let failed = lab.call(free_port(), &["tracking", "sync"]);
    assert_eq!(failed.code, 69, "{}", failed.err);
    assert_eq!(lab.n_pending(), 1);
    assert_eq!(lab.sync(server.port).as_array().unwrap().len(), 1);
    lab.check_whole(server);
    assert_eq!(lab.sync(server.port), json!([]));
}

#[test]
fn a_run_that_fails_is_tracked_as_failed_with_its_own_exit_code() {
    let (server, lab) = (Tracker::shared(), Lab::new("tiny-failed"));
    lab.place.write("tiny.csv", "a,b,y\n1,2,0\n");
    let called = lab.call(server.port, &lab.arguments(&[]));
    assert_eq!(called.code, 65, "{}", called.err);
    let (run, nested) = server.only_run(lab.name);
    assert_eq!(run["status"], "FAILED");
    assert_eq!(nested.len(), 0);
    assert!(run["tags"]["netsec.error"].is_string());
}

#[test]
fn what_a_server_refuses_for_now_is_asked_again() {
    let (server, lab) = (Tracker::shared(), Lab::new("tiny-refused"));
    let proxy = Proxy::before(
        server.port,
        Fault::Refuse(&[
            ("runs/create", "429 Too Many Requests\r\nretry-after: 1"),
            ("log-batch", "500 Internal Server Error"),
            ("report.html", "503 Service Unavailable"),
            ("model-versions/create", "502 Bad Gateway"),
        ]),
    );
    let called = lab.run(proxy.port, &[]);
    assert!(called.err.contains("tracked: "), "{}", called.err);
    assert_eq!(proxy.n_refused(), 4);
    lab.check_whole(server);
}

#[test]
fn a_server_without_a_registry_gets_runs_and_artifacts() {
    let (server, lab) = (Tracker::shared(), Lab::new("tiny-plain"));
    let proxy = Proxy::before(
        server.port,
        Fault::Refuse(&[
            ("registered-models/get", "404 Not Found"),
            ("log-inputs", "404 Not Found"),
        ]),
    );
    let called = lab.run(proxy.port, &[]);
    assert!(called.err.contains("no model registry"), "{}", called.err);
    assert!(called.err.contains("knows no data sets"), "{}", called.err);
    let (run, _) = server.only_run(lab.name);
    assert_eq!(run["status"], "FINISHED");
    assert_eq!(lab.n_pending(), 0);
}

#[test]
fn an_answer_that_is_lost_makes_nothing_twice() {
    let server = Tracker::shared();
    for (name, call) in [
        ("tiny-lost-run", "runs/create"),
        ("tiny-lost-version", "model-versions/create"),
    ] {
        let lab = Lab::new(name);
        let proxy = Proxy::before(server.port, Fault::Lose(call, &[]));
        let called = lab.run(proxy.port, &[]);
        assert!(called.err.contains("tracked: "), "{}", called.err);
        assert!(proxy.n_requests(call) >= 1);
        lab.check_whole(server);
    }
}

#[test]
fn a_server_that_hangs_or_breaks_off_midway_leaves_what_is_sent_later() {
    let server = Tracker::shared();
    for (name, fault) in [
        (
            "tiny-cut",
            Fault::CutRequests {
                after: 20_000,
                times: 100,
            },
        ),
        ("tiny-silent", Fault::Silence),
    ] {
        let mut lab = Lab::new(name);
        lab.patience = "2";
        let proxy = Proxy::before(server.port, fault);
        let called = lab.run(proxy.port, &[]);
        assert!(
            called.err.contains("not tracked yet"),
            "{name}: {}",
            called.err
        );
        assert_eq!(lab.n_pending(), 1);
        lab.patience = "30";
        lab.sync(server.port);
        lab.check_whole(server);
    }
}

#[test]
fn a_kill_midway_leaves_what_is_sent_later() {
    let (server, lab) = (Tracker::shared(), Lab::new("tiny-killed"));
    let proxy = Proxy::before(server.port, Fault::HoldRequests { after: 20_000 });
    let mut child = Command::new(env!("CARGO_BIN_EXE_netsec"))
        .args(lab.arguments(&[]))
        .current_dir(lab.place.path(""))
        .envs(lab.environment(proxy.port))
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let since = Instant::now();
    while proxy.cuts() == 0 {
        assert!(since.elapsed() < Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(20));
    }
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(lab.n_pending(), 1);
    lab.sync(server.port);
    lab.check_whole(server);
}

#[test]
fn aliases_follow_a_rollback_also_one_that_the_server_missed() {
    let (server, lab) = (Tracker::shared(), Lab::new("tiny-aliases"));
    lab.run(server.port, &[]);
    lab.run(server.port, &["--seed", "7"]);
    let champion = || server.ask("model", json!([lab.name]))["aliases"]["champion"].clone();
    assert_eq!(champion(), "2");
    let back = lab.call(
        server.port,
        &["models", "rollback", lab.name, "--why", "a test"],
    );
    assert_eq!(back.code, 0, "{}", back.err);
    assert_eq!(champion(), "1");
    let again = [
        "models",
        "promote",
        lab.name,
        "--version",
        "2",
        "--force",
        "--why",
        "a test",
    ];
    let missed = lab.call(free_port(), &again);
    assert_eq!(missed.code, 0, "{}", missed.err);
    assert_eq!((champion(), lab.n_pending()), (json!("1"), 1));
    lab.sync(server.port);
    assert_eq!(champion(), "2");

    // As does the mark of what was withdrawn.
    let withdrawn = || server.ask("withdrawn", json!([lab.name]));
    let withdraw = |port: u16, version: &str| {
        let said = ["--version", version, "--why", "a test"];
        let done = lab.call(
            port,
            &[&["models", "withdraw", lab.name], &said[..]].concat(),
        );
        assert_eq!(done.code, 0, "{}", done.err);
    };
    withdraw(free_port(), "1");
    assert_eq!((withdrawn(), lab.n_pending()), (json!([]), 1));
    lab.sync(server.port);
    assert_eq!((withdrawn(), champion()), (json!(["1"]), json!("2")));
    // A server that refuses the mark has no alias of what is withdrawn any more.
    let refusing = Fault::Refuse(&[("model-versions/set-tag", "403 Forbidden")]);
    withdraw(Proxy::before(server.port, refusing).port, "2");
    assert_eq!((withdrawn(), champion()), (json!(["1"]), json!(null)));
    lab.sync(server.port);
    assert_eq!(withdrawn(), json!(["1", "2"]));
}

#[test]
fn the_champion_of_before_is_named_until_the_new_one_is_there_and_none_that_was_rolled_back_from() {
    let (server, lab) = (Tracker::shared(), Lab::new("tiny-missing"));
    let champion = || server.ask("model", json!([lab.name]))["aliases"]["champion"].clone();
    let align = || lab.call(server.port, &["tracking", "sync", "--model", lab.name]);
    lab.run(server.port, &[]);
    lab.run(free_port(), &["--seed", "7"]);
    let aligned = align();
    let said = "version 2 is not on the server, and `champion` names the one before it there";
    assert!(aligned.err.contains(said), "{}", aligned.err);
    assert_eq!((champion(), lab.n_pending()), (json!("1"), 1));

    lab.run(server.port, &["--seed", "8"]);
    assert_eq!(champion(), "3");
    let back = lab.call(
        server.port,
        &["models", "rollback", lab.name, "--why", "it leaks"],
    );
    let said = "version 2 is not on the server, and `champion` names nothing there";
    assert!(back.err.contains(said), "{}", back.err);
    assert_eq!((champion(), lab.n_pending()), (Value::Null, 1));
    lab.sync(server.port);
    assert_eq!(champion(), "2");
}

#[test]
fn of_two_registries_on_one_server_the_second_leaves_aliases_and_marks_alone() {
    let (server, first) = (Tracker::shared(), Lab::new("tiny-twice"));
    let champion = || server.ask("model", json!([first.name]))["aliases"]["champion"].clone();
    let withdrawn = || server.ask("withdrawn", json!([first.name]));
    first.run(server.port, &[]);
    first.run(server.port, &["--seed", "7"]);
    let withdraw = [
        "models",
        "withdraw",
        first.name,
        "--version",
        "1",
        "--why",
        "it leaks",
    ];
    assert_eq!(first.call(server.port, &withdraw).code, 0);

    let second = Lab::new("tiny-twice");
    let ran = second.run(server.port, &[]);
    assert!(
        ran.err.contains("follows the history of another registry"),
        "{}",
        ran.err
    );
    assert!(
        ran.err.contains("tracked: ") && second.n_pending() == 0,
        "{}",
        ran.err
    );
    assert_eq!((champion(), withdrawn()), (json!("2"), json!(["1"])));

    // One that was moved is the same one.
    let moved = first.place.path("moved");
    std::fs::rename(first.place.path("artifacts/registry"), &moved).unwrap();
    let registry = ["--registry", "moved"];
    let ran = first.run(server.port, &[&["--seed", "8"][..], &registry].concat());
    assert!(!ran.err.contains("another registry"), "{}", ran.err);
    assert_eq!(champion(), "3");

    // A model of an earlier version has no tag: whoever has other versions than it does not take it over.
    server.ask("untag", json!([first.name]));
    let ran = second.run(server.port, &["--seed", "9"]);
    assert!(
        ran.err.contains("follows the history of another registry"),
        "{}",
        ran.err
    );
    assert_eq!((champion(), withdrawn()), (json!("3"), json!(["1"])));
}

#[test]
fn what_cannot_be_noted_is_said_to_be_sent_by_its_name_alone_and_is() {
    let (server, lab) = (Tracker::shared(), Lab::new("tiny-unnoted"));
    std::fs::create_dir(lab.place.path("artifacts")).unwrap();
    let spool = lab.place.path("artifacts/tracking");
    std::fs::write(&spool, "no room").unwrap();
    let missed = lab.run(free_port(), &[]);
    let summary: Value = serde_json::from_str(&missed.out).unwrap();
    let path = summary["run"].as_str().unwrap();
    let name = path.rsplit('/').next().unwrap();
    let sync = format!("`netsec tracking sync {name}`");
    assert!(missed.err.contains(&sync), "{}", missed.err);
    assert!(!missed.err.contains("nothing is lost"), "{}", missed.err);
    std::fs::remove_file(&spool).unwrap();

    // So long a name that no note fits beside it, while the server answers.
    let long = format!("artifacts/{}", "r".repeat(245));
    std::fs::rename(lab.place.path(path), lab.place.path(&long)).unwrap();
    let sent = lab.call(server.port, &["tracking", "sync", &long]);
    assert_eq!(sent.code, 0, "{}", sent.err);
    lab.check_whole(server);

    let second = lab.run(server.port, &["--seed", "7"]);
    assert!(second.err.contains("tracked: "), "{}", second.err);
    std::fs::remove_dir_all(&spool).unwrap();
    std::fs::write(&spool, "no room").unwrap();
    let sync = format!("`netsec tracking sync --model {}`", lab.name);
    let back = ["models", "rollback", lab.name, "--why", "a test"];
    let missed = lab.call(free_port(), &back);
    assert!(missed.err.contains(&sync), "{}", missed.err);
    std::fs::remove_file(&spool).unwrap();
    let champion = || server.ask("model", json!([lab.name]))["aliases"]["champion"].clone();
    assert_eq!(champion(), "2");
    let sent = lab.call(server.port, &["tracking", "sync", "--model", lab.name]);
    assert_eq!(sent.code, 0, "{}", sent.err);
    assert_eq!(champion(), "1");
}

#[test]
fn what_is_pending_is_sent_from_the_registry_that_it_belongs_to() {
    let (server, lab) = (Tracker::shared(), Lab::new("tiny-places"));
    let elsewhere = ["--registry", "elsewhere"];
    let runs = ["7", "8"].map(|seed| {
        let called = lab.run(free_port(), &[&["--seed", seed], &elsewhere[..]].concat());
        let summary: Value = serde_json::from_str(&called.out).unwrap();
        summary["run"].as_str().unwrap().to_owned()
    });
    let config = lab.place.path(&runs[0]).join("config.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    let named = text.lines().find(|l| l.starts_with("registry: ")).unwrap();
    let broken = text.replace(named, "registry: ftp://host/models");
    std::fs::write(&config, broken).unwrap();

    // What the variable means by now is another one.
    let variable = ("NETSEC_REGISTRY", "another".to_owned());
    let environment = [&lab.environment(server.port)[..], &[variable]].concat();
    let sync = ["tracking", "sync", "--json"];
    let synced = lab.place.call_in(&sync, &environment);
    assert_eq!(synced.code, 64, "{}", synced.err);
    let told: Value = serde_json::from_str(&synced.out).unwrap();
    let error = told[0]["error"].as_str().unwrap();
    assert!(error.contains("is no place of a registry"), "{told}");
    assert!(told[1]["page"].is_string(), "{told}");
    assert_eq!(lab.n_pending(), 1);
    let model = || server.ask("model", json!([lab.name]));
    let second = json!({"versions": ["2"], "aliases": {"champion": "2"}});
    assert_eq!(model(), second);

    std::fs::write(&config, text).unwrap();
    lab.sync(server.port);
    let back = ["models", "rollback", lab.name, "--why", "a test"];
    let missed = lab.call(free_port(), &[&back[..], &elsewhere].concat());
    assert_eq!(missed.code, 0, "{}", missed.err);
    let synced = lab.place.call_in(&sync, &environment);
    assert_eq!(synced.code, 0, "{}", synced.err);
    assert_eq!(model()["aliases"], json!({"champion": "1"}));
    assert!(!lab.place.path("another").exists());
}

#[test]
fn a_version_that_nobody_has_signed_is_a_remark_and_its_run_is_tracked() {
    let (server, lab) = (Tracker::shared(), Lab::new("tiny-unsigned"));
    lab.place.write("trusted.pem", KEY);
    let trusted = ["--trusted-keys", "trusted.pem"];
    let arguments = lab.arguments(&trusted);
    let fixed = arguments
        .into_iter()
        .filter(|a| !["--force", "--why", "a test"].contains(a));
    let called = lab.call(server.port, &fixed.collect::<Vec<_>>());
    assert_eq!(called.code, 0, "{}", called.err);
    for words in ["the model is not registered", "models sign", "tracked: "] {
        assert!(called.err.contains(words), "{words}: {}", called.err);
    }
    assert_eq!(lab.n_pending(), 0);
    let (run, _) = server.only_run(lab.name);
    assert_eq!(run["status"], "FINISHED");
}

#[test]
fn a_server_that_asks_for_a_password_gets_it_and_nobody_else_sees_it() {
    let (server, lab) = (Tracker::guarded(), Lab::new("tiny-guarded"));
    let wrong = [
        ("MLFLOW_TRACKING_USERNAME", "admin".to_owned()),
        ("MLFLOW_TRACKING_PASSWORD", "hunter2-but-wrong".to_owned()),
    ];
    let environment = [&lab.environment(server.port)[..], &wrong].concat();
    let called = lab.place.call_in(&lab.arguments(&[]), &environment);
    assert_eq!(called.code, 0, "{}", called.err);
    assert!(
        called.err.contains("MLFLOW_TRACKING_PASSWORD"),
        "{}",
        called.err
    );
    assert!(!called.err.contains("hunter2"), "{}", called.err);
    let looked = lab.place.call_in(&["doctor"], &environment);
    let said = "tracking      credentials: ";
    assert!(
        looked.out.contains(&format!("FAIL  {said}")),
        "{}",
        looked.out
    );
    assert!(!looked.out.contains("hunter2"), "{}", looked.out);
    let spooled = std::fs::read_dir(lab.place.path("artifacts/tracking")).unwrap();
    for file in spooled {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        assert!(!text.contains("hunter2"), "{text}");
    }
    let address = format!("http://admin:{PASSWORD}@127.0.0.1:{}", server.port);
    let mut environment = lab.environment(server.port);
    environment[0].1 = address;
    let looked = lab.place.call_in(&["doctor"], &environment);
    for said in [said, "tracking      registry: "] {
        assert!(
            looked.out.contains(&format!("ok    {said}")),
            "{}",
            looked.out
        );
    }
    let called = lab.place.call_in(&["tracking", "sync"], &environment);
    assert_eq!(called.code, 0, "{}", called.err);
    assert!(!called.out.contains("hunter2"), "{}", called.out);
    lab.check_whole(&server);
}

#[test]
fn artifacts_go_straight_to_the_bucket_that_a_server_leaves_to_its_clients() {
    let bucket = Bucket::new();
    let server = Tracker::beside_bucket(&bucket.uri("of/mlflow"));
    let lab = Lab::new("tiny-bucket");
    let nobody = bucket::environment(free_port());
    let called = lab.place.call_in(
        &lab.arguments(&[]),
        &[lab.environment(server.port), nobody].concat(),
    );
    assert_eq!(called.code, 0, "{}", called.err);
    let said = "artifacts at s3://";
    assert!(called.err.contains(said), "{}", called.err);
    assert_eq!(lab.n_pending(), 1);
    let reached = bucket::environment(bucket.server.port);
    let environment = [lab.environment(server.port), reached].concat();
    let sent = lab.place.call_in(&["tracking", "sync"], &environment);
    assert_eq!(sent.code, 0, "{}", sent.err);
    lab.check_whole(&server);
    let keys = bucket.keys();
    for file in ["/report.html", "/bundle/model-bundle.bin", "/model/MLmodel"] {
        assert!(
            keys.iter().any(|key| key.ends_with(file)),
            "{file} in {keys:?}"
        );
    }
    assert!(
        keys.iter().all(|key| key.starts_with("of/mlflow/")),
        "{keys:?}"
    );
    let versions = bucket.ask("get_bucket_versioning", json!({}));
    assert!(versions["Status"].is_null(), "{versions}");
}
