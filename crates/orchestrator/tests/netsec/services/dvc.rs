//! What DVC itself says of what was exported for it.

use std::{
    fs,
    os::unix::fs::{PermissionsExt as _, symlink},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::support::{Called, Workplace};

const UP_TO_DATE: &str = "Data and pipelines are up to date.";

/// A directory with a repository of Git and DVC in it.
struct Lab(Workplace);

impl Lab {
    /// Makes one, with some settings of DVC.
    fn new(settings: &[(&str, &str)]) -> Self {
        let lab = Self(Workplace::new());
        fs::create_dir(lab.path("repo")).unwrap();
        lab.git("repo", &["init", "-q"]);
        lab.dvc("repo", &["init", "-q"]);
        for (key, value) in settings {
            lab.dvc("repo", &["config", key, value]);
        }
        lab
    }

    /// Trains on the tiny data set inside of the repository.
    fn trained() -> Self {
        Self::trained_with(&[])
    }

    /// As [`Self::trained`], with some settings of DVC.
    fn trained_with(settings: &[(&str, &str)]) -> Self {
        let lab = Self::new(settings);
        lab.0.write_tiny(400);
        for name in ["tiny.csv", "tiny.yaml"] {
            fs::rename(lab.path(name), lab.path("repo").join(name)).unwrap();
        }
        fs::write(lab.path("repo/.gitignore"), "/artifacts").unwrap();
        let run =
            lab.netsec(&[&["run", "--source", "tiny.csv"][..], &crate::support::TINY].concat());
        assert_eq!(run.code, 0, "{}", run.err);
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path(name)
    }

    /// Runs a program in a directory, with nobody's settings but the lab's.
    fn call(&self, program: &Path, directory: &str, arguments: &[&str]) -> String {
        let own = Path::new(env!("CARGO_BIN_EXE_netsec")).parent().unwrap();
        let path = std::env::var_os("PATH").unwrap();
        let all = [own.to_owned()]
            .into_iter()
            .chain(std::env::split_paths(&path));
        let output = Command::new(program)
            .args(arguments)
            .current_dir(self.path(directory))
            .env("PATH", std::env::join_paths(all).unwrap())
            .env("HOME", self.path(""))
            .env("DVC_NO_ANALYTICS", "1")
            .env("DVC_SITE_CACHE_DIR", self.path("site"))
            .output()
            .unwrap();
        let out = String::from_utf8_lossy(&output.stdout).into_owned();
        let err = String::from_utf8_lossy(&output.stderr);
        assert!(
            output.status.success(),
            "{program:?} {arguments:?}: {out}{err}"
        );
        out
    }

    fn git(&self, directory: &str, arguments: &[&str]) -> String {
        let who = ["-c", "user.name=ann", "-c", "user.email=ann@example.org"];
        self.call(Path::new("git"), directory, &[&who[..], arguments].concat())
    }

    fn dvc(&self, directory: &str, arguments: &[&str]) -> String {
        let program = std::env::var_os("DVC").expect("DVC names the program: use .ci/services");
        self.call(Path::new(&program), directory, arguments)
    }

    fn netsec(&self, arguments: &[&str]) -> Called {
        self.0.call_at("repo", arguments, &[])
    }

    fn export(&self, arguments: &[&str]) -> Value {
        let called = self.netsec(&[&["export", "dvc", "--json"], arguments].concat());
        assert_eq!(called.code, 0, "{}", called.err);
        serde_json::from_str(&called.out).unwrap()
    }

    fn lock(&self) -> String {
        fs::read_to_string(self.path("repo/dvc.lock")).unwrap()
    }

    fn is_clean(&self, directory: &str) {
        assert_eq!(self.dvc(directory, &["status"]).trim(), UP_TO_DATE);
    }

    /// Returns every file below a directory with its mode and content, what starts with a dot at the top left out.
    fn files(&self, directory: &str) -> Vec<(String, u32, Vec<u8>)> {
        let root = self.path(directory);
        let (mut open, mut found) = (vec![root.clone()], Vec::new());
        while let Some(next) = open.pop() {
            for entry in fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(&root).unwrap().display().to_string();
                if path.is_dir() && !path.is_symlink() {
                    open.push(path);
                } else if path.is_file() {
                    let mode = fs::metadata(&path).unwrap().permissions().mode();
                    found.push((name, mode & 0o777, fs::read(path).unwrap()));
                }
            }
        }
        found.sort();
        found
    }
}

