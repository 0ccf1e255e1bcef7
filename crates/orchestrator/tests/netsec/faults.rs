use std::{
    process::{Command, Stdio},
    time::Duration,
};

use crate::support::{SMALL, Workplace};

#[test]
fn a_killed_run_leaves_nothing_that_the_next_run_stumbles_over() {
    let place = Workplace::new();
    for delay in [5, 20, 60, 120, 200, 300] {
        let mut child = Command::new(env!("CARGO_BIN_EXE_netsec"))
            .args(
                [
                    &["run", "--source", "synth://phishing?rows=2000"],
                    &SMALL[..],
                ]
                .concat(),
            )
            .current_dir(place.path(""))
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        std::thread::sleep(Duration::from_millis(delay));
        // A run that has ended already is as good a state as any.
        let _ = child.kill();
        child.wait().unwrap();
        for run in place.call(&["runs"]).out.lines() {
            let verified = place.call(&["verify", run]);
            assert_eq!(verified.code, 0, "after {delay} ms: {}", verified.err);
        }
    }
    place.run(&["--source", "synth://phishing?rows=2000"]);
}

#[test]
fn two_runs_at_the_same_time_do_not_disturb_each_other() {
    let place = Workplace::new();
    let start = |seed: &str| {
        Command::new(env!("CARGO_BIN_EXE_netsec"))
            .args(
                [
                    &["run", "--force", "--why", "race", "--seed", seed],
                    &SMALL[..],
                ]
                .concat(),
            )
            .args(["--source", "synth://phishing?rows=2000"])
            .current_dir(place.path(""))
            .stdout(Stdio::null())
            .spawn()
            .unwrap()
    };
    let children = [start("1"), start("2"), start("3")];
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let history = place.call(&["models", "history", "phishing-simulated", "--json"]);
    let entries: serde_json::Value = serde_json::from_str(&history.out).unwrap();
    let mut versions: Vec<u64> = entries
        .as_array()
        .unwrap()
        .iter()
        .map(|e| e["version"].as_u64().unwrap())
        .collect();
    versions.sort_unstable();
    assert_eq!(versions, [1, 2, 3]);
}
