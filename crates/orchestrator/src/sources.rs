//! From a source's URI to a source.

use std::path::Path;

use artifact::{ErrorKind, Failure};
use dataset::{Schema, Source};
use formats::{FileFormat, Layout};

/// Opens the source that a URI names.
pub fn open(uri: &str, schema: &Schema) -> Result<Box<dyn Source>, Failure> {
    match uri.split_once("://") {
        None => open_file(Path::new(uri), schema),
        Some(("file", path)) => open_file(Path::new(path), schema),
        Some(("synth", _)) => Ok(Box::new(synth::parse_uri(uri)?)),
        Some((scheme, _)) => Err(Failure::new(
            ErrorKind::Usage,
            format!("`{scheme}://` is not supported: give a path, file://… or synth://NAME?rows=N"),
        )),
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

fn open_file(path: &Path, schema: &Schema) -> Result<Box<dyn Source>, Failure> {
    let names = schema.file_columns();
    let layout = Layout::of(&schema.file, names);
    let format = FileFormat::of_path(path, &layout)?;
    Ok(formats::open(path, &format)?)
}
