//! What the workspace promises as a whole: its architecture, its dependencies, the layout of its artifacts.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod architecture;
mod dependencies;
mod golden;
mod hostile_bundles;
mod samples;
mod unknown_bundle;
