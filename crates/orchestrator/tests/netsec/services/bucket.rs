//! Buckets on an S3 server, and another client for them.

use std::{
    io::{BufRead as _, BufReader, Lines, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use serde_json::{Value, json};

use crate::support::{Called, Workplace};

/// The server; it ends when this process does.
pub struct Server {
    pub port: u16,
    client: Mutex<(ChildStdin, Lines<BufReader<ChildStdout>>)>,
    _child: Child,
}

/// A bucket of a test's own.
pub struct Bucket {
    pub server: &'static Server,
    pub name: String,
}

impl Server {
    pub fn start() -> Self {
        let program = std::env::var_os("S3_PYTHON")
            .expect("S3_PYTHON names a Python with the server: use .ci/services");
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/netsec/services");
        let mut child = Command::new(program)
            .arg(directory.join("s3_server.py"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
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
}

impl Bucket {
    /// Makes one on the server that all tests share.
    pub fn new() -> Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let bucket = Self {
            server: SERVER.get_or_init(Server::start),
            name: format!("bucket-{}", NUMBER.fetch_add(1, Ordering::SeqCst)),
        };
        bucket.ask("create_bucket", json!({}));
        bucket
    }

    pub fn ask(&self, name: &str, mut arguments: Value) -> Value {
        arguments["Bucket"] = json!(self.name);
        self.server.ask(name, arguments)
    }

    /// Puts a file's content; returns the version.
    pub fn put(&self, key: &str, file: &Path) -> Value {
        let put = self.ask("put_object", json!({"Key": key, "File": file}));
        assert!(put["ETag"].is_string(), "{put}");
        put["VersionId"].clone()
    }

    pub fn get(&self, key: &str) -> Value {
        self.ask("get_object", json!({"Key": key}))
    }

    /// Returns the keys that are there.
    pub fn keys(&self) -> Vec<String> {
        let listed = self.ask("list_objects_v2", json!({}));
        let contents = listed["Contents"].as_array().into_iter().flatten();
        contents
            .map(|object| object["Key"].as_str().unwrap().to_owned())
            .collect()
    }

    /// Counts the uploads that were begun and neither completed nor aborted.
    pub fn n_uploads(&self) -> usize {
        let listed = self.ask("list_multipart_uploads", json!({}));
        listed["Uploads"].as_array().map_or(0, Vec::len)
    }

    pub fn uri(&self, rest: &str) -> String {
        format!("s3://{}/{rest}", self.name)
    }
}

/// Who asks a server, or a proxy before it.
pub fn environment(port: u16) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{port}")),
        ("AWS_ACCESS_KEY_ID", "any".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "hunter2-of-tests".to_owned()),
        ("AWS_CONFIG_FILE", "/dev/null".to_owned()),
        ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null".to_owned()),
    ]
}

impl Workplace {
    /// Calls `netsec` in an environment.
    pub fn call_in(&self, arguments: &[&str], environment: &[(&str, String)]) -> Called {
        let environment: Vec<(&str, &str)> =
            environment.iter().map(|(n, v)| (*n, v.as_str())).collect();
        self.call_with(arguments, &environment)
    }
}
