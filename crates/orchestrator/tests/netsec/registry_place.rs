//! Where the registry is: what names it, what wins, and that a run remembers it.

use std::fs;

use serde_json::Value;

use crate::support::{TINY, Workplace};

/// Trains on the tiny data set in an environment, with more arguments; the registry must be in the directory.
fn check(environment: &[(&str, &str)], more: &[&str], expected: &str) {
    let place = Workplace::new();
    place.write_tiny(300);
    place.write("config.yaml", "registry: of-the-file\n");
    let fixed = ["run", "--json", "--force", "--why", "a test", "--source"];
    let arguments = [&fixed[..], &["tiny.csv"], &TINY, more].concat();
    let called = place.call_with(&arguments, environment);
    assert_eq!(called.code, 0, "{}", called.err);
    let run: Value = serde_json::from_str(&called.out).unwrap();
    let history = format!("{expected}/models/tiny/history/00000001.json");
    assert!(place.path(&history).is_file(), "{expected} {more:?}");

    let listed = place.call(&["models", "list", "--registry", expected, "--json"]);
    assert!(listed.out.contains("\"tiny\""), "{}", listed.out);
    // A stage alone goes by the run, from wherever it is called.
    fs::create_dir(place.path("away")).unwrap();
    let run = place.path(run["run"].as_str().unwrap());
    let stage = ["stage", "promotion", "--run", run.to_str().unwrap()];
    let alone = place.call_with(&stage, &[("NETSEC_REGISTRY", "moved")]);
    assert_eq!(alone.code, 0, "{}", alone.err);
    assert!(!place.path("moved").exists());
    let elsewhere = [&stage[..], &["--registry", "given"]].concat();
    assert_eq!(place.call(&elsewhere).code, 0);
    assert!(place.path("given/models/tiny").is_dir());
}

#[test]
fn the_flag_goes_before_the_variable_and_that_before_the_configuration() {
    let file = ["--config", "config.yaml"];
    check(&[], &[], "artifacts/registry");
    check(&[], &file, "of-the-file");
    check(&[("NETSEC__REGISTRY", "of-the-key")], &file, "of-the-key");
    check(
        &[],
        &[&file[..], &["--set", "registry=set"]].concat(),
        "set",
    );
    let variable = [("NETSEC_REGISTRY", "of-the-variable")];
    check(&variable, &file, "of-the-variable");
    let flag = [&file[..], &["--registry", "of-the-flag"]].concat();
    check(&variable, &flag, "of-the-flag");
    // As files of compose pass on what is not set.
    check(&[("NETSEC_REGISTRY", "")], &file, "of-the-file");
}

#[test]
fn a_place_that_is_none_is_refused_before_anything_is_read() {
    let place = Workplace::new();
    place.write_tiny(50);
    let run = ["run", "--source", "tiny.csv", "--dataset", "tiny.yaml"];
    let refused = |more: &[&str], code: i32| {
        let called = place.call(&[&run[..], more].concat());
        assert_eq!(called.code, code, "{}", called.err);
        let words = "is no place of a registry: give a directory or s3://BUCKET/PREFIX";
        assert!(called.err.contains(words), "{}", called.err);
    };
    refused(&["--registry", "https://host/models"], 64);
    refused(&["--set", "registry=https://host/models"], 78);
    assert!(!place.path("artifacts").exists());
}

#[cfg(not(feature = "s3"))]
#[test]
fn a_build_that_reaches_no_bucket_names_the_feature() {
    let place = Workplace::new();
    let called = place.call(&["models", "list", "--registry", "s3://bucket/models"]);
    assert_eq!(called.code, 64);
    assert!(
        called.err.contains("with the feature `s3`"),
        "{}",
        called.err
    );
}
