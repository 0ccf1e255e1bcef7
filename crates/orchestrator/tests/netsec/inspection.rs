use serde_json::Value;

use crate::support::{SMALL, TINY, Workplace, small_csv};

fn json(place: &Workplace, arguments: &[&str]) -> Value {
    let called = place.call(&[arguments, &["--json"]].concat());
    assert_eq!(called.code, 0, "{arguments:?}: {}", called.err);
    serde_json::from_str(&called.out).unwrap_or_else(|e| panic!("{arguments:?}: {e}"))
}

fn find<'a>(list: &'a Value, key: &str, name: &str) -> &'a Value {
    let items = list.as_array().unwrap();
    items
        .iter()
        .find(|item| item[key] == name)
        .unwrap_or(&Value::Null)
}

#[test]
fn diff_names_the_first_stage_that_differs_and_by_how_much_the_rest_does() {
    let place = Workplace::new();
    let source = place.write("data.csv", small_csv(1500));
    let a = place.run(&["--source", &source, "--artifacts", "one"]);
    let b = place.run(&["--source", &source, "--artifacts", "two", "--seed", "7"]);
    let (a, b) = (a["run"].as_str().unwrap(), b["run"].as_str().unwrap());
    let same = json(&place, &["diff", a, a]);
    assert_eq!(same["first_difference"], Value::Null);
    assert_eq!(same["configuration"], Value::Array(Vec::new()));

    let found = json(&place, &["diff", a, b]);
    assert_eq!(found["first_difference"], "transformation");
    let seed = find(&found["configuration"], "key", "seed");
    assert_eq!(
        (&seed["a"], &seed["b"], &seed["difference"]),
        (&42.into(), &7.into(), &(-35.0).into())
    );
    assert_eq!(
        found["configuration"].as_array().unwrap().len(),
        1,
        "{}",
        found["configuration"]
    );
    assert_eq!(find(&found["stages"], "stage", "validation")["equal"], true);
    assert_eq!(find(&found["stages"], "stage", "training")["equal"], false);
    assert_eq!(find(&found["rows"], "key", "total")["difference"], 0.0);
    assert_eq!(found["candidates"].as_array().unwrap().len(), 8);
    let auc = find(&found["holdout"], "key", "roc_auc");
    let (left, right) = (auc["a"].as_f64().unwrap(), auc["b"].as_f64().unwrap());
    assert_eq!(auc["difference"].as_f64().unwrap(), right - left);
    let text = place.call(&["diff", a, b]).out;
    assert!(
        text.contains("the first that differs: transformation"),
        "{text}"
    );
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}

#[test]
fn diff_leaves_where_rows_came_from_aside_and_takes_unfinished_runs() {
    let place = Workplace::new();
    let text = small_csv(1500);
    let mut lines: Vec<&str> = text.lines().skip(1).collect();
    lines.reverse();
    let header = text.lines().next().unwrap();
    let a = place.write("a.csv", &text);
    let b = place.write("b.csv", format!("{header}\n{}\n", lines.join("\n")));
    let a = place.run(&["--source", &a, "--artifacts", "one"]);
    let b = place.run(&["--source", &b, "--artifacts", "two"]);
    let (a, b) = (a["run"].as_str().unwrap(), b["run"].as_str().unwrap());
    let found = json(&place, &["diff", a, b]);
    // The run's name, and with it the registry's entry, is its own.
    assert_eq!(
        found["first_difference"],
        Value::Null,
        "{}",
        found["stages"]
    );
    let manifest = place.path(b).join("04-training/manifest.json");
    std::fs::remove_file(manifest).unwrap();
    let found = json(&place, &["diff", a, b]);
    assert_eq!(found["first_difference"], "training");
    assert_eq!(found["chosen"]["b"], Value::Null);
    assert_eq!(place.call(&["diff", a, "none"]).code, 64);
}

