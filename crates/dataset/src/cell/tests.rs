use super::*;

const SCHEMA: &str = "
name: sample
columns:
  - {name: flag, type: integer, values: [-1, 1]}
  - {name: share, type: number, min: 0, max: 1}
  - {name: on, type: boolean}
target: {column: label, benign: {ok: [ok]}, threats: {bad: [bad]}}
";

fn check(column: &str, text: &str) -> String {
    let schema = Schema::parse(SCHEMA, "test").unwrap();
    let column = schema.column(column).unwrap();
    match read_text(&schema, column, text) {
        Cell::Missing => "missing".to_owned(),
        Cell::Unreadable => CellProblem::WrongType.explain(column, text),
        Cell::Value(v) => match value_problem(column, v) {
            None => format!("{v:?}"),
            Some(problem) => problem.explain(column, text),
        },
    }
}

#[test]
fn a_number_is_the_same_however_it_is_written() {
    assert_eq!(
        ["-1", " -1 ", "-1.0", "-1e0"].map(|t| check("flag", t)),
        ["-1.0"; 4]
    );
    assert_eq!(check("share", "-0.0"), "0.0");
}

#[test]
fn missing_tokens_and_infinities_are_told_apart() {
    assert_eq!(
        ["", "  ", "?", "NaN", "NA"].map(|t| check("share", t)),
        ["missing"; 5]
    );
    assert_eq!(check("share", "inf"), "share: `inf` is not a finite number");
    assert_eq!(
        check("share", "1e999"),
        "share: `1e999` is not a finite number"
    );
}

#[test]
fn values_outside_the_domain_are_named_with_it() {
    assert_eq!(check("flag", "7"), "flag: `7` is not one of -1, 1");
    assert_eq!(check("flag", "0.5"), "flag: `0.5` is not a whole number");
    assert_eq!(check("share", "1.5"), "share: 1.5 is not between 0 and 1");
}

#[test]
fn booleans_have_several_spellings() {
    assert_eq!(["true", "YES", "1"].map(|t| check("on", t)), ["1.0"; 3]);
    assert_eq!(["False", "no", "0"].map(|t| check("on", t)), ["0.0"; 3]);
    assert_eq!(check("on", "maybe"), "on: `maybe` is not true or false");
}
