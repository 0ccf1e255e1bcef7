use std::io::Cursor;

use artifact::{Context, codec};
use dataset::{Cells, Column, ColumnType, MISSING_CODE, RawBatch, RawColumn, SourceError};
use formats::{FileFormat, csv_bytes, json_lines_bytes};
use proptest::prelude::*;

use super::*;

const SCHEMA: &str = "
name: sample
columns:
  - {name: size, type: number}
  - {name: flag, type: integer}
  - {name: proto, type: text}
  - {name: on, type: boolean}
  - {name: id, type: integer, never_use: true}
target: {column: label, benign: {ok: ['1']}, threats: {bad: ['-1']}}
";

pub(crate) fn schema() -> Schema {
    Schema::parse(SCHEMA, "test").unwrap()
}

const CSV: FileFormat = FileFormat::Csv {
    delimiter: b',',
    header: None,
};

fn read(bytes: &[u8], format: &FileFormat, schema: Schema) -> Result<Ingested, IngestionError> {
    let mut source = formats::read(
        Box::new(Cursor::new(bytes.to_vec())),
        "input".to_owned(),
        format,
    )?;
    ingest(
        source.as_mut(),
        schema,
        &IngestionConfig::default(),
        &|_, _, _| {},
    )
}

type Ingested = (RawDataset, Provenance);

pub(crate) fn csv(text: impl AsRef<[u8]>) -> Ingested {
    read(text.as_ref(), &CSV, schema()).unwrap()
}

fn json(text: &str) -> Ingested {
    read(text.as_bytes(), &FileFormat::JsonLines, schema()).unwrap()
}

pub(crate) fn bytes(raw: &RawDataset) -> Vec<u8> {
    codec::encode(raw).unwrap()
}

/// The rows in canonical order: `~` missing, `!` unreadable, then defects, absent columns and numbers.
fn show((raw, provenance): &Ingested) -> String {
    let mut text = String::new();
    for row in 0..raw.n_rows as usize {
        text += &format!("{}:", provenance.row_numbers[row]);
        for column in &raw.columns {
            text += &format!(" {}", cell(&column.cells, row));
        }
        for (_, reason) in raw.defects.iter().filter(|(r, _)| *r == row as u64) {
            text += &format!(" ({reason})");
        }
        text += "\n";
    }
    if !raw.absent.is_empty() {
        text += &format!("absent {}\n", raw.absent.join(" "));
    }
    text
}

fn cell(cells: &Cells, row: usize) -> String {
    match cells {
        Cells::Texts { dictionary, codes } => match codes[row] {
            MISSING_CODE => "~".to_owned(),
            code => format!("{:?}", dictionary[code as usize]),
        },
        Cells::Numbers { values, unparsed } => {
            match unparsed.iter().find(|(r, _)| *r == row as u64) {
                Some((_, text)) => format!("!{text}"),
                None if values[row].is_nan() => "~".to_owned(),
                None => format!("{:?}", values[row]),
            }
        }
    }
}

const HEADER: &str = "size,flag,proto,on,id,label\n";

#[test]
fn cells_are_typed_and_rows_sorted_by_what_they_hold() {
    assert_eq!(
        show(&csv(format!(
            "{HEADER}2, -1 , tcp ,yes,7,1\n0.5,-1.0,udp,FALSE,8,-1\n?,1,NA,,9,1\n"
        ))),
        "2: 0.5 -1.0 \"udp\" 0.0 8.0 \"-1\"\n\
         1: 2.0 -1.0 \"tcp\" 1.0 7.0 \"1\"\n\
         3: ~ 1.0 ~ ~ 9.0 \"1\"\n"
    );
}

#[test]
fn extreme_numbers_are_kept_or_said_to_be_unreadable() {
    let cells = [
        "1e308", "NaN", "inf", "-0.0", "1e999", "-1e308", "Infinity", "abc",
    ];
    let rows: String = cells.map(|c| format!("{c},1,t,1,1,1\n")).concat();
    let ingested = csv(format!("{HEADER}{rows}"));
    let sizes: Vec<String> = (0..8)
        .map(|row| cell(&ingested.0.columns[0].cells, row))
        .collect();
    assert_eq!(
        sizes,
        [
            "-1e308",
            "0.0",
            "1e308",
            "~",
            "!1e999",
            "!Infinity",
            "!abc",
            "!inf"
        ]
    );
}

