use std::{collections::BTreeMap, fs, path::PathBuf};

use dataset::{RawBatch, RawColumn};
use formats::FileFormat;

use crate::{
    process::{Server, command, wait_for},
    trained::{FLOW, Place},
};

const LOG: [&str; 2] = ["--prediction-log", "log"];

/// Sends records one after another, each with its number as `duration`.
fn predict(server: &Server, durations: std::ops::Range<usize>) -> Vec<f64> {
    let mut connection = server.connect();
    let lines = ["Content-Type: application/json"];
    durations
        .map(|duration| {
            let record = FLOW.replace("40", &duration.to_string());
            let body = format!(r#"{{"records":[{record}]}}"#);
            let answer = connection.call("POST", "/v1/predict", &lines, body.as_bytes());
            assert_eq!(answer.status, 200, "{}", answer.text());
            let prediction = &answer.json()["predictions"][0];
            prediction["threat_probability"].as_f64().unwrap()
        })
        .collect()
}

/// Returns the finished files, the oldest first.
fn files(place: &Place) -> Vec<PathBuf> {
    let entries = fs::read_dir(place.path().join("log")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|e| e == "parquet"));
    paths.sort();
    paths
}

/// The rows of all files: a column's cells by its name.
fn read(place: &Place) -> BTreeMap<String, Vec<Option<String>>> {
    let mut all = BTreeMap::<_, Vec<_>>::new();
    for path in files(place) {
        let mut source = formats::open(&path, &FileFormat::Parquet).unwrap();
        while let Some(batch) = source.next_batch().unwrap() {
            for (name, cells) in texts(&batch) {
                all.entry(name).or_default().extend(cells);
            }
        }
    }
    all
}

fn texts(batch: &RawBatch) -> Vec<(String, Vec<Option<String>>)> {
    let cells = |column: &RawColumn| {
        let text = |row| column.text(row).map(|text| text.into_owned());
        (0..batch.n_rows()).map(text).collect()
    };
    let columns = batch.names.iter().zip(&batch.columns);
    columns
        .map(|(name, column)| (name.clone(), cells(column)))
        .collect()
}

fn numbers(cells: &[Option<String>]) -> Vec<f64> {
    let number = |cell: &Option<String>| cell.as_ref().unwrap().parse().unwrap();
    cells.iter().map(number).collect()
}

#[test]
fn every_prediction_is_in_the_file_that_sigterm_finishes() {
    let place = Place::with_flows();
    let server = Server::start(&place, &LOG);
    let json = predict(&server, 0..30);
    let csv =
        "duration,bytes,protocol,service,root\n5,,icmp,ssh,no\n-1,,icmp,,no\n7,2.5,udp,dns,yes\n";
    let lines = ["Content-Type: text/csv"];
    let answer = server
        .connect()
        .call("POST", "/v1/predict/csv", &lines, csv.as_bytes());
    assert_eq!(answer.status, 200);
    assert!(files(&place).is_empty(), "a file before its end");
    assert_eq!(server.end("TERM"), Some(0));
    let log = read(&place);
    let names: Vec<&str> = log.keys().map(String::as_str).collect();
    let expected = [
        "bytes",
        "duration",
        "label",
        "model_version",
        "protocol",
        "root",
        "service",
        "threat",
        "threat_probability",
        "time",
    ];
    assert_eq!(names, expected);
    let durations: Vec<f64> = (0..30).chain([5, 7]).map(f64::from).collect();
    assert_eq!(numbers(&log["duration"]), durations);
    assert_eq!(numbers(&log["threat_probability"])[..30], json);
    let last_two = |name: &str| -> Vec<&str> {
        let cells = log[name][30..].iter();
        cells.map(|cell| cell.as_deref().unwrap_or("-")).collect()
    };
    assert_eq!(last_two("bytes"), ["-", "2.5"]);
    assert_eq!(last_two("protocol"), ["icmp", "udp"]);
    assert_eq!(last_two("service"), ["(unknown)", "dns"]);
    assert_eq!(last_two("root"), ["false", "true"]);
    assert_eq!(last_two("model_version"), ["1", "1"]);
    let time = log["time"][0].as_deref().unwrap();
    let passed = artifact::clock::now() - artifact::clock::parse(time).unwrap();
    assert!((0..60).contains(&passed.num_seconds()), "{time}");
}

