//! Artifacts that are damaged, foreign or newer, at every stage that reads them.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use artifact::Digest;

use crate::support::{Workplace, tiny_csv};

/// Which stage takes each artifact; nothing but `verify` reads the last one.
const READERS: [(&str, &str, Option<&str>); 12] = [
    ("00-champion", "incumbent", Some("evaluation")),
    ("00-champion", "reference-profile", Some("validation")),
    ("01-ingestion", "raw-dataset", Some("validation")),
    ("01-ingestion", "provenance", Some("validation")),
    ("02-given-holdout", "given-holdout", Some("transformation")),
    ("02-validation", "validated-dataset", Some("transformation")),
    ("03-transformation", "training-set", Some("training")),
    ("03-transformation", "holdout-set", Some("evaluation")),
    ("04-training", "model-bundle", Some("evaluation")),
    ("04-training", "training-groups", Some("promotion")),
    ("05-evaluation", "evaluation", Some("promotion")),
    ("06-promotion", "promotion-record", None),
];

/// Everything that may have happened to an artifact's bytes, with the words that the error must hold.
fn damages(whole: &[u8], other: &[u8]) -> BTreeMap<&'static str, (Vec<u8>, &'static str)> {
    let with = |change: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = whole.to_vec();
        change(&mut bytes);
        bytes
    };
    let middle = whole.len() / 2;
    let length = 11 + usize::from(whole[10]);
    let newer = with(&|b| b[8] = 99);
    BTreeMap::from([
        (
            "flipped",
            (with(&|b| *b.last_mut().unwrap() ^= 1), "digest"),
        ),
        ("cut", (whole[..middle].to_vec(), "cut short")),
        ("cut in its head", (whole[..20].to_vec(), "cut short")),
        ("empty", (Vec::new(), "not an artifact")),
        ("grown", (with(&|b| b.push(0)), "follow")),
        (
            "foreign",
            (b"PAR1 or something".to_vec(), "not an artifact"),
        ),
        ("of another kind", (other.to_vec(), "holds a")),
        ("newer", (resealed(&newer), "newer")),
        (
            "said to be huge",
            (with(&|b| b[length..length + 8].fill(0xff)), "too large"),
        ),
        (
            "said to be larger",
            (with(&|b| b[length + 3] = 1), "cut short"),
        ),
    ])
}

/// Makes the digest of an envelope right again.
fn resealed(bytes: &[u8]) -> Vec<u8> {
    let (head, rest) = bytes.split_at(11 + usize::from(bytes[10]) + 8);
    let digest = Digest::of(&[head, &rest[32..]].concat());
    [head, digest.as_bytes(), &rest[32..]].concat()
}

#[test]
fn every_damage_to_every_artifact_is_found_by_verify_and_by_the_stage_that_reads_it() {
    let place = Workplace::new();
    place.write_tiny(300);
    let run = place.run_tiny(&[]);
    let directory = run["run"].as_str().unwrap();
    for (step, kind, reader) in READERS {
        let file = place.path(directory).join(step).join(format!("{kind}.bin"));
        let whole = fs::read(&file).unwrap();
        let (step, other, _) = READERS[usize::from(kind != "evaluation") * 10];
        let other = place
            .path(directory)
            .join(step)
            .join(format!("{other}.bin"));
        for (what, (bytes, words)) in damages(&whole, &fs::read(other).unwrap()) {
            fs::write(&file, &bytes).unwrap();
            let manifests = manifests(&place, directory);
            if what == "newer" {
                // Made by a newer program, it has a manifest that knows it.
                acknowledge(&manifests, &whole, &bytes);
            } else {
                let verified = place.call(&["verify", directory]);
                let words = if what == "of another kind" { "" } else { words };
                check(verified.code, &verified.err, &file, what, words);
            }
            if let Some(reader) = reader {
                let stage = place.call(&["stage", reader, "--run", directory]);
                check(stage.code, &stage.err, &file, what, words);
                let left = manifests.keys().filter(|path| path.is_file()).count();
                assert_eq!(left, manifests.len(), "{reader} gave up what it had made");
            }
            restore(&manifests);
        }
        fs::write(&file, whole).unwrap();
    }
    assert_eq!(place.call(&["verify", directory]).code, 0);
}