#[test]
fn a_number_in_json_is_the_text_in_csv() {
    let a = csv(format!("{HEADER}-1,-1.0,7,1,12,-1\n1e999,,x,no,,1\n"));
    let b = json(
        "{\"label\":1,\"on\":false,\"proto\":\"x\",\"size\":1e999,\"flag\":null,\"id\":null}\n\
         {\"size\":-1.0,\"flag\":-1,\"proto\":7,\"on\":true,\"id\":12,\"label\":-1}",
    );
    assert_eq!(
        show(&a).replace("1: ", "").replace("2: ", ""),
        show(&b).replace("1: ", "").replace("2: ", "")
    );
    assert_eq!(bytes(&a.0), bytes(&b.0));
    assert!(b.1.reordered && !a.1.reordered);
}

#[test]
fn a_number_that_means_missing_does_so_in_every_format() {
    let schema =
        || Schema::parse(&format!("{SCHEMA}\nmissing_tokens: ['', '-999']"), "test").unwrap();
    let text = format!("{HEADER}-999,1,a,1,1,1\n");
    let object = "{\"size\":-999,\"flag\":1,\"proto\":\"a\",\"on\":1,\"id\":1,\"label\":1}";
    let a = read(text.as_bytes(), &CSV, schema()).unwrap();
    let b = read(object.as_bytes(), &FileFormat::JsonLines, schema()).unwrap();
    assert_eq!(show(&a), "1: ~ 1.0 \"a\" 1.0 1.0 \"1\"\n");
    assert_eq!(bytes(&a.0), bytes(&b.0));
}

#[test]
fn names_alone_give_columns_without_rows() {
    let (raw, provenance) = csv("size,label,size,extra\n");
    assert_eq!((raw.n_rows, raw.columns.len()), (0, 2));
    assert_eq!(raw.absent, ["flag", "proto", "on", "id"]);
    assert_eq!(provenance.names_found, ["size", "label", "size", "extra"]);
    assert_eq!(provenance.unknown_names, ["extra"]);
    assert_eq!(
        bytes(&codec::decode::<RawDataset>(&bytes(&raw)).unwrap()),
        bytes(&raw)
    );
}

#[test]
fn an_absent_target_is_listed_and_a_duplicated_name_is_read_where_it_stands_first() {
    assert_eq!(
        show(&csv("size,size,flag,proto,on,id\n1,2,3,a,1,4\n")),
        "1: 1.0 3.0 \"a\" 1.0 4.0\nabsent label\n"
    );
}

#[test]
fn a_column_without_any_value_is_there_and_missing() {
    let ingested = csv(format!("{HEADER},1,,1,1,1\n,2,,1,1,1\n"));
    assert_eq!(
        show(&ingested),
        "1: ~ 1.0 ~ 1.0 1.0 \"1\"\n2: ~ 2.0 ~ 1.0 1.0 \"1\"\n"
    );
    assert!(ingested.0.absent.is_empty());
}

#[test]
fn broken_rows_are_kept_with_their_cells_and_their_reason() {
    let text = [HEADER.as_bytes(), b"1,2\n1,1,\xff,1,1,1\n3,1,b,1,1,1\n"].concat();
    assert_eq!(
        show(&csv(text)),
        "2: 1.0 1.0 ~ 1.0 1.0 \"1\" (proto: the cell is not UTF-8)\n1: 1.0 2.0 ~ ~ ~ ~ (2 cells for 6 names)\n\
         3: 3.0 1.0 \"b\" 1.0 1.0 \"1\"\n"
    );
}

