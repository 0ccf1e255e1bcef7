//! Temporary files that hold what comes and what goes.

use std::io;

/// Says that a temporary file failed, and what to do about it.
pub(crate) fn no_room(what: &str, error: &io::Error) -> String {
    let folder = std::env::temp_dir();
    format!(
        "cannot keep {what} in a temporary file in {}: {error}: make room there, or set TMPDIR to another \
         folder",
        folder.display()
    )
}
