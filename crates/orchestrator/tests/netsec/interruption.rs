//! Ctrl-C and SIGTERM, at several moments.

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use flate2::{Compression, write::GzEncoder};

use crate::support::{SMALL, Workplace, send_signal, tiny_csv};

/// Starts a run that takes a while and shows its progress.
fn start(place: &Workplace, stderr: Stdio) -> Child {
    Command::new(env!("CARGO_BIN_EXE_netsec"))
        .args(["run", "--progress", "json"])
        .args(["--source", "synth://phishing?rows=20000"])
        .args(SMALL)
        .current_dir(place.path(""))
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .unwrap()
}

/// Sends a signal and returns the exit code; the program must end within a second.
fn interrupt(mut child: Child, signal: &str) -> i32 {
    send_signal(&child, signal);
    let since = Instant::now();
    let status = child.wait().unwrap();
    // The machine may be busy, but the promise is made for one that is not.
    let limit = Duration::from_secs(if cfg!(debug_assertions) { 3 } else { 1 });
    assert!(since.elapsed() < limit, "ended after {:?}", since.elapsed());
    status.code().unwrap_or(-1)
}

/// Returns the temporary files below a directory.
fn left_over(directory: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(left_over(&path));
        } else if path.extension().is_some_and(|e| e == "tmp") {
            found.push(path);
        }
    }
    found
}

/// Checks that nothing half-done is left or taken for done, and that the next run works.
fn check_aftermath(place: &Workplace) {
    assert_eq!(left_over(&place.path("")), Vec::<PathBuf>::new());
    for run in place.call(&["runs"]).out.lines() {
        let verified = place.call(&["verify", run]);
        assert_eq!(verified.code, 0, "{}", verified.err);
    }
    assert_eq!(place.call(&["models", "list"]).code, 0);
    place.write_tiny(300);
    let run = place.run_tiny(&[]);
    assert_eq!(run["verdict"]["promoted"], true);
}

#[test]
fn ctrl_c_ends_a_run_with_130_and_sigterm_with_143_at_any_moment() {
    let moments = ["rows read", "search"];
    for (moment, (signal, code)) in moments.into_iter().zip([("INT", 130), ("TERM", 143)]) {
        let place = Workplace::new();
        let mut child = start(&place, Stdio::piped());
        let mut progress = BufReader::new(child.stderr.take().unwrap());
        let mut line = String::new();
        while !line.contains(moment) {
            line.clear();
            assert!(
                progress.read_line(&mut line).unwrap() > 0,
                "no `{moment}` was shown"
            );
        }
        assert_eq!(interrupt(child, signal), code);
        let mut rest = String::new();
        progress.read_to_string(&mut rest).unwrap();
        assert!(rest.contains("interrupted: what was committed"), "{rest}");
        check_aftermath(&place);
    }
}

#[test]
fn ctrl_c_ends_a_run_whose_standard_error_nobody_reads() {
    let place = Workplace::new();
    let (reader, mut writer) = std::io::pipe().unwrap();
    writer.write_all(&[b'x'; 1 << 16]).unwrap();
    let mut child = start(&place, writer.into());
    let mut first = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut first).unwrap();
    assert!(first.starts_with("SIMULATED"), "{first}");
    assert_eq!(interrupt(child, "INT"), 130);
    drop(reader);
    check_aftermath(&place);
}

#[test]
fn left_over_temporary_files_are_never_taken_for_data() {
    let place = Workplace::new();
    place.write_tiny(300);
    let run = place.run_tiny(&[]);
    let directory = place.path(run["run"].as_str().unwrap());
    let scatter = |directory: &Path, name: &str| {
        // Those of this very process number, as the next process may have it, too.
        for n in 0..3 {
            let name = format!(".{name}.{}-{n}.tmp", std::process::id());
            fs::write(directory.join(name), "half of someth").unwrap();
        }
    };
    scatter(&directory.join("04-training"), "model-bundle.bin");
    scatter(&place.path("artifacts/feature-store"), "x.parquet");
    scatter(&place.path("artifacts/registry/blobs"), "x.bin");
    scatter(
        &place.path("artifacts/registry/models/tiny/history"),
        "00000002.json",
    );
    scatter(&place.path("artifacts"), "x");
    assert_eq!(place.call(&["models", "list"]).out.lines().count(), 1);
    assert_eq!(
        place
            .call(&["models", "history", "tiny"])
            .out
            .lines()
            .count(),
        1
    );
    assert_eq!(place.call(&["runs"]).out.lines().count(), 1);
    let second = place.run_tiny(&["--seed", "7"]);
    assert_eq!(second["version"], 2);
}

#[test]
fn a_prediction_that_is_interrupted_leaves_nothing_beside_its_output() {
    let place = Workplace::new();
    place.write_tiny(300);
    place.run_tiny(&[]);
    place.write("many.csv", tiny_csv(400_000));
    for output in ["out.csv", "out.csv.gz", "out.jsonl", "out.parquet"] {
        let child = Command::new(env!("CARGO_BIN_EXE_netsec"))
            .args(["predict", "--input", "many.csv", "--output", output])
            .current_dir(place.path(""))
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        while left_over(&place.path("")).is_empty() {
            assert!(!place.path(output).exists(), "it was too quick");
            std::thread::sleep(Duration::from_millis(1));
        }
        assert_eq!(interrupt(child, "INT"), 130);
        assert_eq!(
            left_over(&place.path("")),
            Vec::<PathBuf>::new(),
            "{output}"
        );
        assert!(!place.path(output).exists(), "{output}");
    }
}

#[test]
fn a_prediction_that_fails_leaves_nothing_beside_its_output() {
    let place = Workplace::new();
    place.write_tiny(300);
    place.run_tiny(&[]);
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(tiny_csv(100_000).as_bytes()).unwrap();
    let whole = encoder.finish().unwrap();
    place.write("cut.csv.gz", &whole[..whole.len() - 9]);
    for output in ["out.csv", "out.csv.gz", "out.jsonl", "out.parquet"] {
        let called = place.call(&["predict", "--input", "cut.csv.gz", "--output", output]);
        assert_eq!(called.code, 65, "{}", called.err);
        assert_eq!(
            left_over(&place.path("")),
            Vec::<PathBuf>::new(),
            "{output}"
        );
        assert!(!place.path(output).exists(), "{output}");
    }
}

#[test]
fn an_export_for_dvc_that_is_interrupted_leaves_nothing_half_written_and_is_completed_later() {
    let place = Workplace::new();
    fs::create_dir(place.path("data")).unwrap();
    for file in 0..5_000 {
        place.write(&format!("data/{file}"), file.to_string());
    }
    let arguments = ["export", "dvc", "--init", "--path", "data"];
    let child = Command::new(env!("CARGO_BIN_EXE_netsec"))
        .args(arguments)
        .current_dir(place.path(""))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    let cache = place.path(".dvc/cache/files/md5");
    while !cache.is_dir() {
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(interrupt(child, "INT"), 130);
    assert!(!place.path("data.dvc").exists());
    assert_eq!(left_over(&place.path("")), Vec::<PathBuf>::new());
    let after = place.call(&arguments);
    assert_eq!(after.code, 0, "{}", after.err);
    assert!(after.out.starts_with("5000 files"), "{}", after.out);
}
