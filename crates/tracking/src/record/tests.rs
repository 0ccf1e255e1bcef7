#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

use expect_test::{Expect, expect};
use serde_json::json;

use super::*;

/// Writes what is logged of a run that has a configuration and came to nothing.
fn check(configuration: &serde_json::Value, origin: &Origin, expected: &Expect) {
    let root = tempfile::tempdir().unwrap();
    let run = Run::create(root.path(), configuration, 7).unwrap();
    run.keep("schema.yaml", b"name: flows").unwrap();
    let record = Record::read(&run, origin).unwrap();
    assert_eq!(record.start, record.end);
    let mut text = format!("{} {}\n", record.experiment, record.status);
    let pairs = record.batch.parameters.iter().map(|pair| (' ', pair));
    for (mark, (key, value)) in pairs.chain(record.batch.tags.iter().map(|pair| ('#', pair))) {
        text += format!("{mark} {key}={value}").trim_end();
        text += "\n";
    }
    for file in &record.files {
        text += &format!("> {}\n", file.path);
    }
    expected.assert_eq(&text);
}

#[test]
fn a_run_that_came_to_nothing_is_logged_with_its_reason_and_no_secret() {
    let configuration = json!({
        "seed": 7,
        "dataset": "flows.yaml",
        "source": "https://ann:hunter2@host/flows.csv?token=hunter2",
        "holdout": null,
        "training": {"folds": 5, "families": ["decision_tree"], "search": {"decision_tree": {"max_depth": [3]}}},
    });
    let origin = Origin {
        user: Some("ann".to_owned()),
        commit: Some("0123abc".to_owned()),
        failure: Some("cannot reach https://ann:hunter2@host/flows.csv".to_owned()),
        experiment: None,
    };
    check(
        &configuration,
        &origin,
        &expect![[r#"
            flows FAILED
              dataset=flows.yaml
              holdout=null
              seed=7
              source=https://ann:***@host/flows.csv?token=***
              training.families=["decision_tree"]
              training.folds=5
              training.search={"decision_tree":{"max_depth":[3]}}
            # mlflow.source.name=netsec run
            # mlflow.source.type=LOCAL
            # mlflow.user=ann
            # mlflow.source.git.commit=0123abc
            # mlflow.note.content=It ended early: cannot reach https://ann:***@host/flows.csv
            # netsec.dataset=flows
            # netsec.source=https://ann:***@host/flows.csv?token=***
            # netsec.simulated=false
            # netsec.seed=7
            # netsec.error=cannot reach https://ann:***@host/flows.csv
            > schema.yaml
            > config.yaml
        "#]],
    );
}

#[test]
fn simulated_data_has_an_experiment_of_its_own() {
    let configuration =
        json!({"seed": 1, "dataset": "phishing", "source": "synth://phishing?rows=9"});
    check(
        &configuration,
        &Origin::default(),
        &expect![[r#"
            flows-simulated FAILED
              dataset=phishing
              seed=1
              source=synth://phishing?rows=9
            # mlflow.source.name=netsec run
            # mlflow.source.type=LOCAL
            # mlflow.note.content=**SIMULATED data, not real traffic.**
            # netsec.dataset=flows
            # netsec.source=synth://phishing?rows=9
            # netsec.simulated=true
            # netsec.seed=1
            > schema.yaml
            > config.yaml
        "#]],
    );
}

#[test]
fn a_run_is_found_again_by_its_name_unless_that_is_not_its_own() {
    let root = tempfile::tempdir().unwrap();
    let run = Run::create(root.path(), &json!({"seed": 7}), 7).unwrap();
    let id = |run: &Run| Record::read(run, &Origin::default()).unwrap().id;
    assert_eq!(id(&run), run.name());
    // As an export for DVC is, in each repository.
    let exported = root.path().join("netsec");
    std::fs::rename(run.directory(), &exported).unwrap();
    let exported = Run::open(&exported, 7).unwrap();
    let first = id(&exported);
    assert!(first.starts_with("netsec-"), "{first}");
    assert_eq!(id(&exported), first);
    std::fs::write(exported.directory().join("config.yaml"), "seed: 8\n").unwrap();
    assert_ne!(id(&exported), first);
}
