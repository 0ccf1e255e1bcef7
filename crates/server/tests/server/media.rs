use std::fs;

use crate::{
    files::{gzip, parquet_of, rows},
    process::{Server, wait_for},
    trained::Place,
};

#[test]
fn a_file_that_is_sent_to_the_wrong_path_is_told_the_right_one() {
    let server = Server::start(&Place::with_flows(), &[]);
    let refused = |path: &str, body: &[u8]| {
        let answer = server.connect().call("POST", path, &[], body);
        assert_eq!(answer.status, 422, "{}", answer.text());
        answer.json()["detail"].as_str().unwrap().to_owned()
    };
    assert_eq!(
        refused("/v1/predict/csv", b"PAR1PAR1"),
        "the upload is a Parquet file: send it to `/v1/predict/parquet`"
    );
    assert_eq!(
        refused("/v1/predict/parquet", b"duration,bytes\n1,2\n"),
        "the upload is no Parquet file, as it does not begin with PAR1: a CSV file goes to `/v1/predict/csv`"
    );
    assert_eq!(
        refused("/v1/predict/parquet", b"PAR1...."),
        "the upload: not a whole Parquet file: it is cut short, as it does not end with PAR1"
    );
}

#[test]
fn a_csv_file_may_come_packed_and_says_so_in_any_of_the_usual_ways() {
    let server = Server::start(&Place::with_flows(), &[]);
    let packed = gzip(rows(5).as_bytes());
    let send = |path: &str, line: &str| {
        let answer = server.connect().call("POST", path, &[line], &packed);
        let detail = match answer.status {
            200 => String::new(),
            _ => answer.json()["detail"].as_str().unwrap().to_owned(),
        };
        (answer.status, detail)
    };
    for line in [
        "Content-Encoding: gzip",
        "Content-Type: application/gzip",
        "Content-Type: text/csv; charset=utf-8",
    ] {
        assert_eq!(
            send("/v1/predict/csv", line),
            (200, String::new()),
            "{line}"
        );
    }
    for (path, line, said) in [
        (
            "/v1/predict/csv",
            "Content-Encoding: br",
            "packed with gzip, nothing else",
        ),
        (
            "/v1/predict/csv",
            "Content-Type: text/csv; charset=latin1",
            "UTF-8 alone",
        ),
        (
            "/v1/predict/parquet",
            "Content-Encoding: gzip",
            "compressed within: send it as it is",
        ),
        (
            "/v1/predict",
            "Content-Encoding: gzip",
            "JSON comes uncompressed",
        ),
    ] {
        let (status, detail) = send(path, line);
        assert!(
            status == 415 && detail.contains(said),
            "{line}: {status} {detail}"
        );
    }
}

#[test]
fn files_come_back_with_the_model_that_has_answered() {
    let place = Place::with_flows();
    let server = Server::start(&place, &[]);
    let (entry, bundle) = place.registry().champion("flows").unwrap();
    let csv = rows(3);
    let parquet = parquet_of(&place, &csv);
    for (path, body) in [("csv", csv.as_bytes()), ("parquet", &parquet)] {
        let path = format!("/v1/predict/{path}");
        let answer = server.connect().call("POST", &path, &[], body);
        let (digest, threshold) = (
            entry.bundle.to_string(),
            bundle.thresholds.operating.to_string(),
        );
        for (field, value) in [
            ("netsec-model", "flows"),
            ("netsec-model-version", "1"),
            ("netsec-model-digest", &digest),
            ("netsec-model-simulated", "false"),
            ("netsec-threshold", &threshold),
        ] {
            assert_eq!(answer.header(field), Some(value), "{path} {field}");
        }
    }
}

#[test]
fn a_kill_leaves_nothing_of_an_upload_or_of_an_answer() {
    let place = Place::with_flows();
    let temporary = place.path().join("temporary");
    fs::create_dir(&temporary).unwrap();
    let environment = [("TMPDIR", temporary.to_str().unwrap())];
    let server = Server::start_with(&place, &[], &environment);
    let parquet = parquet_of(&place, &rows(20_000));
    // More than the network takes on its way, so that the answer overflows to the disk.
    let csv = rows(80_000).replace("n, ", &"n".repeat(1000));
    let begin = |path: &str, body: &[u8], more: usize| {
        let mut connection = server.connect();
        let head = connection.head("POST", path, &[], Some(body.len() + more));
        connection.write(head.as_bytes()).unwrap();
        connection.write(body).unwrap();
        connection
    };
    let open = [
        begin("/v1/predict/csv", csv.as_bytes(), 0),
        begin("/v1/predict/parquet", &parquet, 1000),
    ];
    wait_for("files on the disk", || {
        server.open_files_below(&temporary) == 2
    });
    let left = fs::read_dir(&temporary).unwrap().count();
    assert_eq!(left, 0, "a file with a name would outlive the process");
    drop(open);
}
