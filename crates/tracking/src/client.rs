//! Requests to a tracking server: how long they wait, when they are made again, and what answers mean.

mod answer;
mod retry;

use std::{cell::Cell, time::Duration};

use artifact::{
    clock::{self, Stopwatch},
    without_secrets,
};
use serde_json::Value;
use ureq::{Agent, RequestBuilder};
use url::Url;

use crate::{Settings, TrackingError};

const CONNECT: Duration = Duration::from_secs(5);
/// A bundle on a slow line still gets through.
const BODY: Duration = Duration::from_secs(600);

/// Asks one server.
pub(crate) struct Client {
    agent: Agent,
    settings: Settings,
    requests: Cell<u64>,
    since: Stopwatch,
}

/// One request: its path below the server's address, such as `api/2.0/mlflow/runs/create`.
pub(crate) struct Call<'a> {
    pub path: &'a str,
    pub verb: Verb<'a>,
}

/// What is done, and with what.
pub(crate) enum Verb<'a> {
    Get(&'a [(&'a str, &'a str)]),
    Post(&'a Value),
    Put(&'a [u8]),
    Delete(&'a Value),
}

/// Why an attempt failed.
pub(crate) enum Trouble {
    /// It may succeed the next time, after what the server has asked for.
    Passing {
        reason: String,
        wait: Option<Duration>,
    },
    Lasting(TrackingError),
}

impl Client {
    pub(crate) fn new(settings: Settings) -> Self {
        let config = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(CONNECT))
            .timeout_send_body(Some(BODY))
            .timeout_recv_response(Some(settings.time_limit))
            // One byte after the other is no end, either.
            .timeout_recv_body(Some(BODY))
            .timeout_per_read(Some(settings.time_limit))
            .user_agent(concat!("netsec/", env!("CARGO_PKG_VERSION")))
            .tls_config(settings.tls.clone());
        Self {
            agent: config.build().into(),
            settings,
            requests: Cell::new(0),
            since: Stopwatch::start(),
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    pub(crate) fn location(&self) -> String {
        self.settings.location()
    }

    /// Returns the proxy that the environment names for this server.
    pub(crate) fn proxy(&self) -> Option<String> {
        let proxy = self.agent.config().proxy()?;
        let uri = self.settings.base.as_str().parse().ok()?;
        (!proxy.is_no_proxy(&uri)).then(|| format!("{}:{}", proxy.host(), proxy.port()))
    }

    /// Returns how many requests were sent.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.get()
    }

    /// Makes a call, again where it may succeed; for those that change nothing when made twice.
    pub(crate) fn call(&self, call: &Call<'_>) -> Result<Value, TrackingError> {
        let mut failed = 0;
        loop {
            match self.attempt(call) {
                Ok(answer) => return Ok(answer),
                Err(trouble) => self.recover(trouble, &mut failed)?,
            }
        }
    }

    /// Makes a call once.
    pub(crate) fn attempt(&self, call: &Call<'_>) -> Result<Value, Trouble> {
        if self.left() == Some(Duration::ZERO) {
            return Err(self.lasting(self.late()));
        }
        self.requests.set(self.requests.get() + 1);
        let url = self.url(call)?;
        let url = url.as_str();
        let json = "application/json";
        let sent = match call.verb {
            Verb::Get(_) => self.signed(self.agent.get(url)).call(),
            Verb::Post(value) => {
                let request = self.signed(self.agent.post(url)).content_type(json);
                request.send(value.to_string())
            }
            Verb::Put(bytes) => {
                let request = self.signed(self.agent.put(url));
                request.content_type("application/octet-stream").send(bytes)
            }
            Verb::Delete(value) => {
                let request = self.signed(self.agent.delete(url).force_send_body());
                request.content_type(json).send(value.to_string())
            }
        };
        let answer = sent.map_err(|error| self.unreached(&error))?;
        answer::judge(self, call, answer)
    }

    /// Returns how much of the time is left that the whole may take.
    fn left(&self) -> Option<Duration> {
        let limit = self.settings.limit?;
        let taken = Duration::try_from_secs_f64(self.since.seconds()).unwrap_or(limit);
        Some(limit.saturating_sub(taken))
    }

    fn late(&self) -> String {
        let limit = self.settings.limit.unwrap_or_default().as_secs();
        format!("it has not taken all within {limit} s")
    }

    /// Says who asks, and how long there is for an answer.
    fn signed<B>(&self, request: RequestBuilder<B>) -> RequestBuilder<B> {
        let request = request.config().timeout_global(self.left()).build();
        match &self.settings.authorization {
            Some(authorization) => request.header("authorization", &authorization.0),
            None => request,
        }
    }

    /// Waits when a request is to be made again; `failed` counts the attempts that brought nothing.
    pub(crate) fn recover(&self, trouble: Trouble, failed: &mut u32) -> Result<(), TrackingError> {
        let (reason, asked) = match trouble {
            Trouble::Lasting(error) => return Err(error),
            Trouble::Passing { reason, wait } => (reason, wait),
        };
        *failed += 1;
        if *failed >= self.settings.attempts {
            return Err(self.unavailable(reason));
        }
        let wait = asked.unwrap_or_else(|| clock::backoff(*failed));
        if self.left().is_some_and(|left| left <= wait) {
            return Err(self.unavailable(format!("{}: {reason}", self.late())));
        }
        let (location, attempt, wait_ms) = (self.location(), *failed, wait.as_millis() as u64);
        tracing::info!(location, reason, attempt, wait_ms, "failed, trying again");
        std::thread::sleep(wait);
        Ok(())
    }

    fn url(&self, call: &Call<'_>) -> Result<Url, Trouble> {
        let joined = self.settings.base.join(call.path);
        let mut url = joined.map_err(|e| self.lasting(format!("{}: {e}", call.path)))?;
        if let Verb::Get(query @ [_, ..]) = call.verb {
            url.query_pairs_mut().extend_pairs(query);
        }
        Ok(url)
    }

    pub(crate) fn unavailable(&self, reason: impl Into<String>) -> TrackingError {
        TrackingError::Unavailable {
            location: self.location(),
            reason: reason.into(),
        }
    }

    fn lasting(&self, reason: impl Into<String>) -> Trouble {
        Trouble::Lasting(self.unavailable(reason))
    }

    fn unreached(&self, error: &ureq::Error) -> Trouble {
        let said = without_secrets(&error.to_string());
        let said = match self.proxy() {
            Some(proxy) => {
                format!("through the proxy {proxy} (HTTPS_PROXY, HTTP_PROXY, NO_PROXY): {said}")
            }
            None => said,
        };
        let advice = about_tls(&said);
        match error {
            ureq::Error::Rustls(_) | ureq::Error::Tls(_) => {
                self.lasting(format!("TLS: {said}: {advice}"))
            }
            // A refusal by TLS comes wrapped into an error of the socket.
            ureq::Error::Io(inner) if inner.kind() == std::io::ErrorKind::InvalidData => {
                self.lasting(format!("TLS: {said}: {advice}"))
            }
            ureq::Error::Timeout(_)
            | ureq::Error::Io(_)
            | ureq::Error::HostNotFound
            | ureq::Error::ConnectionFailed
            | ureq::Error::Protocol(_) => Trouble::Passing {
                reason: said,
                wait: None,
            },
            // A header that HTTP does not allow is shown by nobody: it may be a password's.
            ureq::Error::Http(_) => self.lasting("the login holds what no header may hold"),
            _ => self.lasting(said),
        }
    }
}

/// Says what to do where TLS has failed.
fn about_tls(said: &str) -> &'static str {
    if said.contains("CaUsedAsEndEntity") {
        "it shows the certificate of an authority (CA:TRUE, as `openssl req -x509` makes it by itself), which is \
         none of a server: make it again with `-addext basicConstraints=critical,CA:FALSE`, or another that the \
         authority signs; MLFLOW_TRACKING_INSECURE_TLS=true trusts any"
    } else if said.contains("InvalidContentType") {
        // What came is no record of TLS.
        "the server speaks no TLS at this port: write http://, or the port at which it does"
    } else {
        "MLFLOW_TRACKING_SERVER_CERT_PATH names a certificate to trust"
    }
}

#[cfg(test)]
mod tests;
