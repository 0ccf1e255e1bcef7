use serde_json::Value;

use crate::support::{Workplace, small_csv, tiny_csv};

fn generate(place: &Workplace, arguments: &[&str]) -> Value {
    let called = place.call(&[&["synth", "generate", "--json"], arguments].concat());
    assert_eq!(called.code, 0, "{}", called.err);
    serde_json::from_str(&called.out).unwrap()
}

/// Fits `mine.yaml` to the file and the schema of a name.
fn fit_mine(place: &Workplace, name: &str) {
    let (schema, rows) = (format!("{name}.yaml"), format!("{name}.csv"));
    let fit = ["synth", "fit", "--dataset", &schema, "--source", &rows];
    let fitted = place.call(&[&fit[..], &["--output", "mine.yaml"]].concat());
    assert_eq!(fitted.code, 0, "{}", fitted.err);
}

#[test]
fn generated_files_of_every_kind_hold_the_rows_of_the_uri() {
    let place = Workplace::new();
    let rows = |source: &str| {
        let run = place.run(&["--source", source, "--model", "x"]);
        let artifacts = place.artifacts(&run);
        (
            run["rows"].clone(),
            artifacts["03-transformation/training-set.bin"].len(),
        )
    };
    let expected = rows("synth://phishing?rows=1500&seed=9");
    for ending in ["csv", "csv.gz", "jsonl", "parquet"] {
        let output = format!("data.{ending}");
        let of = ["--recipe", "phishing", "--rows", "1500", "--seed", "9"];
        let said = generate(&place, &[&of[..], &["--output", &output]].concat());
        assert_eq!(said["source"], "synth://phishing?rows=1500&seed=9");
        assert_eq!(rows(&output), expected, "{ending}");
    }
}

#[test]
fn generated_files_follow_the_layout_of_their_data_set() {
    let place = Workplace::new();
    for output in ["kdd.txt", "kdd.jsonl"] {
        generate(
            &place,
            &["--recipe", "nsl_kdd", "--rows", "3000", "--output", output],
        );
        let run = place.run(&["--dataset", "nsl_kdd", "--source", output]);
        assert_eq!(run["rows"]["quarantined"], 0, "{output}");
    }
    let text = std::fs::read_to_string(place.path("kdd.txt")).unwrap();
    assert_eq!(text.lines().count(), 3000);
    // The column that is never used has its place and no value.
    assert!(
        text.lines()
            .all(|l| l.split(',').count() == 43 && l.ends_with(','))
    );
}

#[test]
fn a_recipe_fitted_to_a_file_gives_rows_of_its_kind() {
    let place = Workplace::new();
    let source = place.write("data.csv", small_csv(2000));
    let fit = ["synth", "fit", "--dataset", "phishing", "--source", &source];
    let fit = [&fit[..], &["--output", "recipe.yaml"]].concat();
    let called = place.call(&fit);
    assert_eq!(called.code, 0, "{}", called.err);
    assert_eq!(place.call(&fit).code, 64, "the recipe is not overwritten");
    let recipe = [
        "--recipe",
        "recipe.yaml",
        "--rows",
        "1000",
        "--output",
        "again.csv",
    ];
    generate(&place, &recipe);
    let run = place.run(&["--source", "again.csv"]);
    let rows = &run["rows"];
    assert_eq!(
        (&rows["total"], &rows["quarantined"]),
        (&1000.into(), &0.into())
    );
    let threats = |file: &str| {
        let text = std::fs::read_to_string(place.path(file)).unwrap();
        let n = text.lines().filter(|l| l.ends_with(",-1")).count();
        n as f64 / (text.lines().count() - 1) as f64
    };
    let (real, simulated) = (threats("data.csv"), threats("again.csv"));
    assert!((real - simulated).abs() < 0.01, "{real} {simulated}");
}

