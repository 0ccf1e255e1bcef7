//! Files and APIs behind `http(s)://`, of a server in another language.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use artifact::Digest;
use flate2::{Compression, write::GzEncoder};
use serde_json::Value;

use crate::support::{TINY, Workplace, tiny_csv};

const ROWS: usize = 700;

pub struct Server {
    child: Child,
    scheme: &'static str,
    pub port: u16,
    requests: Receiver<Value>,
}

impl Server {
    pub fn start(place: &Workplace) -> Self {
        Self::launch(place, "http", &[])
    }

    fn launch(place: &Workplace, scheme: &'static str, more: &[String]) -> Self {
        let script = concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/tests/netsec/services/http_server.py"
        );
        let mut child = Command::new("python3")
            .arg(script)
            .arg(place.path("served"))
            .args(more)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let port = lines.next().unwrap().unwrap().parse().unwrap();
        let (sender, requests) = channel();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        Self {
            child,
            scheme,
            port,
            requests,
        }
    }

    pub fn uri(&self, path: &str) -> String {
        format!("{}://127.0.0.1:{}{path}", self.scheme, self.port)
    }

    /// Returns the requests since the last call.
    fn requests(&self) -> Vec<Value> {
        // They come through a pipe.
        std::thread::sleep(Duration::from_millis(200));
        self.requests.try_iter().collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Makes a place with `tiny.csv` and the files that a server gives, all of the same rows.
pub fn served() -> Workplace {
    let place = Workplace::new();
    place.write_tiny(ROWS);
    fs::create_dir(place.path("served")).unwrap();
    let csv = tiny_csv(ROWS);
    let mut names = Vec::new();
    let records: String = csv
        .lines()
        .map(|line| line.split(',').map(str::to_owned).collect::<Vec<_>>())
        .filter_map(|cells| {
            if names.is_empty() {
                names = cells;
                return None;
            }
            let fields = names.iter().zip(&cells);
            let fields: Vec<String> = fields.map(|(n, c)| format!("\"{n}\":\"{c}\"")).collect();
            Some(format!("{{{}}}\n", fields.join(",")))
        })
        .collect();
    let items = records.trim_end().replace('\n', ",\n  ");
    let body = csv.split_once('\n').unwrap().1;
    let attributes: String = names
        .iter()
        .map(|n| format!("@attribute {n} numeric\n"))
        .collect();
    let arff = format!("% rows\n@relation tiny\n{attributes}@data\n{body}");
    let files: [(&str, Vec<u8>); 11] = [
        ("served/plain.csv.gz", csv.clone().into_bytes()),
        ("served/page", b"<html>".to_vec()),
        ("served/a.csv", csv.clone().into_bytes()),
        ("served/a.csv.gz", gzip(&csv)),
        ("served/records.jsonl", records.clone().into_bytes()),
        ("served/a.jsonl.gz", gzip(&records)),
        ("served/top.json.gz", gzip(&format!("[{items}]"))),
        ("served/a.arff", arff.clone().into_bytes()),
        ("served/top.json", format!("[{items}]").into_bytes()),
        (
            "served/in.json",
            format!("{{\"n\": 1, \"rows\": [{items}]}}").into_bytes(),
        ),
        (
            "served/a.zip",
            zip(&[("read me.md", "x"), ("Training Dataset.arff", &arff)]),
        ),
    ];
    for (name, content) in files {
        place.write(name, content);
    }
    place
}

fn gzip(text: &str) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn zip(files: &[(&str, &str)]) -> Vec<u8> {
    let mut writer = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in files {
        let options = zip::write::SimpleFileOptions::default();
        writer.start_file(*name, options).unwrap();
        writer.write_all(content.as_bytes()).unwrap();
    }
    writer.finish().unwrap().into_inner()
}

/// Trains, and returns the rows as they were read.
fn rows(place: &Workplace, source: &str, environment: &[(&str, &str)]) -> Vec<u8> {
    let called = place.train_tiny(source, environment);
    assert_eq!(called.code, 0, "{source}: {}", called.err);
    let run: Value = serde_json::from_str(&called.out).unwrap();
    assert_eq!(run["rows"]["total"], ROWS, "{source}");
    place.artifacts(&run)["01-ingestion/raw-dataset.bin"].clone()
}

fn refused(place: &Workplace, source: &str, environment: &[(&str, &str)], words: &[&str]) {
    let called = place.train_tiny(source, environment);
    assert!(
        matches!(called.code, 64 | 65 | 69),
        "{source}: {}",
        called.err
    );
    for word in words {
        assert!(called.err.contains(word), "{word} in {}", called.err);
    }
    assert!(!called.err.contains("t0ken"), "{}", called.err);
}

#[test]
fn every_way_to_serve_them_gives_the_same_rows() {
    let place = served();
    let server = Server::start(&place);
    let expected = rows(&place, "tiny.csv", &[]);
    for path in [
        "/files/a.csv",
        "/plain/a.csv.gz",
        "/files/records.jsonl",
        "/files/top.json",
        "/files/in.json#records=/rows",
        "/files/a.jsonl.gz",
        "/files/top.json.gz",
        "/files/a.arff",
        "/packed/a.csv",
        "/packed/a.csv.gz?as=x-gzip",
        "/packed/plain.csv.gz",
        "/packed/top.json",
        "/packed/a.zip",
        "/spliced/a.csv",
        "/files/a.zip",
        "/files/a.zip#member=Training%20Dataset.arff",
        "/typed/records.jsonl?type=application/json#format=jsonl",
        "/moved/a.csv",
        "/busy/a.csv",
        "/cut/a.csv",
        "/cutplain/a.csv",
        "/short/a.csv",
        "/shifted/a.csv",
        "/ended/a.csv",
        "/link#records=/data/items&paging=link",
        "/cursor#records=/data/items&paging=cursor&cursor=/meta/next&parameter=after",
        "/urls#records=/data/items&paging=cursor&cursor=/meta/next",
        "/page?size=9#records=/data/items&paging=page",
        "/offset#records=/data/items&paging=offset&parameter=skip&rate=50",
    ] {
        let found = rows(&place, &server.uri(path), &[]);
        assert!(found == expected, "{path}");
    }
}

#[test]
fn a_file_that_breaks_off_is_continued_where_its_version_can_be_told() {
    let place = served();
    let server = Server::start(&place);
    rows(&place, &server.uri("/cut/a.csv"), &[]);
    let ranges = |requests: &[Value]| -> Vec<String> {
        let range = |request: &Value| request["who"]["range"].as_str().unwrap_or("all").to_owned();
        requests.iter().map(range).collect()
    };
    assert_eq!(
        ranges(&server.requests()),
        ["all", "bytes=1500-", "bytes=3000-"]
    );
    rows(&place, &server.uri("/cutplain/a.csv"), &[]);
    assert_eq!(ranges(&server.requests()), ["all", "all", "all"]);
}

#[test]
fn a_second_run_asks_no_server_and_a_pinned_digest_is_held_to() {
    let place = served();
    let server = Server::start(&place);
    let digest = Digest::of(&fs::read(place.path("served/a.csv")).unwrap());
    let source = server.uri(&format!("/files/a.csv#sha256={digest}"));
    rows(&place, &source, &[]);
    assert_eq!(server.requests().len(), 1);
    drop(server.requests());
    rows(&place, &source, &[]);
    assert_eq!(server.requests().len(), 0);
    place.write("served/a.csv", tiny_csv(ROWS + 1));
    let called = place.call(&[&["run", "--refresh", "--source", &source], &TINY[..]].concat());
    assert_eq!(called.code, 65, "{}", called.err);
    assert!(called.err.contains("not the pinned"), "{}", called.err);
}

#[test]
fn a_pinned_digest_is_asked_for_when_what_is_kept_is_another_file() {
    let place = served();
    let server = Server::start(&place);
    let old = server.uri("/stale/a.csv");
    rows(&place, &old, &[]);
    place.write("served/a.csv", tiny_csv(ROWS + 1));
    let digest = Digest::of(&fs::read(place.path("served/a.csv")).unwrap());
    let called = place.train_tiny(&format!("{old}#sha256={digest}"), &[]);
    assert_eq!(called.code, 0, "{}", called.err);
    let run: Value = serde_json::from_str(&called.out).unwrap();
    assert_eq!(run["rows"]["total"], ROWS + 1);
}

#[test]
fn a_file_that_has_not_changed_is_not_transferred_again() {
    let place = served();
    let server = Server::start(&place);
    for path in ["/files/a.csv", "/files/a.zip"] {
        let source = server.uri(path);
        let sent = || -> Vec<u64> {
            let requests = server.requests();
            requests
                .iter()
                .map(|r| r["sent"].as_u64().unwrap())
                .collect()
        };
        let run = |more: &[(&str, &str)]| {
            let fixed = [
                "run",
                "--refresh",
                "--json",
                "--force",
                "--why",
                "a test",
                "--source",
                &source,
            ];
            let called = place.call_with(&[&fixed[..], &TINY].concat(), more);
            assert_eq!(called.code, 0, "{path}: {}", called.err);
            let run: Value = serde_json::from_str(&called.out).unwrap();
            place.artifacts(&run)["01-ingestion/raw-dataset.bin"].clone()
        };
        let size = fs::metadata(place.path("served").join(path.rsplit('/').next().unwrap()));
        let size = size.unwrap().len();
        let first = run(&[]);
        assert_eq!(sent(), [size], "{path}");
        assert!(run(&[]) == first);
        assert_eq!(sent(), [0], "{path}");
        // What is given to somebody else is asked for anew.
        assert!(run(&[("NETSEC_HTTP_TOKEN", "t0ken")]) == first);
        assert_eq!(sent(), [size], "{path}");
        // What is kept is not trusted once it is damaged.
        for entry in fs::read_dir(place.path("artifacts/feature-store/downloads")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "body") {
                fs::write(&path, "a,b,y\n1,1,1\n").unwrap();
            }
        }
        assert!(run(&[]) == first);
        assert_eq!(sent(), [size], "{path}");
    }
    let known = server.uri("/dated/a.csv");
    place.train_tiny(&known, &[]);
    place.write("served/a.csv", tiny_csv(ROWS + 5));
    // Also a file that is older than the one it replaces.
    let path = place.path("served/a.csv");
    let file = fs::File::options().write(true).open(path).unwrap();
    let written = file.metadata().unwrap().modified().unwrap();
    file.set_modified(written - Duration::from_secs(3600))
        .unwrap();
    for path in ["/files/a.csv", "/dated/a.csv"] {
        let called = place.train_tiny(&server.uri(&format!("{path}#format=csv")), &[]);
        let run: Value = serde_json::from_str(&called.out).unwrap();
        assert_eq!(run["rows"]["total"], ROWS + 5, "{path}");
    }
}

