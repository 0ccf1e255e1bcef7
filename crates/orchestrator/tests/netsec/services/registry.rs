//! A registry in a bucket: what a run writes there, who decides between writers, what comes back.

use std::{
    collections::BTreeSet,
    process::{Child, Command, Stdio},
};

use ::registry::{Action, Entry, Location, Registry};
use artifact::Digest;
use dataset::SourceUri;
use serde_json::{Value, json};

use super::bucket::{Bucket, environment};
use crate::support::{Called, TINY, Workplace};

/// Where a team keeps its models, and a machine that has nothing yet.
pub struct Team {
    pub bucket: Bucket,
    pub place: Workplace,
}

impl Team {
    pub fn new() -> Self {
        let place = Workplace::new();
        place.write_tiny(400);
        Self {
            bucket: Bucket::new(),
            place,
        }
    }

    /// Who asks by a port, and for which registry.
    pub fn environment(&self, port: u16) -> Vec<(&'static str, String)> {
        let mut all = environment(port);
        all.push(("NETSEC_REGISTRY", self.bucket.uri("team")));
        all
    }

    pub fn call(&self, arguments: &[&str]) -> Called {
        let port = self.bucket.server.port;
        self.place.call_in(arguments, &self.environment(port))
    }

    /// Calls a command that must succeed, and returns its JSON.
    pub fn ask(&self, arguments: &[&str]) -> Value {
        let called = self.call(&[arguments, &["--json"]].concat());
        assert_eq!(called.code, 0, "{arguments:?}: {}", called.err);
        serde_json::from_str(&called.out).unwrap()
    }

    /// Trains and promotes over the server or a proxy before it.
    pub fn run(&self, port: u16, more: &[&str]) -> Called {
        let arguments = [&run_arguments()[..], more].concat();
        self.place.call_in(&arguments, &self.environment(port))
    }

    /// Trains and promotes; returns the run's JSON.
    pub fn train(&self, more: &[&str]) -> Value {
        let called = self.run(self.bucket.server.port, more);
        assert_eq!(called.code, 0, "{}", called.err);
        serde_json::from_str(&called.out).unwrap()
    }

    /// Returns the actions of the history and the versions that they were done to.
    pub fn history(&self) -> Vec<(String, u64)> {
        let history = self.ask(&["models", "history", "tiny"]);
        let entries = history.as_array().unwrap().iter();
        let done = |e: &Value| {
            let action = e["action"].as_str().unwrap().to_owned();
            (action, e["version"].as_u64().unwrap())
        };
        entries.map(done).collect()
    }

    /// Returns what the bucket holds below a prefix of the registry.
    pub fn keys(&self, below: &str) -> Vec<String> {
        let prefix = format!("team/{below}");
        let keys = self.bucket.keys().into_iter();
        keys.filter(|key| key.starts_with(&prefix)).collect()
    }

    /// Returns the key of the champion's bundle.
    pub fn bundle_key(&self) -> String {
        let shown = self.ask(&["models", "history", "tiny"]);
        let entry = shown.as_array().unwrap().last().unwrap();
        format!("team/blobs/{}.bin", entry["bundle"].as_str().unwrap())
    }

    /// Returns how many versions of an object the bucket keeps.
    pub fn n_versions(&self, key: &str) -> usize {
        let listed = self
            .bucket
            .ask("list_object_versions", json!({"Prefix": key}));
        listed["Versions"].as_array().map_or(0, Vec::len)
    }

    /// Starts another process of this test's program, which does to the registry what it is told.
    pub fn start(&self, port: u16, task: &str) -> Child {
        Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "services::registry::acts_as_a_process_of_its_own",
            ])
            .args(["--nocapture", "--test-threads", "1"])
            .envs(self.environment(port))
            .env(TASK, task)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap()
    }

    /// Lets another process do it; returns what it has said, one `said: …` a line.
    pub fn act(&self, port: u16, task: &str) -> String {
        said(self.start(port, task))
    }
}

fn said(child: Child) -> String {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}");
    let lines = text.lines().filter_map(|line| line.strip_prefix("said: "));
    lines.collect::<Vec<_>>().join("\n")
}

pub fn run_arguments() -> Vec<&'static str> {
    let fixed = [
        "run", "--json", "--force", "--why", "a test", "--source", "tiny.csv",
    ];
    [&fixed[..], &TINY].concat()
}

/// Tells a process of this test's program what to do.
const TASK: &str = "REGISTRY_TASK";
const THREADS: usize = 6;
const APPENDS: usize = 4;

