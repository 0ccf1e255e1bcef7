//! `/train`, `/models/{name}/promote` and `/models/{name}/rollback`: of what is not there.

#![no_main]

use fuzz::{JSON, post, start};
use libfuzzer_sys::fuzz_target;

fuzz_target!(init: start(), |body: &[u8]| {
    for path in ["/train", "/models/nobody/promote", "/models/nobody/rollback"] {
        let answer = post(path, JSON, body);
        assert!([400, 404, 422].contains(&answer.status), "{path} {answer:?}");
    }
});