#[test]
fn files_end_by_age_and_with_their_model_and_only_the_latest_are_kept() {
    let place = Place::with_flows();
    let more = [
        "--prediction-log-age",
        "1",
        "--prediction-log-keep",
        "2",
        "--poll",
        "0.05",
    ];
    let server = Server::start(&place, &[&LOG[..], &more].concat());
    predict(&server, 0..3);
    wait_for("the first file", || files(&place).len() == 1);
    let first = files(&place);
    assert!(
        first[0]
            .display()
            .to_string()
            .ends_with("-flows-v1.parquet")
    );
    predict(&server, 3..5);
    place.promote("flows", |bundle| bundle.training.seed = 99);
    wait_for("version 2", || {
        server.get("/v2/models/flows").text().contains("[\"2\"]")
    });
    predict(&server, 5..6);
    assert_eq!(server.end("TERM"), Some(0));
    let kept = files(&place);
    assert_eq!(kept.len(), 2);
    assert!(!kept.contains(&first[0]), "the oldest is kept");
    let log = read(&place);
    assert_eq!(numbers(&log["duration"]), [3.0, 4.0, 5.0]);
    assert_eq!(numbers(&log["model_version"]), [1.0, 1.0, 2.0]);
}

/// Sends a file of so many flows, each with its number as `bytes`.
fn predict_file(server: &Server, n: usize) {
    let rows: String = (0..n)
        .map(|i| format!("{},{i}.5,tcp,true\n", i % 900))
        .collect();
    let csv = format!("duration,bytes,protocol,root\n{rows}");
    let lines = ["Content-Type: text/csv"];
    let mut connection = server.connect();
    let answer = connection.call("POST", "/v1/predict/csv", &lines, csv.as_bytes());
    assert_eq!(answer.status, 200);
}

#[test]
fn files_end_by_size() {
    let place = Place::with_flows();
    let server = Server::start(
        &place,
        &[&LOG[..], &["--prediction-log-bytes", "1000"]].concat(),
    );
    // Fewer than may wait, so that none is left out; row groups have 16,384.
    predict_file(&server, 30_000);
    assert_eq!(server.end("TERM"), Some(0));
    assert_eq!(files(&place).len(), 2);
    let mut bytes = numbers(&read(&place)["bytes"]);
    bytes.sort_by(f64::total_cmp);
    let expected = (0..30_000).map(|i| f64::from(i) + 0.5);
    assert!(bytes.iter().copied().eq(expected));
}

