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
        ..RawBatch::default()
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

fn shown_with_reasons(Rejected { rows, reasons }: &Rejected) -> Vec<String> {
    let both = shown(rows).into_iter().zip(reasons);
    both.map(|(row, reason)| format!("{row} ({reason})"))
        .collect()
}

/// Cleans batches; gives what is accepted and what is rejected, with their row numbers.
fn check(
    duplicates: Duplicates,
    key: &[&str],
    batches: &[&str],
    accepted: &[&str],
    rejected: &[&str],
) {
    check_under(SCHEMA, duplicates, key, batches, accepted, rejected);
}

fn check_under(
    schema: &str,
    duplicates: Duplicates,
    key: &[&str],
    batches: &[&str],
    accepted: &[&str],
    rejected: &[&str],
) {
    let schema = Schema::parse(schema, "test").unwrap();
    let key = key.iter().map(|k| (*k).to_owned()).collect();
    let mut cleaner = Cleaner::new(schema, duplicates, key);
    let (mut kept, mut bad, mut first) = (Vec::new(), Vec::new(), 1);
    for csv in batches {
        let batch = batch(first, csv);
        first += batch.n_rows() as u64;
        let cleaned = cleaner.clean(batch).unwrap();
        kept.extend(shown(&cleaned.accepted));
        bad.extend(shown_with_reasons(&cleaned.rejected));
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
            "1: 1.5,1,x,1 (a: `1.5` is not a whole number)",
            "2: 2,1,x,2 (y: `2` is not a target value of the schema)",
            "4: 1,0 (a: missing)",
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
            "3: 1,0,x,1 (row 1 has the same key and other values)",
            "5: 1,0,,1 (a value of the key (a, t) is missing)",
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

#[test]
fn what_is_rejected_is_given_as_it_came() {
    check(
        Duplicates::Keep,
        &[],
        &["a,zone,b,t,y\n007,eu, YES,N/A,0\n007,eu, YES,N/A,5\n 1e0 ,us,?, x ,5"],
        &["1: 7,true,-,0"],
        &[
            "2: 007,eu, YES,N/A,5 (y: `5` is not a target value of the schema)",
            "3:  1e0 ,us,?, x ,5 (y: `5` is not a target value of the schema)",
        ],
    );
}

#[test]
fn whole_numbers_that_would_be_rounded_are_rejected() {
    let wide = "would be rounded: declare the column as text";
    check(
        Duplicates::Keep,
        &[],
        &[
            "a,y\n9007199254740992,0\n9007199254740993,0\n 4611686018427387 ,1\n-9007199254740993.0,1",
        ],
        &["1: 9007199254740992,-,-,0", "3: 4611686018427387,-,-,1"],
        &[
            &format!("2: 9007199254740993,0 (a: 9007199254740993 is beyond 2^53 and {wide})"),
            &format!("4: -9007199254740993.0,1 (a: -9007199254740993.0 is beyond 2^53 and {wide})"),
        ],
    );
}

#[test]
fn keys_that_would_be_rounded_to_one_are_not_one_key_whatever_number_they_are() {
    let schema = SCHEMA.replace("type: boolean", "type: number");
    let rows = ["a,b,y\n1,9007199254740992,0\n2,9007199254740993,0"];
    let reason = "b: 9007199254740993 has more digits than a number keeps and would be rounded: declare the column \
                  as text";
    check_under(
        &schema,
        Duplicates::Keep,
        &["b"],
        &rows,
        &["1: 1,9007199254740992,-,0"],
        &[&format!("2: 2,9007199254740993,0 ({reason})")],
    );
    // Elsewhere it is a number like any other.
    let both = ["1: 1,9007199254740992,-,0", "2: 2,9007199254740992,-,0"];
    check_under(&schema, Duplicates::Keep, &[], &rows, &both, &[]);
}

#[test]
fn a_column_that_nobody_learns_from_is_judged_because_it_is_loaded() {
    let schema = "
name: s
columns:
- {name: a, type: integer}
- {name: at, type: number, never_use: true}
- {name: b, type: boolean, never_use: true}
- {name: t, type: text, never_use: true}
target: {column: y, benign: {ok: ['0']}, threats: {bad: ['1']}}
";
    check_under(
        schema,
        Duplicates::Keep,
        &[],
        &[
            "a,at,b,t,y\n1,2.5,1,seen,0\n2,,,,1\n3,2026-02-03T10:11:12Z,1,x,0\n4,1,7,x,0",
            "a,y\n5,0",
        ],
        &["1: 1,2.5,true,seen,0", "2: 2,-,-,-,1", "5: 5,-,-,-,0"],
        &[
            "3: 3,2026-02-03T10:11:12Z,1,x,0 (at: `2026-02-03T10:11:12Z` is not a finite number)",
            "4: 4,1,7,x,0 (b: `7` is not true or false)",
        ],
    );
}

#[test]
fn a_cell_that_could_not_be_read_is_not_loaded_as_missing() {
    let schema = SCHEMA.replace("type: text,", "type: text, never_use: true,");
    let mut batch = batch(1, "a,t,y\n1,x,0\n2,,0");
    batch.defects.push(dataset::Defect {
        extent: dataset::Extent::Cell { row: 1, column: 1 },
        reason: "an array".to_owned(),
    });
    let schema = Schema::parse(&schema, "test").unwrap();
    let mut cleaner = Cleaner::new(schema, Duplicates::Keep, Vec::new());
    let cleaned = cleaner.clean(batch).unwrap();
    assert_eq!(shown(&cleaned.accepted), ["1: 1,-,x,0"]);
    let rejected = shown_with_reasons(&cleaned.rejected);
    assert_eq!(rejected, ["2: 2,,0 (t: an array)"]);
}
