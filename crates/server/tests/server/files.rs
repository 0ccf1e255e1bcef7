use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use dataset::{RawColumn, Sink as _, Source};
use formats::{FileFormat, ParquetColumn, ParquetExtension, ParquetGroups};

use crate::{
    client::Connection,
    log::metric,
    process::{Server, wait_for},
    trained::Place,
};

const HEADER: &str = "note,duration,bytes,protocol,service,root";
const CSV: &str = "Content-Type: text/csv";

pub fn rows(n: usize) -> String {
    let row = |i: usize| {
        let (duration, bytes) = (i * 7 % 101, i * 13 % 1000);
        format!("\"n, {i}\",{duration},{bytes},tcp,,true\n")
    };
    format!("{HEADER}\n{}", (0..n).map(row).collect::<String>())
}

/// Scores a file as `netsec predict` does and returns it as CSV.
fn expected(place: &Place, csv: &str) -> String {
    let format = FileFormat::Csv {
        delimiter: b',',
        header: None,
    };
    let reader = Box::new(std::io::Cursor::new(csv.as_bytes().to_vec()));
    let mut source = formats::read(reader, "t".to_owned(), &format).unwrap();
    let bundle = place.bundle("flows");
    let mut batches = Vec::new();
    while let Some(mut batch) = source.next_batch().unwrap() {
        let predictions = model::scoring::predict(&bundle, &batch).unwrap();
        let columns = model::verdict_columns::VerdictColumns::beside(&batch.names);
        columns.append(&mut batch, &predictions, "1");
        batches.push(batch);
    }
    String::from_utf8(formats::csv_bytes(&batches, b',').unwrap()).unwrap()
}

#[test]
fn csv_comes_back_with_the_columns_that_netsec_predict_appends() {
    let place = Place::with_flows();
    let server = Server::start(&place, &[]);
    for n in [1, 3, 20_000] {
        let csv = rows(n);
        let answer = server
            .connect()
            .call("POST", "/v1/predict/csv", &[CSV], csv.as_bytes());
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(
            answer.header("content-type"),
            Some("text/csv; charset=utf-8")
        );
        assert!(answer.text() == expected(&place, &csv), "{n} rows");
    }
}

#[test]
fn bad_rows_get_a_problem_and_the_others_a_verdict() {
    let server = Server::start(&Place::with_flows(), &[]);
    let csv = "duration,label,protocol,root\n1,x,tcp,yes\n-1,y,tcp,no\n5\n";
    let answer = server
        .connect()
        .call("POST", "/v1/predict/csv", &[CSV], csv.as_bytes());
    let text = answer.text();
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(
        lines[0],
        "duration,label,protocol,root,predicted_label,threat_probability,model_version,problem,imputed"
    );
    assert!(
        lines[1].starts_with("1,x,tcp,yes,normal,0."),
        "{}",
        lines[1]
    );
    // The model has two more columns, which the file may lack.
    assert!(lines[1].ends_with(",1,,bytes; service"), "{}", lines[1]);
    assert_eq!(
        lines[2],
        "-1,y,tcp,no,,,1,duration: -1 is not between 0 and 1000,"
    );
    assert_eq!(lines[3], "5,,,,,,1,1 cells for 4 names,");
}

#[test]
fn reasons_are_appended_on_request() {
    let server = Server::start(&Place::with_flows(), &[]);
    let call = |query: &str| {
        let path = format!("/v1/predict/csv{query}");
        server
            .connect()
            .call("POST", &path, &[CSV], rows(2).as_bytes())
    };
    let text = call("?explain=1").text();
    assert!(
        text.lines()
            .next()
            .unwrap()
            .ends_with(",problem,imputed,reasons"),
        "{text}"
    );
    for query in ["?explian=1", "?explain=-1", "?explain=abc"] {
        let refused = call(query);
        let detail = format!(
            "`{query}` is not understood: nothing but `?explain=N` may stand behind the path, with a whole number of at \
             least 0"
        );
        assert_eq!(
            (refused.status, &refused.json()["detail"]),
            (400, &detail.into())
        );
    }
}

