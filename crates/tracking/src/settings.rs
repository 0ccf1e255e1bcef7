//! Where the tracking server is and who asks, from MLflow's own environment variables.

use std::{sync::Arc, time::Duration};

use artifact::Failure;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use dataset::SourceUri;
use percent_encoding::percent_decode_str;
use registry::BlobStore;
use ureq::tls::{Certificate, PemItem, RootCerts, TlsConfig, parse_pem};
use url::Url;

use crate::TrackingError;

const URI: &str = "MLFLOW_TRACKING_URI";
const USERNAME: &str = "MLFLOW_TRACKING_USERNAME";
const PASSWORD: &str = "MLFLOW_TRACKING_PASSWORD";
const TOKEN: &str = "MLFLOW_TRACKING_TOKEN";
const INSECURE: &str = "MLFLOW_TRACKING_INSECURE_TLS";
const CERTIFICATES: &str = "MLFLOW_TRACKING_SERVER_CERT_PATH";
const EXPERIMENT: &str = "MLFLOW_EXPERIMENT_NAME";
const TIMEOUT: &str = "MLFLOW_HTTP_REQUEST_TIMEOUT";
const RETRIES: &str = "MLFLOW_HTTP_REQUEST_MAX_RETRIES";

/// A tracking server, and how it is asked.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Its address, without a login.
    pub(crate) base: Url,
    /// The header that says who asks.
    pub(crate) authorization: Option<Secret>,
    pub(crate) tls: TlsConfig,
    /// How long it may keep still.
    pub(crate) time_limit: Duration,
    /// Attempts at one request, the first included.
    pub(crate) attempts: u32,
    /// How long the whole may take; without an end when somebody waits for it.
    pub(crate) limit: Option<Duration>,
    /// The experiment to log to, whatever the data set.
    pub(crate) experiment: Option<String>,
    /// Opens the buckets in which clients of the server keep files themselves.
    pub(crate) buckets: Option<OpenBucket>,
}

/// Opens the place that an address such as `s3://bucket/prefix` names.
pub type OpenBucket = fn(&SourceUri) -> Result<Arc<dyn BlobStore>, Failure>;

/// What is shown by nobody.
#[derive(Clone)]
pub(crate) struct Secret(pub(crate) String);

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(artifact::secrets::MASK)
    }
}

impl Settings {
    /// Reads them from the environment; none where no server is named.
    ///
    /// # Errors
    /// [`TrackingError::Setting`] with the variable at fault, without its value where it may be a secret.
    pub fn of_environment() -> Option<Result<Self, TrackingError>> {
        Self::of(|name| std::env::var(name).ok())
    }

    fn of(variable: impl Fn(&str) -> Option<String>) -> Option<Result<Self, TrackingError>> {
        let variable = |name: &str| variable(name).filter(|value| !value.trim().is_empty());
        variable(URI).map(|uri| Self::read(uri.trim(), variable))
    }

    fn read(uri: &str, variable: impl Fn(&str) -> Option<String>) -> Result<Self, TrackingError> {
        let (base, login) = address(uri)?;
        let given = |name| variable(name);
        // A file that a secret was read from ends with a line's end.
        let line = |name| given(name).map(|text| text.trim_end_matches(['\r', '\n']).to_owned());
        let login = login.or_else(|| {
            let user = line(USERNAME)?;
            Some((user, line(PASSWORD).unwrap_or_default()))
        });
        let basic = |(user, password): (String, String)| {
            format!("Basic {}", STANDARD.encode(format!("{user}:{password}")))
        };
        let bearer = |token| format!("Bearer {token}");
        let authorization = login.map(basic).or_else(|| line(TOKEN).map(bearer));
        Ok(Self {
            base,
            authorization: authorization.map(Secret),
            tls: tls(flag(INSECURE, given(INSECURE))?, given(CERTIFICATES))?,
            time_limit: Duration::from_secs(number(TIMEOUT, given(TIMEOUT), 30)?.max(1).into()),
            attempts: number(RETRIES, given(RETRIES), 4)?.saturating_add(1),
            limit: None,
            experiment: given(EXPERIMENT),
            buckets: None,
        })
    }

