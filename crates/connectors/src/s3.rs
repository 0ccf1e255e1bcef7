//! S3 and what speaks like it: objects as sources of records, and as their destinations.
//!
//! Owns its runtime, which nobody else sees: every call blocks.

mod address;
mod client;
mod connection;
mod credentials;
mod destination;
mod download;
mod failure;
mod identity;
mod object;
mod probe;
mod source;
mod transport;
mod upload;

pub(crate) use destination::S3Destination;
pub(crate) use identity::identity;
pub(crate) use probe::probe;
pub(crate) use source::S3Source;
pub(crate) use upload::abandon;
