//! S3 and what speaks like it: objects as sources of records, and as their destinations.
//!
//! Owns its runtime, which nobody else sees: every call blocks.

mod address;
mod client;
mod connection;
mod destination;
mod download;
mod failure;
mod object;
mod probe;
mod source;
mod upload;

pub(crate) use client::identity;
pub(crate) use destination::S3Destination;
pub(crate) use probe::probe;
pub(crate) use source::S3Source;
pub(crate) use upload::abandon;

/// A PEM file of the certificates to trust in place of the system's.
const CA_VARIABLE: &str = "AWS_CA_BUNDLE";