#[test]
fn a_run_is_a_pipeline_that_dvc_finds_as_it_should_be() {
    let lab = Lab::trained();
    let first = lab.export(&[]);
    assert!(first["new_objects"].as_u64().unwrap() > 20, "{first}");
    lab.is_clean("repo");
    assert!(lab.dvc("repo", &["repro"]).contains(UP_TO_DATE));
    assert_eq!(lab.export(&[])["new_objects"], 0);

    let shown: Value =
        serde_json::from_str(&lab.dvc("repo", &["metrics", "show", "--json"])).unwrap();
    let written = fs::read(lab.path("repo/netsec/metrics.json")).unwrap();
    let written: Value = serde_json::from_slice(&written).unwrap();
    assert!(written["holdout"]["f1"].is_number(), "{written}");
    assert_eq!(
        shown[""]["data"]["netsec/metrics.json"]["data"], written,
        "{shown}"
    );
    lab.dvc("repo", &["plots", "show", "-o", "drawn"]);
    let drawn = fs::read_to_string(lab.path("repo/drawn/index.html")).unwrap();
    fs::remove_dir_all(lab.path("repo/drawn")).unwrap();
    for title in [
        "ROC on the holdout",
        "Precision and recall on the holdout",
        "Calibration on the holdout",
    ] {
        assert!(drawn.contains(title), "{title}");
    }
    let graph = lab.dvc("repo", &["dag", "--dot"]);
    for edge in [
        "\"tiny.csv.dvc\" -> \"ingestion\"",
        "\"training\" -> \"evaluation\"",
        "\"validation\" -> \"given-holdout\"",
    ] {
        assert!(graph.contains(edge), "{graph}");
    }
}

#[test]
fn what_is_pushed_is_pulled_into_another_copy_byte_by_byte() {
    let lab = Lab::trained();
    lab.export(&[]);
    lab.dvc("repo", &["remote", "add", "-q", "-d", "store", "../store"]);
    lab.git("repo", &["add", "-A"]);
    lab.git("repo", &["commit", "-q", "-m", "a run"]);
    let tracked = lab.git("repo", &["ls-files"]);
    assert!(
        !tracked.contains(".bin") && !tracked.contains("tiny.csv\n"),
        "{tracked}"
    );
    assert_eq!(lab.git("repo", &["status", "--porcelain"]), "");
    lab.dvc("repo", &["push"]);
    lab.git("", &["clone", "-q", "repo", "other"]);
    lab.dvc("other", &["pull"]);
    lab.is_clean("other");
    assert!(lab.dvc("other", &["status", "-c"]).contains("in sync"));
    let there = lab.files("repo/netsec");
    assert!(there.len() > 25, "{}", there.len());
    assert!(there == lab.files("other/netsec"));
    let verified = lab.0.call_at("other", &["verify", "netsec"], &[]);
    assert_eq!(verified.code, 0, "{}", verified.err);
}

#[test]
fn records_that_dvc_has_put_in_their_place_again_are_those_that_the_run_has_read() {
    for link in ["copy", "hardlink", "symlink"] {
        let lab = Lab::trained_with(&[("cache.type", link)]);
        lab.export(&[]);
        let again = lab.netsec(&["export", "dvc"]);
        assert_eq!((again.code, again.err.as_str()), (0, ""), "{link}");
        fs::remove_file(lab.path("repo/tiny.csv")).unwrap();
        lab.dvc("repo", &["checkout"]);
        let again = lab.netsec(&["export", "dvc"]);
        assert_eq!((again.code, again.err.as_str()), (0, ""), "{link}");
        lab.is_clean("repo");
        assert!(lab.lock().contains("path: tiny.csv"), "{link}");
    }
    // Of an absolute path another copy of the repository would read this one's records.
    let lab = Lab::new(&[]);
    lab.0.write_tiny(400);
    for name in ["tiny.csv", "tiny.yaml"] {
        fs::rename(lab.path(name), lab.path("repo").join(name)).unwrap();
    }
    let path = lab.path("repo/tiny.csv");
    let run = ["run", "--source", path.to_str().unwrap()];
    let run = lab.netsec(&[&run[..], &crate::support::TINY].concat());
    assert_eq!(run.code, 0, "{}", run.err);
    let called = lab.netsec(&["export", "dvc"]);
    assert!(called.err.contains("will not notice"), "{}", called.err);
    assert!(!lab.lock().contains("path: tiny.csv"));
    // Other records are none of the run's.
    let lab = Lab::trained();
    let path = lab.path("repo/tiny.csv");
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..=text.trim_end().rfind('\n').unwrap()]).unwrap();
    let called = lab.netsec(&["export", "dvc"]);
    assert!(
        called.err.contains("tiny.csv has other records"),
        "{}",
        called.err
    );
    assert!(!lab.lock().contains("path: tiny.csv"));
}

