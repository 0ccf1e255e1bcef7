//! The way to the tracking server that the environment names.

use super::Finding;
use crate::tracking::{self, Probe};

const CHECK: &str = "tracking";

/// Tries the steps to it; nothing where none is named.
pub(super) fn examine() -> Vec<Finding> {
    let finding = |probe: Probe| match probe.outcome {
        Ok(said) if probe.is_doubtful => Finding::warn(CHECK, format!("{}: {said}", probe.check)),
        Ok(said) => Finding::ok(CHECK, format!("{}: {said}", probe.check)),
        Err(failure) => {
            let mut finding = Finding::fail(CHECK, &failure, "");
            finding.message = format!("{}: {}", probe.check, finding.message);
            finding
        }
    };
    tracking::probe().into_iter().map(finding).collect()
}
