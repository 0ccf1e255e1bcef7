//! Requests to servers: whom they may go to, how long they wait, and when they are made again.

use std::{
    io::{self, Read},
    sync::Arc,
    time::Duration,
};

use dataset::SourceError;
use ureq::{
    Agent, Timeout,
    http::{HeaderMap, Response, header},
    tls::{PemItem, RootCerts, TlsConfig, parse_pem},
};
use url::Url;

use super::{CA_VARIABLE, HOSTS_VARIABLE, address::Address, credentials::Credentials};
use crate::{backoff, probe::LOOK, tls};

const CONNECT: Duration = Duration::from_secs(5);
const MAX_REDIRECTS: usize = 10;
/// The longest wait that a server may ask for.
const MAX_WAIT: Duration = Duration::from_secs(120);

/// Asks the servers of one address.
pub(super) struct Client {
    agent: Agent,
    credentials: Credentials,
    /// Hosts that may be asked; all where there is no list.
    allowed: Option<Vec<String>>,
    location: String,
    /// How long a server may keep still.
    time_limit: Duration,
    pause: Duration,
    has_asked: bool,
}

/// The beginning of an answer, and its body still to be read.
pub(super) struct Answer {
    /// Where redirects have led.
    pub url: Url,
    pub status: u16,
    pub headers: HeaderMap,
    pub body: Box<dyn Read + Send>,
}

/// Why a request failed.
pub(super) struct Trouble {
    pub reason: String,
    /// How long to wait before it may succeed; none when it never will.
    pub retry: Option<Retry>,
    /// Whether nothing has come that is an answer.
    pub is_unheard: bool,
    /// What is advised besides, to whoever does not look at the steps already.
    advice: &'static str,
}

/// When to try again.
pub(super) enum Retry {
    Soon,
    /// After what the server has asked for.
    After(Duration),
}

impl Client {
    pub(super) fn new(address: &Address) -> Result<Self, SourceError> {
        let refuse = |reason: String| SourceError::Unsupported {
            location: address.location.clone(),
            reason,
        };
        let hosts = variable(HOSTS_VARIABLE);
        Ok(Self {
            agent: agent(address.time_limit, variable(CA_VARIABLE)).map_err(refuse)?,
            credentials: Credentials::of(address, variable).map_err(refuse)?,
            allowed: hosts.map(|hosts| hosts.split(',').map(|h| h.trim().to_lowercase()).collect()),
            location: address.location.clone(),
            time_limit: address.time_limit,
            pause: address.pause,
            has_asked: false,
        })
    }

    /// Says who asks for a URL.
    pub(super) fn who(&self, url: &Url) -> String {
        self.credentials.who(url)
    }

    pub(super) fn has_credentials(&self) -> bool {
        !self.credentials.are_none()
    }

    /// Asks for a URL once, following redirects; `extra` are further headers.
    pub(super) fn ask(&mut self, url: &Url, extra: &[(&str, &str)]) -> Result<Answer, Trouble> {
        let mut url = url.clone();
        for _ in 0..=MAX_REDIRECTS {
            let answer = self.request(&url, extra)?;
            let Some(next) = redirected(&url, &answer)? else {
                return self.judge(url, answer);
            };
            url = next;
        }
        Err(Trouble::lasting(format!(
            "more than {MAX_REDIRECTS} redirects"
        )))
    }

    /// Waits when a request is to be made again; `failed` counts the attempts that brought nothing.
    pub(super) fn recover(&self, trouble: Trouble, failed: &mut u32) -> Result<(), SourceError> {
        *failed += 1;
        let wait = match &trouble.retry {
            Some(_) if *failed >= backoff::ATTEMPTS => None,
            Some(Retry::Soon) => Some(backoff::wait(*failed)),
            Some(Retry::After(wait)) => Some(*wait),
            None => None,
        };
        let Some(wait) = wait else {
            return Err(self.unavailable(trouble.reason + trouble.advice));
        };
        backoff::rest(&self.location, &trouble.reason, *failed, wait);
        Ok(())
    }

