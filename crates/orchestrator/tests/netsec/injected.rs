//! Faults that the operating system brings: a kill at every change of the disk, full disks, broken
//! ones, and users who may not read. Needs Linux, root, and Debian's `strace` and `util-linux`.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::{fs::PermissionsExt as _, process::ExitStatusExt as _},
    path::{Path, PathBuf},
    process::{Command, Output},
};

use serde_json::Value;

use crate::support::{TINY, Workplace, tiny_csv};

/// The calls that change what lies on the disk, under the names of all architectures (`?` lets a name
/// be unknown here), each with how often a run makes it at least.
const CHANGES: [(&str, usize); 5] = [
    ("?mkdir,?mkdirat", 9),
    ("?write,?pwrite64,?writev", 25),
    ("?rename,?renameat,?renameat2", 25),
    ("?link,?linkat", 1),
    ("?unlink,?unlinkat", 9),
];
const SYNCS: &str = "?fsync,?fdatasync";

/// What became of a call of `netsec` with a fault injected.
struct Struck {
    code: Option<i32>,
    signal: Option<i32>,
    err: String,
}

impl Workplace {
    /// Calls `netsec` under `strace`, with a fault at some calls to the operating system.
    fn strike(&self, fault: &str, arguments: &[&str]) -> Struck {
        // What is not traced is not struck either.
        let calls = fault.split(':').next().unwrap();
        let Output { status, stderr, .. } = Command::new("strace")
            .args(["-f", "-qq", "-o", "/dev/null"])
            .args(["-e", &format!("trace={calls}")])
            .args(["-e", &format!("inject={fault}")])
            .arg(env!("CARGO_BIN_EXE_netsec"))
            .args(arguments)
            .current_dir(self.path(""))
            .env_remove("NETSEC_LOG")
            .output()
            .expect("strace is installed (Debian: apt-get install strace)");
        let err = String::from_utf8_lossy(&stderr).into_owned();
        assert!(!err.contains("strace: "), "{err}");
        assert!(!err.contains("panicked"), "{fault}: {err}");
        Struck {
            code: status.code(),
            signal: status.signal(),
            err,
        }
    }

    /// Returns the versions in the order of the history; none when there is no such model.
    fn versions(&self) -> Vec<u64> {
        let called = self.call(&["models", "history", "tiny", "--json"]);
        if called.code == 64 {
            return Vec::new();
        }
        assert_eq!(called.code, 0, "{}", called.err);
        let entries: Vec<Value> = serde_json::from_str(&called.out).unwrap();
        let number = |entry: &Value| entry["version"].as_u64().unwrap();
        entries.iter().map(number).collect()
    }

    /// Checks that whatever is listed as done is whole.
    fn check_runs(&self, when: &str) {
        let runs = self.call(&["runs"]);
        assert_eq!(runs.code, 0, "{when}: {}", runs.err);
        // The others were looked at when they were the last.
        if let Some(last) = runs.out.lines().last() {
            let verified = self.call(&["verify", last]);
            assert_eq!(verified.code, 0, "{when}: {}", verified.err);
        }
        let list = self.call(&["models", "list"]);
        assert_eq!(list.code, 0, "{when}: {}", list.err);
    }

    /// Returns the temporary files that lie anywhere.
    fn left_over(&self) -> Vec<PathBuf> {
        let mut found = Vec::new();
        let mut open = vec![self.path("")];
        while let Some(directory) = open.pop() {
            for entry in fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                match path.is_dir() {
                    true => open.push(path),
                    false if path.extension().is_some_and(|e| e == "tmp") => found.push(path),
                    false => {}
                }
            }
        }
        found
    }
}

fn run_arguments(seed: &str) -> Vec<&str> {
    let fixed = ["run", "--force", "--why", "a test", "--source", "tiny.csv"];
    [&fixed[..], &TINY, &["--seed", seed]].concat()
}

