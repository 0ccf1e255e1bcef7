use std::sync::{Arc, Mutex};

use super::*;

const SCHEMA: &str = "
name: n
columns:
- {name: a, type: number}
- {name: b, type: boolean}
target: {column: y, benign: {ok: ['0']}, threats: {bad: ['1']}}
";

type Given = Arc<Mutex<Vec<RawBatch>>>;

fn rows() -> (Rows, Given) {
    let schema = Schema::parse(SCHEMA, "n.yaml").unwrap();
    let given = Given::default();
    let kept = Arc::clone(&given);
    let give = move |batch| {
        kept.lock().unwrap().push(batch);
        true
    };
    (Rows::new(&schema, Duration::from_secs(1), give), given)
}

/// Reads rows of two columns; a cut comes after the last.
fn read(rows: &mut Rows, numbers: impl IntoIterator<Item = i128>, is_whole: bool) {
    let column = |name: &str| Column {
        name: name.to_owned(),
        unread: None,
    };
    rows.begin(vec![column("a"), column("b")]);
    for number in numbers {
        rows.integer(0, number);
        rows.integer(1, number % 2);
        if !rows.end_row() {
            return;
        }
    }
    match is_whole {
        true => rows.finish(),
        false => rows.suspend(),
    }
}

fn texts(given: &Given, column: usize) -> Vec<String> {
    let batches = given.lock().unwrap();
    let cells = batches.iter().flat_map(|batch| {
        (0..batch.n_rows()).map(|row| batch.columns[column].text(row).unwrap().into_owned())
    });
    cells.collect()
}

#[test]
fn numbers_stay_exact_and_booleans_are_words() {
    let (mut rows, given) = rows();
    let large = (1i128 << 53) + 1;
    read(&mut rows, [1, large, -large, 4], true);
    assert_eq!(
        texts(&given, 0),
        ["1", "9007199254740993", "-9007199254740993", "4"]
    );
    assert_eq!(texts(&given, 1)[..2], ["true", "true"]);
}

#[test]
fn a_reading_that_begins_alike_goes_on_where_it_was_cut_off() {
    let (mut rows, given) = rows();
    read(&mut rows, 0..9000, false);
    read(&mut rows, 0..8500, false);
    read(&mut rows, 0..9100, false);
    read(&mut rows, 0..20_000, true);
    assert!(rows.stopped().is_none());
    let expected: Vec<String> = (0..20_000).map(|n| n.to_string()).collect();
    assert_eq!(texts(&given, 0), expected);
    let numbers: Vec<u64> = given
        .lock()
        .unwrap()
        .iter()
        .flat_map(|b| b.row_numbers.clone())
        .collect();
    assert!(numbers.into_iter().eq(1..=20_000));
}

#[test]
fn a_reading_that_begins_otherwise_or_ends_before_is_refused() {
    for (second, is_whole) in [(1..9000, true), (0..8999, true), (0..0, true)] {
        let (mut rows, _) = rows();
        read(&mut rows, 0..9000, false);
        read(&mut rows, second, is_whole);
        assert!(rows.stopped() == Some(Stopped::Changed));
    }
}

#[test]
fn a_column_that_is_not_read_and_one_named_twice_are_defects() {
    let (mut rows, given) = rows();
    let column = |name: &str, unread: Option<&str>| Column {
        name: name.to_owned(),
        unread: unread.map(str::to_owned),
    };
    rows.begin(vec![
        column("a", None),
        column("c", Some("of type json")),
        column("a", None),
    ]);
    rows.integer(0, 1);
    rows.cell(1, Scalar::Null);
    rows.integer(2, 2);
    rows.end_row();
    rows.finish();
    let batch = &given.lock().unwrap()[0];
    assert_eq!(
        batch.unread_columns().collect::<Vec<_>>(),
        [(1, "of type json")]
    );
    assert_eq!(batch.lost_cells()[&0], "a: a field is named twice");
}
