//! Both programs in one file, told apart by the name that it is called by, as busybox does it.

use std::{env, path::Path, process::ExitCode};

fn main() -> ExitCode {
    let called = env::args_os().next();
    match called.as_deref().map(Path::new).and_then(Path::file_stem) {
        Some(name) if name == "netsec-server" => server::main(),
        _ => orchestrator::main(),
    }
}