#[test]
fn what_is_no_csv_is_refused_before_the_answer_begins() {
    let server = Server::start(&Place::with_flows(), &[]);
    let parquet = b"PAR1".repeat(100);
    for body in [
        &b""[..],
        b"\n\n\n",
        &parquet,
        b"\xff\xfea\x00",
        b"a,\xff\xff\n1,2\n",
    ] {
        let answer = server
            .connect()
            .call("POST", "/v1/predict/csv", &[CSV], body);
        assert_eq!(answer.status, 422, "{body:?}: {}", answer.text());
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json")
        );
    }
    let json = ["Content-Type: application/json"];
    assert_eq!(
        server
            .connect()
            .call("POST", "/v1/predict/csv", &json, b"[]")
            .status,
        415
    );
}

#[test]
fn a_file_without_a_line_of_names_is_refused_before_anything_is_scored() {
    let server = Server::start(&Place::with_flows(), &[]);
    let call = |csv: &str| {
        let mut connection = server.connect();
        connection.call("POST", "/v1/predict/csv", &[CSV], csv.as_bytes())
    };
    let stripped = call("duration,bytes,protocol,service,flag1,2,tcp,,1,2,tcp,,1");
    assert_eq!(stripped.status, 422, "{}", stripped.text());
    assert!(stripped.text().contains("line ends may be lost"));
    let empty = call("duration,bytes,protocol,service,flag\n");
    assert_eq!(empty.status, 200, "{}", empty.text());
    let refused = call("1,2,tcp,,yes\n3,4,udp,,no\n");
    assert_eq!(refused.status, 422, "{}", refused.text());
    let detail = "the upload: none of its columns (1, 2, tcp, …) is one of the model's (duration, bytes, \
         protocol, …): its first line must be the names of the columns";
    assert_eq!(refused.json()["detail"], serde_json::json!(detail));
    assert_eq!(call("note,duration\nx,4\n").status, 200);
    let metrics = server.get("/metrics").text();
    assert!(
        metrics.contains("\nnetsec_records_scored_total 0\n"),
        "{metrics}"
    );
}

#[test]
fn rows_come_back_before_the_upload_has_ended() {
    let server = Server::start(&Place::with_flows(), &[]);
    let mut connection = server.connect();
    let lines = [CSV, "Transfer-Encoding: chunked"];
    let head = connection.head("POST", "/v1/predict/csv", &lines, None);
    connection.write(head.as_bytes()).unwrap();
    let text = rows(20_000);
    connection
        .write(format!("{:x}\r\n{text}\r\n", text.len()).as_bytes())
        .unwrap();
    // The end of the upload has not been sent: the head can only come of what was.
    assert_eq!(connection.read_head().unwrap().status, 200);
    connection.write(b"0\r\n\r\n").unwrap();
}

#[test]
fn an_upload_that_breaks_off_breaks_the_answer_off() {
    let server = Server::start(&Place::with_flows(), &["--client-timeout", "1"]);
    let text = rows(20_000);
    let mut connection = server.connect();
    let head = connection.head("POST", "/v1/predict/csv", &[CSV], Some(text.len() + 1000));
    connection.write(head.as_bytes()).unwrap();
    connection.write(text.as_bytes()).unwrap();
    assert!(
        connection.read().is_err(),
        "half an upload has a whole answer"
    );
}

#[test]
fn a_client_that_reads_nothing_before_it_has_sent_everything_gets_everything() {
    let server = Server::start(&Place::with_flows(), &[]);
    let before = server.resident();
    let text = rows(400_000);
    let mut connection = server.connect();
    let head = connection.head("POST", "/v1/predict/csv", &[CSV], Some(text.len()));
    connection.write(head.as_bytes()).unwrap();
    connection.write(text.as_bytes()).unwrap();
    let grown = server.resident().saturating_sub(before);
    let answer = connection.read().unwrap();
    assert_eq!(answer.text().lines().count(), 400_001);
    assert!(grown < 80 << 10, "{grown} KiB more than before");
}

