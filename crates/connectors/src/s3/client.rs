//! The SDK's client: who asks, where, over which connections; the standard variables and files say so.

use std::time::Duration;

use artifact::Digest;
use aws_config::{Region, SdkConfig, meta::region::RegionProviderChain, timeout::TimeoutConfig};
use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, ResponseChecksumValidation, SharedHttpClient,
        StalledStreamProtectionConfig, retry::RetryConfig,
    },
};
use aws_smithy_http_client::{
    Connector,
    proxy::ProxyConfig,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_smithy_runtime_api::client::http::{SharedHttpConnector, http_client_fn};

use super::{CA_VARIABLE, address::Address};

const CONNECT: Duration = Duration::from_secs(5);
/// The region of whoever has none: S3 says of a bucket elsewhere where it is.
const REGION: &str = "us-east-1";

/// A client, and what it was made with.
pub(super) struct Prepared {
    pub client: Client,
    pub settings: SdkConfig,
    /// Where another server than Amazon's is.
    pub endpoint: Option<String>,
    pub region: String,
}

/// Makes the client of an address from the environment; asks a machine's metadata for a region where it
/// is Amazon that is meant and nothing else says one.
pub(super) async fn prepare(address: &Address) -> Result<Prepared, String> {
    let endpoint = variable("AWS_ENDPOINT_URL_S3").or_else(|| variable("AWS_ENDPOINT_URL"));
    let http = http_client()?;
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http.clone())
        .region(regions(endpoint.is_some() || address.is_anonymous, http))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).build());
    if address.is_anonymous {
        loader = loader.no_credentials();
    }
    let settings = loader.load().await;
    let kept = settings.endpoint_url().filter(|url| !url.is_empty());
    let endpoint = endpoint.or_else(|| kept.map(str::to_owned));
    let region = settings.region().map_or(REGION, Region::as_ref).to_owned();
    let mut config = aws_sdk_s3::config::Builder::from(&settings)
        // A part is no whole, whatever a server says of it.
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .force_path_style(endpoint.is_some());
    if endpoint.is_some() || settings.endpoint_url().is_some() {
        config.set_endpoint_url(endpoint.clone());
    }
    if address.is_anonymous {
        config = config.allow_no_auth();
    }
    Ok(Prepared {
        client: Client::from_conf(config.build()),
        settings,
        endpoint,
        region,
    })
}

/// Returns a digest of what else than the address says what is read: where the server is, and as whom it
/// is asked.
pub(crate) fn identity() -> Digest {
    let names = [
        "AWS_ENDPOINT_URL_S3",
        "AWS_ENDPOINT_URL",
        "AWS_ACCESS_KEY_ID",
        "AWS_PROFILE",
        "AWS_ROLE_ARN",
    ];
    let values = names.map(|name| format!("{name}={}\0", variable(name).unwrap_or_default()));
    Digest::of(values.concat().as_bytes())
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}

fn regions(is_elsewhere: bool, http: SharedHttpClient) -> RegionProviderChain {
    use aws_config::{
        imds::region::ImdsRegionProvider, profile::ProfileFileRegionProvider,
        provider_config::ProviderConfig,
    };
    // A variable without a value is none: compose files pass such on.
    let given = variable("AWS_REGION").or_else(|| variable("AWS_DEFAULT_REGION"));
    let named = RegionProviderChain::first_try(given.map(Region::new))
        .or_else(ProfileFileRegionProvider::new());
    match is_elsewhere {
        true => named.or_else(Region::new(REGION)),
        false => {
            let asked = ProviderConfig::without_region().with_http_client(http);
            let instance = ImdsRegionProvider::builder().configure(&asked).build();
            named.or_else(instance).or_else(Region::new(REGION))
        }
    }
}

fn http_client() -> Result<SharedHttpClient, String> {
    let trusted = match variable(CA_VARIABLE) {
        None => TrustStore::default(),
        Some(path) => {
            let pem = std::fs::read(&path).map_err(|e| format!("{CA_VARIABLE}={path}: {e}"))?;
            if !String::from_utf8_lossy(&pem).contains("-----BEGIN CERTIFICATE-----") {
                return Err(format!("{CA_VARIABLE}={path} holds no certificate in PEM"));
            }
            TrustStore::empty().with_pem_certificate(pem)
        }
    };
    let context = TlsContext::builder().with_trust_store(trusted).build();
    let context = context.map_err(|e| e.to_string())?;
    Ok(http_client_fn(move |settings, components| {
        let mut builder = Connector::builder()
            .connector_settings(settings.clone())
            .proxy_config(ProxyConfig::from_env())
            .tls_provider(Provider::Rustls(CryptoMode::Ring))
            .tls_context(context.clone());
        builder.set_sleep_impl(components.sleep_impl());
        SharedHttpConnector::new(builder.build())
    }))
}
