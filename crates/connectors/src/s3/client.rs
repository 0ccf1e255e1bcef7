//! The SDK's client: who asks, where, over which connections; the standard variables and files say so.

use std::time::Duration;

use aws_config::{
    Region, default_provider::ignore_configured_endpoint_urls, meta::region::RegionProviderChain,
    provider_config::ProviderConfig, timeout::TimeoutConfig,
};
use aws_sdk_s3::{
    Client,
    config::{
        BehaviorVersion, ResponseChecksumValidation, SharedHttpClient,
        StalledStreamProtectionConfig, retry::RetryConfig,
    },
};
use aws_types::service_config::ServiceConfigKey;

use super::identity::variable;
use super::{address::Address, credentials::Login, transport};

const CONNECT: Duration = Duration::from_secs(5);
/// The region of whoever has none: S3 says of a bucket elsewhere where it is.
const REGION: &str = "us-east-1";

/// A client, and what it was made with.
pub(super) struct Prepared {
    pub client: Client,
    /// Who asks, unless requests are not signed.
    pub login: Option<Login>,
    /// Where another server than Amazon's is.
    pub endpoint: Option<String>,
    pub region: String,
}

/// Makes the client of an address from the environment; asks a machine's metadata for a region where it
/// is Amazon that is meant and nothing else says one.
pub(super) async fn prepare(address: &Address) -> Result<Prepared, String> {
    let http = transport::client()?;
    let endpoint = endpoint(&http).await?;
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
    let login = settings.credentials_provider().map(Login::new);
    let mut config = aws_sdk_s3::config::Builder::from(&settings)
        // A part is no whole, whatever a server says of it.
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .force_path_style(endpoint.is_some());
    config.set_endpoint_url(endpoint.clone());
    match &login {
        Some(login) => config = config.credentials_provider(login.clone()),
        None => config = config.allow_no_auth(),
    }
    Ok(Prepared {
        client: Client::from_conf(config.build()),
        login,
        endpoint,
        region: settings.region().map_or(REGION, Region::as_ref).to_owned(),
    })
}

/// Returns where another server than Amazon's is: variables go before a profile's section of services, and
/// that before the profile itself.
async fn endpoint(http: &SharedHttpClient) -> Result<Option<String>, String> {
    let config = ProviderConfig::without_region();
    let ignored =
        ignore_configured_endpoint_urls::ignore_configured_endpoint_urls_provider(&config);
    if ignored.await == Some(true) {
        return Ok(None);
    }
    let settings = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http.clone())
        .region(Region::from_static(REGION))
        .no_credentials();
    let settings = settings.load().await;
    let section = ServiceConfigKey::builder()
        .service_id("s3")
        .profile("endpoint_url")
        .env("AWS_ENDPOINT_URL")
        .build()
        .map_err(|e| e.to_string())?;
    let services = settings.service_config();
    let found = variable("AWS_ENDPOINT_URL_S3")
        .or_else(|| variable("AWS_ENDPOINT_URL"))
        .or_else(|| services.and_then(|services| services.load_config(section)))
        .or_else(|| settings.endpoint_url().map(str::to_owned))
        .filter(|url| !url.is_empty());
    match found {
        Some(url) if has_login(&url) => Err(format!(
            "the endpoint {} holds a login: key and secret stand in AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY or a profile",
            dataset::without_secrets(&url)
        )),
        found => Ok(found),
    }
}

fn has_login(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?'])
        .next()
        .is_some_and(|place| place.contains('@'))
}

fn regions(is_elsewhere: bool, http: SharedHttpClient) -> RegionProviderChain {
    use aws_config::{imds::region::ImdsRegionProvider, profile::ProfileFileRegionProvider};
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
