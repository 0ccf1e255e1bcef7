//! S3 and what speaks like it: objects as sources of records, as their destinations, and as a registry's blobs.
//!
//! Owns its runtime, which nobody else sees: every call blocks.

mod address;
mod blobs;
mod client;
mod connection;
mod destination;
mod download;
mod failure;
mod object;
mod probe;
mod source;
mod upload;

use artifact::Digest;
use dataset::SourceUri;

use address::Address;
pub(crate) use blobs::S3Blobs;
pub(crate) use destination::S3Destination;
pub(crate) use probe::{probe, probe_registry};
pub(crate) use source::S3Source;
pub(crate) use upload::abandon;

/// Returns whether what is pushed to an address would be read from another one.
pub(crate) fn is_read_back(to: &SourceUri, from: &SourceUri) -> bool {
    let addresses = (Address::parse(from), Address::parse(to));
    matches!(addresses, (Ok(from), Ok(to)) if from.reads(&to))
}

/// Returns a digest of what else than its address says what is read.
pub(crate) fn identity(uri: &SourceUri) -> Digest {
    let is_anonymous = Address::parse(uri).is_ok_and(|address| address.is_anonymous);
    crate::aws::identity(is_anonymous, &["AWS_ENDPOINT_URL_S3"])
}
