use std::fs;

use serde_json::Value;

use crate::support::Workplace;

fn trained() -> Workplace {
    let place = Workplace::new();
    let source = ["--source", "synth://phishing?rows=1500"];
    place.run(&[&source[..], &["--force", "--why", "to export it"]].concat());
    place
}

fn export(place: &Workplace, format: &str, output: &str) -> (String, Vec<u8>) {
    let what = ["models", "export", "phishing-simulated"];
    let called = place.call(&[&what[..], &["--format", format, "--output", output]].concat());
    assert_eq!(called.code, 0, "{}", called.err);
    (called.out, fs::read(place.path(output)).unwrap())
}

#[test]
fn an_exported_bundle_is_the_registered_one_and_onnx_names_its_digest() {
    let place = trained();
    let (_, bundle) = export(&place, "bundle", "model.bin");
    let shown = place.call(&["models", "show", "phishing-simulated", "--json"]);
    let shown: Value = serde_json::from_str(&shown.out).unwrap();
    let digest = shown["champion"]["bundle"].as_str().unwrap();
    let blob = format!("artifacts/registry/blobs/{digest}.bin");
    assert_eq!(bundle, fs::read(place.path(&blob)).unwrap());

    let (said, first) = export(&place, "onnx", "first.onnx");
    let (_, second) = export(&place, "onnx", "second.onnx");
    assert_eq!(first, second);
    assert!(said.contains("SIMULATED"), "{said}");
    let holds = |text: &str| first.windows(text.len()).any(|w| w == text.as_bytes());
    assert!(holds(digest) && holds("SSLfinal_State"));
}

#[test]
fn what_cannot_be_exported_leaves_no_file() {
    let place = trained();
    let check = |name: &str, further: &[&str], code: i32, said: &str| {
        let output = ["--format", "onnx", "--output", "none.onnx"];
        let called = place.call(&[&["models", "export", name], &output[..], further].concat());
        assert_eq!(called.code, code, "{}", called.err);
        assert!(called.err.contains(said), "{}", called.err);
        assert!(!place.path("none.onnx").exists());
    };
    check("phishing-simulated", &["--version", "7"], 64, "version 7");
    check("phishing", &[], 64, "phishing-simulated");
    let nowhere = place.call(&[
        "models",
        "export",
        "phishing-simulated",
        "--format",
        "onnx",
        "--output",
        "no/such/place.onnx",
    ]);
    assert_eq!(nowhere.code, 69, "{}", nowhere.err);
}

/// Puts `data` under DVC, with further arguments.
fn export_dvc(place: &Workplace, further: &[&str]) -> crate::support::Called {
    place.call(&[&["export", "dvc", "--path", "data"], further].concat())
}

#[test]
fn without_a_dvc_repository_it_says_what_to_do_and_with_init_it_makes_one() {
    let place = Workplace::new();
    fs::create_dir(place.path("data")).unwrap();
    place.write("data/a", "a\n");
    let refused = export_dvc(&place, &[]);
    assert_eq!(refused.code, 64, "{}", refused.err);
    assert!(
        refused.err.contains("dvc init") && refused.err.contains("--init"),
        "{}",
        refused.err
    );
    assert!(!place.path(".dvc").exists());
    let done = export_dvc(&place, &["--init"]);
    assert_eq!(done.code, 0, "{}", done.err);
    assert!(done.out.contains("dvc push"), "{}", done.out);
    assert!(!done.out.contains("git add"), "{}", done.out);
    let object = ".dvc/cache/files/md5/60/b725f10c9c85c70d97880dfe8191b3";
    assert_eq!(fs::read(place.path(object)).unwrap(), b"a\n");
    place.write("data/a", "b\n");
    let later = export_dvc(&place, &[]);
    assert_eq!(later.code, 64, "{}", later.err);
    assert!(later.err.contains("--force"), "{}", later.err);
    assert_eq!(export_dvc(&place, &["--force"]).code, 0);
}

#[test]
fn a_run_is_exported_with_its_metrics_and_a_damaged_one_is_not() {
    let place = Workplace::new();
    place.write_tiny(400);
    let none = place.call(&["export", "dvc", "--init"]);
    assert_eq!(none.code, 64, "{}", none.err);
    let run = place.run_tiny(&[]);
    let done = place.call(&["export", "dvc", "--init", "--to", "repo"]);
    assert_eq!(done.code, 0, "{}", done.err);
    let metrics: Value =
        serde_json::from_slice(&fs::read(place.path("repo/netsec/metrics.json")).unwrap()).unwrap();
    assert_eq!(metrics["holdout"]["f1"], run["holdout"]["f1"]["value"]);
    let roc = fs::read_to_string(place.path("repo/netsec/plots/roc.csv")).unwrap();
    assert!(roc.starts_with("fpr,recall,threshold\n0,0,"), "{roc}");
    let verified = place.call(&["verify", "repo/netsec"]);
    assert_eq!(verified.code, 0, "{}", verified.err);
    let bundle = place
        .path(run["run"].as_str().unwrap())
        .join("04-training/model-bundle.bin");
    fs::write(bundle, "damaged").unwrap();
    let refused = place.call(&["export", "dvc", "--to", "repo", "--name", "again"]);
    assert_eq!(refused.code, 70, "{}", refused.err);
    assert!(!place.path("repo/again").exists());
}

#[test]
fn a_stage_whose_name_is_a_command_becomes_none() {
    let place = Workplace::new();
    place.write_tiny(400);
    let run = place.run_tiny(&[]);
    let run = place.path(run["run"].as_str().unwrap());
    let text = fs::read(run.join("06-promotion/manifest.json")).unwrap();
    let mut manifest: Value = serde_json::from_slice(&text).unwrap();
    manifest["stage"] = Value::from("x; touch owned");
    for of_others in ["inputs", "outputs", "files"] {
        manifest[of_others] = Value::Array(Vec::new());
    }
    let step = run.join("07-x; touch owned");
    fs::create_dir(&step).unwrap();
    fs::write(step.join("manifest.json"), manifest.to_string()).unwrap();
    let refused = place.call(&["export", "dvc", "--init", "--to", "repo"]);
    assert_eq!(refused.code, 65, "{}", refused.err);
    assert!(
        refused.err.contains("is of no stage of a run"),
        "{}",
        refused.err
    );
    assert!(!place.path("repo/dvc.yaml").exists());
}
