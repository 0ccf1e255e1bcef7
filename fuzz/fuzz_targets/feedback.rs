//! `/v1/feedback`: every outcome of a body that is taken is counted, and none of another.

#![no_main]

use std::cell::Cell;

use fuzz::{post_json, start};
use libfuzzer_sys::fuzz_target;
use serde_json::Value;

thread_local! {
    static COUNTED: Cell<u64> = const { Cell::new(0) };
}

fuzz_target!(init: start(), |body: &[u8]| {
    let Some(answer) = post_json("/v1/feedback", body) else {
        return;
    };
    let asked: Value = serde_json::from_slice(body).expect("only JSON is taken");
    let n = asked["feedback"].as_array().expect("outcomes").len() as u64;
    let versions = answer.as_array().expect("versions");
    let labelled = |version: &Value| version["labelled"].as_u64().expect("a count");
    let now: u64 = versions.iter().map(labelled).sum();
    assert_eq!(now, COUNTED.replace(now) + n);
    for share in ["precision", "recall", "false_positive_rate"] {
        let is_share = |v: &Value| v[share].as_f64().is_none_or(|x| (0.0..=1.0).contains(&x));
        assert!(versions.iter().all(is_share), "{answer}");
    }
});
