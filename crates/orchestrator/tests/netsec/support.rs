//! Running `netsec` in a directory of its own.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::{Child, Command, Output},
};

use serde_json::Value;

/// A directory to work in, with its own artifacts.
pub struct Workplace(tempfile::TempDir);

/// What a call gave.
pub struct Called {
    pub code: i32,
    pub out: String,
    pub err: String,
}

/// A search that is small enough for every test run.
pub const SMALL: [&str; 4] = [
    "--set",
    "training.families=[logistic_regression, decision_tree]",
    "--set",
    "training.baseline_rows=300",
];

/// A search of one candidate, on the data set of [`Workplace::write_tiny`].
pub const TINY: [&str; 12] = [
    "--dataset",
    "tiny.yaml",
    "--set",
    "training.families=[decision_tree]",
    "--set",
    "training.search.decision_tree={max_depth: [3]}",
    "--set",
    "training.folds=2",
    "--set",
    "training.baseline_rows=0",
    "--set",
    "evaluation.resamples=0",
];

const TINY_SCHEMA: &str = "
name: tiny
columns:
- {name: a, type: number}
- {name: b, type: number, may_be_missing: true}
target: {column: y, benign: {ok: ['0']}, threats: {bad: ['1']}}
";

/// Makes rows of the tiny data set: two numbers, and a threat where their sum is above 100.
pub fn tiny_csv(rows: usize) -> String {
    let row = |i: usize| {
        let (a, b) = (i * 37 % 101, i * 53 % 97);
        format!("{a},{b},{}\n", u8::from(a + b > 100))
    };
    "a,b,y\n".to_owned() + &(0..rows).map(row).collect::<String>()
}

impl Workplace {
    /// Writes `tiny.yaml`, and `tiny.csv` of some rows.
    pub fn write_tiny(&self, rows: usize) {
        self.write_tiny_rows(tiny_csv(rows));
    }

    /// Writes the tiny data set's schema, and lines of CSV for it.
    pub fn write_tiny_rows(&self, lines: impl AsRef<[u8]>) {
        self.write("tiny.yaml", TINY_SCHEMA);
        self.write("tiny.csv", lines);
    }

    /// Runs the pipeline on the tiny data set, promotes what comes out and returns its JSON.
    pub fn run_tiny(&self, arguments: &[&str]) -> Value {
        let fixed = ["run", "--json", "--force", "--why", "a test", "--source"];
        let called = self.call(&[&fixed[..], &["tiny.csv"], &TINY[..], arguments].concat());
        assert_eq!(called.code, 0, "{}", called.err);
        serde_json::from_str(&called.out).unwrap()
    }

    pub fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) -> String {
        fs::write(self.path(name), content).unwrap();
        self.path(name).display().to_string()
    }

    /// Calls `netsec` with the arguments.
    pub fn call(&self, arguments: &[&str]) -> Called {
        self.call_with(arguments, &[])
    }

    pub fn call_with(&self, arguments: &[&str], environment: &[(&str, &str)]) -> Called {
        self.call_at("", arguments, environment)
    }

    /// Calls `netsec` in a directory below, or in this one.
    pub fn call_at(
        &self,
        directory: &str,
        arguments: &[&str],
        environment: &[(&str, &str)],
    ) -> Called {
        let Output {
            status,
            stdout,
            stderr,
        } = Command::new(env!("CARGO_BIN_EXE_netsec"))
            .args(arguments)
            .current_dir(self.path(directory))
            .env_remove("NETSEC_LOG")
            .envs(environment.iter().copied())
            .output()
            .unwrap();
        let err = String::from_utf8(stderr).unwrap();
        assert!(!err.contains("panicked"), "{arguments:?}: {err}");
        Called {
            code: status.code().unwrap_or(-1),
            out: String::from_utf8(stdout).unwrap(),
            err,
        }
    }

    /// Runs the pipeline with the small search and returns its JSON.
    pub fn run(&self, arguments: &[&str]) -> Value {
        let called = self.call(&[&["run", "--json"], &SMALL[..], arguments].concat());
        assert_eq!(called.code, 0, "{}", called.err);
        serde_json::from_str(&called.out).unwrap()
    }

    /// Returns the bytes of every artifact of a run by its path within the run.
    pub fn artifacts(&self, run: &Value) -> BTreeMap<String, Vec<u8>> {
        let directory = self.path(run["run"].as_str().unwrap());
        let mut found = BTreeMap::new();
        collect(&directory, &directory, &mut found);
        found
    }
}