    pub(super) fn unavailable(&self, reason: impl Into<String>) -> SourceError {
        SourceError::Unavailable {
            location: self.location.clone(),
            reason: reason.into(),
        }
    }

    pub(super) fn malformed(&self, reason: impl Into<String>) -> SourceError {
        SourceError::Malformed {
            location: self.location.clone(),
            reason: reason.into(),
        }
    }

    fn request(
        &mut self,
        url: &Url,
        extra: &[(&str, &str)],
    ) -> Result<Response<ureq::Body>, Trouble> {
        self.check_host(url)?;
        if self.has_asked {
            std::thread::sleep(self.pause);
        }
        self.has_asked = true;
        let mut request = self.agent.get(self.credentials.complete(url).as_str());
        for (name, value) in self.credentials.headers(url) {
            request = request.header(name, value);
        }
        for (name, value) in extra {
            request = request.header(*name, *value);
        }
        request.call().map_err(|error| Trouble {
            is_unheard: true,
            ..Trouble::of(&error, self.time_limit)
        })
    }

    fn check_host(&self, url: &Url) -> Result<(), Trouble> {
        let host = url.host_str().unwrap_or_default().to_lowercase();
        match &self.allowed {
            Some(allowed) if !allowed.contains(&host) => Err(Trouble::lasting(format!(
                "host `{host}` is not among those that {HOSTS_VARIABLE} allows"
            ))),
            _ => Ok(()),
        }
    }

    fn judge(&self, url: Url, answer: Response<ureq::Body>) -> Result<Answer, Trouble> {
        let (parts, body) = answer.into_parts();
        let status = parts.status.as_u16();
        if parts.status.is_success() || status == 304 || status == 416 {
            let body = Box::new(body.into_reader());
            return Ok(Answer {
                url,
                status,
                headers: parts.headers,
                body,
            });
        }
        let asked = wait_asked_for(&parts.headers);
        let advice = match status {
            401 | 403 => self.advice_on_credentials(&url),
            404 | 410 => "nothing is there: check the address",
            429 => "too many requests: lower their rate, #rate=N a second",
            500.. => "the server failed: run it again later",
            _ => "check the address",
        };
        let path = url.path();
        let host = url.host_str().unwrap_or_default();
        let mut trouble = Trouble {
            reason: format!("`{host}` answers {} to {path}: {advice}", parts.status),
            retry: matches!(status, 408 | 425 | 429 | 500 | 502 | 503 | 504).then_some(Retry::Soon),
            is_unheard: false,
            advice: "",
        };
        if let (Some(_), Some(wait)) = (&trouble.retry, asked) {
            trouble.retry = (wait <= MAX_WAIT).then_some(Retry::After(wait));
            if wait > MAX_WAIT {
                trouble.reason += &format!("; it asks to wait {} s", wait.as_secs());
            }
        }
        Err(trouble)
    }

    fn advice_on_credentials(&self, url: &Url) -> &'static str {
        match self.has_credentials() {
            true if !self.credentials.are_for(url) => {
                "a redirect led to another place, which gets no credentials: write that place as the address"
            }
            true => "the credentials are not accepted, or not for this",
            false => {
                "set NETSEC_HTTP_TOKEN (bearer), NETSEC_HTTP_HEADER (Name: value) or NETSEC_HTTP_QUERY \
                 (name=value)"
            }
        }
    }
}

/// Returns a variable's value; an empty one is none.
pub(super) fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

