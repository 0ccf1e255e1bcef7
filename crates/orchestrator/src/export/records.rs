//! Whether a file still holds the records that a run has read from it.

use std::{fs, path::Path, time::SystemTime};

use artifact::{ErrorKind, Failure, Manifest, Run, StoreError, clock, codec};
use dataset::{RawDataset, SourceUri};
use harness::RunConfig;
use ingestion::Ingestion;

/// Returns whether a file holds the records that a run has read. Where it was written to after the stage with this
/// manifest had begun, it is read again: `dvc checkout`, or a link into the cache, puts the same file in its place with
/// another time.
///
/// # Errors
/// When the run cannot be read, or the file has no time.
pub fn are_unchanged(run: &Run, path: &Path, manifest: &Manifest) -> Result<bool, Failure> {
    if !is_newer(path, &manifest.started)? {
        return Ok(true);
    }
    let read = run.get::<RawDataset>()?;
    let config = RunConfig::of(run.directory())?.of_stage::<Ingestion>()?;
    let (uri, schema) = (SourceUri::new(path.to_string_lossy()), read.schema.clone());
    // What cannot be read any more is something else by now.
    let Ok(mut source) = connectors::open(&uri, &schema) else {
        return Ok(false);
    };
    let Ok((now, _)) = ingestion::ingest(source.as_mut(), schema, &config, &|_, _, _| {}) else {
        return Ok(false);
    };
    // By their bytes: a missing number is none that equals itself.
    Ok(encoded(&now)? == encoded(&read)?)
}

fn encoded(records: &RawDataset) -> Result<Vec<u8>, Failure> {
    codec::encode(records).map_err(|e| Failure::new(ErrorKind::Internal, e.to_string()))
}

/// Returns whether a file was written to after a time.
fn is_newer(path: &Path, time: &str) -> Result<bool, Failure> {
    let modified = fs::metadata(path).and_then(|found| found.modified());
    let modified = modified.map_err(StoreError::io("read", path))?;
    let time = clock::parse(time).map_err(|e| Failure::new(ErrorKind::Internal, e))?;
    Ok(modified > SystemTime::from(time))
}
