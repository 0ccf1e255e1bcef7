//! Champion and candidate: what is compared, who is promoted, who is declined.

use serde_json::Value;

use crate::support::{TINY, Workplace, flows_csv, flows_schema, tiny_csv};

/// Runs on the flows with one family of one candidate.
fn run(place: &Workplace, learner: &str, arguments: &[&str]) -> Value {
    let called = place.call(&[&["run", "--json"], &call(place, learner)[..], arguments].concat());
    assert_eq!(called.code, 0, "{}", called.err);
    serde_json::from_str(&called.out).unwrap()
}

const WEAK: &str = "{decision_tree: {max_depth: [1]}}";
const STRONG: &str = "{gradient_boosting: {n_estimators: [30]}}";

fn call<'a>(place: &Workplace, learner: &'a str) -> Vec<&'a str> {
    let family = &learner[1..learner.find(':').unwrap()];
    place.write("flows.yaml", flows_schema("binary"));
    if !place.path("flows.csv").exists() {
        place.write("flows.csv", flows_csv(6000, 1, 0));
    }
    let setting: &'a str = Box::leak(format!("training.search={learner}").into_boxed_str());
    let families: &'a str = Box::leak(format!("training.families=[{family}]").into_boxed_str());
    let quick = "training.baseline_rows=0";
    vec![
        "--dataset",
        "flows.yaml",
        "--source",
        "flows.csv",
        "--set",
        setting,
        "--set",
        families,
        "--set",
        quick,
    ]
}

fn champion(place: &Workplace) -> u64 {
    let shown = place.call(&["models", "show", "flows", "--json"]);
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    shown["champion"]["version"].as_u64().unwrap()
}

