//! `/v1/predict/csv`: the answer has the file's rows, and the columns of the verdicts beside its own.

#![no_main]

use fuzz::{
    post,
    rows::{CSV, Shape, shape},
    start,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: start(), |body: &[u8]| {
    let given = shape(body, &CSV);
    for (path, more) in [("/v1/predict/csv", 5), ("/v1/predict/csv?explain=2", 6)] {
        let answer = post(path, "text/csv", body);
        match (answer.status, answer.body, &given) {
            (200, Ok(text), Ok(given)) => assert_eq!(answered(&text), beside(*given, more)),
            (200, Err(_), Err(_)) | (422, _, Err(_)) => {}
            (422, Ok(text), Ok(_)) if is_of_no_column(&text) => {}
            other => panic!("{other:?}"),
        }
    }
});

fn is_of_no_column(refusal: &[u8]) -> bool {
    String::from_utf8_lossy(refusal).contains("none of its columns")
}

fn beside(given: Shape, more: usize) -> Shape {
    Shape {
        columns: given.columns + more,
        ..given
    }
}

/// Reads the answer by another reader than the service's; it refuses rows of different widths.
fn answered(text: &[u8]) -> Shape {
    let mut reader = csv::Reader::from_reader(text);
    let columns = reader.headers().expect("a line of names").len();
    let rows = reader.records();
    let rows = rows
        .map(|row| row.expect("a row as wide as the others"))
        .count();
    Shape { columns, rows }
}