#[test]
fn wrong_recipes_and_sources_have_their_exit_codes() {
    let place = Workplace::new();
    let code = |arguments: &[&str]| place.call(&[&["synth"], arguments].concat()).code;
    let generate = ["generate", "--output", "x.csv", "--recipe"];
    assert_eq!(code(&[&generate[..], &["phising"]].concat()), 64);
    assert_eq!(code(&[&generate[..], &["none.yaml"]].concat()), 69);
    place.write("bad.yaml", "schema: x");
    assert_eq!(code(&[&generate[..], &["bad.yaml"]].concat()), 78);
    assert_eq!(
        code(&[&generate[..], &["phishing", "--rows", "0"]].concat()),
        64
    );
    assert!(!place.path("x.csv").exists());
    let fit = [
        "fit",
        "--dataset",
        "phishing",
        "--output",
        "r.yaml",
        "--source",
    ];
    assert_eq!(code(&[&fit[..], &["synth://phishing"]].concat()), 64);
    assert_eq!(code(&[&fit[..], &["none.csv"]].concat()), 69);
    let few = place.write("few.csv", small_csv(40));
    assert_eq!(code(&[&fit[..], &[&few]].concat()), 65);
    assert!(!place.path("r.yaml").exists());
}

#[test]
fn generated_text_has_the_delimiter_of_the_schema_that_was_fitted() {
    let place = Workplace::new();
    place.write_tiny(300);
    let schema = std::fs::read_to_string(place.path("tiny.yaml")).unwrap();
    place.write("semi.yaml", format!("file: {{delimiter: ';'}}\n{schema}"));
    place.write("semi.csv", tiny_csv(300).replace(',', ";"));
    fit_mine(&place, "semi");
    generate(
        &place,
        &[
            "--recipe",
            "mine.yaml",
            "--rows",
            "50",
            "--output",
            "rows.csv",
        ],
    );
    let text = std::fs::read_to_string(place.path("rows.csv")).unwrap();
    assert!(text.starts_with("a;b;y\n"), "{text}");
}

#[test]
fn text_that_is_generated_for_a_schema_without_a_line_of_names_has_none() {
    let place = Workplace::new();
    place.write_tiny(300);
    let schema = std::fs::read_to_string(place.path("tiny.yaml")).unwrap();
    let id = "columns:\n- {name: id, type: text, never_use: true}";
    let schema = schema.replacen("columns:", id, 1);
    place.write("bare.yaml", format!("file: {{header: false}}\n{schema}"));
    let rows = tiny_csv(300);
    let bare: String = rows
        .lines()
        .skip(1)
        .map(|row| format!("i,{row}\n"))
        .collect();
    place.write("bare.csv", bare);
    fit_mine(&place, "bare");
    generate(
        &place,
        &[
            "--recipe",
            "mine.yaml",
            "--rows",
            "80",
            "--output",
            "rows.csv",
        ],
    );
    let doctor = ["doctor", "--dataset", "bare.yaml", "--source", "rows.csv"];
    let judged = place.call(&doctor);
    assert!(
        judged.out.contains("first 80 rows read, none bad"),
        "{}",
        judged.out
    );
}

#[test]
fn an_address_is_printed_only_when_it_can_be_read() {
    let place = Workplace::new();
    place.write_tiny(300);
    fit_mine(&place, "tiny");
    let of = |recipe: &str| {
        let of = ["--recipe", recipe, "--rows", "50", "--output", "rows.csv"];
        let text = place.call(&[&["synth", "generate"][..], &of].concat()).out;
        (generate(&place, &of)["source"].clone(), text)
    };
    let (source, text) = of("mine.yaml");
    assert_eq!(source, Value::Null);
    assert!(text.contains("(recipe mine.yaml, seed 1)"), "{text}");
    let (source, text) = of("nsl_kdd");
    let source = source.as_str().unwrap();
    assert!(text.contains(source), "{text}");
    let doctor = ["doctor", "--dataset", "nsl_kdd", "--source", source];
    let reached = place.call(&doctor);
    assert_eq!(reached.code, 0, "{}", reached.out);
}