#[test]
fn doctor_finds_a_healthy_place_healthy_and_leaves_no_trace() {
    let place = Workplace::new();
    let found = json(&place, &["doctor"]);
    assert_eq!(found["healthy"], true, "{found:#}");
    assert!(!place.path("artifacts").exists());
    let source = place.write("data.csv", small_csv(1500));
    place.run(&["--source", &source, "--force", "--why", "a test"]);
    let found = json(&place, &["doctor", "--source", &source]);
    assert_eq!(found["healthy"], true, "{found:#}");
    let said = |check: &str| find(&found["checks"], "check", check)["message"].to_string();
    assert!(
        said("registry").contains("champion 1 loads and answers"),
        "{found:#}"
    );
    assert!(said("feature store").contains("1 snapshots"), "{found:#}");
    assert!(
        said("runs").contains("1, 0 of them unfinished"),
        "{found:#}"
    );
    let names: Vec<_> = std::fs::read_dir(place.path("artifacts"))
        .unwrap()
        .collect();
    assert_eq!(names.len(), 3, "a run, the registry, the feature store");
}

#[test]
fn doctor_says_what_is_wrong_and_exits_as_its_first_failure_would() {
    let place = Workplace::new();
    let check = |arguments: &[&str], code: i32, line: &str, word: &str| {
        let called = place.call(&[&["doctor"], arguments].concat());
        assert_eq!(called.code, code, "{}", called.out);
        let start = format!("FAIL  {line:<13}");
        let found = called.out.lines().find(|l| l.starts_with(&start));
        assert!(found.is_some_and(|l| l.contains(word)), "{}", called.out);
    };
    let wrong = place.write("wrong.yaml", "{training: {fold: 3}}");
    check(
        &["--config", &wrong],
        78,
        "configuration",
        "did you mean `folds`",
    );
    check(&["--dataset", &wrong], 78, "schema", "training");
    check(&["--source", "none.csv"], 69, "source", "none.csv");
    check(
        &["--source", "gs://bucket/key"],
        64,
        "source",
        "`gs://` is not supported",
    );
    let other = place.write("other.csv", "a,b\n1,2\n");
    check(&["--source", &other], 65, "source", "lacks 31 columns");
    place.write_tiny(50);
    let headless = place.path("tiny.yaml");
    let schema = std::fs::read_to_string(&headless).unwrap();
    place.write(
        "headless.yaml",
        format!("file: {{header: false}}\n{schema}"),
    );
    place.write("headless.csv", "1,2\n3,4\n");
    let of = |file| ["--dataset", "headless.yaml", "--source", file];
    check(
        &of("headless.csv"),
        65,
        "source",
        "2 of the first 2 rows bad, such as row 1: 2 cells for 3 names",
    );
    place.write("empty.jsonl", "\n");
    check(&of("empty.jsonl"), 65, "source", "");
    let file = place.write("file", "");
    check(&["--artifacts", &file], 69, "artifacts", "no directory");
}

#[test]
fn doctor_and_a_run_say_which_columns_a_source_does_not_have() {
    let place = Workplace::new();
    place.write_tiny(200);
    let rows: String = (0..200)
        .map(|i| format!("{i},{}\n", u8::from(i > 90)))
        .collect();
    place.write("a.csv", "a,y\n".to_owned() + &rows);
    let doctor = place.call(&["doctor", "--dataset", "tiny.yaml", "--source", "a.csv"]);
    assert_eq!(doctor.code, 0, "{}", doctor.out);
    let line = "200 rows read, none bad; it lacks 1 column: b, which may be missing";
    assert!(doctor.out.contains(line), "{}", doctor.out);
    place.write(
        "clustered.csv",
        "a,b,y\n".to_owned() + &"x,1,0\n".repeat(20) + &"1,2,1\n".repeat(3000),
    );
    let doctor = place.call(&[
        "doctor",
        "--dataset",
        "tiny.yaml",
        "--source",
        "clustered.csv",
    ]);
    assert_eq!(doctor.code, 0, "{}", doctor.out);
    let line = "warn  source        clustered.csv: 20 of the first";
    assert!(doctor.out.contains(line), "{}", doctor.out);
    let called = place.call(&[&["run", "--source", "a.csv"][..], &TINY].concat());
    let line = "columns that the source does not have: b\n";
    assert!(called.out.contains(line), "{}", called.out);
}

