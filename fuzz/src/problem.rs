//! What an answer that refuses something has to be.

use serde_json::Value;
use server::fuzzing::Answer;

/// What stands where a list or an object of the request is named.
const PLACES: [&str; 12] = [
    "records",
    "top",
    "inputs",
    "instances",
    "dataframe_records",
    "dataframe_split",
    "dataframe_split.columns",
    "dataframe_split.data",
    "feedback",
    "source",
    "why",
    "",
];

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

fn check_place(path: &str, body: &[u8]) {
    let name = match in_list(path) {
        Some((row, rest)) => {
            let begun = body.iter().filter(|byte| b"[{".contains(byte)).count();
            assert!(row <= begun, "{path}");
            rest
        }
        None => PLACES
            .iter()
            .filter_map(|place| path.strip_prefix(place))
            .min_by_key(|rest| rest.len())
            .expect("one of the places is no name"),
    };
    // Names may be anything, but not of any length.
    assert!(name.trim_start_matches('.').chars().count() <= 60, "{path}");
}

/// Returns the place in one of the request's lists, and what follows it.
fn in_list(path: &str) -> Option<(usize, &str)> {
    let (list, rest) = path.split_once('[')?;
    let (row, rest) = rest.split_once(']')?;
    let row = row.parse().ok()?;
    PLACES.contains(&list).then_some((row, rest))
}
