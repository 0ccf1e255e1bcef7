//! Configuration and schemas that are wrong.

use crate::support::{TINY, Workplace};

/// Runs on the tiny data set with one more setting and returns exit code and message.
fn set(place: &Workplace, setting: &str) -> (i32, String) {
    let run = [
        &["run", "--source", "tiny.csv"][..],
        &TINY,
        &["--set", setting],
    ]
    .concat();
    let called = place.call(&run);
    (called.code, called.err)
}

#[test]
fn values_that_make_no_sense_are_refused_with_their_key() {
    let place = Workplace::new();
    place.write_tiny(200);
    for (setting, word) in [
        ("training.folds=0", "training.folds"),
        ("training.folds=1", "training.folds"),
        ("training.folds=1000000000", "training.folds"),
        ("training.folds=-1", "training.folds"),
        ("training.folds=many", "training.folds"),
        ("training.families=[]", "training.families"),
        ("training.families=[tree]", "training.families"),
        (
            "training.search.decision_tree={max_depth: []}",
            "search.decision_tree.max_depth",
        ),
        (
            "training.search.decision_tree={max_depth: [0]}",
            "max_depth",
        ),
        (
            "training.search.decision_tree={depth: [3]}",
            "did you mean `max_depth`?",
        ),
        (
            "training.search.random_forest={max_feature: [3]}",
            "search.random_forest: unknown field `max_feature`",
        ),
        (
            "training.families=[decision_tree, random_forest, decision_tree]",
            "`decision_tree` is listed twice",
        ),
        (
            "training.search.decision_tree={max_depth: [3, 8, 3.0]}",
            "search.decision_tree.max_depth: 3.0 is listed twice",
        ),
        (
            "training.search.decision_tree={class_weight: [[1, 2, 3]]}",
            "3 class weights for 2 classes",
        ),
        (
            "training.search.decision_tree={class_weight: [[-1, 1]]}",
            "class_weight is -1",
        ),
        (
            "training.search.decision_tree={class_weight: [[1e300, 1]]}",
            "class_weight is 1",
        ),
        (
            "training.search.decision_tree={class_weight: [[0, 1]]}",
            "positive for at least two classes",
        ),
        (
            "training.search.decision_tree={class_weight: [light]}",
            "class_weight is `balanced` or a list",
        ),
        (
            "training.search.decision_tree={max_depth: 3}",
            "a grid is a map of parameters to lists",
        ),
        ("training.search.decision_tree=3", "a grid is a map"),
        (
            "training.search.random_forest={n_estimators: []}",
            "n_estimators",
        ),
        ("training.max_fpr=.nan", "training.max_fpr"),
        ("training.baseline_rows=1000000", "training.baseline_rows"),
        (
            "transformation.holdout_share=0",
            "transformation.holdout_share",
        ),
        (
            "transformation.holdout_share=.nan",
            "transformation.holdout_share",
        ),
        ("evaluation.resamples=5", "evaluation.resamples"),
        ("promotion.margin=.nan", "promotion.margin"),
        ("promotion.margin=-1", "promotion.margin"),
        ("validation.max_bad_share=2", "validation.max_bad_share"),
        (
            "validation.drift.false_alarm_rate=0",
            "drift.false_alarm_rate",
        ),
        ("ingestion.max_rows=0", "ingestion.max_rows"),
        (
            "transformation.preprocessing.linear.knn.k=0",
            "preprocessing.linear.knn.k",
        ),
        ("seed=-1", "seed"),
        ("training.fold=3", "did you mean `folds`"),
        ("trainin.folds=3", "did you mean `training`"),
        ("folds=3", "did you mean `training.folds`?"),
        (
            "training.select_by=recall_at_fpr1pct",
            "did you mean `recall_at_fpr_1pct`?",
        ),
        (
            "jensen_shannon=1",
            "did you mean `validation.drift.jensen_shannon`?",
        ),
        ("training.folds=[1", "training.folds"),
        ("a.b.c=1", "a.b.c"),
    ] {
        let (code, message) = set(&place, setting);
        assert_eq!(code, 78, "{setting}: {message}");
        assert!(message.contains(word), "{setting}: {message}");
        assert!(
            !place.path("artifacts").exists(),
            "{setting}: rows were read"
        );
    }
}