#[test]
fn a_better_candidate_is_promoted_over_the_champion_and_a_worse_one_declined() {
    let place = Workplace::new();
    let first = run(&place, WEAK, &["--force", "--why", "a start"]);
    assert_eq!(first["version"], 1);
    assert_eq!(first["comparison"], "no_champion");

    let second = run(&place, STRONG, &[]);
    let compared = &second["comparison"]["compared"];
    assert_eq!(compared["version"], 1, "{}", second["comparison"]);
    assert!(compared["groups"].as_u64().unwrap() >= 500, "{compared}");
    let difference = compared["candidate_pr_auc"].as_f64().unwrap()
        - compared["champion_pr_auc"].as_f64().unwrap();
    let told = &compared["difference"];
    assert!(
        (told["value"].as_f64().unwrap() - difference).abs() < 1e-12,
        "{told}"
    );
    assert!(told["low"].as_f64().unwrap() > 0.0, "{told}");
    assert_eq!(second["verdict"]["promoted"], true, "{}", second["verdict"]);
    assert_eq!(champion(&place), 2);

    let third = run(&place, "{decision_tree: {max_depth: [2]}}", &[]);
    let reasons = third["verdict"]["reasons"].to_string();
    assert_eq!(third["verdict"]["promoted"], false, "{reasons}");
    assert!(reasons.contains("against champion version 2"), "{reasons}");
    assert_eq!(champion(&place), 2);

    let arguments = call(&place, "{decision_tree: {max_depth: [3]}}");
    let required = [&["run", "--require-promotion"], &arguments[..]].concat();
    assert_eq!(place.call(&required).code, 65);
    let history = place.call(&["models", "history", "flows", "--json"]);
    let history: Value = serde_json::from_str(&history.out).unwrap();
    let actions: Vec<&str> = history
        .as_array()
        .unwrap()
        .iter()
        .map(|entry| entry["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions, ["promoted", "promoted", "declined", "declined"]);

    let promoted = place.call(&["models", "promote", "flows", "--version", "3"]);
    assert_eq!(
        promoted.code, 65,
        "a declined version was promoted without --force"
    );
    let forced = [
        "models",
        "promote",
        "flows",
        "--version",
        "3",
        "--force",
        "--why",
        "an outage",
    ];
    assert_eq!(place.call(&forced).code, 0);
    assert_eq!(champion(&place), 3);
}

#[test]
fn a_coin_is_declined_though_its_schema_asks_for_nothing_and_is_called_by_its_version() {
    let place = Workplace::new();
    place.write_tiny(600);
    let both = |i: usize| format!("{},0,0\n{},0,1\n", i * 37 % 601, i * 37 % 601);
    let rows: String = (0..600).map(both).collect();
    place.write("coin.csv", "a,b,y\n".to_owned() + &rows);
    let run = ["run", "--json", "--source", "coin.csv"];
    let called = place.call(&[&run[..], &TINY].concat());
    assert_eq!(called.code, 0, "{}", called.err);
    let run: Value = serde_json::from_str(&called.out).unwrap();
    assert_eq!(run["verdict"]["promoted"], false);
    let reasons = run["verdict"]["reasons"].to_string();
    assert!(reasons.contains("no better than chance"), "{reasons}");

    let predict = ["predict", "--input", "coin.csv", "--output", "out.csv"];
    let refused = place.call(&[&predict[..], &["--model", "tiny"]].concat());
    assert_eq!(refused.code, 69);
    assert!(
        refused.err.contains("version 1 was declined"),
        "{}",
        refused.err
    );
    let empty = Workplace::new();
    empty.write("coin.csv", "a,b,y\n");
    let refused = empty.call(&[&predict[..], &["--model", "tiny"]].concat());
    assert!(
        refused.err.contains("none yet, `netsec run`"),
        "{}",
        refused.err
    );
}

#[test]
fn a_holdout_that_the_champion_has_trained_on_compares_nothing() {
    let place = Workplace::new();
    place.write("flows.csv", flows_csv(2000, 1, 0));
    run(&place, WEAK, &["--force", "--why", "a start"]);
    let other = run(&place, STRONG, &["--seed", "7"]);
    let refused = &other["comparison"]["not_comparable"];
    assert!(
        refused["groups"].as_u64().unwrap() < 500,
        "{}",
        other["comparison"]
    );
    assert_eq!(other["verdict"]["promoted"], false);
    let reasons = other["verdict"]["reasons"].to_string();
    assert!(
        reasons.contains("not comparable with champion version 1"),
        "{reasons}"
    );
}

#[test]
fn drift_against_the_champions_training_data_warns_and_rejects_on_request() {
    let place = Workplace::new();
    run(&place, STRONG, &["--force", "--why", "a start"]);

    place.write("flows.csv", flows_csv(6000, 2, 0));
    let alike = run(&place, STRONG, &[]);
    assert_eq!(alike["drift"]["verdict"], "stable", "{}", alike["drift"]);

    place.write("flows.csv", flows_csv(6000, 3, 35));
    let mut arguments = vec!["run", "--set", "validation.on_drift=reject"];
    arguments.extend(call(&place, STRONG));
    let rejected = place.call(&arguments);
    assert_eq!(rejected.code, 65, "{}", rejected.err);
    assert!(
        rejected.err.contains("drifted") && rejected.err.contains("duration"),
        "{}",
        rejected.err
    );
    let latest = place.call(&["runs"]);
    let latest = latest.out.lines().last().unwrap();
    assert!(
        place
            .path("artifacts")
            .join(latest)
            .join("02-validation/validation.json")
            .is_file()
    );

    let drifted = run(&place, STRONG, &[]);
    assert_eq!(
        drifted["drift"]["verdict"], "drifted",
        "{}",
        drifted["drift"]
    );
    let columns: Vec<&str> = drifted["drift"]["columns"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|column| column["drifted"] == true)
        .map(|column| column["name"].as_str().unwrap())
        .collect();
    assert_eq!(columns, ["duration"]);

    place.write("flows.csv", flows_csv(6000, 4, 0));
    let mut arguments = vec!["run"];
    arguments.extend(call(&place, STRONG));
    let said = place.call(&arguments).out;
    let line = "drifted from what the champion has learned from: duration (see the report)";
    assert!(said.contains(line), "{said}");
}

#[test]
fn what_was_declined_is_decided_again_when_the_rules_have_changed() {
    let place = Workplace::new();
    run(&place, STRONG, &["--force", "--why", "a start"]);
    let declined = run(&place, WEAK, &[]);
    assert_eq!(declined["verdict"]["promoted"], false);
    let again = run(&place, WEAK, &[]);
    assert_eq!(again["verdict"]["unchanged"], true);
    assert_eq!(again["verdict"]["serving"], false);
    let mut required = vec!["run", "--require-promotion"];
    required.extend(call(&place, WEAK));
    assert_eq!(place.call(&required).code, 65);

    let lenient = run(&place, WEAK, &["--set", "promotion.margin=1.0"]);
    let asked = "pr_auc: 0.95";
    assert!(
        !flows_schema("binary").contains(asked),
        "no minimum stands in the way"
    );
    assert_eq!(
        lenient["verdict"]["promoted"], true,
        "{}",
        lenient["verdict"]
    );
    assert_eq!(lenient["version"], declined["version"]);
    let same = run(&place, WEAK, &["--require-promotion"]);
    assert_eq!(same["verdict"]["serving"], true);

    let former = run(&place, STRONG, &[]);
    assert_eq!(former["verdict"]["serving"], false);
    let way_back = "`netsec models rollback flows --to 1`";
    let reasons = former["verdict"]["reasons"].to_string();
    assert!(reasons.contains(way_back), "{reasons}");
    let back = ["models", "rollback", "flows", "--to", "1"];
    assert_eq!(place.call(&back).code, 0);
    assert_eq!(champion(&place), 1);
}

#[test]
fn an_evaluation_of_another_bundle_promotes_nothing() {
    let place = Workplace::new();
    let done = run(&place, STRONG, &[]);
    let directory = done["run"].as_str().unwrap();
    let config = place.path(directory).join("config.yaml");
    let text = std::fs::read_to_string(&config).unwrap();
    std::fs::write(&config, text.replace("max_fpr: 0.01", "max_fpr: 0.2")).unwrap();
    assert_eq!(
        place.call(&["stage", "training", "--run", directory]).code,
        0
    );
    let promotion = place.call(&["stage", "promotion", "--run", directory]);
    assert_eq!(promotion.code, 64, "{}", promotion.err);
    assert!(
        promotion.err.contains("run the stage `evaluation` again"),
        "{}",
        promotion.err
    );
}

/// Runs on the tiny data set without force and returns the verdict's reasons.
fn reasons(place: &Workplace, arguments: &[&str]) -> String {
    let fixed = ["run", "--json", "--source", "tiny.csv"];
    let called = place.call(&[&fixed[..], &TINY[..], arguments].concat());
    assert_eq!(called.code, 0, "{}", called.err);
    let result: Value = serde_json::from_str(&called.out).unwrap();
    assert_eq!(
        result["verdict"]["promoted"], false,
        "{}",
        result["verdict"]
    );
    result["verdict"]["reasons"].to_string()
}

#[test]
fn a_holdout_that_training_has_seen_promotes_nothing_and_the_table_says_so() {
    let place = Workplace::new();
    place.write_tiny(400);
    let whole = reasons(&place, &["--holdout", "tiny.csv"]);
    assert!(whole.contains("training has seen"), "{whole}");

    let fixed = ["run", "--source", "tiny.csv", "--holdout", "half.csv"];
    let half: String = tiny_csv(600)
        .lines()
        .skip(300)
        .map(|l| format!("{l}\n"))
        .collect();
    place.write("half.csv", format!("a,b,y\n{half}"));
    let called = place.call(&[&fixed[..], &TINY[..]].concat());
    assert_eq!(called.code, 0, "{}", called.err);
    assert!(
        called.out.contains("training has seen\nWithout them"),
        "{}",
        called.out
    );
}

#[test]
fn a_holdout_of_a_few_rows_promotes_nothing() {
    let place = Workplace::new();
    place.write_tiny(40);
    let few = reasons(&place, &[]);
    assert!(few.contains("at least 10 of each"), "{few}");
}

#[test]
fn labels_at_random_promote_nothing_even_without_resamples() {
    let place = Workplace::new();
    for seed in 0..4_usize {
        place.write_tiny(400);
        let row = |i: usize| {
            let (a, b) = (i * 37 % 101, i * 53 % 97);
            let coin = (i + seed * 1000).wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 63;
            format!("{a},{b},{coin}\n")
        };
        let rows: String = (0..400).map(row).collect();
        place.write("tiny.csv", format!("a,b,y\n{rows}"));
        let told = reasons(&place, &["--model", &format!("coin{seed}")]);
        assert!(told.contains("no better than chance"), "{told}");
    }
}
