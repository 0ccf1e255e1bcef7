use super::*;

/// Counts metrics, parameters and tags of each request.
fn check(batch: &Batch, expected: &[[usize; 3]]) {
    let requests = batch.requests("r");
    let count = |body: &Value, key: &str| body[key].as_array().unwrap().len();
    let counts: Vec<[usize; 3]> = requests
        .iter()
        .map(|body| ["metrics", "params", "tags"].map(|key| count(body, key)))
        .collect();
    assert_eq!(counts, expected);
    assert!(
        requests
            .iter()
            .all(|body| body.to_string().len() <= 1_000_000)
    );
    assert!(requests.iter().all(|body| body["run_id"] == "r"));
}

fn batch(metrics: usize, parameters: usize, tags: usize, value: &str) -> Batch {
    let mut batch = Batch::default();
    (0..metrics).for_each(|step| batch.metric("m", 0.5, step, 7));
    (0..parameters).for_each(|n| batch.parameter(&format!("p{n}"), value));
    (0..tags).for_each(|n| batch.tag(&format!("t{n}"), value));
    batch
}

#[test]
fn nothing_to_log_is_no_request() {
    check(&Batch::default(), &[]);
}

#[test]
fn a_request_has_at_most_a_thousand_of_all_a_hundred_parameters_and_a_hundred_tags() {
    check(&batch(1_000, 0, 0, ""), &[[1_000, 0, 0]]);
    check(&batch(1_001, 0, 0, ""), &[[1_000, 0, 0], [1, 0, 0]]);
    check(
        &batch(0, 201, 0, ""),
        &[[0, 100, 0], [0, 100, 0], [0, 1, 0]],
    );
    check(
        &batch(901, 100, 101, ""),
        &[[0, 0, 100], [899, 100, 1], [2, 0, 0]],
    );
}

#[test]
fn a_request_has_at_most_a_megabyte() {
    // Four bytes a character: 100 tags of 20,000 bytes are two megabytes.
    let long = "\u{1f980}".repeat(6_000);
    let requests = batch(0, 0, 100, &long).requests("r");
    assert_eq!(requests.len(), 3);
    assert!(
        requests
            .iter()
            .all(|body| body.to_string().len() <= 1_000_000)
    );
}

#[test]
fn names_and_values_are_cut_to_what_servers_take() {
    let mut batch = batch(0, 0, 0, "");
    batch.parameter("a{b}\u{1f980}é/c d", "x".repeat(501));
    batch.metric("f1", f64::NAN, 0, 7);
    batch.metric("loss", f64::INFINITY, 0, 7);
    let body = batch.requests("r").remove(0);
    assert_eq!(body["params"][0]["key"], "a_b__é/c d");
    let value = body["params"][0]["value"].as_str().unwrap();
    assert!(
        value.chars().count() == 500 && value.ends_with('…'),
        "{value}"
    );
    assert_eq!(body["metrics"][0]["value"], "NaN");
    assert_eq!(body["metrics"][1]["value"], "Infinity");
}