#[test]
fn parameters_of_every_family_are_checked() {
    let place = Workplace::new();
    place.write_tiny(200);
    for (family, parameters) in [
        ("logistic_regression", "{c: [-1]}"),
        ("logistic_regression", "{c: [0]}"),
        ("logistic_regression", "{c: [.nan]}"),
        ("random_forest", "{n_estimators: [0]}"),
        ("random_forest", "{n_estimators: [4000000000]}"),
        ("gradient_boosting", "{learning_rate: [-1]}"),
        ("gradient_boosting", "{num_leaves: [0]}"),
    ] {
        let families = format!("training.families=[{family}]");
        let search = format!("training.search.{family}={parameters}");
        let changed = ["--set", &families, "--set", &search];
        let called = place.call(&[&["run", "--source", "tiny.csv"], &TINY[..], &changed].concat());
        assert_eq!(called.code, 78, "{search}: {}", called.err);
        assert!(called.err.contains(family), "{search}: {}", called.err);
        assert!(
            !place.path("artifacts").exists(),
            "{search}: rows were read"
        );
    }
}

#[test]
fn unknown_keys_are_named_with_where_they_stand() {
    let place = Workplace::new();
    place.write_tiny(200);
    let file = place.write("netsec.yaml", "seed: 3\ntraining:\n  fold: 3\n");
    let from_file = place.call(&["run", "--config", &file]);
    assert_eq!(from_file.code, 78, "{}", from_file.err);
    for word in ["netsec.yaml", "line 3", "did you mean `folds`"] {
        assert!(from_file.err.contains(word), "{}", from_file.err);
    }
    let list = place.write("list.yaml", "[seed]\n");
    let refused = place.call(&["run", "--config", &list]);
    assert_eq!(refused.code, 78, "{}", refused.err);
    assert!(
        refused.err.contains("a map of configuration keys"),
        "{}",
        refused.err
    );
    let environment = [("NETSEC__TRAINING__FOLD", "3")];
    let from_environment = place.call_with(&["run"], &environment);
    assert_eq!(from_environment.code, 78, "{}", from_environment.err);
    for word in [
        "environment variable for `training.fold`",
        "did you mean `folds`",
    ] {
        assert!(
            from_environment.err.contains(word),
            "{}",
            from_environment.err
        );
    }
}

/// Runs under a schema that differs from the tiny one and returns exit code and message.
fn schema(place: &Workplace, from: &str, to: &str) -> (i32, String) {
    place.write_tiny(200);
    let text = std::fs::read_to_string(place.path("tiny.yaml")).unwrap();
    assert!(text.contains(from), "{from}");
    place.write("tiny.yaml", text.replacen(from, to, 1));
    let called = place.call(&[&["run", "--source", "tiny.csv"], &TINY[..]].concat());
    (called.code, called.err)
}

