//! What the program says: results on standard output, remarks on standard error.

use std::{io::Write as _, path::Path};

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
    match (input.canonicalize(), output.canonicalize()) {
        (Ok(input), Ok(output)) if input == output => Err(Failure::new(
            ErrorKind::Usage,
            format!(
                "{} is the input as well: write to another file",
                output.display()
            ),
        )),
        _ => Ok(()),
    }
}
