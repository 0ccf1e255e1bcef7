use serde_json::Value;

use crate::support::{SMALL, Workplace, small_csv};

/// Trains under a schema file and returns the run's JSON.
fn train(place: &Workplace, schema: &str, source: &str) -> Value {
    place.run(&["--dataset", schema, "--source", source])
}

#[test]
fn an_inferred_schema_trains_once_the_threat_is_named() {
    let place = Workplace::new();
    let source = place.write("data.csv", small_csv(1500));
    let called = place.call(&[
        "schema", "infer", &source, "--threat", "-1", "--output", "my.yaml",
    ]);
    assert_eq!(called.code, 0, "{}", called.err);
    assert!(called.out.contains("target `Result`"), "{}", called.out);
    let run = train(&place, "my.yaml", &source);
    assert_eq!(
        (&run["dataset"], &run["rows"]["quarantined"]),
        (&"data".into(), &0.into())
    );
    // The same rows under the schema written by hand: the same threats.
    let by_hand = place.run(&["--source", &source]);
    for metric in ["roc_auc", "pr_auc"] {
        assert_eq!(
            run["holdout"][metric], by_hand["holdout"][metric],
            "{metric}"
        );
    }
}

#[test]
fn a_file_without_a_line_of_names_gets_numbered_columns() {
    let place = Workplace::new();
    let rows: String = small_csv(1500)
        .lines()
        .skip(1)
        .map(|l| format!("{l}\n"))
        .collect();
    let source = place.write("rows.txt", rows);
    let infer = [
        "schema",
        "infer",
        &source,
        "--threat=-1",
        "--output",
        "my.yaml",
    ];
    let called = place.call(&[&infer[..], &["--no-header", "--target", "column_31"]].concat());
    assert_eq!(called.code, 0, "{}", called.err);
    assert_eq!(train(&place, "my.yaml", &source)["rows"]["total"], 1500);
    let as_names = place.call(&["schema", "infer", &source]);
    assert!(
        as_names.err.contains("give --no-header"),
        "{}",
        as_names.err
    );
}

#[test]
fn another_delimiter_is_suspected_and_a_long_review_is_cut() {
    let place = Workplace::new();
    let names: Vec<String> = (0..30).map(|i| format!("c{i}")).collect();
    let row = |i: usize| vec![format!("{i}.5"); 30].join(";") + &format!(";{}\n", i % 2);
    let rows: String = (0..200).map(row).collect();
    let source = place.write("data.csv", names.join(";") + ";label\n" + &rows);
    let infer = [
        "schema",
        "infer",
        &source,
        "--target",
        "label",
        "--threat=1",
    ];
    let refused = place.call(&infer);
    assert_eq!(refused.code, 78);
    assert!(
        refused.err.contains("give --delimiter ';'"),
        "{}",
        refused.err
    );
    let told = place.call(&[&infer[..], &["--delimiter", ";", "--output", "my.yaml"]].concat());
    assert_eq!(told.code, 0, "{}", told.err);
    assert!(told.out.contains("c19 and 10 more"), "{}", told.out);
}

#[test]
fn while_nobody_says_what_the_threat_is_the_file_asks_for_it() {
    let place = Workplace::new();
    let source = place.write("data.csv", small_csv(400));
    let called = place.call(&["schema", "infer", &source, "--output", "my.yaml"]);
    assert_eq!(called.code, 0, "{}", called.err);
    assert!(called.err.contains("--threat LABEL"), "{}", called.err);
    let run = ["run", "--dataset", "my.yaml", "--source", &source];
    let refused = place.call(&[&run[..], &SMALL].concat());
    assert_eq!(refused.code, 78);
    assert!(refused.err.contains("column `Result`"), "{}", refused.err);
    let edited = std::fs::read_to_string(place.path("my.yaml"))
        .unwrap()
        .replace("{benign: []}", "{benign: [\"1\"]}")
        .replace("{threat: []}", "{threat: [\"-1\"]}");
    place.write("my.yaml", edited);
    train(&place, "my.yaml", &source);
}