#[test]
fn credentials_open_what_is_kept_and_go_nowhere_else() {
    let place = served();
    let (server, other) = (Server::start(&place), Server::start(&place));
    let kept = server.uri("/kept/a.csv");
    refused(&place, &kept, &[], &["401", "set NETSEC_HTTP_TOKEN"]);
    for (name, value) in [
        ("NETSEC_HTTP_TOKEN", "t0ken"),
        ("NETSEC_HTTP_HEADER", "X-Key: t0ken"),
        ("NETSEC_HTTP_QUERY", "api_key=t0ken"),
    ] {
        let path = format!("/kept/a.csv?{name}");
        rows(&place, &server.uri(&path), &[(name, value)]);
        let away = server.uri(&format!(
            "/elsewhere?to={}&{name}",
            other.uri("/kept/a.csv")
        ));
        refused(&place, &away, &[(name, value)], &["401"]);
    }
    assert!(
        other
            .requests()
            .iter()
            .all(|r| !r.to_string().contains("t0ken"))
    );
    let login = kept.replace("127.0.0.1", "user:pa%3Ass@127.0.0.1");
    rows(&place, &login, &[]);
    refused(
        &place,
        &server.uri("/down/x.csv?token=t0ken"),
        &[("NETSEC_HTTP_TOKEN", "t0ken")],
        &["503", "run it again later"],
    );
}