#[test]
fn schemas_that_contradict_themselves_are_refused_with_the_reason() {
    let place = Workplace::new();
    let long = format!("name: {}", "a".repeat(300));
    let many: String = (0..70_000)
        .map(|i| format!("- {{name: c{i}, type: number}}\n"))
        .collect();
    for (from, to, word) in [
        ("name: b", "name: a", "named twice"),
        ("name: a", "name: ' a'", "spaces"),
        ("name: a", "name: ''", "empty"),
        ("name: a", "name: \"a\\e[31m\"", "control"),
        ("name: a", &long, "at most 200"),
        ("- {name: a", &format!("{many}- {{name: a"), "at most 65535"),
        ("type: number", "type: float", "unknown variant `float`"),
        ("type: number", "type: number, values: []", "empty"),
        ("type: number", "type: number, values: [.nan]", "not finite"),
        (
            "type: number",
            "type: number, values: [2, 1, 2]",
            "lists 2 twice",
        ),
        ("type: number", "type: number, levels: [x]", "levels"),
        (
            "type: number",
            "type: number, min: .nan",
            "leave an open end out",
        ),
        (
            "type: number",
            "type: number, min: 2, max: 1",
            "range is empty",
        ),
        (
            "type: number",
            "type: number, min: 2, values: [1]",
            "give one of",
        ),
        ("benign: {ok: ['0']}", "benign: {}", "exactly one"),
        ("threats: {bad: ['1']}", "threats: {}", "at least one"),
        ("['1']", "['0']", "listed twice"),
        ("['1']", "[]", "no values"),
        ("name: tiny", "name: ../../tiny", "letters, digits"),
        ("name: tiny", "name: tiny\nname: tiny", "duplicate field"),
        (
            "name: tiny",
            "name: tiny\ncolums: 3",
            "did you mean `columns`",
        ),
        (
            "name: tiny",
            "name: tiny\nfile: {delimiter: '\"'}",
            "delimiter",
        ),
        (
            "name: tiny",
            "name: tiny\nfile: {delimiter: \"\\n\"}",
            "delimiter",
        ),
        (
            "name: tiny",
            "name: tiny\nfile: {delimiter: é}",
            "delimiter",
        ),
        (
            "name: tiny",
            "name: tiny\nquality: {max_bad_share: .nan}",
            "max_bad_share",
        ),
        (
            "name: tiny",
            "name: tiny\npromotion: {pr_auc: .nan}",
            "pr_auc",
        ),
        ("name: tiny", "name: tiny\npromotion: {recall: 2}", "recall"),
        (
            "name: tiny",
            "name: tiny\nderived: [{name: d, log1p: z}]",
            "`z` is not a feature",
        ),
        (
            "name: tiny",
            "name: tiny\nderived: [{name: d, difference: [d, a]}]",
            "not a feature",
        ),
        ("columns:", "columns: []\nmore:", "unknown field `more`"),
    ] {
        let (code, message) = schema(&place, from, to);
        assert_eq!(code, 78, "{to:.80}: {message}");
        assert!(message.contains(word), "{to:.80}: {message}");
        assert!(message.len() < 1_000, "{message}");
    }
    let (code, message) = schema(&place, "type: number", "type: number, never_use: true");
    assert_eq!(code, 0, "one column is left: {message}");
}

#[test]
fn documents_made_to_exhaust_the_reader_are_refused_at_once() {
    let place = Workplace::new();
    place.write_tiny(200);
    let mut aliases = "missing_tokens:\n- &a [x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (one, next) in ('a'..'m').zip('b'..) {
        let many = vec![format!("*{one}"); 9].join(", ");
        aliases += &format!("- &{next} [{many}]\n");
    }
    for (what, content, word) in [
        ("aliases", aliases.into_bytes(), ""),
        (
            "an alias of itself",
            b"missing_tokens: &a [*a]\n".to_vec(),
            "",
        ),
        ("brackets", vec![b'['; 1 << 20], "brackets"),
        ("braces", b"{a: ".repeat(1 << 18), "brackets"),
        ("dashes", b"- ".repeat(1 << 16), ""),
        ("a large file", vec![b'#'; 20 << 20], "at most"),
        ("foreign bytes", b"name: \xe9\n".to_vec(), "UTF-8"),
        ("control characters", b"name: \0\n".to_vec(), "control"),
        ("two documents", b"name: a\n---\nname: b\n".to_vec(), ""),
        ("nothing", Vec::new(), ""),
    ] {
        let file = place.write("bad.yaml", content);
        let since = std::time::Instant::now();
        for arguments in [["run", "--dataset", &file], ["run", "--config", &file]] {
            let called = place.call(&[&arguments[..], &["--source", "tiny.csv"]].concat());
            if what == "nothing" && arguments[1] == "--config" {
                // An empty configuration changes nothing; the rows are not those of its data set.
                assert_eq!(called.code, 65, "{}", called.err);
                continue;
            }
            assert_eq!(called.code, 78, "{what}: {}", called.err);
            assert!(called.err.contains(word), "{what}: {}", called.err);
            assert!(
                called.err.len() < 1_000,
                "{what}: {} bytes",
                called.err.len()
            );
        }
        assert!(
            since.elapsed().as_secs() < 20,
            "{what} took {:?}",
            since.elapsed()
        );
    }
    let missing = place.call(&["run", "--dataset", "no_such_schema.yaml"]);
    assert_eq!(missing.code, 78, "{}", missing.err);
    std::fs::create_dir(place.path("folder.yaml")).unwrap();
    let folder = place.call(&["run", "--dataset", "folder.yaml"]);
    assert_eq!(folder.code, 78, "{}", folder.err);
}

