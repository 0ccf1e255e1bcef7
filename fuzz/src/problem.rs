//! What an answer that refuses something has to be.

use serde_json::Value;
use server::fuzzing::Answer;

/// Lists of the requests.
const LISTS: [&str; 8] = [
    "records",
    "inputs",
    "outputs",
    "instances",
    "feedback",
    "dataframe_records",
    "dataframe_split.columns",
    "dataframe_split.data",
];

/// Characters of a place at most: a name of a body's own is cut off at 300.
const LONGEST: usize = 360;

/// Checks a refusal: a problem as RFC 9457 has it, whose places lie within the body.
pub fn check(answer: &Answer, body: &[u8]) {
    let text = answer.body.as_ref().expect("a refusal is whole");
    if answer.status == 401 {
        return;
    }
    let problem: Value = serde_json::from_slice(text).expect("a refusal is a problem");
    assert_eq!(problem["type"], "about:blank");
    assert_eq!(problem["status"], answer.status);
    check_reason(problem["detail"].as_str().expect("a detail"));
    let faults = problem["problems"].as_array();
    let faults = faults.map_or(&[][..], Vec::as_slice);
    assert!(faults.len() <= 1000);
    for fault in faults {
        assert!(fault["problem"].as_str().is_some_and(|p| !p.is_empty()));
        check_place(fault["path"].as_str().expect("a place"), body);
    }
}

/// Checks that a reason is not a defect of the service.
pub fn check_reason(reason: &str) {
    assert!(!reason.is_empty());
    assert!(!reason.contains("defect of the service"), "{reason}");
}

/// Checks that a place lies within the body; names in it may be anything, but not of any length.
fn check_place(path: &str, body: &[u8]) {
    assert!(path.chars().count() <= LONGEST, "{path}");
    let begun = body.iter().filter(|byte| b"[{,".contains(byte)).count();
    if let Some(at) = in_list(path) {
        assert!(at <= begun, "{path}");
    }
}

/// Returns the place in one of the request's lists.
fn in_list(path: &str) -> Option<usize> {
    let (list, rest) = path.split_once('[')?;
    let (at, _) = rest.split_once(']')?;
    LISTS.contains(&list).then(|| at.parse().ok())?
}
