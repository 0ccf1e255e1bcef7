//! MongoDB, Atlas included: collections as sources and destinations of records.
//!
//! Owns its runtime, which nobody else sees: every call blocks.

mod address;
mod connection;
mod destination;
mod document;
mod failure;
mod probe;
mod source;

pub(crate) use destination::MongoDestination;
pub(crate) use probe::probe;
pub(crate) use source::MongoSource;

/// Supplies the user's name where the address has none.
pub(crate) const USERNAME_VARIABLE: &str = "NETSEC_MONGODB_USERNAME";
/// Supplies the password where the address has none.
pub(crate) const PASSWORD_VARIABLE: &str = "NETSEC_MONGODB_PASSWORD";
