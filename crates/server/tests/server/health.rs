use crate::{
    process::{Server, command, wait_for},
    trained::Place,
};

#[test]
fn without_a_champion_it_lives_and_becomes_ready_when_one_appears() {
    let (place, trained) = (Place::empty(), Place::with_flows());
    let server = Server::start(&place, &["--poll", "0.05"]);
    assert_eq!(server.get("/healthz").status, 200);
    assert_eq!(server.get("/v2/health/live").status, 200);
    let refused = server.get("/readyz");
    assert_eq!(refused.status, 503);
    assert_eq!(
        refused.header("content-type"),
        Some("application/problem+json")
    );
    assert_eq!(
        server.post("/v1/predict", r#"{"records":[{}]}"#).status,
        503
    );
    let from = trained.path().join("registry");
    std::fs::rename(from, place.path().join("registry")).unwrap();
    wait_for("the champion", || server.get("/readyz").status == 200);
    assert_eq!(server.get("/v2/health/ready").status, 200);
}

#[test]
fn it_says_at_its_start_what_it_serves_and_that_it_is_simulated() {
    let server = Server::start(&Place::with_phishing(), &[]);
    let greeting = &server.greeting;
    assert!(
        greeting.contains("phishing-simulated version 1, trained on SIMULATED data"),
        "{greeting}"
    );
}

#[test]
fn a_check_loads_the_champion_and_starts_nothing() {
    let sound = command(&Place::with_flows())
        .arg("--check")
        .output()
        .unwrap();
    assert_eq!(sound.status.code(), Some(0), "{sound:?}");
    let without = command(&Place::empty()).arg("--check").output().unwrap();
    assert_eq!(without.status.code(), Some(64), "{without:?}");
}

#[test]
fn a_variable_that_nothing_reads_is_told() {
    let checked = command(&Place::with_flows())
        .env("NETSEC_TRUSTED_KEY", "trusted.pem")
        .arg("--check")
        .output()
        .unwrap();
    assert_eq!(checked.status.code(), Some(0), "{checked:?}");
    let said = String::from_utf8_lossy(&checked.stderr);
    let told = "NETSEC_TRUSTED_KEY is read by nothing: is NETSEC_TRUSTED_KEYS meant?";
    assert!(said.contains(told), "{said}");
}

#[test]
fn metrics_count_what_was_asked() {
    let server = Server::start(&Place::with_flows(), &[]);
    let body = format!(r#"{{"records":[{0},{0}]}}"#, crate::trained::FLOW);
    assert_eq!(server.post("/v1/predict", &body).status, 200);
    assert_eq!(server.get("/nowhere").status, 404);
    let text = server.get("/metrics").text();
    for line in [
        "netsec_requests_total{status=\"2xx\"} 1",
        "netsec_requests_total{status=\"4xx\"} 1",
        "netsec_records_scored_total 2",
        "netsec_request_seconds_count 2",
        "netsec_ready 1",
        "netsec_model_version{model=\"flows\",simulated=\"false\"} 1",
    ] {
        assert!(text.lines().any(|l| l == line), "no `{line}` in\n{text}");
    }
}
