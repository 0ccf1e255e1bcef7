//! `/v1/predict/parquet`: the answer is a file with the rows of the one that came.

#![no_main]

use formats::FileFormat;
use fuzz::{post, rows::shape, start};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: start(), |body: &[u8]| {
    let given = shape(body, &FileFormat::Parquet);
    let answer = post("/v1/predict/parquet", "application/vnd.apache.parquet", body);
    match (answer.status, answer.body, given) {
        (200, Ok(file), Ok(given)) => {
            let answered = shape(&file, &FileFormat::Parquet).expect("the answer can be read");
            assert_eq!(answered.rows, given.rows);
            assert!(given.rows == 0 || answered.columns == given.columns + 5);
        }
        (422, ..) => {}
        other => panic!("{other:?}"),
    }
});