#[test]
fn a_changed_parameter_runs_what_depends_on_it_and_nothing_else() {
    let lab = Lab::trained();
    lab.export(&[]);
    let path = lab.path("repo/netsec/config.yaml");
    let before = fs::read_to_string(&path).unwrap();
    let after = before.replace("folds: 2", "folds: 3");
    assert_ne!(before, after);
    fs::write(path, after).unwrap();
    let said = lab.dvc("repo", &["repro"]);
    for (stage, runs) in [
        ("ingestion", false),
        ("transformation", false),
        ("training", true),
        ("report", true),
    ] {
        assert_eq!(
            said.contains(&format!("Running stage '{stage}'")),
            runs,
            "{stage}: {said}"
        );
    }
    lab.is_clean("repo");
    let report = fs::read(lab.path("repo/netsec/04-training/training.json")).unwrap();
    let report: Value = serde_json::from_slice(&report).unwrap();
    assert_eq!(report["folds"], 3);
    // What `dvc repro` has made goes through an export of it in its place.
    lab.export(&["--run", "netsec", "--force"]);
    lab.is_clean("repo");
}

/// Fills a directory with all that a directory may hold.
fn fill(directory: &Path) {
    let write = |name: &str, content: &[u8]| {
        let path = directory.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    };
    for name in [
        "a",
        "Z",
        "a b",
        "sub/b",
        "sub/deep/deeper/c",
        "sub.x/d",
        "sub-x/e",
        "ü/naïve €.txt",
        "x.y/😀",
    ] {
        write(name, name.as_bytes());
    }
    for name in [
        "q\"uote\\",
        "line\nbreak",
        "tab\t",
        "del\u{7f}",
        "[x]",
        "#",
        "~",
        "- ",
        "\u{feff}bom",
        "가",
    ] {
        write(name, b"odd");
    }
    for name in ["zero", "also/zero", "crlf"] {
        write(
            name,
            if name == "crlf" {
                b"one\r\ntwo\r\n"
            } else {
                b""
            },
        );
    }
    for name in [
        "logs/x",
        "kept/logs",
        "n.tmp",
        "sub/n.tmp",
        "sub/keep.tmp",
        "b1",
        "d1",
        "top",
        "sub/top",
    ] {
        write(name, b"perhaps left out");
    }
    write("large", &b"0123456789abcdef".repeat(400_000));
    write("run.sh", b"#!/bin/sh\n");
    let executable = fs::Permissions::from_mode(0o755);
    fs::set_permissions(directory.join("run.sh"), executable).unwrap();
    fs::create_dir_all(directory.join("empty/within")).unwrap();
    symlink("sub", directory.join("to-a-directory")).unwrap();
}