/// Sends a signal, INT say, to a program that is on its way.
#[cfg(unix)]
pub fn send_signal(child: &Child, signal: &str) {
    let kill = format!("kill -{signal} {}", child.id());
    let sent = Command::new("sh").args(["-c", &kill]).status();
    assert!(sent.unwrap().success());
}

fn collect(root: &Path, directory: &Path, found: &mut BTreeMap<String, Vec<u8>>) {
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(root, &path, found);
        } else if path.extension().is_some_and(|e| e == "bin") {
            let name = path.strip_prefix(root).unwrap().display().to_string();
            found.insert(name, fs::read(&path).unwrap());
        }
    }
}

/// Makes a small data set of the phishing schema as CSV from the generator, by way of a run's partitions.
pub fn small_csv(rows: usize) -> String {
    let schema = include_str!("../../../../schema/phishing.yaml");
    let names: Vec<&str> = schema
        .lines()
        .filter_map(|line| line.trim().strip_prefix("- {name: ")?.split(',').next())
        .collect();
    let mut text = names.join(",") + ",Result\n";
    let mut state = 0x9e37_79b9_7f4a_7c15u64;
    for _ in 0..rows {
        let mut sum = 0i64;
        let cells: Vec<String> = names
            .iter()
            .map(|name| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                // `Redirect` takes 0 and 1; 1 and, elsewhere, -1 suit every other column.
                let up = !(state >> 33).is_multiple_of(3);
                let value = match (*name, up) {
                    ("Redirect", up) => i64::from(up),
                    (_, true) => 1,
                    (_, false) => -1,
                };
                sum += value;
                value.to_string()
            })
            .collect();
        let label = if sum > 9 { "1" } else { "-1" };
        text += &format!("{},{label}\n", cells.join(","));
    }
    text
}

/// A schema of small network flows with two families of attacks; `classes` is `binary` or `families`.
pub fn flows_schema(classes: &str) -> String {
    format!(
        "name: flows
columns:
  - {{name: duration, type: integer, min: 0, max: 1000}}
  - {{name: bytes, type: integer, min: 0, max: 1000}}
  - {{name: rate, type: number, min: 0, max: 1}}
  - {{name: protocol, type: text, levels: [tcp, udp, icmp]}}
target:
  column: attack
  classes: {classes}
  benign: {{normal: [normal]}}
  threats: {{dos: [smurf, neptune], probe: [ipsweep]}}
"
    )
}

/// Makes flows by a rule that any model finds, and one row in 200 with a label drawn at random.
///
/// `shift` is added to every duration but not to what the rule reads: drift without another concept.
pub fn flows_csv(rows: usize, seed: u64, shift: u64) -> String {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut draw = |below: u64| {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut text = "duration,bytes,rate,protocol,attack\n".to_owned();
    for _ in 0..rows {
        let (duration, bytes, rate) = (draw(100), draw(100), draw(1000));
        let protocol = ["tcp", "udp", "icmp"][draw(3) as usize];
        let label = match (duration + bytes, draw(200)) {
            (_, 0) => ["normal", "smurf", "neptune", "ipsweep"][draw(4) as usize],
            (..90, _) => "normal",
            (_, _) if duration < bytes => "ipsweep",
            (_, odd) if odd % 2 == 1 => "smurf",
            _ => "neptune",
        };
        let duration = duration + shift;
        text += &format!("{duration},{bytes},0.{rate:03},{protocol},{label}\n");
    }
    text
}
