//! From the URI of a source to the source: files and simulated data.
//!
//! Owns the schemes. Must not know stages, models or the command line.

use std::path::Path;

use artifact::{ErrorKind, Failure};
use dataset::{Schema, Source, SourceUri};
use formats::{FileFormat, Layout};

/// Opens the source that a URI names: a path, `file://…` or `synth://NAME?rows=N`.
///
/// # Errors
/// [`ErrorKind::Usage`] for a scheme that is not known or, so far, not supported, and what opening
/// fails with.
pub fn open(uri: &SourceUri, schema: &Schema) -> Result<Box<dyn Source>, Failure> {
    if let Some(path) = uri.local_path() {
        return open_file(path, schema);
    }
    let refuse = |message: String| Err(Failure::new(ErrorKind::Usage, message));
    match uri.scheme() {
        // What it says of a wrong address is said of the one without secrets.
        Some("synth") => Ok(Box::new(synth::parse_uri(&uri.to_string())?)),
        Some(scheme) => refuse(unsupported(scheme)),
        None => refuse(format!("{uri} lacks a slash: write scheme://…")),
    }
}

/// Opens the source of an earlier run, which has kept its address without secrets: the environment
/// variable of that name has it with them.
///
/// # Errors
/// [`ErrorKind::Usage`] when secrets are lacking and the variable does not supply them, and what
/// [`open`] fails with.
pub fn reopen(
    kept: &SourceUri,
    variable: &str,
    schema: &Schema,
) -> Result<Box<dyn Source>, Failure> {
    // A file is opened without them.
    if kept.local_path().is_some() || !kept.lacks_secrets() {
        return open(kept, schema);
    }
    let refuse = |reason: String| {
        let message = format!("{kept} was kept without its secrets: {reason}");
        Err(Failure::new(ErrorKind::Usage, message))
    };
    match std::env::var(variable).map(SourceUri::new) {
        Ok(whole) if whole.to_string() == kept.to_string() => open(&whole, schema),
        Ok(other) => refuse(format!(
            "{variable}, which is to hold the same address with them, holds {other}"
        )),
        Err(_) => refuse(format!(
            "set the environment variable {variable} to the whole address"
        )),
    }
}

/// Returns whether a URI names data that is generated, not observed.
pub fn is_simulated(uri: &SourceUri) -> bool {
    uri.scheme() == Some("synth")
}

fn open_file(path: &Path, schema: &Schema) -> Result<Box<dyn Source>, Failure> {
    let names = schema.file_columns();
    let layout = Layout::of(&schema.file, names);
    let format = FileFormat::of_path(path, &layout)?;
    Ok(formats::open(path, &format)?)
}

/// Says which schemes there are.
fn unsupported(scheme: &str) -> String {
    format!("`{scheme}://` is not supported: give a path, file://… or synth://NAME?rows=N")
}
