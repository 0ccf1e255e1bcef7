use serde_json::Value;

use crate::support::{SMALL, Workplace, small_csv};

/// Runs where no candidate is good enough, so that the registry has no champion before and after.
fn run_without_champion(place: &Workplace) -> Value {
    let schema = include_str!("../../../../schema/phishing.yaml");
    let schema = place.write("hard.yaml", schema.replace("pr_auc: 0.95", "pr_auc: 1.0"));
    let source = place.write("data.csv", mislabelled(&small_csv(1500)));
    let run = place.run(&["--dataset", &schema, "--source", &source]);
    assert_eq!(run["verdict"]["promoted"], false);
    run
}

/// Turns every 20th label over, so that no model is right everywhere.
fn mislabelled(csv: &str) -> String {
    let turned = |(at, line): (usize, &str)| match line.rsplit_once(',') {
        Some((cells, "1")) if at % 20 == 1 => format!("{cells},-1\n"),
        Some((cells, "-1")) if at % 20 == 1 => format!("{cells},1\n"),
        _ => format!("{line}\n"),
    };
    csv.lines().enumerate().map(turned).collect()
}

#[test]
fn a_stage_alone_gives_what_it_gave_in_the_run() {
    let place = Workplace::new();
    let run = run_without_champion(&place);
    let before = place.artifacts(&run);
    let directory = run["run"].as_str().unwrap();
    for stage in [
        "champion",
        "ingestion",
        "validation",
        "given-holdout",
        "transformation",
        "training",
        "evaluation",
    ] {
        let called = place.call(&["stage", stage, "--run", directory]);
        assert_eq!(called.code, 0, "{stage}: {}", called.err);
    }
    let after = place.artifacts(&run);
    assert!(before.keys().eq(after.keys()), "{:?}", after.keys());
    for (name, bytes) in before {
        assert!(after[&name] == bytes, "{name}");
    }
}

#[test]
fn a_given_holdout_is_read_again_by_its_stage() {
    let place = Workplace::new();
    let source = place.write("train.csv", small_csv(1500));
    let given = place.write("given.csv", small_csv(900));
    let run = place.run(&["--source", &source, "--holdout", &given]);
    assert_eq!(run["rows"]["holdout"], 900);
    let artifact = place
        .path(run["run"].as_str().unwrap())
        .join("02-given-holdout/given-holdout.bin");
    let before = std::fs::read(&artifact).unwrap();
    let directory = run["run"].as_str().unwrap();
    let called = place.call(&["stage", "given-holdout", "--run", directory]);
    assert_eq!(called.code, 0, "{}", called.err);
    assert!(before == std::fs::read(&artifact).unwrap());
}

#[test]
fn a_stage_uses_the_registry_beside_its_run() {
    let place = Workplace::new();
    let arguments = ["--artifacts", "elsewhere", "--force", "--why", "a test"];
    let source = ["--source", "synth://phishing?rows=2000"];
    let run = place.run(&[&source[..], &arguments].concat());
    let directory = run["run"].as_str().unwrap();
    for stage in ["champion", "promotion"] {
        let called = place.call(&["stage", stage, "--run", directory, "--json"]);
        assert_eq!(called.code, 0, "{}", called.err);
        let said: Value = serde_json::from_str(&called.out).unwrap();
        assert_eq!(said["manifest"]["stage"], stage);
    }
    let report = place.path(directory).join("06-promotion/promotion.json");
    let report: Value = serde_json::from_str(&std::fs::read_to_string(report).unwrap()).unwrap();
    assert_eq!(
        (&report["unchanged"], &report["champion"]),
        (&true.into(), &1.into())
    );
    let champion = place.path(directory).join("00-champion/champion.json");
    assert!(champion.is_file(), "the champion of `elsewhere` was found");
    assert!(!place.path("artifacts").exists());
}

#[test]
fn a_stage_is_not_moved_by_what_changed_since_its_run() {
    let place = Workplace::new();
    let schema = include_str!("../../../../schema/phishing.yaml");
    let path = place.write("mine.yaml", schema);
    let source = ["--source", "synth://phishing?rows=2000", "--dataset", &path];
    let run = place.run(&source);
    let before = place.artifacts(&run);
    place.write("mine.yaml", "name: another");
    let directory = run["run"].as_str().unwrap();
    for stage in ["ingestion", "validation"] {
        let environment = [("NETSEC__SEED", "7"), ("NETSEC__INGESTION__MAX_ROWS", "10")];
        let called = place.call_with(&["stage", stage, "--run", directory], &environment);
        assert_eq!(called.code, 0, "{stage}: {}", called.err);
    }
    assert!(before == place.artifacts(&run));
}

