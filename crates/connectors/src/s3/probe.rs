//! Whether objects can be read: one step after another, so that the failing one is named.

use std::fmt::{self, Display, Formatter};

use dataset::{SourceError, SourceUri};
use hyper_util::client::proxy::matcher::Matcher;

use super::{
    address::Keys,
    connection::{Connection, Store},
};
use crate::{
    failure::{Cause, Trouble},
    probe::{Ended, Probed, listed, reach, resolve},
};

/// Tries name, port, TLS, credentials and permission; ends with the first that fails.
pub(crate) fn probe(uri: &SourceUri) -> Probed {
    let mut probed = Probed::default();
    // What ended it stands in the list.
    let _ = steps(uri, &mut probed);
    probed
}

fn steps(uri: &SourceUri, probed: &mut Probed) -> Result<(), Ended> {
    let connection = probed.step("address", Connection::open(uri), |c| {
        format!("bucket {}, region {}", c.address().bucket, c.store.region)
    })?;
    let store = &connection.store;
    let wrong = |reason| SourceError::Unsupported {
        location: store.address.location.clone(),
        reason,
    };
    let (place, proxy) = probed.step("endpoint", way(store).map_err(wrong), said)?;
    let (next, asked) = match &proxy {
        Some(proxy) => (proxy, format!("connect to the proxy {proxy}, on the way")),
        None => (&place, "connect".to_owned()),
    };
    let unreachable = |reason| store.trouble(&asked, Cause::Unreachable, reason);
    let found = resolve(&next.host, next.port).map_err(unreachable);
    let found = probed.step("name", found, |found| listed(found))?;
    let reached = reach(&found).map_err(unreachable);
    probed.step("port", reached, |at| format!("{at} answers"))?;
    ask(&connection, place.is_encrypted, probed)
}

/// Asks the server: what it says tells TLS, credentials and permission apart.
fn ask(connection: &Connection, is_encrypted: bool, probed: &mut Probed) -> Result<(), Ended> {
    let store = &connection.store;
    let who = match connection.block_on(store.log_in()) {
        Ok(Some(found)) => format!("key {} accepted", found.access_key_id()),
        Ok(None) => "none: requests are not signed".to_owned(),
        Err(trouble) => return probed.step("credentials", Err(trouble), |(): &()| String::new()),
    };
    let tls = match is_encrypted {
        true => "agreed on",
        false => "none: anybody on the way can read along",
    };
    let seen = connection.block_on(look(store));
    let (n_passed, last) = match &seen {
        Ok(_) => (3, "object"),
        Err(trouble) => failing(trouble, is_encrypted),
    };
    let steps = [
        ("TLS", tls.to_owned()),
        ("credentials", who),
        ("permission", format!("bucket {}", store.address.bucket)),
    ];
    for (check, said) in steps.into_iter().take(n_passed) {
        probed.ok(check, said);
    }
    probed.step(last, seen, String::clone).map(|_| ())
}

/// Returns how many of TLS, credentials and permission a failure says are right, and what is not.
fn failing(trouble: &Trouble, is_encrypted: bool) -> (usize, &'static str) {
    match trouble.cause {
        Cause::Credentials => (1, "credentials"),
        Cause::Permission => (2, "permission"),
        // Who asks for what is not there may not have been looked at.
        Cause::Missing if trouble.reason.contains("NoSuchBucket") => (1, "bucket"),
        Cause::Missing => (3, "object"),
        Cause::Wrong | Cause::Refused if !trouble.reason.contains("certificate") => (1, "object"),
        _ if is_encrypted => (0, "TLS"),
        _ => (0, "server"),
    }
}

/// Looks at an object, or whether there is one.
async fn look(store: &Store) -> Result<String, Trouble> {
    if let Keys::One(key) = &store.address.keys {
        let (content, _) = store.open(key).await?;
        return Ok(format!("{} of {} bytes", content.key, content.n_bytes));
    }
    let page = store.page(None, None).await?;
    match store.meant(&page).next() {
        Some(key) => Ok(format!("{key} is the first")),
        None if page.is_truncated() == Some(true) => Ok("none among the first".to_owned()),
        None => Ok("there is none yet".to_owned()),
    }
}

/// Where a server or a proxy listens.
struct Place {
    host: String,
    port: u16,
    is_encrypted: bool,
}

impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

fn said((place, proxy): &(Place, Option<Place>)) -> String {
    match proxy {
        Some(proxy) => format!("{place} by the proxy {proxy}, which HTTPS_PROXY or its like names"),
        None => place.to_string(),
    }
}

/// Returns where the server is, and the proxy before it.
fn way(store: &Store) -> Result<(Place, Option<Place>), String> {
    let place = place(store)?;
    let scheme = if place.is_encrypted { "https" } else { "http" };
    let url = format!("{scheme}://{place}/").parse();
    let url = url.map_err(|e| format!("the endpoint {place} is none: {e}"))?;
    let proxy = Matcher::from_env().intercept(&url).map(|found| {
        let uri = found.uri();
        let is_encrypted = uri.scheme_str() == Some("https");
        Place {
            host: uri.host().unwrap_or_default().to_owned(),
            port: uri.port_u16().unwrap_or(usual(is_encrypted)),
            is_encrypted,
        }
    });
    Ok((place, proxy))
}

fn usual(is_encrypted: bool) -> u16 {
    if is_encrypted { 443 } else { 80 }
}

fn place(store: &Store) -> Result<Place, String> {
    let Some(endpoint) = &store.endpoint else {
        let (bucket, region) = (&store.address.bucket, &store.region);
        let end = if region.starts_with("cn-") { ".cn" } else { "" };
        return Ok(Place {
            host: format!("{bucket}.s3.{region}.amazonaws.com{end}"),
            port: 443,
            is_encrypted: true,
        });
    };
    let refuse = || {
        format!(
            "the endpoint is no https://HOST:PORT: {}",
            dataset::without_secrets(endpoint)
        )
    };
    let (scheme, rest) = endpoint.split_once("://").ok_or_else(refuse)?;
    let is_encrypted = match scheme {
        "https" => true,
        "http" => false,
        _ => return Err(refuse()),
    };
    let place = rest.split('/').next().unwrap_or_default();
    let (host, port) = match place.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| refuse())?),
        _ => (place, usual(is_encrypted)),
    };
    Ok(Place {
        host: host.to_owned(),
        port,
        is_encrypted,
    })
}
