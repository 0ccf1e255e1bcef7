//! Files and JSON APIs behind `http(s)://`: what a server gives is spooled to a temporary file and read as
//! the format that it is.

mod address;
mod archive;
mod client;
mod credentials;
mod download;
mod encoding;
mod format;
mod json;
mod kept;
mod pages;
mod probe;
mod source;

use artifact::Digest;
use dataset::SourceUri;

use address::Address;
use credentials::Credentials;
pub(crate) use probe::probe;
pub(crate) use source::HttpSource;

/// Goes as `Authorization: Bearer …`.
pub(crate) const TOKEN_VARIABLE: &str = "NETSEC_HTTP_TOKEN";
/// A header as a whole: `X-Api-Key: …`.
pub(crate) const HEADER_VARIABLE: &str = "NETSEC_HTTP_HEADER";
/// A parameter of the query: `api_key=…`.
pub(crate) const QUERY_VARIABLE: &str = "NETSEC_HTTP_QUERY";
/// Hosts that may be asked, with commas between them; all when it is not set.
pub(crate) const HOSTS_VARIABLE: &str = "NETSEC_HTTP_HOSTS";
/// A PEM file of the certificates that are trusted, in place of Mozilla's.
pub(crate) const CA_VARIABLE: &str = "NETSEC_HTTP_CA_FILE";

/// Returns a digest of who asks: by a secret in the address, or in the environment.
pub(crate) fn identity(uri: &SourceUri) -> Digest {
    let who = Address::parse(uri).ok().and_then(|address| {
        let credentials = Credentials::of(&address, client::variable).ok()?;
        Some(credentials.who(&address.url))
    });
    Digest::of(who.unwrap_or_default().as_bytes())
}
