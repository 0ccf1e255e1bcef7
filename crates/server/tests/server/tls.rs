use std::{
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Output,
    sync::Arc,
    time::{Duration, Instant},
};

use rcgen::{CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion,
    crypto::ring,
    pki_types::CertificateDer,
    version::{TLS12, TLS13},
};

use crate::{
    client::Connection,
    process::{Server, command, wait_for},
    trained::{FLOW, Place},
};

const FILES: [&str; 4] = ["--tls-certificate", "chain.pem", "--tls-key", "key.pem"];

/// An authority, and a certificate of it for this machine, in files.
struct Issued {
    authority: CertifiedIssuer<'static, KeyPair>,
}

impl Issued {
    fn in_place(place: &Path) -> Self {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        let issued = Self {
            authority: CertifiedIssuer::self_signed(params, key).unwrap(),
        };
        let [chain, key] = issued.renewed();
        fs::write(place.join("chain.pem"), chain).unwrap();
        fs::write(place.join("key.pem"), key).unwrap();
        issued
    }

    /// Returns another certificate with its chain, and its key.
    fn renewed(&self) -> [String; 2] {
        let names = ["127.0.0.1".to_owned(), "localhost".to_owned()];
        let params = CertificateParams::new(names).unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.authority).unwrap();
        let chain = format!("{}{}", certificate.pem(), self.authority.pem());
        [chain, key.serialize_pem()]
    }

    /// Opens a connection that trusts this authority alone.
    fn open(&self, address: SocketAddr, versions: &[&'static SupportedProtocolVersion]) -> Secure {
        let mut roots = RootCertStore::empty();
        roots.add(self.authority.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let name = address.ip().into();
        let client = ClientConnection::new(Arc::new(config), name).unwrap();
        let stream = TcpStream::connect(address).unwrap();
        let wait = Some(Duration::from_secs(60));
        stream.set_read_timeout(wait).unwrap();
        StreamOwned::new(client, stream)
    }
}

type Secure = StreamOwned<ClientConnection, TcpStream>;

fn start(place: &Place, more: &[&str]) -> Server {
    Server::start(place, &[&FILES[..], more].concat())
}

/// Predicts over a fresh connection; returns the certificate that was shown.
fn predict(mut stream: Secure, address: SocketAddr) -> CertificateDer<'static> {
    let body = format!(r#"{{"records":[{FLOW}]}}"#);
    let lines = ["Content-Type: application/json"];
    let mut connection = Connection::over(&mut stream, address);
    let answer = connection.call("POST", "/v1/predict", &lines, body.as_bytes());
    assert_eq!(answer.status, 200, "{}", answer.text());
    let shown = stream.conn.peer_certificates().unwrap();
    shown[0].clone().into_owned()
}

#[test]
fn both_listeners_speak_tls_1_2_and_1_3() {
    let place = Place::with_flows();
    let issued = Issued::in_place(place.path());
    let server = start(&place, &["--admin-listen", "127.0.0.1:0"]);
    assert!(
        server.greeting.starts_with("https://"),
        "{}",
        server.greeting
    );
    for version in [&TLS12, &TLS13] {
        predict(issued.open(server.address, &[version]), server.address);
    }
    let admin = server.admin.unwrap();
    let mut connection = Connection::over(issued.open(admin, &[&TLS13]), admin);
    assert_eq!(connection.call("POST", "/reload", &[], b"").status, 200);
}

#[test]
fn browsers_are_told_to_stay_with_tls_under_a_name_of_its_own_alone() {
    let place = Place::with_flows();
    let issued = Issued::in_place(place.path());
    let allowed = ["--allow-host", "svc.example", "--allow-host", "localhost"];
    let server = start(&place, &allowed);
    let header = |host: &str| {
        let secure = issued.open(server.address, &[&TLS13]);
        let line = format!("Host: {host}");
        let answer =
            Connection::over(secure, server.address).call("GET", "/healthz", &[&line], b"");
        assert_eq!(answer.status, 200);
        answer
            .header("strict-transport-security")
            .map(str::to_owned)
    };
    assert_eq!(header("svc.example"), Some("max-age=31536000".to_owned()));
    assert_eq!(header("localhost"), None);
}

#[test]
fn a_client_of_tls_1_1_is_turned_away() {
    let place = Place::with_flows();
    Issued::in_place(place.path());
    let server = start(&place, &[]);
    // A hello of TLS 1.1 with one suite, one signature and one curve.
    let extensions = [0, 16, 0, 13, 0, 4, 0, 2, 4, 3, 0, 10, 0, 4, 0, 2, 0, 29];
    let hello = [
        &[3, 2][..],
        &[7; 32],
        &[0, 0, 2, 0xc0, 0x2b, 1, 0],
        &extensions,
    ]
    .concat();
    let n = hello.len() as u8;
    let record = [&[22, 3, 1, 0, n + 4, 1, 0, 0, n][..], &hello].concat();
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(&record).unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).unwrap();
    let [kind, _, _, _, 2, level, reason] = answer[..] else {
        panic!("no alert: {answer:?}")
    };
    // A fatal alert; 70 is `protocol_version`.
    assert_eq!((kind, level, reason), (21, 2, 70));
}