impl Trouble {
    pub(super) fn lasting(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            retry: None,
            is_unheard: false,
            advice: "",
        }
    }

    pub(super) fn passing(reason: impl Into<String>) -> Self {
        Self {
            reason: reason.into(),
            retry: Some(Retry::Soon),
            is_unheard: false,
            advice: "",
        }
    }

    /// Returns what an interrupted body means; a server may keep still so long.
    pub(super) fn of_body(error: &io::Error, time_limit: Duration) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref()) {
            Some(ureq::Error::Timeout(_)) => Self::no_answer(time_limit),
            _ => Self::passing(format!("the answer broke off: {error}: run it again")),
        }
    }

    fn no_answer(time_limit: Duration) -> Self {
        let seconds = time_limit.as_secs();
        Self::passing(format!(
            "no answer within {seconds} s: run it again, or set #time_limit=SECONDS in the address"
        ))
    }

    fn of(error: &ureq::Error, time_limit: Duration) -> Self {
        let said = dataset::without_secrets(&error.to_string());
        let is_tls = match error {
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) => true,
            ureq::Error::Io(inner) => is_of_tls(inner),
            _ => false,
        };
        // A certificate that is refused is refused the next time, too.
        if is_tls {
            let reason = tls::explain(&said, "NETSEC_HTTP_CA_FILE=FILE");
            return Self::lasting(reason.unwrap_or_else(|| format!("TLS: {said}")));
        }
        match error {
            ureq::Error::Timeout(Timeout::RecvResponse | Timeout::PerRead) => {
                Self::no_answer(time_limit)
            }
            ureq::Error::Timeout(_)
            | ureq::Error::Io(_)
            | ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
            | ureq::Error::Protocol(_) => Self {
                advice: LOOK,
                ..Self::passing(format!("{said}: check host and port"))
            },
            _ => Self::lasting(said),
        }
    }
}

/// Tells a refusal by TLS, which comes wrapped into an error of the socket.
fn is_of_tls(error: &io::Error) -> bool {
    let inner = error.get_ref().map(ToString::to_string);
    error.kind() == io::ErrorKind::InvalidData
        || inner.is_some_and(|text| text.contains("certificate"))
}

fn agent(time_limit: Duration, ca_file: Option<String>) -> Result<Agent, String> {
    let roots = match ca_file {
        None => RootCerts::WebPki,
        Some(path) => RootCerts::Specific(Arc::new(certificates(&path)?)),
    };
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .timeout_connect(Some(CONNECT))
        .timeout_recv_response(Some(time_limit))
        .timeout_per_read(Some(time_limit))
        .user_agent(concat!("netsec/", env!("CARGO_PKG_VERSION")))
        .tls_config(TlsConfig::builder().root_certs(roots).build());
    Ok(config.build().into())
}

fn certificates(path: &str) -> Result<Vec<ureq::tls::Certificate<'static>>, String> {
    let pem = std::fs::read(path).map_err(|e| format!("{CA_VARIABLE}={path}: {e}"))?;
    let items = parse_pem(&pem).filter_map(|item| match item {
        Ok(PemItem::Certificate(certificate)) => Some(certificate),
        _ => None,
    });
    let found: Vec<_> = items.collect();
    if found.is_empty() {
        return Err(format!("{CA_VARIABLE}={path} holds no certificate in PEM"));
    }
    Ok(found)
}

/// Returns where an answer redirects to, if it does.
fn redirected(from: &Url, answer: &Response<ureq::Body>) -> Result<Option<Url>, Trouble> {
    let status = answer.status().as_u16();
    if !matches!(status, 301 | 302 | 303 | 307 | 308) {
        return Ok(None);
    }
    let place = answer.headers().get(header::LOCATION);
    let place = place.and_then(|place| place.to_str().ok());
    let next = place.and_then(|place| from.join(place).ok());
    let next =
        next.ok_or_else(|| Trouble::lasting(format!("{status} without a place to go to")))?;
    match (from.scheme(), next.scheme()) {
        (_, "https") | ("http", "http") => Ok(Some(next)),
        (_, scheme) => Err(Trouble::lasting(format!(
            "it redirects from {} to {scheme}, which is not followed",
            from.scheme()
        ))),
    }
}

/// Reads `Retry-After`: seconds, or a date.
fn wait_asked_for(headers: &HeaderMap) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?;
    if let Ok(seconds) = text.trim().parse() {
        return Some(Duration::from_secs(seconds));
    }
    let until = httpdate::parse_http_date(text).ok()?;
    let now = std::time::UNIX_EPOCH
        + artifact::clock::now()
            .signed_duration_since(epoch())
            .to_std()
            .ok()?;
    Some(until.duration_since(now).unwrap_or_default())
}

fn epoch() -> artifact::clock::Timestamp {
    artifact::clock::Timestamp::UNIX_EPOCH
}
