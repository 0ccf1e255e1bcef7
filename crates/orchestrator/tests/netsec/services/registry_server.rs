//! A service that takes its champion from a bucket.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    proxy::{Fault, Proxy},
    registry::Team,
};

/// `netsec-server` on a free port; ended with the test.
struct Service {
    child: Child,
    address: String,
}

impl Service {
    fn start(team: &Team, port: u16) -> Self {
        let netsec = Path::new(env!("CARGO_BIN_EXE_netsec"));
        let mut child = Command::new(netsec.with_file_name("netsec-server"))
            .args(["--listen", "127.0.0.1:0", "--admin-listen", "off"])
            .args(["--workers", "1", "--poll", "0.1"])
            .current_dir(team.place.path(""))
            .envs(team.environment(port))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect(
                "netsec-server lies beside netsec, built with the feature s3: use .ci/services",
            );
        let mut greeting = String::new();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        out.read_line(&mut greeting).unwrap();
        let address = greeting.split("http://").nth(1).expect("it greets");
        let address = address.split('/').next().unwrap().to_owned();
        Self { child, address }
    }

    fn get(&self, path: &str) -> (u16, String) {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        let limit = Some(Duration::from_secs(10));
        stream.set_read_timeout(limit).unwrap();
        let host = &self.address;
        let head = format!("GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1.to_owned();
        (status, body)
    }

    /// Waits until a version serves, not only stands in the registry.
    fn wait_for(&self, version: u64) {
        let path = format!("/v2/models/tiny/versions/{version}/ready");
        let since = Instant::now();
        while self.get(&path).0 != 200 {
            assert!(since.elapsed() < Duration::from_secs(60), "{version}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn a_service_follows_the_champion_of_a_bucket_with_one_request_a_look() {
    let team = Team::new();
    let proxy = Proxy::before(team.bucket.server.port, Fault::None);
    let service = Service::start(&team, proxy.port);
    assert_eq!(service.get("/readyz").0, 503);
    team.train(&[]);
    service.wait_for(1);
    team.train(&["--seed", "7"]);
    service.wait_for(2);
    team.ask(&["models", "rollback", "tiny"]);
    service.wait_for(1);

    let counts = || (proxy.n_requests("GET "), proxy.n_requests("list-type=2"));
    let (gets, lists) = counts();
    std::thread::sleep(Duration::from_secs(2));
    let (more_gets, more_lists) = counts();
    let next = proxy.n_requests("/team/models/tiny/history/00000004.json");
    assert_eq!(more_lists, lists, "a look lists nothing");
    assert!(more_gets > gets, "it looks");
    assert!(
        more_gets - gets <= 21,
        "{} requests in 2 s",
        more_gets - gets
    );
    let n = more_gets - gets;
    assert!(next >= n, "{next} of {n} ask for the next entry");
}

#[test]
fn a_service_starts_without_its_bucket_and_becomes_ready_when_that_is_back() {
    let team = Team::new();
    team.train(&[]);
    let away = Fault::Answer {
        status: "503 Service Unavailable",
        body: "",
        times: 12,
    };
    let proxy = Proxy::before(team.bucket.server.port, away);
    let since = Instant::now();
    let service = Service::start(&team, proxy.port);
    assert!(since.elapsed() < Duration::from_secs(20));
    assert_eq!(service.get("/readyz").0, 503);
    assert_eq!(service.get("/healthz").0, 200);
    service.wait_for(1);
    let silent = Proxy::before(team.bucket.server.port, Fault::Silence);
    let since = Instant::now();
    let other = Service::start(&team, silent.port);
    assert!(since.elapsed() < Duration::from_secs(20));
    assert_eq!(other.get("/readyz").0, 503);
    assert_eq!(other.get("/healthz").0, 200);
}
