//! What the learners promise.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod boosting;
mod determinism;
mod extremes;
mod forests;
mod learners;
mod refusals;
mod rows;