    /// Gives up after some time, for whom something else waits.
    pub fn within(self, limit: Duration) -> Self {
        Self {
            limit: Some(limit),
            ..self
        }
    }

    /// Writes files straight to a bucket, where the server leaves that to its clients.
    pub fn with_buckets(self, open: OpenBucket) -> Self {
        Self {
            buckets: Some(open),
            ..self
        }
    }

    /// Returns the address for people.
    pub fn location(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }
}

fn bad(variable: &'static str, reason: impl Into<String>) -> TrackingError {
    TrackingError::Setting {
        variable,
        reason: reason.into(),
    }
}

/// Takes an address apart: what is asked, and who asks.
fn address(uri: &str) -> Result<(Url, Option<(String, String)>), TrackingError> {
    let shown = shown(uri);
    let refuse = |reason: &str| bad(URI, format!("{shown}: {reason}"));
    let mut url = Url::parse(uri).map_err(|e| refuse(&format!("it is no URL: {e}")))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(refuse(
            "write http://HOST:PORT or https://HOST/PATH of a server: `mlflow server` makes one of a \
             directory or a database",
        ));
    }
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    let login = (!url.username().is_empty()).then(|| {
        let password = url.password().unwrap_or_default();
        (plain(url.username()), plain(password))
    });
    let cleared = url.set_username("").and_then(|()| url.set_password(None));
    cleared.map_err(|()| refuse("its login cannot be told from its host"))?;
    url.set_query(None);
    url.set_fragment(None);
    // Paths of calls are joined to it.
    let path = url.path().trim_end_matches('/').to_owned() + "/";
    url.set_path(&path);
    Ok((url, login))
}

/// Returns an address that is not taken for people. What it may hold in the place of a password is shown by nobody,
/// wherever that stands: the host, and the rest where no login can be meant.
fn shown(uri: &str) -> String {
    let cut = |text: &str| text.split(['?', '#']).next().unwrap_or_default().to_owned();
    if let Some((_, host)) = uri.rsplit_once('@') {
        return format!("{}@{}", artifact::secrets::MASK, cut(host));
    }
    match uri.split_once("://") {
        Some((scheme @ ("http" | "https" | "file" | "sqlite"), rest)) => {
            format!("{scheme}://{}", cut(rest))
        }
        Some((scheme, _)) => format!("{scheme}://{}", artifact::secrets::MASK),
        None => cut(uri),
    }
}

fn tls(is_insecure: bool, certificates: Option<String>) -> Result<TlsConfig, TrackingError> {
    let roots = match certificates {
        None => RootCerts::WebPki,
        Some(path) => RootCerts::Specific(Arc::new(read_certificates(&path)?)),
    };
    let config = TlsConfig::builder().root_certs(roots);
    Ok(config.disable_verification(is_insecure).build())
}

fn read_certificates(path: &str) -> Result<Vec<Certificate<'static>>, TrackingError> {
    let pem = std::fs::read(path).map_err(|e| bad(CERTIFICATES, format!("{path}: {e}")))?;
    let found: Vec<_> = parse_pem(&pem)
        .filter_map(|item| match item {
            Ok(PemItem::Certificate(certificate)) => Some(certificate),
            _ => None,
        })
        .collect();
    match found.is_empty() {
        true => Err(bad(
            CERTIFICATES,
            format!("{path} holds no certificate in PEM"),
        )),
        false => Ok(found),
    }
}

fn number(
    variable: &'static str,
    given: Option<String>,
    default: u32,
) -> Result<u32, TrackingError> {
    let Some(text) = given else {
        return Ok(default);
    };
    let read = text.trim().parse();
    read.map_err(|_| bad(variable, format!("{text} is no whole number")))
}

/// Reads yes or no in the words that MLflow takes.
fn flag(variable: &'static str, given: Option<String>) -> Result<bool, TrackingError> {
    let text = given.unwrap_or_default().trim().to_ascii_lowercase();
    match text.as_str() {
        "true" | "1" => Ok(true),
        "" | "false" | "0" => Ok(false),
        _ => Err(bad(variable, format!("{text}: write true or false"))),
    }
}

#[cfg(test)]
mod tests;