fn check(code: i32, message: &str, file: &Path, what: &str, words: &str) {
    let name = file.file_name().unwrap().to_str().unwrap();
    assert_eq!(code, 70, "{name} {what}: {message}");
    assert!(message.contains(name), "{name} {what}: {message}");
    assert!(message.contains(words), "{name} {what}: {message}");
}

/// Puts the digest of one envelope in the place of another's in all manifests.
fn acknowledge(manifests: &BTreeMap<PathBuf, Vec<u8>>, old: &[u8], new: &[u8]) {
    let digest = |bytes: &[u8]| -> String {
        let at = 11 + usize::from(bytes[10]) + 8;
        bytes[at..at + 32]
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect()
    };
    for (path, text) in manifests {
        let text = String::from_utf8(text.clone()).unwrap();
        fs::write(path, text.replace(&digest(old), &digest(new))).unwrap();
    }
}

fn manifests(place: &Workplace, directory: &str) -> BTreeMap<PathBuf, Vec<u8>> {
    let steps = fs::read_dir(place.path(directory)).unwrap();
    steps
        .map(|step| step.unwrap().path().join("manifest.json"))
        .filter(|path| path.is_file())
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

fn restore(files: &BTreeMap<PathBuf, Vec<u8>>) {
    for (path, bytes) in files {
        fs::write(path, bytes).unwrap();
    }
}

#[test]
fn a_damaged_manifest_and_a_damaged_configuration_are_named() {
    let place = Workplace::new();
    place.write_tiny(300);
    let run = place.run_tiny(&[]);
    let directory = run["run"].as_str().unwrap();
    let manifest = place.path(directory).join("02-validation/manifest.json");
    fs::write(&manifest, "{\"stage\": \"validation\"").unwrap();
    for arguments in [
        &["verify", directory][..],
        &["show", directory],
        &["stage", "training", "--run", directory],
    ] {
        let called = place.call(arguments);
        assert_eq!(called.code, 70, "{arguments:?}: {}", called.err);
        assert!(
            called.err.contains("02-validation/manifest.json"),
            "{}",
            called.err
        );
    }
    fs::write(
        place.path(directory).join("config.yaml"),
        "training: {folds: [",
    )
    .unwrap();
    let called = place.call(&["stage", "training", "--run", directory]);
    assert_eq!(called.code, 78, "{}", called.err);
    assert!(called.err.contains("config.yaml"), "{}", called.err);
}

#[test]
fn a_damaged_registry_is_named_and_a_damaged_champion_can_be_rolled_back() {
    let place = Workplace::new();
    place.write_tiny(300);
    place.run_tiny(&["--seed", "1"]);
    place.run_tiny(&["--seed", "2"]);
    let shown = place.call(&["models", "show", "tiny", "--json"]);
    let shown: serde_json::Value = serde_json::from_str(&shown.out).unwrap();
    assert_eq!(shown["champion"]["version"], 2);
    let digest = shown["champion"]["bundle"].as_str().unwrap();
    let blob = place.path(&format!("artifacts/registry/blobs/{digest}.bin"));
    let mut bytes = fs::read(&blob).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&blob, bytes).unwrap();
    let predict = [
        "predict", "--model", "tiny", "--input", "tiny.csv", "--output", "out.csv",
    ];
    for arguments in [&["models", "show", "tiny"][..], &predict] {
        let called = place.call(arguments);
        assert_eq!(called.code, 70, "{arguments:?}: {}", called.err);
        let rollback = "`netsec models rollback tiny --to 1`";
        for words in [digest, rollback, "`netsec stage promotion --run "] {
            assert!(called.err.contains(words), "{words}: {}", called.err);
        }
        assert!(!called.err.contains("from its stage"), "{}", called.err);
    }
    assert!(!place.path("out.csv").exists());
    assert_eq!(place.call(&["models", "rollback", "tiny"]).code, 0);
    assert_eq!(place.call(&predict).code, 0);

    let entry = place.path("artifacts/registry/models/tiny/history/00000002.json");
    let whole = fs::read(&entry).unwrap();
    fs::write(&entry, &whole[..whole.len() / 2]).unwrap();
    for arguments in [
        &["models", "history", "tiny"][..],
        &["models", "list"],
        &predict,
    ] {
        let called = place.call(arguments);
        assert_eq!(called.code, 70, "{arguments:?}: {}", called.err);
        assert!(called.err.contains("00000002.json"), "{}", called.err);
    }
    fs::remove_file(&entry).unwrap();
    let missing = place.call(&["models", "history", "tiny"]);
    assert_eq!(missing.code, 70, "{}", missing.err);
    assert!(
        missing.err.contains("00000002.json`: is missing"),
        "{}",
        missing.err
    );
}