#[test]
fn a_gzip_bomb_is_refused() {
    let server = Server::start(&Place::with_flows(), &[]);
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let line = format!("{HEADER}\n");
    std::io::Write::write_all(&mut encoder, line.as_bytes()).unwrap();
    let zeros = vec![b'0'; 1 << 20];
    for _ in 0..300 {
        std::io::Write::write_all(&mut encoder, &zeros).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    let began = Instant::now();
    let answer = server
        .connect()
        .call("POST", "/v1/predict/csv", &[CSV], &bomb);
    assert_eq!(answer.status, 422, "{}", answer.text());
    assert!(began.elapsed().as_secs() < 20);
    let small = gzip(rows(5).as_bytes());
    let answer = server
        .connect()
        .call("POST", "/v1/predict/csv", &[CSV], &small);
    assert_eq!((answer.status, answer.text().lines().count()), (200, 6));
}

#[test]
fn what_unpacks_to_more_than_an_upload_may_have_breaks_off() {
    let server = Server::start(&Place::with_flows(), &["--max-upload", "1000000"]);
    let send = |n_rows: usize| {
        let text = format!("{HEADER}\n{}", "n,1,1,tcp,,true\n".repeat(n_rows));
        let packed = gzip(text.as_bytes());
        assert!(packed.len() < 100_000, "{}", packed.len());
        let mut connection = server.connect();
        let head = connection.head("POST", "/v1/predict/csv", &[CSV], Some(packed.len()));
        connection.write(head.as_bytes()).unwrap();
        connection.write(&packed).unwrap();
        connection.read()
    };
    assert_eq!(send(30_000).unwrap().text().lines().count(), 30_001);
    match send(300_000) {
        Err(_) => {}
        Ok(answer) => assert_eq!(answer.status, 413, "{} bytes", answer.body.len()),
    }
}

#[test]
fn short_rows_under_very_many_names_are_not_filled_up_without_an_end() {
    let server = Server::start(&Place::with_flows(), &[]);
    let names = format!("{HEADER}{}\n", ",".repeat(65_000));
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    std::io::Write::write_all(&mut encoder, names.as_bytes()).unwrap();
    std::io::Write::write_all(&mut encoder, "1\n".repeat(100_000).as_bytes()).unwrap();
    let packed = encoder.finish().unwrap();
    assert!(packed.len() < 1000, "{} bytes", packed.len());
    let before = server.resident();
    let mut connection = server.connect();
    let head = connection.head("POST", "/v1/predict/csv", &[CSV], Some(packed.len()));
    connection.write(head.as_bytes()).unwrap();
    connection.write(&packed).unwrap();
    let began = Instant::now();
    // Whether the answer had begun depends on how fast it was read.
    if let Ok(answer) = connection.read() {
        assert_eq!(answer.status, 422, "{} bytes", answer.body.len());
    }
    assert!(began.elapsed().as_secs() < 30, "{:?}", began.elapsed());
    let grown = server.peak().saturating_sub(before);
    assert!(grown < 200 << 10, "{grown} KiB more than before");
}

pub fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

/// Returns the records of a CSV file as a Parquet file.
pub fn parquet_of(place: &Place, csv: &str) -> Vec<u8> {
    let path = place.path().join("in.parquet");
    let format = FileFormat::Csv {
        delimiter: b',',
        header: None,
    };
    let reader = Box::new(std::io::Cursor::new(csv.as_bytes().to_vec()));
    let mut source = formats::read(reader, "t".to_owned(), &format).unwrap();
    let mut sink = formats::create(&path, &FileFormat::Parquet).unwrap();
    while let Some(batch) = source.next_batch().unwrap() {
        sink.write(&batch).unwrap();
    }
    sink.finish().unwrap();
    fs::read(&path).unwrap()
}

#[test]
fn parquet_comes_back_as_parquet() {
    let place = Place::with_flows();
    let server = Server::start(&place, &[]);
    let csv = rows(3000);
    let body = parquet_of(&place, &csv);
    let lines = ["Content-Type: application/vnd.apache.parquet"];
    let answer = server
        .connect()
        .call("POST", "/v1/predict/parquet", &lines, &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let out = place.path().join("out.parquet");
    fs::write(&out, &answer.body).unwrap();
    let text = as_csv(formats::open(&out, &FileFormat::Parquet).unwrap());
    let whole = expected(&place, &csv);
    let format = FileFormat::Csv {
        delimiter: b',',
        header: None,
    };
    let reader = Box::new(std::io::Cursor::new(whole.into_bytes()));
    let expected = as_csv(formats::read(reader, "t".to_owned(), &format).unwrap());
    assert!(
        text == expected,
        "{}",
        text.lines().take(3).collect::<Vec<_>>().join("\n")
    );
    let damaged = &body[..body.len() - 3];
    let answer = server
        .connect()
        .call("POST", "/v1/predict/parquet", &lines, damaged);
    assert_eq!(answer.status, 422);
    assert!(!answer.text().contains("/tmp"), "{}", answer.text());
}

#[test]
fn a_parquet_file_whose_client_has_gone_is_scored_no_further() {
    let place = Place::with_flows();
    let server = Server::start(&place, &[]);
    let n_rows = 150_000;
    let body = parquet_of(&place, &rows(n_rows));
    let mut connection = server.connect();
    let path = "/v1/predict/parquet?explain=5";
    let head = connection.head("POST", path, &[], Some(body.len()));
    connection.write(head.as_bytes()).unwrap();
    connection.write(&body).unwrap();
    let n_scored = || metric(&server, "netsec_records_scored_total");
    wait_for("the first rows", || n_scored() > 0);
    drop(connection);
    let mut last = 0;
    wait_for("an end", || {
        std::thread::sleep(Duration::from_secs(2));
        std::mem::replace(&mut last, n_scored()) == last
    });
    assert!(last < n_rows, "all rows were scored for nobody");
}

#[test]
fn a_small_parquet_file_of_one_huge_row_group_is_refused_before_it_is_scored() {
    let place = Place::with_flows();
    let server = Server::start(&place, &[]);
    let input = place.path().join("huge");
    let column = ParquetColumn::Double(vec![5.0; 4_194_305]);
    let groups = ParquetGroups::create(&input, &[("duration", column)]).unwrap();
    groups.finish().unwrap();
    let body = fs::read(&input).unwrap();
    assert!(body.len() < 100_000, "{} bytes", body.len());
    let lines = ["Content-Type: application/vnd.apache.parquet"];
    let mut connection = server.connect();
    let answer = connection.call("POST", "/v1/predict/parquet", &lines, &body);
    assert_eq!(answer.status, 422, "{}", answer.text());
    let detail = "the answer: row group 0 of the input has 4194305 rows, columns are added to at most 4194304: write \
         smaller row groups, in polars and pandas `row_group_size=100_000`";
    assert_eq!(answer.json()["detail"], serde_json::json!(detail));
}

/// Returns rows of short cells, no two alike, of which none is what its column wants.
fn bad_rows(n: usize) -> String {
    let letter = |number: usize| char::from(b'a' + (number % 26) as u8);
    let row = |i: usize| {
        let mixed = i * 7919;
        let [a, b, c, d] = [1, 26, 676, 17_576].map(|place| letter(mixed / place));
        format!("{a},{b},{c},{d}\n")
    };
    let rows: String = (0..n).map(row).collect();
    format!("duration,bytes,protocol,root\n{rows}")
}

#[test]
fn a_parquet_file_whose_problems_take_far_more_room_than_it_is_answered_507() {
    let place = Place::with_flows();
    let body = parquet_of(&place, &bad_rows(20_000));
    let lines = ["Content-Type: application/vnd.apache.parquet"];
    let path = "/v1/predict/parquet";
    let send = |limit: &str| {
        let server = Server::start(&place, &["--max-upload", limit]);
        server.connect().call("POST", path, &lines, &body)
    };
    assert!(body.len() < 200_000, "{} bytes", body.len());
    let refused = send("200000");
    assert_eq!(refused.status, 507);
    let detail = "the verdicts take more than 100000 bytes beside the file: send it in parts";
    assert_eq!(refused.json()["detail"], serde_json::json!(detail));
    let answer = send("10000000");
    assert_eq!(answer.status, 200, "{}", answer.text());
    let n_bytes = answer.body.len();
    assert!(
        n_bytes > body.len() + 100_000,
        "{n_bytes} bytes of {}",
        body.len()
    );
}

/// Adds the columns of a record to a Parquet file of lists, and returns how many columns it has then.
fn beside_lists(lists: &Path, output: &Path) -> usize {
    let mut sink = Box::new(ParquetExtension::create(output, lists).unwrap());
    let mut source = formats::open(lists, &FileFormat::Parquet).unwrap();
    let mut n_columns = 0;
    while let Some(mut batch) = source.next_batch().unwrap() {
        let n = batch.n_rows();
        for (name, cell) in [("duration", "5"), ("protocol", "tcp"), ("root", "true")] {
            batch.names.push(name.to_owned());
            let cells = (0..n).map(|_| Some(cell)).collect();
            batch.columns.push(RawColumn::Text(cells));
        }
        n_columns = batch.names.len();
        sink.write(&batch).unwrap();
    }
    sink.finish().unwrap();
    n_columns
}

/// Returns the names of a Parquet file's columns, and those that no cell can hold.
fn columns(path: &Path) -> (Vec<String>, Vec<String>) {
    let mut source = formats::open(path, &FileFormat::Parquet).unwrap();
    let batch = source.next_batch().unwrap().unwrap();
    let unread = batch.unread_columns().map(|(at, _)| &batch.names[at]);
    let unread = unread.cloned().collect();
    (batch.names.clone(), unread)
}

#[test]
fn lists_in_a_parquet_file_come_back_as_lists() {
    let place = Place::with_flows();
    let server = Server::start(&place, &[]);
    let lists =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../formats/tests/fixtures/list.parquet");
    let (input, output) = (place.path().join("lists"), place.path().join("scored"));
    let n_columns = beside_lists(&lists, &input);
    let (_, unread) = columns(&input);
    assert!(!unread.is_empty(), "the sample has lists");
    let lines = ["Content-Type: application/vnd.apache.parquet"];
    let answer = server.connect().call(
        "POST",
        "/v1/predict/parquet",
        &lines,
        &fs::read(&input).unwrap(),
    );
    assert_eq!(answer.status, 200, "{}", answer.text());
    fs::write(&output, &answer.body).unwrap();
    let (names, still_unread) = columns(&output);
    assert_eq!(still_unread, unread);
    assert_eq!(names[n_columns..], model::verdict_columns::USUAL_NAMES);
}

fn as_csv(mut source: Box<dyn Source>) -> String {
    let mut batches = Vec::new();
    while let Some(batch) = source.next_batch().unwrap() {
        batches.push(batch);
    }
    String::from_utf8(formats::csv_bytes(&batches, b',').unwrap()).unwrap()
}

/// Sends a part of an upload and returns the answer's status and detail, if there is one; after its end the connection
/// must be closed.
fn half_of(server: &Server, path: &str, framing: &str, send: impl Fn(&mut Connection)) -> String {
    let mut connection = server.connect();
    let head = connection.head("POST", path, &[framing], None);
    connection.write(head.as_bytes()).unwrap();
    send(&mut connection);
    let Ok(answer) = connection.read() else {
        return "nothing".to_owned();
    };
    let kind = answer.header("content-type");
    assert_eq!(kind, Some("application/problem+json"), "{path} {framing}");
    let began = Instant::now();
    assert!(connection.read().is_err(), "{path}: another answer");
    assert!(
        began.elapsed().as_secs() < 8,
        "{path} {framing}: it lingers"
    );
    let detail = answer.json()["detail"].as_str().unwrap().to_owned();
    format!("{}: {detail}", answer.status)
}

#[test]
fn an_upload_that_stands_still_or_breaks_off_is_told_so() {
    let arguments = ["--client-timeout", "1"];
    let server = Server::start(&Place::with_flows(), &arguments);
    for (path, begun) in [
        ("/v1/predict/csv", "duration,bytes\n1,"),
        ("/v1/predict/parquet", "PAR1, and more"),
    ] {
        let chunk = format!("{:x}\r\n{begun}\r\n", begun.len());
        let framings = [
            ("Content-Length: 1000", begun),
            ("Transfer-Encoding: chunked", &chunk),
        ];
        for (framing, text) in framings {
            let stalled = half_of(&server, path, framing, |c| {
                c.write(text.as_bytes()).unwrap()
            });
            let expected =
                "408: the upload stood still for 1.0 seconds: send it again, or in parts";
            assert_eq!(stalled, expected, "{path} {framing}");
            let broken = half_of(&server, path, framing, |c| {
                c.write(text.as_bytes()).unwrap();
                c.end_writing();
            });
            assert_eq!(broken, "nothing", "{path} {framing}");
        }
    }
}

#[test]
fn an_upload_that_trickles_or_takes_too_long_is_ended() {
    let trickle = |connection: &mut Connection| {
        for _ in 0..20 {
            // It may hang up at any time.
            let _ = connection.write(b"d");
            std::thread::sleep(Duration::from_millis(60));
        }
    };
    let slow = ["--min-upload-rate", "100", "--upload-rate-span", "0.5"];
    let long = ["--min-upload-rate", "0", "--upload-time", "0.5"];
    for (arguments, said) in [
        (slow, "less than 100 a second: send it again, or in parts"),
        (long, "408: the upload has not ended within 0.5 seconds"),
    ] {
        let server = Server::start(&Place::with_flows(), &arguments);
        let path = "/v1/predict/csv";
        let ended = half_of(&server, path, "Content-Length: 1000", trickle);
        assert!(
            ended.starts_with("408: ") && ended.contains(said),
            "{ended}"
        );
    }
}

#[test]
fn a_file_that_the_disk_has_no_room_for_is_answered_507() {
    let place = Place::with_flows();
    let body = parquet_of(&place, &rows(20_000));
    // No file can be made longer than a few KiB, of which the system says so.
    let server = Server::start_behind(&place, "trap '' XFSZ; ulimit -f 8", &[]);
    let lines = ["Content-Type: application/vnd.apache.parquet"];
    let path = "/v1/predict/parquet";
    let answer = server.connect().call("POST", path, &lines, &body);
    let detail =
        "the service has no room for this file at present: try again later, or send it in parts";
    let found = (answer.status, answer.json()["detail"].clone());
    assert_eq!(found, (507, serde_json::json!(detail)));
    let log = || fs::read_to_string(place.path().join("stderr")).unwrap();
    let n_said = |log: String| log.matches("a temporary file cannot be written").count();
    assert!(
        log().contains("ERROR") && log().contains("os error"),
        "{}",
        log()
    );
    assert_eq!(n_said(log()), 1);
    // What fits in memory needs no disk; what does not, and is not read, breaks off.
    let mut connection = server.connect();
    let few = connection.call("POST", "/v1/predict/csv", &[CSV], rows(10).as_bytes());
    assert_eq!(few.status, 200);
    // More than the network takes on its way.
    let text = rows(80_000).replace("n, ", &"n".repeat(1000));
    let head = connection.head("POST", "/v1/predict/csv", &[CSV], Some(text.len()));
    connection.write(head.as_bytes()).unwrap();
    let _ = connection.write(text.as_bytes());
    // Whether it had begun depends on how much of it the network has taken.
    if let Ok(answer) = connection.read() {
        assert_eq!(answer.status, 507, "half an answer looks whole");
    }
    assert_eq!(n_said(log()), 2);
}
