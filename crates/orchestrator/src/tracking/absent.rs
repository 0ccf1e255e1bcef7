//! What a build without tracking says of it.

use std::path::{Path, PathBuf};

use artifact::{ErrorKind, Failure};

use super::Probe;
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

/// Says as well that nobody is asked.
pub fn probe() -> Vec<Probe> {
    let absent = Probe {
        check: "build",
        outcome: Ok(ABSENT.to_owned()),
        is_doubtful: true,
    };
    is_named().then_some(absent).into_iter().collect()
}

fn is_named() -> bool {
    std::env::var_os("MLFLOW_TRACKING_URI").is_some_and(|uri| !uri.is_empty())
}

fn remark() {
    if is_named() {
        note(&format!("MLFLOW_TRACKING_URI is set, but {ABSENT}"));
    }
}
