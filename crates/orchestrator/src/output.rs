//! What the program says: results on standard output, remarks on standard error.

use std::{
    io::Write as _,
    path::{Path, PathBuf},
};

use artifact::{ErrorKind, Failure};

/// Prints to standard output; a reader that went away ends the printing, not the program.
pub fn print(text: &str) -> Result<(), Failure> {
    match writeln!(std::io::stdout(), "{text}") {
        Err(e) if e.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::new(
            ErrorKind::Unavailable,
            format!("cannot write the output: {e}{}", artifact::remedy(&e)),
        )),
        _ => Ok(()),
    }
}

/// Says something besides the result, on standard error.
#[expect(
    clippy::print_stderr,
    reason = "the person at the terminal is to read it"
)]
pub fn note(text: &str) {
    eprintln!("note: {text}");
}

/// Refuses to replace the input: what was left out or refused of it would be lost.
pub fn refuse_same_file(input: &Path, output: &Path) -> Result<(), Failure> {
    if !is_same_file(input, output) {
        return Ok(());
    }
    let output = output.display();
    let message = format!("{output} is the input as well: write to another file");
    Err(Failure::new(ErrorKind::Usage, message))
}

/// Returns whether two paths name one file, whether it is there or is to be made.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    place_of(one) == place_of(other)
}

/// Names a file in one way, whether it is there or is to be made.
fn place_of(path: &Path) -> PathBuf {
    if let Ok(whole) = path.canonicalize() {
        return whole;
    }
    let directory = path.parent().filter(|d| !d.as_os_str().is_empty());
    let directory = directory.unwrap_or(Path::new(".")).canonicalize();
    match (directory, path.file_name()) {
        (Ok(directory), Some(name)) => directory.join(name),
        _ => path.to_owned(),
    }
}