#[test]
fn fields_that_come_late_and_go_again_are_missing_elsewhere() {
    let many = "{\"size\":1}\n".repeat(9000);
    let (raw, provenance) = json(&format!("{many}{{\"flag\":2,\"size\":0}}\n{many}"));
    assert_eq!(raw.n_rows, 18_001);
    assert_eq!(cell(&raw.columns[1].cells, 0), "2.0");
    assert_eq!(cell(&raw.columns[1].cells, 18_000), "~");
    assert_eq!(provenance.row_numbers[0], 9001);
    assert_eq!(provenance.names_found, ["size", "flag"]);
}

#[test]
fn ten_thousand_columns_are_ingested() {
    let columns = (0..10_000).map(|i| Column {
        name: format!("c{i}"),
        kind: ColumnType::Integer,
        ..schema().columns[0].clone()
    });
    let wide = Schema {
        columns: columns.collect(),
        ..schema()
    };
    let names: Vec<String> = wide.columns.iter().map(|c| c.name.clone()).collect();
    let row = |r: usize| {
        (0..10_000)
            .map(|i| ((i + r) % 3).to_string())
            .collect::<Vec<_>>()
            .join(",")
    };
    let text = format!(
        "{},label\n{},1\n{},-1\n{},1\n",
        names.join(","),
        row(1),
        row(0),
        row(1)
    );
    let (raw, provenance) = read(text.as_bytes(), &CSV, wide).unwrap();
    assert_eq!(raw.columns.len(), 10_001);
    assert_eq!(provenance.row_numbers, [2, 1, 3]);
}

#[test]
fn the_first_rows_alone_are_read_when_asked_for() {
    let config = IngestionConfig { max_rows: Some(2) };
    let text = format!("{HEADER}3,1,a,1,1,1\n2,1,b,1,1,1\n1,1,c,1,1,1\n");
    let mut source = formats::read(Box::new(Cursor::new(text)), "input".to_owned(), &CSV).unwrap();
    let ingested = ingest(source.as_mut(), schema(), &config, &|_, _, _| {}).unwrap();
    assert_eq!(ingested.1.row_numbers, [2, 1]);
    assert_eq!(cell(&ingested.0.columns[2].cells, 0), "\"b\"");
}

struct Misshapen(bool);

impl Source for Misshapen {
    fn description(&self) -> &str {
        "connector"
    }

    fn is_simulated(&self) -> bool {
        true
    }

    fn next_batch(&mut self) -> Result<Option<RawBatch>, SourceError> {
        let n_rows = if self.0 { 2 } else { 1 };
        Ok(std::mem::replace(&mut self.0, false).then(|| RawBatch {
            names: vec!["size".to_owned()],
            columns: vec![RawColumn::Number(vec![1.0])],
            row_numbers: (1..=n_rows).collect(),
            defects: Vec::new(),
            ..RawBatch::default()
        }))
    }
}

#[test]
fn a_batch_that_does_not_hold_together_is_refused() {
    let error = ingest(
        &mut Misshapen(true),
        schema(),
        &IngestionConfig::default(),
        &|_, _, _| {},
    )
    .unwrap_err()
    .to_string();
    assert!(error.contains("column `size` has 1 of 2 rows"), "{error}");
}

#[test]
fn the_stage_runs_once_and_says_what_it_has_read() {
    let text = format!("{HEADER}3,1,a,1,1,1\n1,2\n");
    let source = formats::read(Box::new(Cursor::new(text)), "input".to_owned(), &CSV).unwrap();
    let stage = Ingestion::new(source, schema(), IngestionConfig::default());
    let progress = |_: &str, _: u64, _: u64| {};
    let mut context = Context::new(0, &progress);
    let (raw, provenance) = stage.run((), &mut context).unwrap();
    assert_eq!(
        (raw.n_rows, raw.defects.len(), raw.simulated),
        (2, 1, false)
    );
    assert_eq!(provenance.source, "input");
    let again = stage.run((), &mut context).unwrap_err();
    assert!(matches!(again, IngestionError::AlreadyRun));
}

/// A cell as a generated row has it: written in CSV and JSON in different spellings.
#[derive(Debug, Clone)]
enum Value {
    Missing,
    Number(f64),
    Text(String),
}

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Missing),
        (-2i32..3).prop_map(|n| Value::Number(f64::from(n))),
        prop_oneof![
            Just(0.1),
            Just(-0.0),
            Just(1e308),
            Just(2.5e-9),
            any::<f64>()
        ]
        .prop_filter("finite", |n| n.is_finite())
        .prop_map(Value::Number),
        "[a-c]{1,2}".prop_map(Value::Text),
    ]
}

