//! The server's process: started on a free port, ended with the test.

use std::{
    io::{BufRead as _, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::{
    client::{Answer, Connection},
    trained::Place,
};

const SERVER: &str = env!("CARGO_BIN_EXE_netsec-server");

/// A server that is running.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
    pub admin: Option<SocketAddr>,
    pub greeting: String,
}

impl Server {
    /// Starts the server on a place, looking at the registry rarely, so that a test decides when.
    pub fn start(place: &Place, arguments: &[&str]) -> Self {
        Self::start_with(place, arguments, &[])
    }

    pub fn start_with(place: &Place, arguments: &[&str], environment: &[(&str, &str)]) -> Self {
        let mut command = command(place);
        command.envs(environment.iter().copied());
        Self::begin(command, arguments)
    }

    /// Starts the server behind commands of a shell, with its log in the file `stderr` of the place.
    pub fn start_behind(place: &Place, shell: &str, arguments: &[&str]) -> Self {
        Self::begin(command_behind(place, shell), arguments)
    }

    fn begin(mut command: Command, arguments: &[&str]) -> Self {
        let mut child = command
            .args(["--listen", "127.0.0.1:0", "--workers", "2"])
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut greeting = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut greeting).unwrap();
        let is_listening = |name: &str| {
            let mut all = arguments.iter().zip(arguments.iter().skip(1));
            all.any(|(flag, value)| *flag == name && *value != "off")
        };
        let mut second = String::new();
        if is_listening("--admin-listen") {
            out.read_line(&mut second).unwrap();
        }
        let address = address_in(&greeting);
        Self {
            admin: address_in(&second),
            address: address.unwrap_or_else(|| panic!("no address in {greeting:?}")),
            child,
            greeting: greeting + &second,
        }
    }

    pub fn connect(&self) -> Connection {
        Connection::open(self.address)
    }

    pub fn get(&self, path: &str) -> Answer {
        self.connect().call("GET", path, &[], b"")
    }

    pub fn post(&self, path: &str, body: &str) -> Answer {
        let lines = ["Content-Type: application/json"];
        self.connect().call("POST", path, &lines, body.as_bytes())
    }

    /// Sends a signal by its name and waits for the end; returns the exit code.
    pub fn end(mut self, signal: &str) -> Option<i32> {
        self.signal(signal);
        self.child.wait().unwrap().code()
    }

    pub fn signal(&self, signal: &str) {
        let id = self.child.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", signal, &id])
            .status()
            .unwrap();
        assert!(sent.success());
    }

    /// Returns how many files below a directory the process holds open, also those without a name.
    pub fn open_files_below(&self, directory: &std::path::Path) -> usize {
        let entries = std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        let open = entries.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        open.filter(|path| path.starts_with(directory)).count()
    }

    /// Returns the memory that the process holds, in KiB.
    pub fn resident(&self) -> u64 {
        self.memory("VmRSS")
    }

    /// Returns the most memory that the process has ever held, in KiB.
    pub fn peak(&self) -> u64 {
        self.memory("VmHWM")
    }

    fn memory(&self, what: &str) -> u64 {
        let path = format!("/proc/{}/status", self.child.id());
        let status = std::fs::read_to_string(path).unwrap();
        let line = status.lines().find(|l| l.starts_with(what)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    }
}

/// Returns the address that a line of the greeting begins with.
fn address_in(line: &str) -> Option<SocketAddr> {
    let (_, rest) = line.split_once("://")?;
    rest.split('/').next()?.parse().ok()
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes the command, without anything of the environment that the test runs in.
pub fn command(place: &Place) -> Command {
    prepared(Command::new(SERVER), place)
}

/// Makes the command behind commands of a shell, with its log in the file `stderr` of the place.
pub fn command_behind(place: &Place, shell: &str) -> Command {
    let mut command = Command::new("sh");
    let line = format!("{shell}\nexec \"$0\" \"$@\" 2>stderr");
    command.args(["-c", &line, SERVER]);
    prepared(command, place)
}

fn prepared(mut command: Command, place: &Place) -> Command {
    let ours = std::env::vars_os().map(|(name, _)| name);
    for name in ours.filter(|name| name.to_string_lossy().starts_with("NETSEC_")) {
        command.env_remove(name);
    }
    command
        .current_dir(place.path())
        .env("NETSEC_ARTIFACTS", ".")
        .env("NETSEC_ADMIN_LISTEN", "off")
        .env("NETSEC_POLL", "3600");
    command
}

/// Waits until something holds.
#[track_caller]
pub fn wait_for(what: &str, mut holds: impl FnMut() -> bool) {
    let began = Instant::now();
    while !holds() {
        assert!(
            began.elapsed() < Duration::from_secs(30),
            "waited for {what}"
        );
        std::thread::sleep(Duration::from_millis(20));
    }
}