#[test]
fn a_stage_that_was_made_from_other_artifacts_than_those_beside_it_is_named() {
    let place = Workplace::new();
    place.write_tiny(300);
    let run = place.run_tiny(&[]);
    place.write_tiny(310);
    let other = place.run_tiny(&[]);
    let step = |run: &serde_json::Value| {
        place
            .path(run["run"].as_str().unwrap())
            .join("02-validation")
    };
    let directory = run["run"].as_str().unwrap();
    assert_eq!(place.call(&["verify", directory]).code, 0);
    for entry in fs::read_dir(step(&other)).unwrap() {
        let from = entry.unwrap().path();
        fs::copy(&from, step(&run).join(from.file_name().unwrap())).unwrap();
    }
    let verified = place.call(&["verify", directory]);
    assert_eq!(verified.code, 70, "{}", verified.err);
    for words in [
        "03-transformation: made from",
        "of `validated-dataset`",
        "run the stage `transformation`",
    ] {
        assert!(verified.err.contains(words), "{}", verified.err);
    }
    fs::remove_file(step(&run).join("manifest.json")).unwrap();
    let verified = place.call(&["verify", directory]);
    assert!(
        verified.err.contains("it is not there any more"),
        "{}",
        verified.err
    );
}

/// Makes the champion's bundle one of layout 1, and gives it its new digest in the registry.
fn age_champion(place: &Workplace) {
    let registry = place.path("artifacts/registry");
    let entry = registry.join("models/tiny/history/00000001.json");
    let text = fs::read_to_string(&entry).unwrap();
    let parsed: serde_json::Value = serde_json::from_str(&text).unwrap();
    let old = parsed["bundle"].as_str().unwrap();
    let blob = |digest: &str| registry.join(format!("blobs/{digest}.bin"));
    let mut bytes = fs::read(blob(old)).unwrap();
    assert!(bytes[8] > 1, "there is no older layout");
    bytes[8] = 1;
    let bytes = resealed(&bytes);
    let new = artifact::codec::verify(&bytes, "model-bundle")
        .unwrap()
        .to_string();
    fs::write(blob(&new), bytes).unwrap();
    fs::write(&entry, text.replace(old, &new)).unwrap();
}

#[test]
fn a_champion_of_an_earlier_program_is_not_comparable_and_blocks_nothing() {
    let place = Workplace::new();
    place.write_tiny(300);
    assert_eq!(place.run_tiny(&[])["version"], 1);
    age_champion(&place);
    let arguments = ["run", "--json", "--seed", "7", "--source", "tiny.csv"];
    let called = place.call(&[&arguments[..], &crate::support::TINY].concat());
    assert_eq!(called.code, 0, "{}", called.err);
    let run: serde_json::Value = serde_json::from_str(&called.out).unwrap();
    assert_eq!(run["verdict"]["promoted"], false);
    let reasons = run["verdict"]["reasons"].to_string();
    let expected = "not comparable with champion version 1: an earlier program wrote it";
    assert!(reasons.contains(expected), "{reasons}");
    assert_eq!(run["drift"]["verdict"], "no_reference");
    let forced = place.run_tiny(&["--seed", "7"]);
    assert_eq!(forced["verdict"]["promoted"], true, "{}", forced["verdict"]);
}