#[test]
fn what_goes_wrong_is_said_with_what_to_do() {
    let place = served();
    let server = Server::start(&place);
    let hosts = [("NETSEC_HTTP_HOSTS", "data.example, other.example")];
    refused(
        &place,
        &server.uri("/files/a.csv"),
        &hosts,
        &["`127.0.0.1` is not among those"],
    );
    let elsewhere = server.uri("/elsewhere?to=http://example.invalid/a.csv");
    let own = [("NETSEC_HTTP_HOSTS", "127.0.0.1")];
    refused(
        &place,
        &elsewhere,
        &own,
        &["`example.invalid` is not among those"],
    );
    for (path, words) in [
        ("/none/a.csv", &["404", "check the address"][..]),
        ("/busy/a.csv?wait=9999", &["429", "asks to wait 9999 s"]),
        (
            "/hang/a.csv#time_limit=1",
            &["no answer within 1 s", "#time_limit=SECONDS"],
        ),
        (
            "/stall/a.csv#time_limit=1",
            &["no answer within 1 s", "#time_limit=SECONDS"],
        ),
        ("/drip/a.csv#time_limit=1", &["it is too slow"]),
        ("/plain/a.csv#format=xls", &["#format=csv"]),
        ("/typed/page?type=text/html", &["#format=csv"]),
        ("/typed/page?type=text/csv", &["a web page (HTML)"]),
        ("/files/page#format=csv.gz", &["a web page (HTML)"]),
        ("/plain/plain.csv.gz", &["it is to be gzip, as .gz says"]),
        (
            "/plain/a.csv#format=csv.gz",
            &["it is to be gzip, as .gz says"],
        ),
        ("/broken/a.csv", &["the answer broke off", ": run it again"]),
        ("/files/in.json", &["try #records=/rows"]),
        (
            "/files/in.json#records=/lines",
            &["nothing at /lines", "arrays are at #records=/rows"],
        ),
        (
            "/files/a.zip#member=b.csv",
            &["has no file `b.csv`", "`Training Dataset.arff`"],
        ),
        (
            "/same#records=/data/items&paging=page",
            &["11 pages in a row are the same"],
        ),
        (
            "/clamped#records=/data/items&paging=page",
            &["11 pages in a row are the same"],
        ),
        ("/packed/a.csv?as=br", &["it is packed with `br`"]),
        (
            "/endless#format=csv&size_limit=3",
            &["larger than 3 MiB: #size_limit=MIB"],
        ),
        (
            "/endless?length=4000000#format=csv&size_limit=3",
            &["larger than 3 MiB"],
        ),
        (
            "/page#records=/data/items&paging=page&size_limit=0",
            &["size_limit=0 is not a whole number from 1"],
        ),
        (
            "/urls?host=example.invalid#records=/data/items&paging=cursor&cursor=/meta/next",
            &["on another server"],
        ),
        (
            "/files/a.csv#recods=/x",
            &["`recods` is not known behind `#`"],
        ),
    ] {
        refused(&place, &server.uri(path), &[], words);
    }
    let since = Instant::now();
    refused(&place, &server.uri("/down/a.csv"), &[], &["503"]);
    assert_eq!(
        server
            .requests()
            .iter()
            .filter(|r| r["path"] == "/down/a.csv")
            .count(),
        5
    );
    assert!(since.elapsed() < Duration::from_secs(30));
}