#[test]
fn doctor_finds_damage_in_registry_and_feature_store() {
    let place = Workplace::new();
    let source = place.write("data.csv", small_csv(1500));
    place.run(&["--source", &source, "--force", "--why", "a test"]);
    let flip = |directory: &str, ending: &str, kind: &[u8]| {
        for entry in std::fs::read_dir(place.path(directory)).unwrap() {
            let path = entry.unwrap().path();
            let mut bytes = std::fs::read(&path).unwrap();
            let is_meant = path.extension().is_some_and(|e| e == ending)
                && bytes.windows(kind.len()).take(64).any(|w| w == kind);
            if is_meant {
                let middle = bytes.len() / 2;
                bytes[middle] ^= 1;
                std::fs::write(&path, bytes).unwrap();
            }
        }
    };
    flip("artifacts/feature-store", "parquet", b"PAR1");
    let called = place.call(&["doctor"]);
    assert_eq!(called.code, 0, "{}", called.out);
    assert!(called.out.contains("warn  feature store"), "{}", called.out);
    flip("artifacts/registry/blobs", "bin", b"model-bundle");
    let called = place.call(&["doctor"]);
    assert_eq!(called.code, 70, "{}", called.out);
    assert!(called.out.contains("FAIL  registry"), "{}", called.out);
}

#[test]
fn a_run_says_whether_it_used_a_snapshot() {
    let place = Workplace::new();
    let source = place.write("data.csv", small_csv(1500));
    let simulated = place.run(&["--source", "synth://phishing?rows=1500"]);
    assert_eq!(simulated["snapshot"], Value::Null);
    assert_eq!(place.run(&["--source", &source])["snapshot"], Value::Null);
    let again = place.run(&["--source", &source]);
    assert!(again["snapshot"]["age_seconds"].as_i64().unwrap() >= 0);
    assert!(
        again["snapshot"]["read_at"]
            .as_str()
            .unwrap()
            .ends_with('Z')
    );
    let refreshed = place.run(&["--source", &source, "--refresh"]);
    assert_eq!(refreshed["snapshot"], Value::Null);
    // A file that has not changed needs no age.
    assert!(place.run(&["--source", &source, "--max-age", "0s"])["snapshot"].is_object());
    for wrong in ["1w", "-1h", "h"] {
        let called = place.call(&["run", "--max-age", wrong]);
        assert_eq!(called.code, 64, "{wrong}");
    }
}

#[test]
fn every_command_prints_one_json_value() {
    let place = Workplace::new();
    let source = place.write("data.csv", small_csv(1500));
    let run = place.run(&["--source", &source, "--force", "--why", "a test"]);
    let run = run["run"].as_str().unwrap();
    place.run(&[
        "--source", &source, "--seed", "7", "--force", "--why", "another",
    ]);
    for command in [
        &["runs"][..],
        &["show", run],
        &["verify", run],
        &["diff", run, run],
        &["doctor"],
        &["stage", "validation", "--run", run],
        &["schema", "infer", &source],
        &["predict", "--input", &source, "--output", "out.parquet"],
        &["models", "list"],
        &["models", "show", "phishing"],
        &["models", "history", "phishing"],
        &["models", "history", "phishing", "--at", "2999-01-01"],
        &["models", "rollback", "phishing"],
        &["models", "promote", "phishing", "--version", "2"],
    ] {
        json(&place, command);
    }
}