#[test]
fn what_the_error_of_a_damaged_blob_says_brings_it_back() {
    let place = Workplace::new();
    place.write_tiny(300);
    place.run_tiny(&[]);
    let blobs = fs::read_dir(place.path("artifacts/registry/blobs")).unwrap();
    let blobs: Vec<PathBuf> = blobs.map(|blob| blob.unwrap().path()).collect();
    assert_eq!(blobs.len(), 3);
    for blob in blobs {
        for is_removed in [false, true] {
            if is_removed {
                fs::remove_file(&blob).unwrap();
            } else {
                fs::write(&blob, "NETSECAF").unwrap();
            }
            let doctor = place.call(&["doctor"]).out;
            let (_, advice) = doctor.split_once("`netsec ").unwrap();
            let (command, _) = advice.split_once('`').unwrap();
            let arguments: Vec<&str> = command.split(' ').collect();
            let brought = place.call(&arguments);
            assert_eq!(brought.code, 0, "{command}: {}", brought.err);
            assert_eq!(place.call(&["doctor"]).code, 0);
        }
    }
    let history = place.call(&["models", "history", "tiny"]);
    assert_eq!(history.out.lines().count(), 1, "{}", history.out);
}

/// Changes one entry of a history, and returns what the commands on it say.
fn edited(place: &Workplace, number: u64, change: impl Fn(&mut serde_json::Value)) -> String {
    let name = format!("artifacts/registry/models/tiny/history/{number:08}.json");
    let whole = fs::read_to_string(place.path(&name)).unwrap();
    let mut entry: serde_json::Value = serde_json::from_str(&whole).unwrap();
    change(&mut entry);
    place.write(&name, entry.to_string());
    let predict = ["predict", "--input", "tiny.csv", "--output", "out.csv"];
    let mut said = String::new();
    for arguments in [
        &["models", "list"][..],
        &["models", "list", "--json"],
        &["models", "show", "tiny"],
        &["models", "history", "tiny"],
        &["models", "rollback", "tiny"],
        &["models", "promote", "tiny", "--version", "1"],
        &predict,
        &["doctor"],
    ] {
        let called = place.call(arguments);
        said += &format!("{} {}{}\n", called.code, called.err, called.out);
    }
    assert!(!place.path("out.csv").exists());
    place.write(&name, whole);
    said
}

#[test]
fn an_edited_history_is_believed_by_no_command() {
    let place = Workplace::new();
    place.write_tiny(300);
    place.run_tiny(&["--seed", "1"]);
    place.run_tiny(&["--seed", "2"]);
    let first = place.path("artifacts/registry/models/tiny/history/00000001.json");
    let first: serde_json::Value = serde_json::from_slice(&fs::read(first).unwrap()).unwrap();
    for (key, value, words) in [
        (
            "version",
            serde_json::json!(7),
            "version 7 where 2 is the next",
        ),
        (
            "version",
            serde_json::json!(1),
            "gives version 1 the bundle",
        ),
        ("at", serde_json::json!("soon"), "`soon` is not a time"),
        ("bundle", first["bundle"].clone(), "which is version 1"),
        ("bundle", serde_json::Value::Null, "invalid type: null"),
        (
            "sequence",
            serde_json::json!(5),
            "entry 5 stands where 2 should",
        ),
    ] {
        let said = edited(&place, 2, |entry| entry[key] = value.clone());
        let refused = said.lines().filter(|l| l.starts_with("70 ")).count();
        assert_eq!(refused, 8, "{key}: {said}");
        assert_eq!(said.matches(words).count(), 8, "{key}: {said}");
        assert!(said.contains("history/00000002.json`"), "{key}: {said}");
        assert!(said.contains("a copy of the registry"), "{key}: {said}");
    }
    let lacking = edited(&place, 2, |e| {
        drop(e.as_object_mut().unwrap().remove("run"))
    });
    assert!(lacking.contains("missing field `run`"), "{lacking}");
    assert_eq!(place.call(&["doctor"]).code, 0);
}

