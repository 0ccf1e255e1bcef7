//! `/session`: the form for a key; there is none here that opens a session.

#![no_main]

use fuzz::{post, start};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: start(), |body: &[u8]| {
    let answer = post("/session", "application/x-www-form-urlencoded", body);
    assert!([400, 401].contains(&answer.status), "{answer:?}");
});
