use super::*;

const SCHEMA: &str = "
name: s
columns:
- {name: a, type: integer}
- {name: b, type: boolean, may_be_missing: true}
- {name: t, type: text, may_be_missing: true}
target: {column: y, benign: {ok: ['0']}, threats: {bad: ['1']}}
";

fn batch(first: u64, csv: &str) -> RawBatch {
    let mut lines = csv.lines();
    let names: Vec<String> = lines
        .next()
        .unwrap()
        .split(',')
        .map(str::to_owned)
        .collect();
    let rows: Vec<Vec<&str>> = lines.map(|line| line.split(',').collect()).collect();
    let column = |at: usize| RawColumn::Text(rows.iter().map(|row| Some(row[at])).collect());
    RawBatch {
        columns: (0..names.len()).map(column).collect(),
        names,
        row_numbers: (first..first + rows.len() as u64).collect(),
        defects: Vec::new(),
    }
}

fn shown(batch: &RawBatch) -> Vec<String> {
    let cell = |column: &RawColumn, row| column.text(row).unwrap_or("-".into()).into_owned();
    let row = |row: usize| {
        let cells: Vec<String> = batch.columns.iter().map(|c| cell(c, row)).collect();
        format!("{}: {}", batch.row_numbers[row], cells.join(","))
    };
    (0..batch.n_rows()).map(row).collect()
}

/// Cleans batches; gives what is accepted and what is rejected, with their row numbers.
fn check(
    duplicates: Duplicates,
    key: &[&str],
    batches: &[&str],
    accepted: &[&str],
    rejected: &[&str],
) {
    let schema = Schema::parse(SCHEMA, "test").unwrap();
    let key = key.iter().map(|k| (*k).to_owned()).collect();
    let mut cleaner = Cleaner::new(schema, duplicates, key);
    let (mut kept, mut bad, mut first) = (Vec::new(), Vec::new(), 1);
    for csv in batches {
        let batch = batch(first, csv);
        first += batch.n_rows() as u64;
        let cleaned = cleaner.clean(batch).unwrap();
        kept.extend(shown(&cleaned.accepted));
        bad.extend(shown(&cleaned.rejected));
    }
    assert_eq!(kept, accepted);
    assert_eq!(bad, rejected);
    assert_eq!(cleaner.tally.count(), accepted.len() as u64);
}

#[test]
fn cells_are_typed_trimmed_and_emptied_and_rows_keep_their_order() {
    check(
        Duplicates::Keep,
        &[],
        &["a,b,t,y\n 7 ,yes, x ,1\n3,?,NA,0\n3,?,NA,0"],
        &["1: 7,true,x,1", "2: 3,-,-,0", "3: 3,-,-,0"],
        &[],
    );
}

#[test]
fn rows_that_validation_would_quarantine_are_rejected_with_their_problems() {
    check(
        Duplicates::Keep,
        &[],
        &["a,b,t,y\n1.5,1,x,1\n2,1,x,2\n3,1,x,0", "b,y\n1,0"],
        &["3: 3,true,x,0"],
        &[
            "1: 1,a: `1.5` is not a whole number,1.5,1,x,1",
            "2: 2,y: `2` is not a target value of the schema,2,1,x,2",
            "4: 4,a: missing,1,0",
        ],
    );
}

#[test]
fn duplicates_are_left_out_across_batches_when_asked_for() {
    check(
        Duplicates::Drop,
        &[],
        &["a,b,t,y\n1,1,x,1\n1,true,x,1", "y,a,b,t\n1,01,1,x\n0,1,1,x"],
        &["1: 1,true,x,1", "4: 1,true,x,0"],
        &[],
    );
}

#[test]
fn a_key_is_one_record() {
    check(
        Duplicates::Keep,
        &["a", "t"],
        &["a,b,t,y\n1,1,x,1\n1,1,x,1\n1,0,x,1\n1,0,z,1\n1,0,,1"],
        &["1: 1,true,x,1", "4: 1,false,z,1"],
        &[
            "3: 3,row 1 has the same key and other values,1,false,x,1",
            "5: 5,a value of the key (a, t) is missing,1,false,-,1",
        ],
    );
}

#[test]
fn the_digest_depends_on_the_order_and_the_tally_does_not() {
    let schema = || Schema::parse(SCHEMA, "test").unwrap();
    let read = |csv: &str| {
        let mut cleaner = Cleaner::new(schema(), Duplicates::Keep, Vec::new());
        cleaner.clean(batch(1, csv)).unwrap();
        (cleaner.tally, cleaner.digest)
    };
    let (one, other) = (read("a,y\n1,0\n2,1"), read("a,y\n2,1\n1,0"));
    assert_eq!(one.0, other.0);
    assert_ne!(one.1, other.1);
    assert_eq!(one, read("y,a\n0,1\n1,2"));
}
