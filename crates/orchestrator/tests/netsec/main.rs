//! The program as its users run it: whole runs, single stages, wrong input, damage.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod bad_input;
mod champion;
mod configuration;
mod export;
mod families;
mod faults;
mod inspection;
mod predictions;
#[cfg(feature = "real-data")]
mod real_data;
mod report;
mod runs;
mod schema_infer;
mod stages;
mod support;
mod synth;