#[test]
fn a_digest_that_is_not_that_of_a_versions_bundle_is_named() {
    let place = Workplace::new();
    place.write_tiny(300);
    place.run_tiny(&["--seed", "1"]);
    place.run_tiny(&["--model", "other", "--seed", "2"]);
    let other = place.call(&["models", "history", "other", "--json"]).out;
    let other: serde_json::Value = serde_json::from_str(&other).unwrap();
    for arguments in [
        &["models", "show", "tiny"][..],
        &[
            "models", "export", "tiny", "--format", "bundle", "--output", "x",
        ],
        &[
            "predict", "--model", "tiny", "--input", "tiny.csv", "--output", "x",
        ],
    ] {
        let path = "artifacts/registry/models/tiny/history/00000001.json";
        let whole = fs::read_to_string(place.path(path)).unwrap();
        let mut entry: serde_json::Value = serde_json::from_str(&whole).unwrap();
        entry["bundle"] = other[0]["bundle"].clone();
        place.write(path, entry.to_string());
        let called = place.call(arguments);
        assert_eq!(called.code, 70, "{arguments:?}: {}", called.err);
        assert!(
            called.err.contains("its evaluation is of"),
            "{}",
            called.err
        );
        entry["bundle"] = "0".repeat(64).into();
        place.write(path, entry.to_string());
        let listed = place.call(&["models", "list"]);
        assert_eq!(listed.code, 70, "{}", listed.err);
        assert!(
            listed
                .err
                .contains("`models/tiny/history/00000001.json` names it"),
            "{}",
            listed.err
        );
        assert_eq!(listed.out.lines().count(), 2, "{}", listed.out);
        place.write(path, whole);
    }
}

#[test]
fn a_changed_schema_and_a_changed_report_are_found_by_verify() {
    let place = Workplace::new();
    place.write_tiny(300);
    let run = place.run_tiny(&[]);
    let directory = run["run"].as_str().unwrap();
    for (name, is_remade) in [("schema.yaml", false), ("report.html", true)] {
        let path = place.path(directory).join(name);
        let whole = fs::read(&path).unwrap();
        let verify = |words: &str| {
            let verified = place.call(&["verify", directory]);
            assert_eq!(verified.code, 70, "{name}: {}", verified.err);
            let expected = format!("{name}: {words}");
            assert!(verified.err.contains(&expected), "{}", verified.err);
        };
        fs::write(&path, [&whole[..], b" "].concat()).unwrap();
        verify("");
        fs::remove_file(&path).unwrap();
        verify("No such file");
        if is_remade {
            assert_eq!(place.call(&["report", directory]).code, 0);
        } else {
            fs::write(&path, whole).unwrap();
        }
        assert_eq!(place.call(&["verify", directory]).code, 0);
    }
    let record = place.path(directory).join("files.json");
    fs::write(&record, "[").unwrap();
    let verified = place.call(&["verify", directory]);
    assert_eq!(verified.code, 70, "{}", verified.err);
    assert!(verified.err.contains("files.json"), "{}", verified.err);
    fs::remove_file(&record).unwrap();
    let verified = place.call(&["verify", directory]);
    assert_eq!(verified.code, 70, "{}", verified.err);
    let words = "files.json: it names no file, or is not there";
    assert!(verified.err.contains(words), "{}", verified.err);
    assert_eq!(place.call(&["report", directory]).code, 0);
    assert_eq!(place.call(&["verify", directory]).code, 0);
}

#[test]
fn a_record_that_names_files_elsewhere_is_refused_and_none_of_them_is_read() {
    let place = Workplace::new();
    place.write_tiny(300);
    place.write("artifacts.txt", "x");
    let run = place.run_tiny(&[]);
    let directory = run["run"].as_str().unwrap();
    for record in ["files.json", "02-validation/manifest.json"] {
        let path = place.path(directory).join(record);
        let whole = fs::read_to_string(&path).unwrap();
        let (own, other) = match record {
            "files.json" => ("\"schema.yaml\"", "of the run"),
            _ => ("\"validation.json\"", "of the stage"),
        };
        for name in [
            "/dev/zero",
            "../../artifacts.txt",
            "..",
            "./schema.yaml",
            "02-validation/validation.json",
            "",
        ] {
            let edited = whole.replacen(own, &format!("{name:?}"), 1);
            assert_ne!(edited, whole);
            fs::write(&path, edited).unwrap();
            let verified = place.call(&["verify", directory]);
            assert_eq!(verified.code, 70, "{record} {name}: {}", verified.err);
            let words = format!("{name:?} is no file {other}");
            assert!(verified.err.contains(&words), "{}", verified.err);
        }
        fs::write(&path, whole).unwrap();
    }
    assert_eq!(place.call(&["verify", directory]).code, 0);
}

