use artifact::codec;
use dataset::{Cells, RawBatch, RawColumn, SourceError};
use proptest::prelude::*;

use super::*;

const SCHEMA: &str = "
name: sample
columns:
  - {name: size, type: number}
  - {name: proto, type: text}
target: {column: label, benign: {ok: ['1']}, threats: {bad: ['-1']}}
";

struct Rows(Option<RawBatch>);

impl Source for Rows {
    fn description(&self) -> &str {
        "rows"
    }

    fn next_batch(&mut self) -> Result<Option<RawBatch>, SourceError> {
        Ok(self.0.take())
    }
}

fn check(columns: Vec<(&str, RawColumn)>) -> (RawDataset, Provenance) {
    let n = columns[0].1.len() as u64;
    let (names, columns) = columns.into_iter().map(|(n, c)| (n.to_owned(), c)).unzip();
    let batch = RawBatch {
        names,
        columns,
        row_numbers: (1..=n).collect(),
        defects: Vec::new(),
    };
    let schema = Schema::parse(SCHEMA, "test").unwrap();
    let stage = Ingestion::new(
        IngestionConfig::default(),
        schema,
        Box::new(Rows(Some(batch))),
    );
    let silent = |_: &str, _: u64, _: u64| {};
    stage.run((), &mut Context::new(0, &silent)).unwrap()
}

fn text(cells: &[&str]) -> RawColumn {
    RawColumn::Text(cells.iter().map(|cell| Some(*cell)).collect())
}

#[test]
fn numbers_and_texts_of_the_same_rows_give_the_same_bytes() {
    let (a, _) = check(vec![
        ("size", text(&["2", " 1.0 ", ""])),
        ("proto", text(&["udp", "tcp", "tcp"])),
        ("label", text(&["-1", "1", "1"])),
    ]);
    let (b, _) = check(vec![
        ("label", RawColumn::Number(vec![1.0, 1.0, -1.0])),
        ("proto", text(&["tcp", "tcp", "udp"])),
        ("size", RawColumn::Number(vec![1.0, f64::NAN, 2.0])),
    ]);
    assert_eq!(codec::encode(&a).unwrap(), codec::encode(&b).unwrap());
}

#[test]
fn unreadable_texts_are_kept_for_validation_to_name() {
    let (raw, _) = check(vec![("size", text(&["1e308", "inf", "x", "-0.0", "NaN"]))]);
    let Some(Cells::Numbers { values, unparsed }) = raw.cells("size") else {
        panic!("no numbers")
    };
    assert_eq!(values[..2], [0.0, 1e308]);
    assert!(values[0].is_sign_positive());
    let texts: Vec<&str> = unparsed.iter().map(|(_, text)| text.as_str()).collect();
    assert_eq!(texts, ["inf", "x"]);
    assert_eq!(raw.absent, ["proto", "label"]);
}

proptest! {
    #[test]
    fn the_order_of_rows_does_not_reach_the_bytes(
        rows in prop::collection::vec((-3i32..3, 0usize..3, any::<bool>()), 1..60),
        rotation in 0usize..60,
    ) {
        let build = |rows: &[(i32, usize, bool)]| {
            let size: Vec<String> = rows.iter().map(|r| if r.0 == 2 { "odd".into() } else { r.0.to_string() }).collect();
            let proto: Vec<&str> = rows.iter().map(|r| ["tcp", "udp", "?"][r.1]).collect();
            let label: Vec<&str> = rows.iter().map(|r| if r.2 { "1" } else { "-1" }).collect();
            let size: Vec<&str> = size.iter().map(String::as_str).collect();
            check(vec![("size", text(&size)), ("proto", text(&proto)), ("label", text(&label))])
        };
        let mut rotated = rows.clone();
        rotated.rotate_left(rotation % rows.len());
        rotated.reverse();
        let ((a, from), (b, _)) = (build(&rows), build(&rotated));
        prop_assert_eq!(codec::encode(&a).unwrap(), codec::encode(&b).unwrap());
        let mut numbers = from.row_numbers;
        numbers.sort_unstable();
        prop_assert_eq!(numbers, (1..=rows.len() as u64).collect::<Vec<_>>());
    }
}
