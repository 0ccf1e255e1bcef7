//! Which program it is under which name.

use std::{os::unix::fs::symlink, path::Path, process::Command};

#[test]
fn the_name_that_it_is_called_by_says_which_program_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_netsec-multicall"));
    for (name, said) in [
        ("netsec", "Trains, evaluates"),
        ("netsec-server", "Serves the champion"),
        ("another", "Trains, evaluates"),
    ] {
        let link = directory.path().join(name);
        symlink(program, &link).unwrap();
        let output = Command::new(&link).arg("--help").output().unwrap();
        let help = String::from_utf8(output.stdout).unwrap();
        assert!(help.contains(said), "{name}: {help}");
    }
}
