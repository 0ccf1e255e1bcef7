//! `/v1/predict`: records are scored when they are sound, and only then.

#![no_main]

use fuzz::{post_json, sound::sound_records, start};
use libfuzzer_sys::fuzz_target;
use serde_json::json;

fuzz_target!(init: start(), |body: &[u8]| {
    let answer = post_json("/v1/predict", body);
    match (sound_records(body, false), answer) {
        (None, None) => {}
        (None, Some(answer)) => panic!("taken: {answer}"),
        // What stands twice is not seen here.
        (Some(_), None) => assert!(fuzz::refused_twice("/v1/predict", body)),
        (Some(records), Some(answer)) => {
            assert_eq!(answer["predictions"].as_array().map(Vec::len), Some(records.len()));
            let plain = json!({ "records": records }).to_string();
            assert_eq!(post_json("/v1/predict", plain.as_bytes()), Some(answer));
        }
    }
});