#[test]
fn plain_http_is_cut_off_and_others_are_served_on() {
    let place = Place::with_flows();
    let issued = Issued::in_place(place.path());
    let server = start(&place, &["--client-timeout", "0.5"]);
    let silent = TcpStream::connect(server.address).unwrap();
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream
        .write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        .unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    assert!(answer.len() <= 7, "{:?}", String::from_utf8_lossy(&answer));
    // Who says nothing is cut off as well.
    let mut silent = silent;
    silent
        .set_read_timeout(Some(Duration::from_secs(20)))
        .unwrap();
    assert_eq!(silent.read(&mut [0]).unwrap(), 0);
    predict(issued.open(server.address, &[&TLS13]), server.address);
}

#[test]
fn a_renewed_certificate_is_shown_without_a_restart_once_its_key_is_there() {
    let place = Place::with_flows();
    let issued = Issued::in_place(place.path());
    let server = start(&place, &["--poll", "0.05"]);
    let shown = || predict(issued.open(server.address, &[&TLS13]), server.address);
    let mut kept = issued.open(server.address, &[&TLS13]);
    let mut connection = Connection::over(&mut kept, server.address);
    assert_eq!(connection.call("GET", "/healthz", &[], b"").status, 200);
    let old = shown();
    let [chain, key] = issued.renewed();
    fs::write(place.path().join("chain.pem"), chain).unwrap();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(shown(), old, "half of a pair was taken up");
    fs::write(place.path().join("key.pem"), key).unwrap();
    wait_for("the new certificate", || shown() != old);
    assert_eq!(connection.call("GET", "/healthz", &[], b"").status, 200);
}

#[test]
fn handshakes_that_are_not_ended_hold_nobody_up() {
    let place = Place::with_flows();
    let issued = Issued::in_place(place.path());
    let server = start(&place, &[]);
    let begin = |_| {
        let mut stream = TcpStream::connect(server.address).unwrap();
        // The beginning of a ClientHello.
        stream
            .write_all(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
            .unwrap();
        stream
    };
    let half: Vec<TcpStream> = (0..560).map(begin).collect();
    let began = Instant::now();
    predict(issued.open(server.address, &[&TLS13]), server.address);
    assert!(began.elapsed() < Duration::from_secs(5));
    drop(half);
}

#[test]
fn a_session_over_tls_is_kept_to_it() {
    let place = Place::with_flows();
    let issued = Issued::in_place(place.path());
    let made = command(&place).args(["--new-key", "ann"]).output().unwrap();
    let text = String::from_utf8(made.stdout).unwrap();
    let (key, line) = text.trim_end().split_once('\n').unwrap();
    let server = Server::start_with(&place, &FILES, &[("NETSEC_API_KEYS", line)]);
    let secure = issued.open(server.address, &[&TLS13]);
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    let body = format!("key={key}");
    let mut connection = Connection::over(secure, server.address);
    let opened = connection.call("POST", "/session", &form, body.as_bytes());
    let cookie = opened.header("set-cookie").unwrap();
    assert!(cookie.ends_with("; Secure"), "{cookie}");
}

/// Checks a configuration; returns what it says.
fn check(place: &Place, expected: i32) -> String {
    let checked = command(place).args(FILES).arg("--check").output();
    let Output { status, stderr, .. } = checked.unwrap();
    let said = String::from_utf8(stderr).unwrap();
    assert_eq!(status.code(), Some(expected), "{said}");
    said
}

#[test]
fn certificate_and_key_are_checked_before_the_start() {
    let place = Place::with_flows();
    let issued = Issued::in_place(place.path());
    check(&place, 0);
    let write = |name: &str, text: &str| fs::write(place.path().join(name), text).unwrap();
    let [chain, key] = issued.renewed();
    write("key.pem", &key);
    let said = check(&place, 78);
    assert!(
        said.contains("key.pem is not that of the first certificate"),
        "{said}"
    );
    write("chain.pem", &chain);
    check(&place, 0);
    write("key.pem", &chain);
    let said = check(&place, 78);
    assert!(said.contains("key.pem holds no private key"), "{said}");
    write("key.pem", &key);
    write("chain.pem", &key);
    let said = check(&place, 78);
    assert!(
        said.contains("chain.pem holds no `BEGIN CERTIFICATE`"),
        "{said}"
    );
    let secret = key.lines().nth(1).unwrap();
    assert!(!said.contains(secret), "{said}");
    fs::remove_file(place.path().join("chain.pem")).unwrap();
    assert!(check(&place, 78).contains("chain.pem"));
}

#[test]
fn a_certificate_without_a_key_is_no_configuration() {
    let place = Place::with_flows();
    let half = command(&place)
        .args(["--tls-certificate", "chain.pem", "--check"])
        .output();
    assert_eq!(half.unwrap().status.code(), Some(64));
}