/// Kills one run after the other, each at the next of these calls and on rows of its own, until one
/// lives; then a run must work, and the history have lost and doubled nothing.
fn kill_at_every((calls, least): (&str, usize)) {
    let place = Workplace::new();
    let mut versions = Vec::new();
    let mut n = 0;
    loop {
        n += 1;
        place.write_tiny(200 + n);
        let fault = format!("{calls}:signal=SIGKILL:when={n}");
        let struck = place.strike(&fault, &run_arguments(&n.to_string()));
        let now = place.versions();
        place.check_runs(&fault);
        assert!(
            now.starts_with(&versions),
            "{fault}: {now:?} after {versions:?}"
        );
        assert!(
            now.len() - versions.len() <= 1,
            "{fault}: {now:?} after {versions:?}"
        );
        versions = now;
        if struck.code == Some(0) {
            break;
        }
        assert_eq!(struck.signal, Some(9), "{fault}: {}", struck.err);
    }
    assert!(n > least, "{calls}: a run made {} of them only", n - 1);
    place.write_tiny(500);
    let after = place.run_tiny(&["--seed", "1000"]);
    assert_eq!(
        after["rows"]["total"], 500,
        "the feature store gave other rows"
    );
    assert_eq!(after["version"], versions.len() as u64 + 1);
    let distinct: BTreeSet<u64> = place.versions().into_iter().collect();
    assert_eq!(distinct, (1..=versions.len() as u64 + 1).collect());
    let again = place.run_tiny(&["--seed", "1000"]);
    assert_eq!(again["verdict"]["unchanged"], true);
}

#[test]
fn killed_while_making_directories() {
    kill_at_every(CHANGES[0]);
}

#[test]
fn killed_while_writing() {
    kill_at_every(CHANGES[1]);
}

#[test]
fn killed_while_renaming() {
    kill_at_every(CHANGES[2]);
}

#[test]
fn killed_while_claiming_a_place_in_the_history_or_removing() {
    kill_at_every(CHANGES[3]);
    kill_at_every(CHANGES[4]);
}

#[test]
fn the_same_run_killed_and_begun_again_makes_one_version() {
    let place = Workplace::new();
    place.write_tiny(300);
    let run = run_arguments("1");
    // From the claim on, the version is there although the run has not ended.
    for fault in [
        "?link,?linkat:signal=SIGKILL:when=1",
        "?unlink,?unlinkat:signal=SIGKILL:when=9",
    ] {
        assert_eq!(place.strike(fault, &run).signal, Some(9), "{fault}");
    }
    assert_eq!(place.versions(), [1]);
    let again = place.run_tiny(&["--seed", "1"]);
    assert_eq!(again["verdict"]["unchanged"], true);
    assert_eq!(place.versions(), [1]);
}

#[test]
fn a_killed_promotion_by_hand_is_done_or_not_done() {
    let place = Workplace::new();
    place.write_tiny(300);
    place.run_tiny(&["--seed", "1"]);
    place.run_tiny(&["--seed", "2"]);
    let mut n_killed = 0;
    for (calls, _) in CHANGES {
        for n in 1.. {
            let before = place.versions();
            let other = (3 - before.last().unwrap()).to_string();
            let promote = [
                "models",
                "promote",
                "tiny",
                "--version",
                &other,
                "--force",
                "--why",
                "x",
            ];
            let struck = place.strike(&format!("{calls}:signal=SIGKILL:when={n}"), &promote);
            let after = place.versions();
            let done = [&before[..], &[other.parse().unwrap()]].concat();
            assert!(
                after == before || after == done,
                "{calls} {n}: {after:?} after {before:?}"
            );
            if struck.code == Some(0) {
                assert_eq!(after, done);
                break;
            }
            assert_eq!(struck.signal, Some(9), "{}", struck.err);
            n_killed += 1;
        }
    }
    // The entry is written, linked, and its temporary name removed.
    assert!(n_killed >= 3, "{n_killed} killed");
    assert_eq!(place.call(&["models", "rollback", "tiny"]).code, 0);
}

