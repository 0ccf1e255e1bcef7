//! DynamoDB and what speaks like it: tables as sources and destinations of records.
//!
//! Owns its runtime, which nobody else sees: every call blocks.

mod address;
mod attribute;
mod client;
mod destination;
mod item;
mod pace;
mod probe;
mod requests;
mod source;
mod table;

use artifact::Digest;

pub(crate) use destination::DynamoDestination;
pub(crate) use probe::probe;
pub(crate) use source::DynamoSource;

/// The key of tables that a push makes.
const OWN_KEY: &str = "_key";

/// Returns a digest of what else than its address says what is read.
pub(crate) fn identity() -> Digest {
    let places = [
        "AWS_ENDPOINT_URL_DYNAMODB",
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
    ];
    crate::aws::identity(false, &places)
}
