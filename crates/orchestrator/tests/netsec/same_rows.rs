//! The same rows, in whatever kind of file and order, and as a snapshot of them.

use std::{collections::BTreeMap, fs::File, io::Write as _};

use flate2::{Compression, write::GzEncoder};
use formats::{ParquetColumn, parquet_bytes};
use serde_json::{Value, json};

use crate::support::{Workplace, flows_csv, flows_schema};

/// One flow as text: duration, bytes, rate, protocol, attack.
type Row = [String; 5];

fn rows() -> (Row, Vec<Row>) {
    let text = flows_csv(900, 5, 0);
    let row = |line: &str| -> Row {
        let cells: Vec<String> = line.split(',').map(str::to_owned).collect();
        cells.try_into().unwrap()
    };
    let mut rows = text.lines().map(row);
    (rows.next().unwrap(), rows.collect())
}

/// Gives the rows in another order for each `step`, which has no factor in common with their number.
fn shuffled(rows: &[Row], step: usize) -> Vec<&Row> {
    (0..rows.len())
        .map(|i| &rows[i * step % rows.len()])
        .collect()
}

fn csv(names: &Row, rows: &[&Row]) -> String {
    let lines = std::iter::once(names).chain(rows.iter().copied());
    lines.map(|row| row.join(",") + "\n").collect()
}

fn json_lines(names: &Row, rows: &[&Row]) -> String {
    let number = |text: &String| text.parse::<Value>().unwrap();
    let line = |row: &&Row| {
        let [duration, bytes, rate, protocol, attack] = row;
        let cells = [
            number(duration),
            number(bytes),
            number(rate),
            json!(protocol),
            json!(attack),
        ];
        let object: BTreeMap<&String, Value> = names.iter().zip(cells).collect();
        json!(object).to_string() + "\n"
    };
    rows.iter().map(line).collect()
}

fn parquet(names: &Row, rows: &[&Row]) -> Vec<u8> {
    let cells = |at: usize| rows.iter().map(move |row| row[at].clone());
    let whole = |at| ParquetColumn::Int64(cells(at).map(|c| c.parse().ok()).collect());
    let text = |at| ParquetColumn::Text(cells(at).map(Some).collect());
    let rate = ParquetColumn::Double(cells(2).map(|c| c.parse().unwrap()).collect());
    let columns = [whole(0), whole(1), rate, text(3), text(4)];
    parquet_bytes(&names.iter().zip(columns).collect::<Vec<_>>()).unwrap()
}

/// Runs on a file and returns its JSON and what its stages made of the rows.
fn run(place: &Workplace, source: &str) -> (Value, BTreeMap<String, Vec<u8>>) {
    place.write("flows.yaml", flows_schema("binary"));
    let run = place.run(&["--dataset", "flows.yaml", "--source", source]);
    let mut artifacts = place.artifacts(&run);
    artifacts.retain(|name, _| {
        name == "01-ingestion/raw-dataset.bin"
            || ["02-validation", "03", "04"]
                .iter()
                .any(|s| name.starts_with(s))
    });
    assert_eq!(artifacts.len(), 6, "{:?}", artifacts.keys());
    (run, artifacts)
}

#[test]
fn every_kind_of_file_in_every_order_and_a_snapshot_give_the_same_payloads() {
    let (names, rows) = rows();
    let first = Workplace::new();
    first.write("flows.csv", csv(&names, &shuffled(&rows, 1)));
    let (read, expected) = run(&first, "flows.csv");
    assert!(read["snapshot"].is_null());
    let check = |what: &str, artifacts: BTreeMap<String, Vec<u8>>| {
        assert!(artifacts.keys().eq(expected.keys()), "{what}");
        for (name, bytes) in artifacts {
            assert!(expected[&name] == bytes, "{name} of {what}");
        }
    };
    let (again, artifacts) = run(&first, "flows.csv");
    assert!(!again["snapshot"].is_null(), "the snapshot is used");
    check("the snapshot", artifacts);

    let place = Workplace::new();
    let gzip = File::create(place.path("flows.csv.gz")).unwrap();
    let mut gzip = GzEncoder::new(gzip, Compression::fast());
    gzip.write_all(csv(&names, &shuffled(&rows, 7)).as_bytes())
        .unwrap();
    gzip.finish().unwrap();
    place.write("flows.jsonl", json_lines(&names, &shuffled(&rows, 11)));
    place.write("flows.parquet", parquet(&names, &shuffled(&rows, 13)));
    for file in ["flows.csv.gz", "flows.jsonl", "flows.parquet"] {
        check(file, run(&place, file).1);
    }
}