#[test]
fn a_schema_file_is_never_overwritten_unasked() {
    let place = Workplace::new();
    let source = place.write("data.csv", small_csv(50));
    place.write("my.yaml", "mine");
    let infer = [
        "schema",
        "infer",
        &source,
        "--threat=-1",
        "--output",
        "my.yaml",
    ];
    let refused = place.call(&infer);
    assert_eq!(refused.code, 64);
    assert!(refused.err.contains("--force"), "{}", refused.err);
    assert_eq!(
        std::fs::read_to_string(place.path("my.yaml")).unwrap(),
        "mine"
    );
    let forced = place.call(&[&infer[..], &["--force"]].concat());
    assert_eq!(forced.code, 0, "{}", forced.err);
    assert_ne!(
        std::fs::read_to_string(place.path("my.yaml")).unwrap(),
        "mine"
    );
}

#[test]
fn every_kind_of_file_gives_the_same_schema() {
    let place = Workplace::new();
    let mut schemas = Vec::new();
    for ending in ["csv", "csv.gz", "jsonl", "parquet"] {
        let output = format!("data.{ending}");
        let generate = ["synth", "generate", "--recipe", "phishing", "--rows", "500"];
        let called = place.call(&[&generate[..], &["--output", &output]].concat());
        assert_eq!(called.code, 0, "{}", called.err);
        let called = place.call(&["schema", "infer", &output, "--threat=-1", "--json"]);
        assert_eq!(called.code, 0, "{}", called.err);
        let said: Value = serde_json::from_str(&called.out).unwrap();
        assert_eq!((&said["rows"], &said["columns"]), (&500.into(), &31.into()));
        schemas.push(said["yaml"].as_str().unwrap().to_owned());
    }
    schemas.dedup();
    assert_eq!(schemas.len(), 1, "{schemas:#?}");
}

#[test]
fn what_cannot_be_a_target_is_refused() {
    let place = Workplace::new();
    let source = place.write("data.csv", small_csv(50));
    let check = |arguments: &[&str], code: i32, word: &str| {
        let called = place.call(&[&["schema", "infer", &source], arguments].concat());
        assert_eq!(called.code, code, "{}", called.err);
        assert!(called.err.contains(word), "{}", called.err);
    };
    check(&["--target", "Resullt"], 78, "did you mean `Result`");
    check(&["--threat", "0"], 78, "there are -1, 1");
    check(&["--threat", "1", "--threat", "-1"], 78, "every value");
    check(&["--delimiter", "é"], 64, "ASCII");
    check(&["--delimiter", ";;"], 64, "ASCII");
}

#[test]
fn the_values_of_a_target_of_several_classes_are_listed_until_the_threats_are_named() {
    let place = Workplace::new();
    let kinds = ["web", "dos", "scan"];
    let row = |i: usize| format!("{},{},{}\n", i % 7, i % 5, kinds[i % 3]);
    place.write(
        "flows.csv",
        "a,b,kind\n".to_owned() + &(0..90).map(row).collect::<String>(),
    );
    let infer = |more: &[&str]| {
        let fixed = ["schema", "infer", "flows.csv", "--target", "kind"];
        let called = place.call(&[&fixed[..], more].concat());
        assert_eq!(called.code, 0, "{}", called.err);
        called
    };
    let asked = infer(&[]).err;
    assert!(
        asked.contains("there are dos, scan, web: give --threat LABEL for each"),
        "{asked}"
    );
    let told = infer(&["--threat", "dos", "--threat", "scan"]);
    assert_eq!(told.err, "");
    for line in ["    web: [web]", "    dos: [dos]", "    scan: [scan]"] {
        assert!(told.out.contains(line), "{}", told.out);
    }
    let rows = (0..3000)
        .map(|i| format!("{i},{i}.5\n"))
        .collect::<String>();
    place.write("numbers.csv", "a,b\n".to_owned() + &rows);
    let refused = place.call(&["schema", "infer", "numbers.csv"]);
    assert_eq!(refused.code, 78, "{}", refused.err);
    assert!(
        refused.err.contains("more than 1001 distinct values"),
        "{}",
        refused.err
    );
    assert!(
        refused.err.contains("name another column, --target COLUMN"),
        "{}",
        refused.err
    );
}