#[test]
fn lists_of_models_and_runs_are_objects_and_a_model_is_shown_as_tables() {
    let place = Workplace::new();
    place.write_tiny(300);
    place.run_tiny(&[]);
    let run = place.run_tiny(&["--seed", "7"]);
    let models = json(&place, &["models", "list"]);
    let tiny = find(&models, "name", "tiny");
    assert_eq!(
        (&tiny["versions"], &tiny["champion"]["version"]),
        (&2.into(), &2.into())
    );
    assert_eq!(tiny["challenger"], Value::Null);
    let second = place.path(run["run"].as_str().unwrap());
    std::fs::remove_file(second.join("06-promotion/manifest.json")).unwrap();
    std::fs::create_dir(place.path("artifacts/broken")).unwrap();
    place.write("artifacts/broken/config.yaml", "seed: 1");
    let runs = json(&place, &["runs"]);
    let name = second.file_name().unwrap().to_str().unwrap();
    let unfinished = find(&runs, "name", name);
    assert_eq!(unfinished["finished"], false);
    assert_eq!(
        unfinished["stages"].as_array().unwrap().len(),
        7,
        "{unfinished}"
    );
    assert_eq!(find(&runs, "name", "broken")["started"], Value::Null);
    let finished = runs
        .as_array()
        .unwrap()
        .iter()
        .filter(|r| r["finished"] == true);
    assert_eq!(finished.count(), 1, "{runs}");
    let listed = place.call(&["runs"]);
    assert_eq!(listed.out.lines().count(), 3, "{}", listed.out);
    let said = format!("2 unfinished: {name}, broken");
    assert!(listed.err.contains(&said), "{}", listed.err);
    let verified = place.call(&["verify", name]);
    assert!(verified.err.contains("unfinished"), "{}", verified.err);
    assert_eq!(json(&place, &["verify", name])["finished"], false);

    let shown = place.call(&["models", "show", "tiny"]).out;
    assert!(serde_json::from_str::<Value>(&shown).is_err(), "{shown}");
    for words in [
        "tiny: ",
        "promoted version 2",
        "decision_tree(max_depth=3)",
        "roc_auc",
        "champion",
    ] {
        assert!(shown.contains(words), "{words}: {shown}");
    }
}

#[test]
fn errors_stand_on_standard_error_with_json_as_well() {
    let place = Workplace::new();
    let run = place.run(&["--source", "synth://phishing?rows=1500"]);
    let run = run["run"].as_str().unwrap();
    place.write(&format!("{run}/04-training/model-bundle.bin"), "damaged");
    let called = place.call(&["verify", run, "--json"]);
    assert_eq!(called.code, 70);
    let found: Value = serde_json::from_str(&called.out).unwrap();
    assert_eq!(found["damaged"].as_array().unwrap().len(), 1, "{found}");
    assert!(called.err.starts_with("error: "), "{}", called.err);
    for command in [
        &["show", "none"][..],
        &["models", "show", "none"],
        &["predict", "--input", "none.csv", "--output", "x.csv"],
        &["schema", "infer", "none.csv"],
    ] {
        let called = place.call(&[command, &["--json"]].concat());
        assert!(
            called.code >= 64 && called.out.is_empty(),
            "{command:?}: {}",
            called.out
        );
        assert!(
            called.err.starts_with("error: "),
            "{command:?}: {}",
            called.err
        );
    }
    let called = place.call(&[&["run", "--json", "--source", "none.csv"], &SMALL[..]].concat());
    assert_eq!(called.code, 69);
    let object: Value = serde_json::from_str(&called.out).unwrap();
    assert_eq!(
        (&object["run"], &object["error"]["exit_code"]),
        (&Value::Null, &69.into())
    );
    place.write("one.csv", small_csv(50).lines().next().unwrap());
    let called = place.call(&[&["run", "--json", "--source", "one.csv"], &SMALL[..]].concat());
    assert_eq!(called.code, 65);
    let object: Value = serde_json::from_str(&called.out).unwrap();
    let message = object["error"]["message"].as_str().unwrap();
    assert!(message.contains("there are no rows"), "{message}");
    assert!(place.path(object["report"].as_str().unwrap()).is_file());
}