/// Does something only when [`Team::start`] calls it.
#[test]
fn acts_as_a_process_of_its_own() {
    let Ok(task) = std::env::var(TASK) else {
        return;
    };
    let address = SourceUri::new(std::env::var("NETSEC_REGISTRY").unwrap());
    let blobs = connectors::registry_bucket(&address).unwrap();
    let said = match task.split_once(' ').unwrap() {
        ("append", writer) => {
            append_all(&address, writer);
            "appended".to_owned()
        }
        ("put", n_bytes) => match blobs.put("blobs/long.bin", &noise(n_bytes)) {
            Ok(()) => "put".to_owned(),
            Err(error) => error.to_string(),
        },
        ("get", n_bytes) => match blobs.get("blobs/long.bin") {
            Ok(found) if found == Some(noise(n_bytes)) => "the same".to_owned(),
            Ok(found) => format!("other bytes: {:?}", found.map(|b| b.len())),
            Err(error) => error.to_string(),
        },
        ("add", key) => format!("{:?}", blobs.put_if_absent(key, b"the same bytes")),
        other => panic!("{other:?}"),
    };
    println!("\nsaid: {said}");
}

/// Makes bytes that differ from place to place.
fn noise(n_bytes: &str) -> Vec<u8> {
    let n: u64 = n_bytes.parse().unwrap();
    (0..n)
        .map(|i| (i.wrapping_mul(0x9E37_79B9) >> 13) as u8)
        .collect()
}

fn append_all(address: &SourceUri, writer: &str) {
    let location = Location::try_from(address).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..THREADS {
            let registry = location.open(connectors::registry_bucket).unwrap();
            scope.spawn(move || append(&registry, &format!("{writer}-{thread}")));
        }
    });
}

/// Appends entries that differ by their run alone, each found where it was said to be.
fn append(registry: &Registry, writer: &str) {
    let digest = Digest::of(b"the only version");
    for i in 0..APPENDS {
        let entry = Entry {
            sequence: 0,
            previous: None,
            model: None,
            at: "2026-02-03T00:00:00Z".to_owned(),
            action: Action::Declined,
            version: 1,
            bundle: digest,
            training_groups: digest,
            evaluation: digest,
            run: format!("{writer}-{i}"),
            simulated: false,
            reasons: Vec::new(),
            why: None,
        };
        let appended = registry.append("tiny", |_| Ok(Some(entry.clone())));
        let at = appended.unwrap().unwrap().sequence as usize;
        let history = registry.history("tiny").unwrap();
        assert_eq!(history.entries()[at - 1].run, entry.run);
    }
}

#[test]
fn a_run_registers_in_a_bucket_that_keeps_versions_and_another_machine_reads_it() {
    let team = Team::new();
    let first = team.train(&[]);
    assert_eq!(first["verdict"]["promoted"], true);
    let status = team.bucket.ask("get_bucket_versioning", json!({}));
    assert_eq!(status["Status"], "Enabled");
    assert!(!team.place.path("artifacts/registry").exists());
    team.train(&["--seed", "7"]);
    let two = [("promoted".to_owned(), 1), ("promoted".to_owned(), 2)];
    assert_eq!(team.history(), two);

    let elsewhere = Team {
        bucket: Bucket {
            server: team.bucket.server,
            name: team.bucket.name.clone(),
        },
        place: Workplace::new(),
    };
    assert_eq!(elsewhere.history(), two);
    let back = elsewhere.ask(&["models", "rollback", "tiny", "--why", "an outage"]);
    assert_eq!(back[0]["version"], 1, "{back}");
    let history = team.ask(&["models", "history", "tiny"]);
    let second = history[1]["at"].as_str().unwrap();
    let then = team.ask(&["models", "history", "tiny", "--at", second]);
    assert_eq!(then[0]["version"], 2);
    team.ask(&["models", "promote", "tiny", "--version", "2"]);
    assert_eq!(team.history().len(), 4);

    team.ask(&["predict", "--input", "tiny.csv", "--output", "out.csv"]);
    let bundle = ["models", "export", "tiny", "--format", "bundle"];
    team.ask(&[&bundle[..], &["--output", "tiny.bin"]].concat());
    // What a bucket keeps is named by what it is.
    for key in team.keys("blobs/") {
        assert_eq!(team.n_versions(&key), 1, "{key}");
    }
    let healthy = team.call(&["doctor", "--source", "tiny.csv", "--dataset", "tiny.yaml"]);
    assert_eq!(healthy.code, 0, "{}", healthy.out);
    for words in [
        "versions: kept",
        "writing: of two writers one",
        "champion 2 loads",
    ] {
        assert!(healthy.out.contains(words), "{words}: {}", healthy.out);
    }
}

