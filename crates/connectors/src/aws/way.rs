//! The way to a server: its name, its port and the proxy before it.

use std::{
    fmt::{self, Display, Formatter},
    net::SocketAddr,
};

use dataset::SourceError;
use hyper_util::client::proxy::matcher::Matcher;

use crate::{
    failure::{Cause, Trouble},
    probe::{Ended, Probed, listed, peer, reach, resolve},
};

/// Where a server or a proxy listens.
pub(crate) struct Place {
    pub host: String,
    pub port: u16,
    pub is_encrypted: bool,
}

impl Display for Place {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

impl Place {
    /// Takes the URL of an endpoint apart.
    pub(crate) fn of(endpoint: &str) -> Result<Self, String> {
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
            Some((host, port)) if !port.ends_with(']') => {
                (host, port.parse().map_err(|_| refuse())?)
            }
            _ => (place, usual(is_encrypted)),
        };
        Ok(Self {
            host: host.to_owned(),
            port,
            is_encrypted,
        })
    }
}

/// Returns the name of a server of Amazon's.
pub(crate) fn official(service: &str, region: &str) -> String {
    let end = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("{service}.{region}.amazonaws.com{end}")
}

/// A way to a server that somebody listens at the end of.
pub(crate) struct Way {
    pub is_encrypted: bool,
    /// Where that is, unless a proxy is before it.
    at: Option<SocketAddr>,
}

impl Way {
    /// Names a server of another kind, which is not understood.
    pub(crate) fn named(&self, mut trouble: Trouble) -> Trouble {
        if (trouble.cause.is_transient() || trouble.cause == Cause::Tls)
            && let Some(said) = self.at.and_then(|at| peer::instead(at, peer::WEB))
        {
            trouble.cause = Cause::Unreachable;
            trouble.reason = said;
        }
        trouble
    }
}

/// Tries the steps to a server.
pub(crate) fn approach(
    probed: &mut Probed,
    location: &str,
    place: Result<Place, String>,
    trouble: impl Fn(&str, Cause, String) -> Trouble,
) -> Result<Way, Ended> {
    let wrong = |reason| SourceError::Unsupported {
        location: location.to_owned(),
        reason,
    };
    let (place, proxy) =
        probed.step("endpoint", place.and_then(with_proxy).map_err(wrong), said)?;
    let (next, asked) = match &proxy {
        Some(proxy) => (proxy, format!("connect to the proxy {proxy}, on the way")),
        None => (&place, "connect".to_owned()),
    };
    let unreachable = |reason| trouble(&asked, Cause::Unreachable, reason);
    let found = resolve(&next.host, next.port).map_err(unreachable);
    let found = probed.step("name", found, |found| listed(found))?;
    let reached = reach(&found).map_err(unreachable);
    let at = probed.step("port", reached, |at| format!("{at} answers"))?;
    Ok(Way {
        is_encrypted: place.is_encrypted,
        at: proxy.is_none().then_some(at),
    })
}

fn said((place, proxy): &(Place, Option<Place>)) -> String {
    match proxy {
        Some(proxy) => format!("{place} by the proxy {proxy}, which HTTPS_PROXY or its like names"),
        None => place.to_string(),
    }
}

/// Finds the proxy before a server.
fn with_proxy(place: Place) -> Result<(Place, Option<Place>), String> {
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
