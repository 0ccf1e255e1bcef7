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
