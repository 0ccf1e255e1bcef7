//! What the architecture promises, read from the workspace's own metadata and sources.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod architecture;