#[test]
fn an_empty_list_of_grids_is_refused() {
    let place = Workplace::new();
    let (code, message) = set(&place, "training.search.gradient_boosting=[]");
    assert_eq!(code, 78, "{message}");
    assert!(message.contains("search.gradient_boosting"), "{message}");
}

#[test]
fn a_threat_is_not_called_like_what_is_benign_nor_nothing() {
    let place = Workplace::new();
    place.write_tiny(200);
    for name in ["ok", "\"\"", "\" \""] {
        let schema = std::fs::read_to_string(place.path("tiny.yaml")).unwrap();
        let schema = schema.replace("column: y,", &format!("column: y, threat_name: {name},"));
        place.write("named.yaml", schema);
        let called = place.call(&["run", "--dataset", "named.yaml", "--source", "tiny.csv"]);
        assert_eq!(called.code, 78, "{name}: {}", called.err);
        assert!(called.err.contains("threat_name"), "{name}: {}", called.err);
    }
}

#[test]
fn options_before_a_command_are_refused_rather_than_ignored() {
    let place = Workplace::new();
    for arguments in [
        &["--seed", "7", "run"][..],
        &["--json", "runs"],
        &["--artifacts", "elsewhere", "models", "list"],
    ] {
        let called = place.call(arguments);
        assert_eq!(called.code, 64, "{arguments:?}: {}", called.out);
    }
}

#[test]
fn a_decision_by_force_has_a_reason_and_a_reason_a_decision() {
    let place = Workplace::new();
    for arguments in [
        &["run", "--force", "--why", ""][..],
        &["run", "--force", "--why", "  "],
        &["run", "--why", "because"],
        &["run", "--model", ""],
        &["run", "--model=-x"],
        &["models", "rollback", "x", "--why", " "],
    ] {
        let called = place.call(arguments);
        assert_eq!(called.code, 64, "{arguments:?}: {}", called.err);
        assert!(!place.path("artifacts").exists(), "{arguments:?}");
    }
}

#[test]
fn dotenv_sets_where_artifacts_lie() {
    let place = Workplace::new();
    place.write(".env", "NETSEC_ARTIFACTS=elsewhere\n");
    place.write_tiny(200);
    place.run_tiny(&[]);
    assert!(place.path("elsewhere").is_dir());
    assert!(!place.path("artifacts").exists());
}

#[test]
fn a_search_that_unfolds_without_end_is_refused_before_it_is_unfolded() {
    let place = Workplace::new();
    place.write_tiny(200);
    let values: Vec<String> = (1..=40).map(|n| n.to_string()).collect();
    let values = values.join(", ");
    let names = [
        "max_depth",
        "min_samples_leaf",
        "min_samples_split",
        "max_leaf_nodes",
    ];
    let grid: Vec<String> = names.iter().map(|n| format!("{n}: [{values}]")).collect();
    let setting = format!("training.search.decision_tree={{{}}}", grid.join(", "));
    let (code, message) = set(&place, &setting);
    assert_eq!(code, 78, "{message}");
    assert!(
        message.contains("2560000 candidates, at most 10000"),
        "{message}"
    );
}

#[test]
fn a_candidate_that_two_grids_give_is_tried_once() {
    let place = Workplace::new();
    place.write_tiny(300);
    let search = "training.search.decision_tree=[{max_depth: [2, 3]}, {max_depth: [3, 4]}]";
    let run = place.run_tiny(&["--set", search]);
    let path = place.path(run["run"].as_str().unwrap());
    let report = std::fs::read(path.join("04-training/training.json")).unwrap();
    let report: serde_json::Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["candidates"].as_array().unwrap().len(), 3);
}

#[test]
fn doctor_checks_the_values_of_a_configuration() {
    let place = Workplace::new();
    for (text, word) in [
        ("training: {folds: 1}", "training.folds: 1 is not between"),
        (
            "training: {search: {decision_tree: {class_weight: [[1, 2, 3]]}}}",
            "3 class weights for 2 classes",
        ),
    ] {
        let file = place.write("c.yaml", text);
        let called = place.call(&["doctor", "--config", &file]);
        assert_eq!(called.code, 78, "{text}: {}", called.out);
        assert!(called.out.contains(word), "{text}: {}", called.out);
    }
}
