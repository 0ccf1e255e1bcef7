//! Addresses with secrets in them: nothing that is kept or printed has one.

use std::{fs, path::Path};

use crate::support::{Called, TINY, Workplace};

const SECRETS: [&str; 4] = ["hunter2", "tok-81", "sgn-82", "amz-83"];

/// Writes a file's address with every kind of secret that an address may carry.
fn address(place: &Workplace, file: &str) -> String {
    let [password, token, signature, amazon] = SECRETS;
    let path = place.path(file).display().to_string();
    format!("file://me:{password}@{path}?token={token}&sig={signature}&X-Amz-Signature={amazon}#x")
}

fn check(called: &Called) {
    assert_silent(called.out.as_bytes(), "standard output");
    assert_silent(called.err.as_bytes(), "standard error");
}

fn assert_silent(bytes: &[u8], place: &str) {
    for secret in SECRETS {
        let found = bytes.windows(secret.len()).any(|w| w == secret.as_bytes());
        assert!(!found, "`{secret}` in {place}");
    }
}

/// Reads every file below a directory; returns how many there are.
fn assert_files_silent(directory: &Path) -> usize {
    let mut n = 0;
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            n += assert_files_silent(&path);
        } else {
            assert_silent(&fs::read(&path).unwrap(), &path.display().to_string());
            n += 1;
        }
    }
    n
}

#[test]
fn no_secret_of_an_address_is_kept_or_printed() {
    let place = Workplace::new();
    place.write_tiny(400);
    let (source, holdout) = (address(&place, "tiny.csv"), address(&place, "tiny.csv"));
    let addresses = [
        "run",
        "--force",
        "--why",
        "a test",
        "--source",
        &source,
        "--holdout",
        &holdout,
    ];
    let run = |more: &[&str]| {
        let called = place.call(&[&addresses[..], &TINY[..], more].concat());
        assert_eq!(called.code, 0, "{}", called.err);
        check(&called);
        called.out
    };
    let shown = run(&[]);
    assert!(shown.contains("file://me:***@"), "{shown}");
    let json: serde_json::Value = serde_json::from_str(&run(&["--json"])).unwrap();
    assert!(
        json["source"]
            .as_str()
            .unwrap()
            .contains("token=***&sig=***"),
        "{}",
        json["source"]
    );
    assert!(
        !json["snapshot"].is_null(),
        "the second run finds the snapshot of the first"
    );
    let directory = json["run"].as_str().unwrap();
    for command in [
        &["stage", "ingestion", "--run", directory][..],
        &["stage", "given-holdout", "--run", directory],
        &["report", directory],
        &["show", directory, "--json"],
        &["diff", directory, directory, "--json"],
        &["doctor", "--dataset", "tiny.yaml", "--source", &source],
    ] {
        let called = place.call(command);
        assert_eq!(called.code, 0, "{command:?}: {}", called.err);
        check(&called);
    }
    assert!(assert_files_silent(&place.path("artifacts")) > 20);
}

#[test]
fn an_address_that_cannot_be_read_is_refused_without_its_secrets() {
    let place = Workplace::new();
    place.write_tiny(10);
    for source in [
        "postgres://me:hunter2@h/d?token=tok-81",
        "postgres:/me:hunter2@h/d",
        "synth://nothing?token=tok-81",
        "file://me:hunter2@/none.csv?sig=sgn-82",
        "file:///none?sig=sgn-82",
    ] {
        for command in ["run", "doctor"] {
            let called = place.call(&[command, "--dataset", "tiny.yaml", "--source", source]);
            assert_ne!(called.code, 0, "{source}");
            check(&called);
        }
    }
    if place.path("artifacts").exists() {
        assert_files_silent(&place.path("artifacts"));
    }
}

#[test]
fn a_stage_says_what_supplies_the_secrets_that_its_run_did_not_keep() {
    let place = Workplace::new();
    place.write_tiny(300);
    let run = place.run_tiny(&[]);
    let directory = run["run"].as_str().unwrap();
    let path = place.path(directory).join("config.yaml");
    let kept = fs::read_to_string(&path).unwrap();
    let remote = "source: postgres://me:***@127.0.0.1:1/d?table=t&time_limit=1\n";
    fs::write(&path, kept.replace("source: tiny.csv\n", remote)).unwrap();
    let stage = |environment: &[(&str, &str)]| {
        let called = place.call_with(&["stage", "ingestion", "--run", directory], environment);
        check(&called);
        (called.code, called.err)
    };
    let (code, lacking) = stage(&[]);
    assert_eq!(code, 64, "{lacking}");
    assert!(
        lacking.contains("set the environment variable NETSEC__SOURCE"),
        "{lacking}"
    );
    let (code, other) = stage(&[("NETSEC__SOURCE", "postgres://me:hunter2@h/other")]);
    assert_eq!(code, 64, "{other}");
    assert!(other.contains("holds postgres://me:***@h/other"), "{other}");
    // With the secrets it gets as far as connecting.
    let supplied = "postgres://me:hunter2@127.0.0.1:1/d?table=t&time_limit=1";
    let ended = stage(&[("NETSEC__SOURCE", supplied)]);
    let (code, said) = match cfg!(feature = "sql") {
        true => (69, "postgres://me:***@127.0.0.1:1/d?table=t&time_limit=1: "),
        false => (64, "`postgres://` is not supported"),
    };
    assert_eq!(ended.0, code, "{}", ended.1);
    assert!(ended.1.contains(said), "{}", ended.1);
}

#[test]
fn an_address_in_the_place_of_something_else_shows_no_secret() {
    let place = Workplace::new();
    place.write_tiny(10);
    for address in [
        "https://me:hunter2@h/x.csv?token=tok-81",
        "file://me:hunter2@h/x.csv?sig=sgn-82",
        "postgres://me:hunter2@h/d",
    ] {
        let [setting, key, source] =
            ["training.folds=", "", "source=["].map(|k| format!("{k}{address}"));
        for arguments in [
            &["schema", "infer", address][..],
            &["run", address],
            &["run", "--seed", address],
            &[&source],
            &["run", "--set", &setting],
            &["run", "--set", &key],
            &["run", "--set", &source],
            &["run", "--dataset", address],
            &["run", "--config", address],
            &["models", "show", address],
            &["show", address],
            &["predict", "--input", address, "--output", "x.csv"],
        ] {
            let called = place.call(arguments);
            assert_ne!(called.code, 0, "{arguments:?}");
            check(&called);
        }
        let called = place.call_with(&["run"], &[("NETSEC__TRAINING__FOLDS", address)]);
        assert!(called.err.contains(":***@h"), "{}", called.err);
        check(&called);
    }
}
