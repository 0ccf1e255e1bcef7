use serde_json::Value;

use crate::support::{SMALL, Workplace};

/// Returns the seed that a doctor's visit finds configured.
fn seed(place: &Workplace, file: Option<&str>, environment: &[(&str, &str)]) -> String {
    let mut arguments = vec!["doctor", "--json"];
    arguments.extend(file.iter().flat_map(|file| ["--config", *file]));
    let called = place.call_with(&arguments, environment);
    assert_eq!(called.code, 0, "{}", called.out);
    let found: Value = serde_json::from_str(&called.out).unwrap();
    let checks = found["checks"].as_array().unwrap();
    let check = checks
        .iter()
        .find(|c| c["check"] == "configuration")
        .unwrap();
    let message = check["message"].as_str().unwrap();
    message.rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn the_environment_wins_over_dotenv_and_both_over_the_file() {
    let place = Workplace::new();
    assert_eq!(seed(&place, None, &[]), "42");
    let file = place.write("netsec.yaml", "seed: 1");
    assert_eq!(seed(&place, Some(&file), &[]), "1");
    place.write(".env", "NETSEC__SEED=2\n");
    assert_eq!(seed(&place, Some(&file), &[]), "2");
    assert_eq!(seed(&place, Some(&file), &[("NETSEC__SEED", "3")]), "3");
}

#[test]
fn a_flag_wins_over_set_and_set_over_the_environment() {
    let place = Workplace::new();
    let run = |arguments: &[&str]| -> Value {
        let source = ["run", "--json", "--source", "synth://phishing?rows=1500"];
        let arguments = [&source[..], &SMALL[..], arguments].concat();
        let called = place.call_with(&arguments, &[("NETSEC__TRAINING__FOLDS", "4")]);
        assert_eq!(called.code, 0, "{}", called.err);
        let run: Value = serde_json::from_str(&called.out).unwrap();
        let path = place
            .path(run["run"].as_str().unwrap())
            .join("04-training/manifest.json");
        serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
    };
    let manifest = run(&[]);
    assert_eq!(
        (&manifest["seed"], &manifest["parameters"]["folds"]),
        (&42.into(), &4.into())
    );
    let manifest = run(&[
        "--set",
        "training.folds=3",
        "--set",
        "seed=5",
        "--seed",
        "6",
    ]);
    assert_eq!(
        (&manifest["seed"], &manifest["parameters"]["folds"]),
        (&6.into(), &3.into())
    );
}

#[test]
fn a_wrong_dotenv_is_an_error_that_does_not_show_it() {
    let place = Workplace::new();
    place.write(".env", "PASSWORD='hunter2\n");
    let called = place.call(&["runs"]);
    assert_eq!(called.code, 78, "{}", called.err);
    assert!(!called.err.contains("hunter2"), "{}", called.err);
}
