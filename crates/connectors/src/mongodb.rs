//! MongoDB, Atlas included: collections as sources and destinations of records.
//!
//! Owns its runtime, which nobody else sees: every call blocks.

mod address;
mod connection;
mod destination;
mod document;
mod failure;
mod probe;
mod read_ahead;
mod source;

use artifact::Digest;
use dataset::SourceUri;

pub(crate) use destination::MongoDestination;
pub(crate) use probe::probe;
pub(crate) use source::MongoSource;

/// Supplies the user's name where the address has none.
pub(crate) const USERNAME_VARIABLE: &str = "NETSEC_MONGODB_USERNAME";
/// Supplies the password where the address has none.
pub(crate) const PASSWORD_VARIABLE: &str = "NETSEC_MONGODB_PASSWORD";

/// Returns a digest of what else than its address says what is read: the user that stands in the
/// environment.
pub(crate) fn identity(uri: &SourceUri) -> Digest {
    let user = address::Address::parse(uri).ok().and_then(|address| {
        let parsed = connection::understand(&address).ok()?;
        let own = parsed.credential.and_then(|credential| credential.username);
        own.or_else(|| std::env::var(USERNAME_VARIABLE).ok())
    });
    Digest::of(user.unwrap_or_default().as_bytes())
}
