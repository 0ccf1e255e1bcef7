//! An MLflow server, and MLflow's own client for it.

use std::{
    io::{BufRead as _, BufReader, Lines, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{Mutex, OnceLock},
};

use serde_json::{Value, json};

/// What the administrator of the guarded server is asked for.
pub const PASSWORD: &str = "hunter2-of-the-tests";

/// The server; it ends when this process does.
pub struct Tracker {
    pub port: u16,
    client: Mutex<(ChildStdin, Lines<BufReader<ChildStdout>>)>,
    _child: Child,
}

impl Tracker {
    /// Returns the one that all tests share.
    pub fn shared() -> &'static Self {
        static SERVER: OnceLock<Tracker> = OnceLock::new();
        SERVER.get_or_init(|| Self::start(&[]))
    }

    /// Starts one that asks for a password.
    pub fn guarded() -> Self {
        Self::start(&["guarded"])
    }

    /// Starts one whose clients write artifacts below an address of a bucket themselves.
    pub fn beside_bucket(address: &str) -> Self {
        Self::start(&[address])
    }

    fn start(arguments: &[&str]) -> Self {
        let program = std::env::var_os("MLFLOW_PYTHON")
            .expect("MLFLOW_PYTHON names a Python with the server: use .ci/services");
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/netsec/services");
        let mut child = Command::new(program)
            .arg(directory.join("mlflow_server.py"))
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap().parse().unwrap();
        let client = Mutex::new((child.stdin.take().unwrap(), lines));
        Self {
            port,
            client,
            _child: child,
        }
    }

    /// Lets the other client make a call; gives its JSON.
    pub fn ask(&self, name: &str, arguments: Value) -> Value {
        let mut client = self.client.lock().unwrap();
        writeln!(client.0, "{}", json!([name, arguments])).unwrap();
        let answer = client.1.next().unwrap().unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    /// Returns the run of the pipeline in an experiment, which must be the only one, and those nested in it.
    pub fn only_run(&self, experiment: &str) -> (Value, Vec<Value>) {
        let runs = self.ask("runs", json!([experiment]));
        let parent = |run: &Value| run["tags"]["mlflow.parentRunId"].clone();
        let all = runs.as_array().unwrap().iter().cloned();
        let (parents, nested): (Vec<Value>, Vec<Value>) =
            all.partition(|run| parent(run).is_null());
        let [run] = &parents[..] else {
            panic!("{} runs in {experiment}", parents.len());
        };
        assert!(nested.iter().all(|below| parent(below) == run["id"]));
        (run.clone(), nested)
    }
}