#[test]
fn a_killed_prediction_leaves_the_old_file_or_the_whole_new_one() {
    let place = Workplace::new();
    place.write_tiny(300);
    place.run_tiny(&[]);
    for name in ["out.csv", "out.parquet", "out.jsonl.gz"] {
        let predict = [
            "predict", "--model", "tiny", "--input", "tiny.csv", "--output", name,
        ];
        assert_eq!(place.call(&predict).code, 0);
        let whole = fs::read(place.path(name)).unwrap();
        for calls in [CHANGES[1].0, CHANGES[2].0, SYNCS] {
            for n in 1.. {
                place.write(name, "old");
                let struck = place.strike(&format!("{calls}:signal=SIGKILL:when={n}"), &predict);
                let found = fs::read(place.path(name)).unwrap();
                assert!(found == b"old" || found == whole, "{name}: {calls} {n}");
                if struck.code == Some(0) {
                    assert!(n > 1, "{name}: {calls} are not made");
                    break;
                }
                assert_eq!(struck.signal, Some(9), "{}", struck.err);
            }
        }
    }
}

/// Fails one call of a run after the other, a few left out, with an error of the operating system.
fn fail_some(calls: &str, error: &str, words: &[&str]) {
    let place = Workplace::new();
    place.write_tiny(300);
    let mut n_failed = 0;
    for n in (1..4).chain((4..).step_by(3)) {
        let fault = format!("{calls}:error={error}:when={n}");
        let struck = place.strike(&fault, &run_arguments("1"));
        place.check_runs(&fault);
        assert_eq!(
            place.left_over(),
            [] as [PathBuf; 0],
            "{fault}: {}",
            struck.err
        );
        if struck.code == Some(0) {
            break;
        }
        n_failed += 1;
        assert_eq!(struck.code, Some(69), "{fault}: {}", struck.err);
        for word in words {
            assert!(struck.err.contains(word), "{fault}: {}", struck.err);
        }
    }
    assert!(n_failed > 0, "{calls} were not made");
    assert_eq!(
        place.run_tiny(&["--seed", "2"])["verdict"]["promoted"],
        true
    );
}

#[test]
fn a_full_disk_is_named_with_what_to_do_and_nothing_half_written_counts() {
    let words = [
        "error: ",
        "cannot",
        "No space left on device",
        "free some space",
    ];
    for (calls, _) in &CHANGES[..4] {
        fail_some(calls, "ENOSPC", &words);
    }
}

#[test]
fn a_broken_disk_is_named_and_nothing_half_written_counts() {
    fail_some(SYNCS, "EIO", &["error: ", "cannot", "Input/output error"]);
}

#[test]
fn where_not_even_the_error_can_be_written_the_exit_code_speaks() {
    for n in [1, 5, 20] {
        let place = Workplace::new();
        place.write_tiny(300);
        let struck = place.strike(
            &format!("{}:error=ENOSPC:when={n}+", CHANGES[1].0),
            &run_arguments("1"),
        );
        assert_eq!(
            (struck.code, struck.signal),
            (Some(69), None),
            "{}",
            struck.err
        );
        place.check_runs("a disk that stays full");
    }
}

#[test]
fn files_that_cannot_be_opened_are_no_reason_to_panic() {
    let place = Workplace::new();
    place.write_tiny(300);
    place.run_tiny(&[]);
    let mut codes = BTreeSet::new();
    for n in (1..300).step_by(7) {
        let fault = format!("?open,?openat:error=EACCES:when={n}");
        let struck = place.strike(&fault, &run_arguments("1"));
        let code = struck.code.unwrap_or(-1);
        // 127: the loader could not open a library; 78: the schema.
        assert!(
            [0, 69, 78, 127].contains(&code),
            "{fault}: {code} {}",
            struck.err
        );
        assert!(code == 0 || !struck.err.is_empty(), "{fault}");
        codes.insert(code);
    }
    assert!(codes.contains(&69) && codes.contains(&0), "{codes:?}");
    place.check_runs("files that could not be opened");
}