#[test]
fn an_unknown_stage_is_answered_with_the_known_ones() {
    let called = Workplace::new().call(&["stage", "trainer", "--run", "x"]);
    assert_eq!(called.code, 64);
    assert!(called.err.contains("training"), "{}", called.err);
    let no_run = Workplace::new().call(&["stage", "training", "--run", "x"]);
    assert_eq!(no_run.code, 64);
    assert!(no_run.err.contains("netsec runs"), "{}", no_run.err);
}

#[test]
fn progress_names_every_stage_from_its_beginning_to_its_end() {
    let place = Workplace::new();
    let source = [
        "--source",
        "synth://phishing?rows=2000",
        "--progress",
        "json",
    ];
    let called = place.call(&[&["run", "--json"], &SMALL[..], &source].concat());
    assert_eq!(called.code, 0, "{}", called.err);
    let lines: Vec<Value> = called
        .err
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let at = |stage: &str, step: &str, done: u64| {
        lines
            .iter()
            .position(|l| l["stage"] == stage && l["step"] == step && l["done"] == done)
            .unwrap_or_else(|| panic!("{stage} {step} {done}: {}", called.err))
    };
    let run: Value = serde_json::from_str(&called.out).unwrap();
    let stages: Vec<&String> = run["seconds"].as_object().unwrap().keys().collect();
    for stage in stages.into_iter().filter(|name| *name != "total") {
        assert!(at(stage, "", 0) < at(stage, "", 1), "{stage}");
    }
    let search: Vec<&Value> = lines.iter().filter(|l| l["step"] == "search").collect();
    assert!(search.is_sorted_by_key(|l| l["done"].as_u64()));
    assert_eq!(search.last().unwrap()["done"], search[0]["total"]);
    at("ingestion", "rows read", 2000);
}

/// Each stage's own program gives the bytes that the run gave.
#[cfg(feature = "stage-binaries")]
mod programs {
    use std::{path::Path, process::Command};

    use super::*;

    fn call(program: &str, directory: &Path) -> (Option<i32>, String) {
        let path = Path::new(env!("CARGO_BIN_EXE_netsec")).with_file_name(program);
        let output = Command::new(&path)
            .arg("--run")
            .arg(directory)
            .output()
            .unwrap_or_else(|e| panic!("{}: {e}: .ci/run says how it is built", path.display()));
        let text = String::from_utf8(output.stderr).unwrap();
        (output.status.code(), text)
    }

    #[test]
    fn every_program_gives_the_bytes_of_the_run() {
        let place = Workplace::new();
        let run = run_without_champion(&place);
        let before = place.artifacts(&run);
        let directory = place.path(run["run"].as_str().unwrap());
        for program in [
            "champion",
            "ingestion",
            "validation",
            "transformation",
            "trainer",
            "evaluation",
        ] {
            assert_eq!(
                call(program, &directory),
                (Some(0), String::new()),
                "{program}"
            );
            assert!(before == place.artifacts(&run), "{program}");
        }
    }

    #[test]
    fn the_program_promotion_agrees_with_its_stage() {
        let place = Workplace::new();
        let source = ["--source", "synth://phishing?rows=2000"];
        let run = place.run(&[&source[..], &["--force", "--why", "a test"]].concat());
        let directory = run["run"].as_str().unwrap();
        let called = place.call(&["stage", "promotion", "--run", directory]);
        assert_eq!(called.code, 0, "{}", called.err);
        let before = place.artifacts(&run);
        assert_eq!(
            call("promotion", &place.path(directory)),
            (Some(0), String::new())
        );
        assert!(before == place.artifacts(&run));
        let history = place.call(&["models", "history", "phishing-simulated"]);
        assert_eq!(history.out.lines().count(), 1, "{}", history.out);
    }

    #[test]
    fn programs_exit_as_netsec_does() {
        let place = Workplace::new();
        assert_eq!(call("validation", &place.path("none")).0, Some(64));
        std::fs::create_dir(place.path("empty")).unwrap();
        place.write("empty/config.yaml", "seed: x");
        assert_eq!(call("validation", &place.path("empty")).0, Some(78));
        place.write("empty/config.yaml", "{seed: 1, validation: {}}");
        let (code, message) = call("validation", &place.path("empty"));
        assert_eq!(code, Some(64), "{message}");
        assert!(message.contains("raw-dataset"), "{message}");
    }
}
