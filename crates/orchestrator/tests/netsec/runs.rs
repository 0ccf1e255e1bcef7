use serde_json::Value;

use crate::support::{SMALL, Workplace, small_csv};

#[test]
fn a_run_on_the_embedded_default_says_first_that_its_data_is_simulated() {
    let place = Workplace::new();
    let called = place.call(
        &[
            &["run", "--source", "synth://phishing?rows=3000"],
            &SMALL[..],
        ]
        .concat(),
    );
    assert_eq!(called.code, 0, "{}", called.err);
    let first = called.out.lines().next().unwrap();
    assert!(first.starts_with("SIMULATED"), "{first}");
    assert!(
        called.out.contains("phishing-simulated version 1: "),
        "{}",
        called.out
    );
}

#[test]
fn the_json_of_a_run_keeps_its_contract() {
    let place = Workplace::new();
    let run = place.run(&["--source", "synth://phishing?rows=3000"]);
    for key in [
        "run",
        "dataset",
        "model",
        "source",
        "simulated",
        "rows",
        "partitions",
        "candidates",
        "chosen",
        "holdout",
        "holdout_at_f1_threshold",
        "row_wise_cv",
        "grouped_cv",
        "threshold",
        "drift",
        "verdict",
        "version",
        "seconds",
        "report",
    ] {
        assert!(run.get(key).is_some(), "{key} is missing");
    }
    let rows = |key: &str| run["rows"][key].as_u64().unwrap();
    assert_eq!(rows("total"), 3000);
    assert_eq!(rows("train") + rows("holdout") + rows("quarantined"), 3000);
    assert_eq!(run["candidates"].as_array().unwrap().len(), 8);
    for metric in [
        "accuracy",
        "precision",
        "recall",
        "f1",
        "fpr",
        "roc_auc",
        "pr_auc",
    ] {
        let interval = &run["holdout"][metric];
        let number = |key: &str| interval[key].as_f64().unwrap();
        assert!(
            number("low") <= number("value") && number("value") <= number("high"),
            "{metric}"
        );
    }
    assert_eq!(run["drift"]["verdict"], "no_reference");
}

#[test]
fn the_same_run_again_is_unchanged_and_makes_no_version() {
    let place = Workplace::new();
    let arguments = [
        "--source",
        "synth://phishing?rows=3000",
        "--force",
        "--why",
        "a test",
    ];
    assert_eq!(place.run(&arguments)["version"], 1);
    let again = place.run(&arguments);
    assert_eq!(again["verdict"]["unchanged"], true);
    assert_eq!(again["version"], Value::Null);
}

#[test]
fn payloads_do_not_depend_on_threads_on_the_order_of_rows_or_on_the_kind_of_file() {
    let text = small_csv(1500);
    let mut lines: Vec<&str> = text.lines().collect();
    let header = lines.remove(0);
    lines.reverse();
    let shuffled = format!("{header}\n{}\n", lines.join("\n"));
    let run = |csv: &str, threads: &str| {
        let place = Workplace::new();
        let source = place.write("data.csv", csv);
        let arguments = [&["run", "--json", "--source", &source], &SMALL[..]].concat();
        let called = place.call_with(&arguments, &[("RAYON_NUM_THREADS", threads)]);
        assert_eq!(called.code, 0, "{}", called.err);
        let mut artifacts = place.artifacts(&serde_json::from_str(&called.out).unwrap());
        // Where rows came from differs, by its nature, between sources of the same rows.
        assert!(artifacts.remove("01-ingestion/provenance.bin").is_some());
        artifacts
    };
    let reference = run(&text, "1");
    assert!(reference.len() >= 9, "{:?}", reference.keys());
    for (csv, threads) in [(&text, "2"), (&text, "8"), (&shuffled, "2")] {
        for (name, bytes) in run(csv, threads) {
            assert!(
                reference[&name] == bytes,
                "{name} differs at {threads} threads"
            );
        }
    }
}

#[test]
fn no_trained_model_has_the_holdout_among_its_ancestors() {
    let place = Workplace::new();
    let run = place.run(&["--source", "synth://phishing?rows=2000"]);
    let directory = place.path(run["run"].as_str().unwrap());
    let run = artifact::Run::open(&directory, 42).unwrap();
    let lineage = artifact::Lineage::of(&run).unwrap();
    let (bundle, _) = lineage
        .nodes()
        .find(|(_, node)| node.kind == "model-bundle")
        .unwrap();
    let kinds: Vec<&str> = lineage
        .ancestors(*bundle)
        .iter()
        .map(|n| n.kind.as_str())
        .collect();
    assert!(
        kinds.contains(&"training-set") && kinds.contains(&"raw-dataset"),
        "{kinds:?}"
    );
    assert!(!kinds.contains(&"holdout-set"), "{kinds:?}");
}

#[test]
fn predictions_stand_in_the_order_of_the_input_and_bad_rows_say_why() {
    let place = Workplace::new();
    let csv = small_csv(1500);
    let source = place.write("data.csv", &csv);
    let run = place.run(&["--source", &source, "--force", "--why", "a test"]);
    assert_eq!(run["version"], 1);
    let mut lines: Vec<String> = csv.lines().take(6).map(str::to_owned).collect();
    lines[2] = lines[2].replacen("1,", "seven,", 1);
    let input = place.write("input.csv", lines.join("\n"));
    let called = place.call(&["predict", "--input", &input, "--output", "out.csv"]);
    assert_eq!(called.code, 0, "{}", called.err);
    let out = std::fs::read_to_string(place.path("out.csv")).unwrap();
    let rows: Vec<&str> = out.lines().collect();
    assert!(
        rows[0].ends_with("Result,label,threat_probability,model_version,problem,imputed"),
        "{}",
        rows[0]
    );
    assert_eq!(rows.len(), 6);
    assert!(rows[1].starts_with(&lines[1]) && rows[5].starts_with(&lines[5]));
    assert!(
        rows[2].contains(",,,1,") && rows[2].contains("is not a whole number"),
        "{}",
        rows[2]
    );
    let none = place.write("none.csv", "port\n1\n");
    assert_eq!(
        place
            .call(&["predict", "--input", &none, "--output", "none_out.csv"])
            .code,
        65
    );
}

#[test]
fn the_champion_can_be_listed_and_rolled_back() {
    let place = Workplace::new();
    let source = place.write("data.csv", small_csv(1500));
    place.run(&["--source", &source, "--force", "--why", "first"]);
    let second = [
        "--source", &source, "--seed", "7", "--force", "--why", "second",
    ];
    assert_eq!(place.run(&second)["version"], 2);
    let called = place.call(&[
        "models",
        "rollback",
        "phishing",
        "--why",
        "worse in the field",
    ]);
    assert_eq!(called.code, 0, "{}", called.err);
    let shown = place.call(&["models", "show", "phishing", "--json"]);
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(shown["champion"]["version"], 1);
    assert_eq!(place.call(&["models", "rollback", "phishing"]).code, 64);
    assert_eq!(place.call(&["models", "show", "nothing"]).code, 64);
    let history = place.call(&["models", "history", "phishing"]);
    assert_eq!(history.out.lines().count(), 3, "{}", history.out);
}