/// Puts the same directory under DVC, by DVC and by us, with some settings; all that comes of it must be equal.
fn check_directory(settings: &[(&str, &str)]) {
    let (theirs, ours) = (Lab::new(settings), Lab::new(settings));
    for lab in [&theirs, &ours] {
        let lines = "logs/\n*.tmp\n!keep.tmp\n# a remark\n/data/top\n[a-c]?\ndata/x.y/**\n";
        fs::write(lab.path("repo/.dvcignore"), lines).unwrap();
        fill(&lab.path("repo/data"));
    }
    theirs.dvc("repo", &["add", "-q", "data"]);
    ours.export(&["--path", "data"]);
    let (by_dvc, by_us) = (
        theirs.files("repo/.dvc/cache"),
        ours.files("repo/.dvc/cache"),
    );
    let names = |files: &[(String, u32, Vec<u8>)]| -> Vec<(String, u32)> {
        files
            .iter()
            .map(|(name, mode, _)| (name.clone(), *mode))
            .collect()
    };
    assert_eq!(names(&by_us), names(&by_dvc));
    assert!(by_us == by_dvc);
    for name in ["data.dvc", ".gitignore"] {
        let read = |lab: &Lab| fs::read_to_string(lab.path("repo").join(name)).unwrap();
        assert_eq!(read(&ours), read(&theirs));
    }
    ours.is_clean("repo");
    assert_eq!(
        names(&ours.files("repo/data")),
        names(&theirs.files("repo/data"))
    );
    fs::remove_dir_all(ours.path("repo/data")).unwrap();
    ours.dvc("repo", &["checkout", "-q"]);
    ours.is_clean("repo");
}

#[test]
fn a_directory_hashes_as_dvc_hashes_it() {
    check_directory(&[]);
}

#[test]
fn a_directory_is_linked_as_dvc_links_it() {
    check_directory(&[("cache.type", "hardlink")]);
    check_directory(&[("cache.type", "symlink")]);
}

#[test]
fn files_with_odd_names_are_read_back_by_dvc() {
    let names = [
        "we ird: #é",
        "12e5",
        "null",
        "- a",
        "~",
        "a*b?[c]!x",
        "'q'",
        "\"d\"",
        "{x}",
        "%a",
        "${x}",
        "true",
    ];
    let (theirs, ours) = (Lab::new(&[]), Lab::new(&[]));
    for lab in [&theirs, &ours] {
        for name in names {
            fs::write(lab.path("repo").join(name), name).unwrap();
        }
    }
    let paths = names.map(|name| format!("--path={name}"));
    ours.export(&paths.each_ref().map(String::as_str));
    ours.is_clean("repo");
    theirs.dvc("repo", &[&["add", "-q", "--"], &names[..]].concat());
    assert_eq!(
        ours.files("repo/.dvc/cache"),
        theirs.files("repo/.dvc/cache")
    );
    for name in names {
        let document = |lab: &Lab| fs::read(lab.path("repo").join(format!("{name}.dvc"))).unwrap();
        let read = [&ours, &theirs].map(|lab| {
            artifact::yaml::parse::<Value>(std::str::from_utf8(&document(lab)).unwrap())
        });
        assert_eq!(read[0], read[1], "{name}");
    }
    let unignored = ours.git("repo", &["status", "--porcelain", "-uall"]);
    assert!(
        unignored
            .lines()
            .all(|line| line.contains(".dvc") || line.contains(".gitignore")),
        "{unignored}"
    );
}

#[test]
fn a_cache_elsewhere_is_used_as_the_settings_say() {
    let lab = Lab::new(&[("cache.dir", "../shared cache"), ("cache.type", "symlink")]);
    fill(&lab.path("repo/data"));
    lab.export(&["--path", "data"]);
    let link = fs::read_link(lab.path("repo/data/a")).unwrap();
    lab.dvc("repo", &["checkout", "-q", "--relink"]);
    assert_eq!(link, fs::read_link(lab.path("repo/data/a")).unwrap());
    assert!(lab.path("shared cache/files/md5").is_dir());
    assert!(!lab.path("repo/.dvc/cache/files").exists());
    lab.is_clean("repo");
}

#[test]
fn a_repository_that_was_made_here_is_one_for_dvc() {
    let lab = Lab(Workplace::new());
    for (directory, in_git) in [("alone", false), ("with-git", true)] {
        fs::create_dir(lab.path(directory)).unwrap();
        if in_git {
            lab.git(directory, &["init", "-q"]);
        }
        fill(&lab.path(directory).join("data"));
        let called = lab.0.call_at(
            directory,
            &["export", "dvc", "--init", "--path", "data"],
            &[],
        );
        assert_eq!(called.code, 0, "{}", called.err);
        lab.is_clean(directory);
        assert_eq!(lab.path(directory).join(".gitignore").exists(), in_git);
    }
}
