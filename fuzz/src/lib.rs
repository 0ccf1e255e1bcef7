//! The service that the targets send bodies to, and what each of its answers has to be.

mod problem;
pub mod rows;
#[path = "../../crates/server/tests/server/sound.rs"]
pub mod sound;
#[expect(
    dead_code,
    reason = "it is written for tests, and a part of it is needed"
)]
#[path = "../../crates/server/tests/server/trained.rs"]
mod trained;

use std::cell::OnceCell;

use serde_json::Value;
use server::fuzzing::Answer;

/// The media type of most bodies.
pub const JSON: &str = "application/json";

type Service = dyn Fn(&str, &str, &[u8]) -> Answer;

thread_local! {
    // Never dropped: at the end of the process its runtime has already gone.
    static SERVICE: OnceCell<&'static Service> = const { OnceCell::new() };
}

/// Trains a model and starts the service with it.
pub fn start() {
    SERVICE.with(|service| {
        service.get_or_init(open);
    });
}

fn open() -> &'static Service {
    // It stays to the end: feedback on a version looks into the registry.
    let place = Box::leak(Box::new(trained::Place::with_flows()));
    let artifacts = place.path().display().to_string();
    let flags = ["--admin-listen", "off", "--max-rows", "5", "--artifacts"];
    let flags = [&flags[..], &[&artifacts]].concat();
    let service = server::fuzzing::start(&flags).expect("a model was trained for it");
    Box::leak(Box::new(service))
}

/// Sends a body; checks what every answer has to be.
pub fn post(path: &str, kind: &str, body: &[u8]) -> Answer {
    let answer = SERVICE.with(|service| service.get_or_init(open)(path, kind, body));
    assert!(answer.status < 500, "{answer:?}");
    if let Err(reason) = &answer.body {
        problem::check_reason(reason);
    }
    if answer.status >= 400 {
        problem::check(&answer, body);
    }
    answer
}

/// Sends JSON; returns the answer to a body that was taken.
pub fn post_json(path: &str, body: &[u8]) -> Option<Value> {
    let answer = post(path, JSON, body);
    let text = answer.body.expect("an answer of JSON is whole");
    let value = serde_json::from_slice(&text).expect("the answer is JSON");
    match answer.status {
        200 => Some(value),
        400 | 422 => None,
        other => panic!("status {other}: {value}"),
    }
}

/// Checks that verdicts on records are those that `/v1/predict` gives on the same ones.
pub fn check_verdicts(records: &[Value], labels: &[&Value], probabilities: &[&Value]) {
    let body = serde_json::json!({ "records": records }).to_string();
    let answer = post_json("/v1/predict", body.as_bytes());
    let answer = answer.unwrap_or_else(|| panic!("/v1/predict refused {body}"));
    let verdicts = answer["predictions"].as_array().expect("verdicts");
    let of = |name: &str| -> Vec<&Value> { verdicts.iter().map(|v| &v[name]).collect() };
    assert_eq!(of("label"), labels, "{body}");
    assert_eq!(of("threat_probability"), probabilities, "{body}");
}

/// Says whether a body is refused for what stands in it twice.
pub fn refused_twice(path: &str, body: &[u8]) -> bool {
    let answer = post(path, JSON, body);
    let text = answer.body.unwrap_or_default();
    String::from_utf8_lossy(&text).contains("twice")
}