fn batch(rows: &[Vec<Value>]) -> RawBatch {
    let text = |value: &Value| match value {
        Value::Missing => None,
        Value::Number(n) => Some(dataset::format_number(*n)),
        Value::Text(text) => Some(text.clone()),
    };
    let column = |i: usize| {
        let numbers = rows.iter().map(|row| match &row[i] {
            Value::Missing => Some(f64::NAN),
            Value::Number(n) => Some(*n),
            Value::Text(_) => None,
        });
        match numbers.collect::<Option<Vec<f64>>>() {
            Some(numbers) => RawColumn::Number(numbers),
            None => {
                let texts: Vec<Option<String>> = rows.iter().map(|row| text(&row[i])).collect();
                RawColumn::Text(texts.iter().map(Option::as_deref).collect())
            }
        }
    };
    RawBatch {
        names: HEADER.trim().split(',').map(str::to_owned).collect(),
        columns: (0..6).map(column).collect(),
        row_numbers: (1..=rows.len() as u64).collect(),
        defects: Vec::new(),
        ..RawBatch::default()
    }
}

fn parquet_file(batch: &RawBatch) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.parquet");
    let mut sink = formats::create(&path, &FileFormat::Parquet).unwrap();
    sink.write(batch).unwrap();
    sink.finish().unwrap();
    std::fs::read(path).unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("rows.csv.gz");
    let mut sink = formats::create(&path, &CSV).unwrap();
    let reader = Box::new(Cursor::new(bytes.to_vec()));
    let mut source = formats::read(reader, "plain".to_owned(), &CSV).unwrap();
    while let Some(batch) = source.next_batch().unwrap() {
        sink.write(&batch).unwrap();
    }
    sink.finish().unwrap();
    std::fs::read(path).unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(128) })]

    #[test]
    fn the_same_rows_give_the_same_bytes_from_any_format_in_any_order(
        (rows, shuffled) in prop::collection::vec(prop::collection::vec(value(), 6), 1..40)
            .prop_flat_map(|rows| (Just(rows.clone()), Just(rows).prop_shuffle())),
    ) {
        let text = csv_bytes(&[batch(&rows)], b',').unwrap();
        let expected = bytes(&csv(&text).0);
        let other = csv_bytes(&[batch(&shuffled)], b',').unwrap();
        let lines = json_lines_bytes(&[batch(&shuffled)]).unwrap();
        let from = |bytes: &[u8], format: &FileFormat| read(bytes, format, schema()).unwrap().0;
        prop_assert_eq!(&bytes(&from(&other, &CSV)), &expected);
        prop_assert_eq!(&bytes(&from(&gzip(&other), &CSV)), &expected);
        prop_assert_eq!(&bytes(&from(&lines, &FileFormat::JsonLines)), &expected);
        let parquet = parquet_file(&batch(&shuffled));
        prop_assert_eq!(&bytes(&from(&parquet, &FileFormat::Parquet)), &expected);
    }

    #[test]
    fn row_numbers_lead_back_to_the_source(
        rows in prop::collection::vec(prop::collection::vec(value(), 6), 1..40),
    ) {
        let (raw, provenance) = csv(csv_bytes(&[batch(&rows)], b',').unwrap());
        let mut seen = provenance.row_numbers.clone();
        seen.sort_unstable();
        prop_assert_eq!(seen, (1..=rows.len() as u64).collect::<Vec<_>>());
        for (row, number) in provenance.row_numbers.iter().enumerate() {
            let shown = cell(&raw.columns[0].cells, row);
            let expected = match &rows[*number as usize - 1][0] {
                Value::Missing => "~".to_owned(),
                Value::Number(n) => format!("{:?}", n + 0.0),
                Value::Text(text) => format!("!{text}"),
            };
            prop_assert_eq!(shown, expected);
        }
    }
}