#[test]
fn certificates_are_checked() {
    let place = served();
    let (key, certificate) = certificate(&place);
    let server = Server::launch(&place, "https", &[certificate.clone(), key]);
    let source = server.uri("/files/a.csv");
    refused(&place, &source, &[], &["TLS", "NETSEC_HTTP_CA_FILE"]);
    rows(&place, &source, &[("NETSEC_HTTP_CA_FILE", &certificate)]);
    let trusted = [("NETSEC_HTTP_CA_FILE", certificate.as_str())];
    let down = server.uri("/elsewhere?to=http://127.0.0.1:9/a.csv");
    refused(&place, &down, &trusted, &["from https to http"]);
    let doctor = |environment: &[(&str, &str)]| {
        let called = place.call_with(
            &[
                "doctor",
                "--json",
                "--dataset",
                "tiny.yaml",
                "--source",
                &source,
            ],
            environment,
        );
        (called.code, called.out)
    };
    let (code, said) = doctor(&trusted);
    assert_eq!(code, 0, "{said}");
    for check in ["name", "port", "TLS", "answer"] {
        assert!(said.contains(&format!("\"{check}\"")), "{check} in {said}");
    }
    let (code, said) = doctor(&[]);
    assert_ne!(code, 0, "{said}");
    assert!(said.contains("certificate"), "{said}");
}

/// Makes a certificate for this machine; returns the paths of its key and of itself.
fn certificate(place: &Workplace) -> (String, String) {
    let path = |name: &str| place.path(name).display().to_string();
    let (key, certificate) = (path("key.pem"), path("certificate.pem"));
    let made = Command::new("openssl")
        .args([
            "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2",
        ])
        .args([
            "-subj",
            "/CN=127.0.0.1",
            "-addext",
            "subjectAltName=IP:127.0.0.1",
        ])
        .args(["-addext", "basicConstraints=critical,CA:FALSE"])
        .args(["-keyout", &key, "-out", &certificate])
        .output()
        .unwrap();
    assert!(
        made.status.success(),
        "{}",
        String::from_utf8_lossy(&made.stderr)
    );
    (key, certificate)
}
