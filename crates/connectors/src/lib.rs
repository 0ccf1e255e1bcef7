//! From the URI of a source to the source: files and simulated data.
//!
//! Owns the schemes. Must not know stages, models or the command line.

use std::path::Path;

use artifact::{ErrorKind, Failure};
use dataset::{Schema, Source};
use formats::{FileFormat, Layout};

/// Opens the source that a URI names: a path, `file://…` or `synth://NAME?rows=N`.
///
/// # Errors
/// [`ErrorKind::Usage`] for a scheme that is not known or, so far, not supported, and what opening
/// fails with.
pub fn open(uri: &str, schema: &Schema) -> Result<Box<dyn Source>, Failure> {
    match uri.split_once("://") {
        None => open_file(Path::new(uri), schema),
        Some(("file", path)) => open_file(Path::new(path), schema),
        Some(("synth", _)) => Ok(Box::new(synth::parse_uri(uri)?)),
        Some((scheme, _)) => Err(Failure::new(ErrorKind::Usage, unsupported(scheme))),
    }
}

/// Returns the path of a local file, for a URI that names one.
pub fn local_path(uri: &str) -> Option<&Path> {
    match uri.split_once("://") {
        None => Some(Path::new(uri)),
        Some(("file", path)) => Some(Path::new(path)),
        Some(_) => None,
    }
}

/// Returns whether a URI names data that is generated, not observed.
pub fn is_simulated(uri: &str) -> bool {
    uri.starts_with("synth://")
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