/// A small file system of its own, gone with the value.
struct SmallDisk(PathBuf);

impl SmallDisk {
    fn mount(at: &Path, size: &str) -> Option<Self> {
        fs::create_dir(at).unwrap();
        let disk = mount(&format!("size={size}"), at);
        disk.then(|| Self(at.to_owned()))
    }
}

fn mount(options: &str, at: &Path) -> bool {
    let mut command = Command::new("mount");
    command
        .args(["-t", "tmpfs", "-o", options, "tmpfs"])
        .arg(at);
    command.output().is_ok_and(|output| output.status.success())
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // A file system that stays mounted for want of a right goes with the machine.
        let _ = Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_disk_that_is_really_full_is_survived_and_serves_again_once_there_is_space() {
    for size in ["32k", "64k", "96k", "128k"] {
        let place = Workplace::new();
        place.write_tiny(300);
        let disk = SmallDisk::mount(&place.path("artifacts"), size)
            .expect("this lane runs as root and may mount a tmpfs");
        let full = place.call(&run_arguments("1"));
        assert_eq!(full.code, 69, "{size}: {}", full.err);
        assert!(full.err.contains("free some space"), "{size}: {}", full.err);
        assert_eq!(place.left_over(), [] as [PathBuf; 0]);
        place.check_runs(size);
        assert!(mount("remount,size=8m", &disk.0));
        assert_eq!(place.run_tiny(&[])["verdict"]["promoted"], true);
    }
}

#[test]
fn a_push_onto_a_full_disk_says_so_once_and_leaves_the_old_file() {
    let place = Workplace::new();
    place.write_tiny(20_000);
    let disk = SmallDisk::mount(&place.path("disk"), "8k")
        .expect("this lane runs as root and may mount a tmpfs");
    for file in [
        "disk/a.csv",
        "disk/a.csv.gz",
        "disk/a.jsonl",
        "disk/a.parquet",
    ] {
        place.write(file, "old");
        let fixed = ["push", "--dataset", "tiny.yaml", "--from", "tiny.csv"];
        let full = place.call(&[&fixed[..], &["--mode", "replace", "--to", file]].concat());
        assert_eq!(full.code, 69, "{file}: {}", full.err);
        let said = format!("error: cannot write {file}: No space left on device");
        assert!(full.err.starts_with(&said), "{}", full.err);
        assert!(full.err.contains("free some space"), "{}", full.err);
        assert_eq!(full.err.lines().count(), 1, "{}", full.err);
        assert_eq!(fs::read(place.path(file)).unwrap(), b"old");
        fs::remove_file(place.path(file)).unwrap();
        assert_eq!(fs::read_dir(&disk.0).unwrap().count(), 0);
    }
}

/// Calls `netsec` as a user without any rights.
fn call_as_nobody(place: &Workplace, arguments: &[&str]) -> (i32, String) {
    let binary = place.path("netsec");
    if !binary.exists() {
        fs::copy(env!("CARGO_BIN_EXE_netsec"), &binary).unwrap();
    }
    let output = Command::new("setpriv")
        .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
        .arg(binary)
        .args(arguments)
        .current_dir(place.path(""))
        .output()
        .expect("setpriv is installed (Debian: util-linux), and this runs as root");
    let err = String::from_utf8(output.stderr).unwrap();
    assert!(!err.contains("panicked"), "{err}");
    (output.status.code().unwrap_or(-1), err)
}

#[test]
fn what_may_not_be_read_or_written_is_named() {
    let place = Workplace::new();
    let allow = |name: &str, mode: u32| {
        let permissions = fs::Permissions::from_mode(mode);
        fs::set_permissions(place.path(name), permissions).unwrap();
    };
    place.write_tiny(300);
    place.write("secret.csv", tiny_csv(300));
    allow("", 0o755);
    allow("secret.csv", 0o600);
    let refused = |arguments: &[&str], code: i32, word: &str| {
        let (found, err) = call_as_nobody(&place, arguments);
        assert_eq!(found, code, "{arguments:?}: {err}");
        assert!(
            err.contains(word) && err.contains("Permission denied"),
            "{err}"
        );
    };
    // The directory itself cannot be written, so there is no place for artifacts.
    refused(&run_arguments("1"), 69, "artifacts");
    fs::create_dir(place.path("artifacts")).unwrap();
    allow("artifacts", 0o777);
    let secret = [&["run", "--source", "secret.csv"][..], &TINY].concat();
    refused(&secret, 69, "secret.csv");
    let (code, err) = call_as_nobody(&place, &run_arguments("1"));
    assert_eq!(code, 0, "{err}");
    let predict = [
        "predict", "--model", "tiny", "--input", "tiny.csv", "--output", "out.csv",
    ];
    refused(&predict, 69, "out.csv");
    let predict = [
        "predict",
        "--model",
        "tiny",
        "--input",
        "secret.csv",
        "--output",
        "/tmp/x.csv",
    ];
    refused(&predict, 69, "secret.csv");
    allow("tiny.yaml", 0o600);
    refused(&run_arguments("1"), 78, "tiny.yaml");
    allow("artifacts/registry/models/tiny/history", 0o000);
    refused(&["models", "history", "tiny"], 69, "history");
}

/// Puts some files under DVC, with a fault at the next of these calls each time and in a new place, until none is
/// struck; then the same call must complete what is there.
fn export_with_a_fault_at_every(fault: &str, expected: impl Fn(&Struck) -> bool) {
    let arguments = ["export", "dvc", "--init", "--path", "data"];
    let mut n = 0;
    loop {
        n += 1;
        let place = Workplace::new();
        fs::create_dir_all(place.path("data/sub")).unwrap();
        for file in 0..12 {
            place.write(&format!("data/sub/{file}"), file.to_string());
        }
        let struck = place.strike(&format!("{fault}:when={n}"), &arguments);
        let document = fs::read_to_string(place.path("data.dvc")).unwrap_or_default();
        assert!(document.is_empty() || document.contains("nfiles: 12"));
        let after = place.call(&arguments);
        assert_eq!(after.code, 0, "{fault} {n}: {}", after.err);
        let objects = place.path(".dvc/cache/files/md5");
        for head in fs::read_dir(objects).unwrap() {
            for object in fs::read_dir(head.unwrap().path()).unwrap() {
                let object = object.unwrap();
                // What a kill leaves has a name that nothing looks for.
                let counts = !object.file_name().to_string_lossy().starts_with('.');
                assert!(!counts || object.metadata().unwrap().len() > 0);
            }
        }
        if struck.code == Some(0) {
            break;
        }
        assert!(
            expected(&struck),
            "{fault} {n}: {:?} {}",
            struck.code,
            struck.err
        );
    }
    // Threads are counted apart, and how the files fall to them is theirs.
    assert!(n > 2, "{fault}: an export made {} of them only", n - 1);
}

#[test]
fn an_export_for_dvc_that_finds_no_room_says_so_and_is_completed_later() {
    let calls = "?write,?pwrite64,?writev:error=ENOSPC";
    export_with_a_fault_at_every(calls, |struck| {
        // What is said is written as well, and may be struck itself.
        let is_cut = "error: ".starts_with(&struck.err);
        struck.code == Some(69) && (is_cut || struck.err.contains("free some space"))
    });
}

#[test]
fn an_export_for_dvc_that_is_killed_is_completed_later() {
    let calls = "?rename,?renameat,?renameat2:signal=SIGKILL";
    export_with_a_fault_at_every(calls, |struck| struck.signal == Some(9));
}