pub fn metric(server: &Server, name: &str) -> usize {
    let text = server.get("/metrics").text();
    let line = text.lines().find(|line| line.starts_with(name)).unwrap();
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

const WRITTEN: &str = "netsec_predictions_logged_total ";
const LOST: &str = "netsec_predictions_not_logged_total ";

#[test]
fn of_more_than_can_be_written_every_prediction_is_counted_once() {
    let place = Place::with_flows();
    let more = ["--prediction-log-age", "1"];
    let server = Server::start(&place, &[&LOG[..], &more].concat());
    predict_file(&server, 300_000);
    wait_for("all of them", || {
        metric(&server, WRITTEN) + metric(&server, LOST) == 300_000
    });
    let written = metric(&server, WRITTEN);
    assert_eq!(server.end("TERM"), Some(0));
    assert_eq!(read(&place)["bytes"].len(), written);
}

#[test]
fn what_a_full_disk_loses_of_a_file_is_counted_as_lost() {
    let place = Place::with_flows();
    // One row group fits into a file, and two do not; shells count in 512 bytes.
    let small = "trap '' XFSZ; ulimit -f 260";
    let more = ["--prediction-log-age", "8"];
    let server = Server::start_behind(&place, small, &[&LOG[..], &more].concat());
    predict_file(&server, 30_000);
    wait_for("all of them", || {
        metric(&server, WRITTEN) + metric(&server, LOST) == 30_000
    });
    let written = metric(&server, WRITTEN);
    assert!(metric(&server, LOST) > 16_384, "the disk was not full");
    assert_eq!(server.end("TERM"), Some(0));
    assert_eq!(files(&place).len(), usize::from(written > 0));
    assert!(written == 0 || read(&place)["bytes"].len() == written);
}

#[test]
fn a_share_is_logged_where_a_share_is_asked_for() {
    let place = Place::with_flows();
    let more = ["--prediction-log-share", "0.25"];
    let server = Server::start(&place, &[&LOG[..], &more].concat());
    let records = vec![FLOW; 8000].join(",");
    let answer = server.post("/v1/predict", &format!(r#"{{"records":[{records}]}}"#));
    assert_eq!(answer.status, 200);
    assert_eq!(server.end("TERM"), Some(0));
    // Ten standard deviations on either side of 2000.
    let n = read(&place)["time"].len();
    assert!((1600..2400).contains(&n), "{n}");
}

#[test]
fn a_log_that_cannot_be_written_is_counted_and_keeps_no_prediction_waiting() {
    let place = Place::with_flows();
    let more = ["--prediction-log-age", "1"];
    let server = Server::start(&place, &[&LOG[..], &more].concat());
    fs::remove_dir_all(place.path().join("log")).unwrap();
    predict(&server, 0..3);
    wait_for("the loss", || metric(&server, LOST) == 3);
    fs::create_dir(place.path().join("log")).unwrap();
    predict(&server, 3..5);
    wait_for("the log", || metric(&server, WRITTEN) == 2);
    wait_for("the file", || files(&place).len() == 1);
    assert_eq!(numbers(&read(&place)["duration"]), [3.0, 4.0]);
}

#[test]
fn nothing_is_logged_unless_it_is_asked_for() {
    let place = Place::with_flows();
    let server = Server::start(&place, &[]);
    predict(&server, 0..3);
    assert!(!server.get("/metrics").text().contains("logged"));
    assert_eq!(server.end("TERM"), Some(0));
    let names: Vec<_> = fs::read_dir(place.path()).unwrap().collect();
    assert_eq!(names.len(), 1, "{names:?}");
}

#[test]
fn a_log_that_makes_no_sense_is_refused() {
    let place = Place::with_flows();
    fs::write(place.path().join("file"), "").unwrap();
    for (arguments, said) in [
        (&["--prediction-log", "file"][..], "--prediction-log file: "),
        (
            &["--prediction-log-share", "0"],
            "--prediction-log-share is 0",
        ),
        (
            &["--prediction-log-share", "1.5"],
            "--prediction-log-share is 1.5",
        ),
        (
            &["--prediction-log-keep", "0"],
            "--prediction-log-keep is 0",
        ),
        (&["--prediction-log-age", "0"], "--prediction-log-age is 0"),
    ] {
        let refused = command(&place)
            .env("NETSEC_PREDICTION_LOG", "log")
            .args(arguments)
            .arg("--check")
            .output()
            .unwrap();
        assert_eq!(refused.status.code(), Some(78), "{arguments:?}");
        let error = String::from_utf8(refused.stderr).unwrap();
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
}

#[test]
fn what_a_killed_service_has_begun_is_removed_once_nobody_can_be_writing_it() {
    let place = Place::with_flows();
    let log = place.path().join("log");
    fs::create_dir(&log).unwrap();
    let make = |name: &str, hours: u64| {
        let file = fs::File::create(log.join(name)).unwrap();
        let age = std::time::Duration::from_secs(3600 * hours);
        let written = file.metadata().unwrap().modified().unwrap() - age;
        file.set_modified(written).unwrap();
    };
    make(".predictions-a.parquet.1-0.tmp", 2);
    make(".predictions-b.parquet.1-0.tmp", 0);
    make(".other.parquet.1-0.tmp", 2);
    let hidden = || {
        let left = fs::read_dir(&log).unwrap();
        let names = left.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut hidden: Vec<_> = names.filter(|name| name.starts_with('.')).collect();
        hidden.sort();
        hidden
    };
    let expected = [".other.parquet.1-0.tmp", ".predictions-b.parquet.1-0.tmp"];
    let server = Server::start(&place, &LOG);
    wait_for("what is removed at the start", || hidden() == expected);
    make(".predictions-c.parquet.1-0.tmp", 2);
    predict(&server, 0..1);
    assert_eq!(server.end("TERM"), Some(0));
    assert_eq!(hidden(), expected);
}
