//! A server of the MongoDB wire protocol of a test's own, and another client for it.

use std::{
    fs,
    io::Write as _,
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;

/// The server, with its data in a directory that outlives its process; stopped when it is dropped.
pub struct Server {
    directory: tempfile::TempDir,
    pub port: u16,
    child: Option<Child>,
}

impl Server {
    /// Starts it on a free port and waits until it answers.
    pub fn start() -> Self {
        let mut server = Self {
            directory: tempfile::tempdir().unwrap(),
            port: free_port(),
            child: None,
        };
        server.restart();
        server
    }

    /// Starts it again on the same port with the same data.
    pub fn restart(&mut self) {
        let data = self.directory.path().join("data");
        fs::create_dir_all(&data).unwrap();
        let file = |name| self.directory.path().join(name);
        let child = python("mongodb_server.py")
            .args(["--host", "127.0.0.1", "-p", &self.port.to_string()])
            .arg("--data-dir")
            .arg(data)
            .arg("--log-file")
            .arg(file("log"))
            .arg("--pid-file")
            .arg(file("pid"))
            .stdout(Stdio::null())
            .stderr(fs::File::create(file("stderr")).unwrap())
            .spawn()
            .unwrap();
        self.child = Some(child);
        let since = Instant::now();
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            assert!(since.elapsed() < Duration::from_secs(60), "{}", self.log());
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Kills it, as a machine that fails does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// Returns the address of a collection on this server, or on a proxy before it.
    pub fn uri(&self, port: u16, collection: &str, more: &str) -> String {
        format!(
            "mongodb://127.0.0.1:{port}/network_security?collection={collection}\
             &directConnection=true&serverSelectionTimeoutMS=1000{more}"
        )
    }

    pub fn address(&self, collection: &str) -> String {
        self.uri(self.port, collection, "")
    }

    /// Asks the other client about a collection; gives its JSON.
    pub fn ask(&self, collection: &str, what: &[&str], input: &str) -> Value {
        let mut child = python("mongodb_client.py")
            .arg(format!("mongodb://127.0.0.1:{}", self.port))
            .args(["network_security", collection])
            .args(what)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        child
            .stdin
            .take()
            .unwrap()
            .write_all(input.as_bytes())
            .unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{what:?}");
        serde_json::from_slice(&output.stdout).unwrap()
    }

    /// Counts the documents of a collection; each must have an `_id` of its own.
    pub fn count(&self, collection: &str) -> u64 {
        let summary = self.ask(collection, &["summary"], "");
        assert_eq!(summary["count"], summary["distinct_ids"]);
        summary["count"].as_u64().unwrap()
    }

    fn log(&self) -> String {
        let path: PathBuf = self.directory.path().join("stderr");
        fs::read_to_string(path).unwrap_or_default()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Prepares a call of one of the scripts beside this file.
fn python(script: &str) -> Command {
    let program = std::env::var_os("SERVICES_PYTHON")
        .expect("SERVICES_PYTHON names a Python with the server: use .ci/services");
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/netsec/services");
    let mut command = Command::new(program);
    command.arg(directory.join(script));
    command
}

/// Finds a port that nobody listens on.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().port()
}