#[test]
fn a_run_comes_back_from_the_bucket_and_a_stage_alone_uses_it_again() {
    let team = Team::new();
    let run = team.train(&[]);
    let name = run["run"].as_str().unwrap().rsplit('/').next().unwrap();
    assert_eq!(team.ask(&["runs", "kept"]), json!([name]));
    let fetched = team.ask(&["runs", "fetch", name, "--artifacts", "elsewhere"]);
    assert_eq!(fetched["run"], format!("elsewhere/{name}"));
    let verified = team.ask(&["verify", name, "--artifacts", "elsewhere"]);
    assert_eq!(verified["finished"], true, "{verified}");
    assert_eq!(team.place.artifacts(&run), {
        let mut other = run.clone();
        other["run"] = fetched["run"].clone();
        team.place.artifacts(&other)
    });
    let again = team.call(&["runs", "fetch", name, "--artifacts", "elsewhere"]);
    assert_eq!(again.code, 64, "{}", again.err);
    let unknown = team.call(&["runs", "fetch", "20260101T000000Z-00000000"]);
    assert_eq!(unknown.code, 64);
    assert!(unknown.err.contains("keeps no run"), "{}", unknown.err);

    // The run itself says where its registry is.
    let environment = environment(team.bucket.server.port);
    let stage = ["stage", "promotion", "--run", name];
    let alone = team.place.call_in(&stage, &environment);
    assert_eq!(alone.code, 0, "{}", alone.err);
    assert_eq!(team.history().len(), 1);
    assert!(!team.place.path("artifacts/registry").exists());

    // One that has come to nothing is not kept by a stage, either.
    let early = "20260101T000000Z-00000000-0000000";
    let made = team.place.path("elsewhere").join(name);
    let ended = team.place.path("artifacts").join(early);
    std::fs::rename(made, &ended).unwrap();
    std::fs::remove_dir_all(ended.join("05-evaluation")).unwrap();
    let refused = team.call(&["stage", "promotion", "--run", early]);
    assert_eq!(refused.code, 64, "{}", refused.err);
    assert_eq!(team.ask(&["runs", "kept"]), json!([name]));
}

#[test]
fn promoters_at_once_lose_nothing() {
    let team = Team::new();
    let port = team.bucket.server.port;
    let writers = ["one", "other"];
    let started = writers.map(|writer| team.start(port, &format!("append {writer}")));
    for child in started {
        assert_eq!(said(child), "appended");
    }
    // The blobs of these entries were never written, which it says as well.
    let history = team.call(&["models", "history", "tiny", "--json"]);
    let history: Value = serde_json::from_str(&history.out).unwrap();
    let entries = history.as_array().unwrap();
    let runs: BTreeSet<&str> = entries.iter().map(|e| e["run"].as_str().unwrap()).collect();
    assert_eq!(entries.len(), writers.len() * THREADS * APPENDS);
    assert_eq!(runs.len(), entries.len());
    for key in team.keys("models/") {
        assert_eq!(team.n_versions(&key), 1, "{key} was written over");
    }
}

#[test]
fn of_writers_of_the_same_bytes_one_is_told_that_it_has_written() {
    let team = Team::new();
    let port = team.bucket.server.port;
    let started: Vec<Child> = (0..4).map(|_| team.start(port, "add doubt.json")).collect();
    let mut answers: Vec<String> = started.into_iter().map(said).collect();
    answers.sort();
    assert_eq!(answers, ["Ok(false)", "Ok(false)", "Ok(false)", "Ok(true)"]);
}

#[test]
fn the_place_of_a_registry_is_checked_before_anything_is_read() {
    let place = Workplace::new();
    place.write_tiny(50);
    for (address, code, words) in [
        ("https://host/models", 64, "give a directory or s3://"),
        ("s3://bucket/a*", 64, "without `*`"),
        ("s3://bucket/a?version_id=x", 64, "has neither `version_id`"),
        ("s3://", 64, "names no bucket"),
    ] {
        let called = place.call(&[&run_arguments()[..], &["--registry", address]].concat());
        assert_eq!(called.code, code, "{address}: {}", called.err);
        assert!(called.err.contains(words), "{address}: {}", called.err);
        let listed = place.call(&["models", "list", "--registry", address]);
        assert_eq!(listed.code, code, "{address}: {}", listed.err);
    }
    assert!(!place.path("artifacts").exists());
}