#[test]
fn a_variable_that_nothing_reads_is_told() {
    let place = Workplace::new();
    place.write_tiny(200);
    let run = [&["run", "--source", "tiny.csv"][..], &TINY].concat();
    let set = [("NETSEC_SEED", "7"), ("NETSEC_LISTEN", "0.0.0.0:5000")];
    let called = place.call_with(&run, &set);
    assert_eq!(called.code, 0, "{}", called.err);
    assert!(!called.err.contains("NETSEC_LISTEN"), "{}", called.err);
    let said = "note: NETSEC_SEED is read by nothing: keys are set with two underscores";
    assert!(called.err.contains(said), "{}", called.err);
}

#[test]
fn verify_notices_that_the_configuration_was_changed() {
    let place = Workplace::new();
    place.write_tiny(200);
    let run = place.run_tiny(&[]);
    let run = run["run"].as_str().unwrap();
    assert_eq!(place.call(&["verify", run]).code, 0);
    let path = place.path(run).join("config.yaml");
    let config = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, config.replace("seed: 42", "seed: 43")).unwrap();
    let called = place.call(&["verify", run]);
    assert_eq!(called.code, 70, "{}", called.out);
    assert!(called.err.contains("config.yaml"), "{}", called.err);
}

#[test]
fn a_registry_of_wrong_clocks_is_used_and_doctor_says_of_which_entries() {
    let place = Workplace::new();
    place.write_tiny(200);
    place.run_tiny(&[]);
    place.run_tiny(&["--seed", "7"]);
    let set = |sequence: u64, at: &str| {
        let name = format!("artifacts/registry/models/tiny/history/0000000{sequence}.json");
        let text = std::fs::read_to_string(place.path(&name)).unwrap();
        let mut entry: Value = serde_json::from_str(&text).unwrap();
        entry["at"] = at.into();
        place.write(&name, entry.to_string());
    };
    for (first, second, words) in [
        (
            "2026-02-03T00:00:03Z",
            "2026-02-03T00:00:00Z",
            "entry 2 of 2026-02-03T00:00:00Z stands behind entry 1 of 2026-02-03T00:00:03Z",
        ),
        (
            "2026-02-03T00:00:03Z",
            "2999-02-03T00:00:00Z",
            "the last entry, 2, is of 2999-02-03T00:00:00Z, which has not come yet",
        ),
    ] {
        set(1, first);
        set(2, second);
        let doctor = place.call(&["doctor"]);
        assert_eq!(doctor.code, 0, "{}", doctor.out);
        assert!(doctor.out.contains(words), "{}", doctor.out);
        let shown = place.call(&["models", "show", "tiny"]);
        assert!(shown.out.contains("promoted version 2"), "{}", shown.err);
    }
}

#[test]
fn where_there_is_nothing_to_list_that_is_said() {
    let place = Workplace::new();
    let runs = place.call(&["runs"]);
    assert_eq!((runs.code, runs.out.as_str()), (0, ""));
    assert!(
        runs.err.contains("no runs in artifacts yet"),
        "{}",
        runs.err
    );
    assert_eq!(json(&place, &["runs"]), Value::Array(Vec::new()));
    let file = place.write("file", "");
    let refused = place.call(&["runs", "--artifacts", &file]);
    assert_eq!(refused.code, 69, "{}", refused.err);
    std::fs::create_dir_all(place.path("artifacts/begun")).unwrap();
    place.write("artifacts/begun/config.yaml", "seed: 1");
    let shown = place.call(&["show", "begun"]);
    assert_eq!(shown.code, 0, "{}", shown.err);
    assert!(
        shown.err.contains("no stage of the run is completed"),
        "{}",
        shown.err
    );
}
