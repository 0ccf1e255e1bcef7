//! Attack families as classes: the general case, end to end.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Workplace, flows_csv, flows_schema};

const FAMILIES: [(&str, &str); 5] = [
    ("logistic_regression", "{c: [1.0]}"),
    ("decision_tree", "{max_depth: [12], min_samples_leaf: [20]}"),
    ("random_forest", "{n_estimators: [20]}"),
    ("extra_trees", "{n_estimators: [20]}"),
    ("gradient_boosting", "{n_estimators: [20]}"),
];

fn run(place: &Workplace, family: &str, grid: &str) -> Value {
    place.write("flows.yaml", flows_schema("families"));
    place.write("flows.csv", flows_csv(4000, 1, 0));
    let (families, search) = (
        format!("training.families=[{family}]"),
        format!("training.search={{{family}: {grid}}}"),
    );
    let called = place.call(&[
        "run",
        "--json",
        "--dataset",
        "flows.yaml",
        "--source",
        "flows.csv",
        "--force",
        "--why",
        "a test",
        "--set",
        &families,
        "--set",
        &search,
        "--set",
        "training.baseline_rows=300",
    ]);
    assert_eq!(called.code, 0, "{family}: {}", called.err);
    serde_json::from_str(&called.out).unwrap()
}

#[test]
fn every_family_of_models_tells_families_of_attacks_apart() {
    for (family, grid) in FAMILIES {
        let place = Workplace::new();
        let result = run(&place, family, grid);
        let auc = result["holdout"]["roc_auc"]["value"].as_f64().unwrap();
        assert!(
            auc > 0.97,
            "{family}: ROC AUC of threat against benign reads {auc}"
        );
        let told: Vec<&str> = result["families"]
            .as_array()
            .unwrap()
            .iter()
            .map(|f| f["family"].as_str().unwrap())
            .collect();
        assert_eq!(told, ["normal", "dos", "probe"], "{family}");

        let output = predict(&place);
        let right = output
            .iter()
            .filter(|(truth, label, _)| truth == label)
            .count();
        let share = right as f64 / output.len() as f64;
        assert!(share > 0.9, "{family}: {share} of the labels are right");
        let mut seen = BTreeMap::new();
        for (_, label, threat) in &output {
            *seen.entry(label.as_str()).or_insert(0) += 1;
            assert!((0.0..=1.0).contains(threat), "{family}: {threat}");
        }
        assert!(seen.len() == 3, "{family}: {seen:?}");
    }
}

#[test]
fn boosting_tells_its_loss_round_by_round_up_to_that_of_its_folds() {
    let place = Workplace::new();
    let result = run(&place, "gradient_boosting", "{n_estimators: [10, 25]}");
    let run = place.path(result["run"].as_str().unwrap());
    let report = std::fs::read(run.join("04-training/training.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    for (candidate, n_rounds) in report["candidates"]
        .as_array()
        .unwrap()
        .iter()
        .zip([10, 25])
    {
        let curve: Vec<(u64, f64)> =
            serde_json::from_value(candidate["log_loss_by_round"].clone()).unwrap();
        let rounds = curve.iter().map(|(round, _)| *round);
        assert!(rounds.eq(1..=n_rounds), "{curve:?}");
        let whole = candidate["cv"]["log_loss"]["mean"].as_f64().unwrap();
        let (last, first) = (curve[curve.len() - 1].1, curve[0].1);
        assert!((last - whole).abs() < 1e-12, "{last} and {whole}");
        assert!(last < first);
    }
}

/// Scores the training file; returns truth, label and threat probability of each row.
fn predict(place: &Workplace) -> Vec<(String, String, f64)> {
    let called = place.call(&[
        "predict",
        "--model",
        "flows",
        "--input",
        "flows.csv",
        "--output",
        "out.csv",
    ]);
    assert_eq!(called.code, 0, "{}", called.err);
    let text = std::fs::read_to_string(place.path("out.csv")).unwrap();
    let row = |line: &str| {
        let cells: Vec<&str> = line.split(',').collect();
        let at = cells.len() - 5;
        let truth = match cells[at - 1] {
            "smurf" | "neptune" => "dos",
            "ipsweep" => "probe",
            other => other,
        };
        (
            truth.to_owned(),
            cells[at].to_owned(),
            cells[at + 1].parse().unwrap(),
        )
    };
    text.lines().skip(1).map(row).collect()
}
