//! Checks of the learners' parameters.

use std::fmt::Display;

use crate::TreesError;

/// Refuses a parameter with its value unless it holds.
pub(crate) fn require(
    holds: bool,
    name: &'static str,
    value: impl Display,
    expected: &'static str,
) -> Result<(), TreesError> {
    if holds {
        return Ok(());
    }
    Err(TreesError::Parameter {
        name,
        value: value.to_string(),
        expected,
    })
}

/// Refuses a depth of zero; no depth means no limit.
pub(crate) fn require_depth(max_depth: Option<u32>) -> Result<(), TreesError> {
    require(
        max_depth != Some(0),
        "max_depth",
        0,
        "at least 1, or absent for no limit",
    )
}

/// Refuses anything but a share in (0, 1].
pub(crate) fn require_share(name: &'static str, value: f64) -> Result<(), TreesError> {
    require(
        value > 0.0 && value <= 1.0,
        name,
        value,
        "above 0 and at most 1",
    )
}

/// Refuses what is negative or not finite.
pub(crate) fn require_not_negative(name: &'static str, value: f64) -> Result<(), TreesError> {
    require(
        value >= 0.0 && value.is_finite(),
        name,
        value,
        "finite and not negative",
    )
}
