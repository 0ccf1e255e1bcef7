//! Records pushed into files.

use std::{
    fs,
    io::{BufRead as _, BufReader},
    process::{Command, Stdio},
};

use serde_json::Value;

use crate::support::{TINY, Workplace, send_signal, tiny_csv};

const FORMATS: [&str; 4] = ["out.csv", "out.csv.gz", "out.jsonl", "out.parquet"];
const FROM: [&str; 5] = ["push", "--dataset", "tiny.yaml", "--from", "tiny.csv"];

fn tiny(rows: usize) -> Workplace {
    let place = Workplace::new();
    place.write_tiny(rows);
    place
}

fn push(place: &Workplace, arguments: &[&str]) -> Value {
    let called = place.call(&[&FROM[..], &["--json"], arguments].concat());
    assert_eq!(called.code, 0, "{arguments:?}: {}", called.err);
    serde_json::from_str(&called.out).unwrap()
}

/// Checks that a push is refused, that its words say so, and that it changes no file.
fn check_refused(place: &Workplace, arguments: &[&str], code: i32, words: &str) {
    let before = files(place);
    let called = place.call(&[&FROM[..], arguments].concat());
    assert_eq!(called.code, code, "{arguments:?}: {}", called.err);
    assert!(called.err.contains(words), "{words}: {}", called.err);
    assert!(files(place) == before, "{arguments:?} left something");
}

/// Returns the names and the contents of the files and directories.
fn files(place: &Workplace) -> Vec<(String, Vec<u8>)> {
    let entries = fs::read_dir(place.path("")).unwrap();
    let entry = |entry: fs::DirEntry| {
        let name = entry.file_name().into_string().unwrap();
        (name, fs::read(entry.path()).unwrap_or_default())
    };
    let mut found: Vec<_> = entries.map(|e| entry(e.unwrap())).collect();
    found.sort();
    found
}

fn raw(place: &Workplace, source: &str) -> Vec<u8> {
    let fixed = ["run", "--json", "--source", source];
    let called = place.call(&[&fixed[..], &TINY].concat());
    let run = serde_json::from_str(&called.out).unwrap();
    place.artifacts(&run)["01-ingestion/raw-dataset.bin"].clone()
}

#[test]
fn records_pushed_into_each_format_are_those_of_the_source() {
    let place = tiny(300);
    place.write("tiny.csv", tiny_csv(300) + "5,,1\n5,,1\n");
    let expected = raw(&place, "tiny.csv");
    for file in FORMATS {
        let pushed = push(&place, &["--to", file]);
        assert_eq!(pushed["written"], 302);
        let verified = pushed["verified"].as_str().unwrap();
        assert!(verified.starts_with("302 records"), "{verified}");
        assert!(raw(&place, file) == expected, "{file}");
    }
    let names: Vec<String> = files(&place).into_iter().map(|(name, _)| name).collect();
    let expected = [&["artifacts"], &FORMATS[..], &["tiny.csv", "tiny.yaml"]].concat();
    assert_eq!(names, expected);
    let uri = format!("file://{}", place.path("by uri.csv").display());
    push(&place, &["--to", &uri.replace(' ', "%20")]);
    let text = fs::read_to_string(place.path("by uri.csv")).unwrap();
    assert_eq!(text, tiny_csv(300) + "5,,1\n5,,1\n");
}

#[test]
fn a_text_without_characters_is_one_where_the_schema_says_so() {
    let place = Workplace::new();
    place.write(
        "tiny.yaml",
        "
name: tiny
missing_tokens: [NA]
columns:
- {name: a, type: number, may_be_missing: true}
- {name: t, type: text, may_be_missing: true}
target: {column: y, benign: {ok: ['0']}, threats: {bad: ['1']}}
",
    );
    let csv = "a,t,y\n1,,0\nNA,NA,1\n2,x,0\n";
    place.write("tiny.csv", csv);
    for file in FORMATS {
        let pushed = push(&place, &["--to", file]);
        assert_eq!(pushed["written"], 3, "{file}");
        // From there they are the same records, whose cells are told apart.
        let arguments = ["push", "--dataset", "tiny.yaml", "--from", file];
        let called = place.call(&[&arguments[..], &["--to", "back.csv"]].concat());
        assert_eq!(called.code, 0, "{file}: {}", called.err);
        let back = fs::read_to_string(place.path("back.csv")).unwrap();
        assert_eq!(back, csv, "{file}");
        fs::remove_file(place.path("back.csv")).unwrap();
    }
}

