use dataset::{Defect, TextColumn};

use super::*;

const SCHEMA: &str = "
name: small
columns:
  - {name: a, type: number}
  - {name: p, type: number}
  - {name: maybe, type: number, may_be_missing: true}
target: {column: y, benign: {good: [x]}, threats: {bad: [z]}}
";

/// Reads one row of cells by name, and shows its problems.
fn check(cells: &[(&str, Option<&str>)], defects: &[(Extent, &str)]) -> String {
    problems(batch(cells, defects))
}

/// As [`check`], of a row with an object under a name.
fn check_object(cells: &[(&str, Option<&str>)], name: &str) -> String {
    let objects = [(name.to_owned(), vec![0])].into();
    problems(RawBatch {
        objects,
        ..batch(cells, &[])
    })
}

fn problems(batch: RawBatch) -> String {
    let schema = Schema::parse(SCHEMA, "test").unwrap();
    read(&schema, &batch).1[0].join("; ")
}

fn batch(cells: &[(&str, Option<&str>)], defects: &[(Extent, &str)]) -> RawBatch {
    RawBatch {
        names: cells.iter().map(|(name, _)| (*name).to_owned()).collect(),
        columns: cells
            .iter()
            .map(|(_, cell)| RawColumn::Text(TextColumn::from_iter([*cell])))
            .collect(),
        row_numbers: vec![1],
        defects: defects
            .iter()
            .map(|(extent, reason)| Defect {
                extent: *extent,
                reason: (*reason).to_owned(),
            })
            .collect(),
        ..RawBatch::default()
    }
}

#[test]
fn a_column_that_stands_twice_is_refused_only_when_it_is_used() {
    let twice = [("a", Some("1")), ("b", None), ("a", Some("2"))];
    assert_eq!(
        check(&twice, &[]),
        "a: 2 columns have this name; p: column is missing"
    );
    let unused = [
        ("z", Some("1")),
        ("a", Some("1")),
        ("p", Some("1")),
        ("z", None),
    ];
    assert_eq!(check(&unused, &[]), "");
}

#[test]
fn what_could_not_be_read_matters_only_where_it_is_used() {
    let cells = [("a", Some("1")), ("p", None), ("note", None)];
    let cell = |column| Extent::Cell { row: 0, column };
    assert_eq!(
        check(&cells, &[(cell(1), "not UTF-8"), (cell(2), "not UTF-8")]),
        "p: not UTF-8"
    );
    let whole = [("a", Some("1")), ("p", Some("2")), ("note", None)];
    let unused = [(cell(2), "not UTF-8"), (Extent::Column(2), "a list")];
    assert_eq!(check(&whole, &unused), "");
    assert_eq!(
        check(&whole, &[(Extent::Column(1), "a list is not read")]),
        "p: a list is not read"
    );
    assert_eq!(
        check(&whole, &[(Extent::Row(0), "6 cells for 3 names")]),
        "6 cells for 3 names"
    );
}

#[test]
fn an_optional_column_that_could_not_be_read_is_not_taken_for_a_missing_one() {
    let cells = [("a", Some("1")), ("p", Some("2")), ("maybe", None)];
    assert_eq!(check(&cells, &[]), "");
    assert_eq!(check(&cells[..2], &[]), "");
    let defect = (Extent::Cell { row: 0, column: 2 }, "an object");
    assert_eq!(check(&cells, &[defect]), "maybe: an object");
}

#[test]
fn an_object_in_the_place_of_a_column_is_named() {
    assert_eq!(
        check(&[("a.x", Some("1")), ("p", Some("1"))], &[]),
        "a: column is missing: it is an object, with `a.x`"
    );
    // Nor is one taken for a missing value where there may be one; a name with a dot may be one of a flat file.
    let parts = [("a", Some("1")), ("p", Some("1")), ("maybe.x", Some("1"))];
    assert_eq!(check(&parts, &[]), "");
    let said = "maybe: an object, not a single value";
    assert_eq!(check_object(&parts, "maybe"), said);
    assert_eq!(check_object(&parts, "other"), "");
    // Other rows of the file may have a single value.
    let column = [parts[0], parts[1], ("maybe", None)];
    assert_eq!(check_object(&column, "maybe"), said);
    assert_eq!(
        check_object(&parts[1..], "a"),
        "a: an object, not a single value"
    );
}
