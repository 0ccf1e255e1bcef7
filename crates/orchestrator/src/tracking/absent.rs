//! What a build without tracking says of it.

use std::path::{Path, PathBuf};

use artifact::{ErrorKind, Failure};

use crate::{cli::Place, output::note};

const ABSENT: &str = "this build tracks nothing: build it with the feature `tracking`: \
                      cargo build --release -p orchestrator --features tracking";

/// Says, where a server is named, that it is told nothing.
pub fn after_run(_: &Place, _: &Path, _: Option<&Failure>) {
    remark();
}

/// As [`after_run`].
pub fn after_decision(_: &Place, _: &str) {
    remark();
}

pub fn status(_: &Place) -> Result<u8, Failure> {
    Err(Failure::new(ErrorKind::Usage, ABSENT))
}

pub fn sync(place: &Place, _: &[PathBuf], _: &[String]) -> Result<u8, Failure> {
    status(place)
}

fn remark() {
    if std::env::var_os("MLFLOW_TRACKING_URI").is_some_and(|uri| !uri.is_empty()) {
        note(&format!("MLFLOW_TRACKING_URI is set, but {ABSENT}"));
    }
}
