//! `/v1/explain`: records are explained when they are sound, and the reasons add up.

#![no_main]

use fuzz::{check_verdicts, post_json, sound::sound_records, start};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

fuzz_target!(init: start(), |body: &[u8]| {
    let answer = post_json("/v1/explain", body);
    match (sound_records(body, true), answer) {
        (None, None) => {}
        (None, Some(answer)) => panic!("taken: {answer}"),
        // What stands twice is not seen here.
        (Some(_), None) => assert!(fuzz::refused_twice("/v1/explain", body)),
        (Some(records), Some(answer)) => {
            let explained = answer["explanations"].as_array().expect("explanations");
            let of = |name| explained.iter().map(|e| &e["verdict"][name]).collect::<Vec<_>>();
            check_verdicts(&records, &of("label"), &of("threat_probability"));
            explained.iter().for_each(check_sum);
        }
    }
});

/// Checks that the contributions of all columns, where all are given, lead from the base to the score.
fn check_sum(explained: &Value) {
    let number = |value: &Value| value.as_f64().expect("a number");
    let reasons = explained["reasons"].as_array().expect("reasons");
    if reasons.len() == 6 {
        let sum: f64 = reasons.iter().map(|r| number(&r["contribution"])).sum();
        let (base, score) = (number(&explained["base"]), number(&explained["score"]));
        assert!((base + sum - score).abs() < 1e-6, "{explained}");
    }
}