#[cfg(unix)]
#[test]
fn verify_does_not_read_a_device_in_the_place_of_a_file() {
    let place = Workplace::new();
    place.write_tiny(300);
    let run = place.run_tiny(&[]);
    let directory = run["run"].as_str().unwrap();
    let path = place.path(directory).join("report.html");
    fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink("/dev/zero", &path).unwrap();
    let verified = place.call(&["verify", directory]);
    assert_eq!(verified.code, 70, "{}", verified.err);
    let words = "report.html: it is not a regular file";
    assert!(verified.err.contains(words), "{}", verified.err);
}

#[test]
fn an_edited_report_of_a_stage_is_believed_by_no_command() {
    let place = Workplace::new();
    place.write_tiny(300);
    let run = place.run_tiny(&[]);
    let directory = run["run"].as_str().unwrap();
    for name in ["02-validation/validation.json", "04-training/training.json"] {
        let path = place.path(directory).join(name);
        let whole = fs::read_to_string(&path).unwrap();
        for edited in [whole.replacen('3', "4", 1), "{}".to_owned()] {
            fs::write(&path, edited).unwrap();
            for arguments in [&["report", directory][..], &["diff", directory, directory]] {
                let called = place.call(arguments);
                assert_eq!(called.code, 70, "{arguments:?} {name}: {}", called.err);
                for words in [name, "its stage has written", "make it again"] {
                    assert!(called.err.contains(words), "{words}: {}", called.err);
                }
            }
        }
        fs::write(&path, whole).unwrap();
    }
    assert_eq!(place.call(&["report", directory]).code, 0);
}

#[test]
fn a_copy_of_a_stage_within_a_run_is_refused() {
    let place = Workplace::new();
    place.write_tiny(300);
    let run = place.run_tiny(&[]);
    let directory = run["run"].as_str().unwrap();
    for (name, words) in [
        ("04-training.bak", "04-training.bak/manifest.json"),
        ("copy-training", "copy-training/manifest.json"),
        ("05-training", "05-training/manifest.json"),
        ("03-training", "03-training: move the copy out of the run"),
    ] {
        let copy = place.path(directory).join(name);
        fs::create_dir(&copy).unwrap();
        for entry in fs::read_dir(place.path(directory).join("04-training")).unwrap() {
            let from = entry.unwrap().path();
            fs::copy(&from, copy.join(from.file_name().unwrap())).unwrap();
        }
        for arguments in [
            &["verify", directory][..],
            &["show", directory],
            &["stage", "evaluation", "--run", directory],
        ] {
            let called = place.call(arguments);
            assert_eq!(called.code, 70, "{arguments:?}: {}", called.err);
            for words in [words, "of the stage `training`"] {
                assert!(called.err.contains(words), "{words}: {}", called.err);
            }
        }
        fs::remove_dir_all(&copy).unwrap();
    }
    assert_eq!(place.call(&["verify", directory]).code, 0);
}

#[test]
fn what_a_given_holdout_was_read_into_is_verified_as_well() {
    let place = Workplace::new();
    place.write_tiny(300);
    place.write("other.csv", tiny_csv(400));
    let run = place.run_tiny(&["--holdout", "other.csv"]);
    let directory = run["run"].as_str().unwrap();
    assert_eq!(place.call(&["verify", directory]).code, 0);
    let holdout = fs::read_dir(place.path(directory).join("given-holdout")).unwrap();
    let holdout = holdout.last().unwrap().unwrap().path();
    for name in [
        "01-ingestion/raw-dataset.bin",
        "02-validation/validation.json",
    ] {
        let path = holdout.join(name);
        let whole = fs::read(&path).unwrap();
        fs::write(&path, &whole[1..]).unwrap();
        let verified = place.call(&["verify", directory]);
        assert_eq!(verified.code, 70, "{name}: {}", verified.out);
        assert!(verified.err.contains(name), "{name}: {}", verified.err);
        fs::write(&path, whole).unwrap();
    }
}