#[test]
fn the_same_push_again_finds_its_file_and_another_leaves_it() {
    let place = tiny(300);
    for file in FORMATS {
        push(&place, &["--to", file]);
        let before = files(&place);
        let again = push(&place, &["--to", file]);
        assert_eq!(
            (&again["written"], &again["already_there"]),
            (&0.into(), &300.into())
        );
        assert!(files(&place) == before);
    }
    place.write("tiny.csv", tiny_csv(299));
    for file in FORMATS {
        check_refused(&place, &["--to", file], 65, "--mode replace writes over it");
    }
    place.write("out.parquet", "no Parquet");
    check_refused(&place, &["--to", "out.parquet"], 65, "another file already");
}

#[test]
fn a_replaced_file_keeps_its_rights_and_a_link_stays_one() {
    let place = tiny(300);
    for file in FORMATS {
        push(&place, &["--to", file]);
    }
    place.write_tiny(200);
    for file in FORMATS {
        assert_eq!(
            push(&place, &["--mode", "replace", "--to", file])["written"],
            200
        );
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::{PermissionsExt as _, symlink};
        let mode = |mode| fs::Permissions::from_mode(mode);
        fs::set_permissions(place.path("out.csv"), mode(0o600)).unwrap();
        symlink("out.csv", place.path("link.csv")).unwrap();
        place.write_tiny(100);
        push(&place, &["--mode", "replace", "--to", "link.csv"]);
        let link = fs::symlink_metadata(place.path("link.csv")).unwrap();
        assert!(link.is_symlink());
        let found = fs::metadata(place.path("out.csv")).unwrap().permissions();
        assert_eq!(found.mode() & 0o777, 0o600);
    }
    let text = fs::read_to_string(place.path("out.csv")).unwrap();
    assert_eq!(text, tiny_csv(100));
}

#[test]
fn what_cannot_be_is_refused_and_leaves_nothing() {
    let place = tiny(50);
    place.write("old.csv", "old");
    fs::create_dir(place.path("folder.csv")).unwrap();
    let upsert = ["--mode", "upsert", "--key", "a", "--to", "out.csv"];
    check_refused(&place, &upsert, 64, "a file is written as a whole");
    check_refused(&place, &["--to", "out.xls"], 64, "no format to write it in");
    check_refused(
        &place,
        &["--to", "out.arff"],
        64,
        "no format to write it in",
    );
    check_refused(&place, &["--to", "folder.csv"], 65, "no file");
    check_refused(
        &place,
        &["--to", "none/out.csv"],
        69,
        "No such file or directory",
    );
    let same = ["--mode", "replace", "--to", "./tiny.csv"];
    check_refused(&place, &same, 64, "is the input as well");
    let both = ["--to", "out.csv", "--quarantine", "out.csv"];
    check_refused(&place, &both, 64, "--quarantine");
    let replace = ["--mode", "replace", "--to", "old.csv"];
    place.write("tiny.csv", tiny_csv(50) + &"x,1,0\n".repeat(50));
    let rejected = [&replace[..], &["--quarantine", "old.csv.bad"]].concat();
    let called = place.call(&[&FROM[..], &rejected].concat());
    assert_eq!(called.code, 65, "{}", called.err);
    assert_eq!(fs::read(place.path("old.csv")).unwrap(), b"old");
    place.write_tiny(50);
    let dry = push(&place, &[&replace[..], &["--dry-run"]].concat());
    assert_eq!(
        (&dry["accepted"], &dry["verified"]),
        (&50.into(), &Value::Null)
    );
    assert_eq!(fs::read(place.path("old.csv")).unwrap(), b"old");
}

#[test]
#[cfg(unix)]
fn an_interrupted_push_leaves_the_old_file_and_no_half_of_a_new_one() {
    let place = Workplace::new();
    for (signal, code, file) in [("INT", 130, "old.parquet"), ("TERM", 143, "old.csv.gz")] {
        place.write(file, "old");
        let before = files(&place);
        let mut child = Command::new(env!("CARGO_BIN_EXE_netsec"))
            .args([
                "push",
                "--from",
                "synth://phishing?rows=200000",
                "--to",
                file,
            ])
            .args(["--mode", "replace", "--progress", "json"])
            .current_dir(place.path(""))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(lines.any(|line| line.unwrap().contains("records loaded")));
        // It is being written beside.
        assert_eq!(files(&place).len(), before.len() + 1);
        send_signal(&child, signal);
        assert_eq!(child.wait().unwrap().code(), Some(code));
        assert!(files(&place) == before, "{file}");
    }
}
