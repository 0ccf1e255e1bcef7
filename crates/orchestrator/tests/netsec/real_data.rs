//! The real data sets; `NETSEC_DATA_DIR` says where they are, and without them these tests fail.

use std::path::PathBuf;

use serde_json::Value;

use crate::support::Workplace;

fn data(name: &str) -> String {
    let root = std::env::var_os("NETSEC_DATA_DIR")
        .expect("NETSEC_DATA_DIR names the folder with phishing.csv and nsl_kdd/");
    let path = PathBuf::from(root).join(name).canonicalize();
    path.unwrap_or_else(|e| panic!("{name}: {e}"))
        .display()
        .to_string()
}

fn run(place: &Workplace, arguments: &[&str]) -> Value {
    let called = place.call(&[&["run", "--json"], arguments].concat());
    assert_eq!(called.code, 0, "{}", called.err);
    serde_json::from_str(&called.out).unwrap()
}

#[test]
fn phishing_trains_a_detector_that_is_promoted() {
    let place = Workplace::new();
    let result = run(&place, &["--source", &data("phishing.csv")]);
    let rows = &result["rows"];
    assert_eq!(rows["total"], 11_055);
    assert_eq!(rows["duplicates"], 11_055 - 5_849);
    assert_eq!(result["simulated"], false);
    assert_eq!(result["verdict"]["promoted"], true, "{}", result["verdict"]);
    assert!(result["candidates"].as_array().unwrap().len() >= 24);
    let value = |metric: &str| result["holdout"][metric]["value"].as_f64().unwrap();
    assert!(
        value("roc_auc") > 0.985 && value("pr_auc") > 0.985,
        "{}",
        result["holdout"]
    );
    let gap = result["row_wise_cv"]["accuracy"].as_f64().unwrap()
        - result["grouped_cv"]["accuracy"].as_f64().unwrap();
    assert!(gap > 0.005, "the leak of row-wise folds reads {gap}");
}

#[test]
fn nsl_kdd_trains_on_one_partition_and_is_judged_on_the_other() {
    let place = Workplace::new();
    let (train, test) = (data("nsl_kdd/KDDTrain+.txt"), data("nsl_kdd/KDDTest+.txt"));
    let arguments = [
        "--dataset",
        "nsl_kdd",
        "--source",
        &train,
        "--holdout",
        &test,
        "--set",
        "training.families=[gradient_boosting]",
        "--set",
        "training.search.gradient_boosting={n_estimators: [100], num_leaves: [31], learning_rate: [0.1]}",
    ];
    let result = run(&place, &arguments);
    assert_eq!(result["rows"]["holdout"], 22_544);
    assert!(result["overlapping_rows"].as_u64().unwrap() > 0);
    let auc = result["holdout"]["roc_auc"]["value"].as_f64().unwrap();
    assert!(auc > 0.95, "ROC AUC on KDDTest+ reads {auc}");
    assert_eq!(result["families"].as_array().unwrap().len(), 5);
}

#[test]
fn inferred_schemas_train_on_the_data_that_they_were_inferred_from() {
    let place = Workplace::new();
    let kdd = ["--no-header", "--target", "column_42"];
    for (file, infer, rows) in [
        ("phishing.csv", &["--threat", "-1"][..], 11_055),
        ("nsl_kdd/KDDTrain+.txt", &kdd, 125_973),
    ] {
        let (source, output) = (data(file), ["--output", "my.yaml", "--force"]);
        let arguments = [&["schema", "infer", &source], infer, &output].concat();
        let called = place.call(&arguments);
        assert_eq!(called.code, 0, "{}", called.err);
        let tree = ["--set", "training.families=[decision_tree]"];
        let few = [
            "--set",
            "training.folds=2",
            "--set",
            "training.baseline_rows=0",
        ];
        let source = ["--dataset", "my.yaml", "--source", &source];
        let result = run(&place, &[&source[..], &tree, &few].concat());
        assert_eq!(result["rows"]["total"], rows);
        assert_eq!(result["rows"]["quarantined"], 0);
        assert!(result["holdout"]["roc_auc"]["value"].as_f64().unwrap() > 0.95);
    }
}
