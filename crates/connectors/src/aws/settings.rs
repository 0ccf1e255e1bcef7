//! Who asks a service, where and of which region; the standard variables and files say so.

use std::time::Duration;

use aws_config::{
    BehaviorVersion, Region, SdkConfig, default_provider::ignore_configured_endpoint_urls,
    meta::region::RegionProviderChain, provider_config::ProviderConfig, retry::RetryConfig,
    stalled_stream_protection::StalledStreamProtectionConfig, timeout::TimeoutConfig,
};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::service_config::ServiceConfigKey;

use super::{credentials::Login, identity::variable, transport};

/// How long a connection may take to be made.
pub(crate) const CONNECT: Duration = Duration::from_secs(5);
/// The region of whoever has none.
const REGION: &str = "us-east-1";

/// A service, as files and variables name it.
pub(crate) struct Service {
    pub id: &'static str,
    /// Says where another server than Amazon's is.
    pub variable: &'static str,
}

/// What an address says itself, before all else.
#[derive(Default)]
pub(crate) struct Given {
    pub region: Option<String>,
    pub endpoint: Option<String>,
    /// Whether requests go without a signature.
    pub is_anonymous: bool,
}

/// What a client is made with.
pub(crate) struct Settings {
    #[cfg_attr(not(feature = "s3"), expect(dead_code))]
    pub config: SdkConfig,
    /// Who asks, unless requests are not signed.
    pub login: Option<Login>,
    /// Where another server than Amazon's is.
    pub endpoint: Option<String>,
    pub region: String,
}

/// Finds them; asks a machine's metadata for a region where it is Amazon that is meant and nothing else
/// says one.
pub(crate) async fn settings(service: &Service, given: Given) -> Result<Settings, String> {
    let http = transport::client()?;
    let endpoint = match given.endpoint {
        Some(url) => Some(url),
        None => endpoint(service, &http).await?,
    };
    if let Some(url) = endpoint.as_ref().filter(|url| has_login(url)) {
        return Err(format!(
            "the endpoint {} holds a login: key and secret stand in AWS_ACCESS_KEY_ID and \
             AWS_SECRET_ACCESS_KEY or a profile",
            dataset::without_secrets(url)
        ));
    }
    let is_asked_for = endpoint.is_none() && !given.is_anonymous;
    let mut loader = aws_config::defaults(BehaviorVersion::v2026_01_12())
        .http_client(http.clone())
        .region(regions(given.region, is_asked_for, http))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .retry_config(RetryConfig::disabled())
        .timeout_config(TimeoutConfig::builder().connect_timeout(CONNECT).build());
    if given.is_anonymous {
        loader = loader.no_credentials();
    }
    let config = loader.load().await;
    Ok(Settings {
        login: config.credentials_provider().map(Login::new),
        endpoint,
        region: config.region().map_or(REGION, Region::as_ref).to_owned(),
        config,
    })
}

/// Returns where another server than Amazon's is: variables go before a profile's section of services, and
/// that before the profile itself.
async fn endpoint(service: &Service, http: &SharedHttpClient) -> Result<Option<String>, String> {
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
        .service_id(service.id)
        .profile("endpoint_url")
        .env("AWS_ENDPOINT_URL")
        .build()
        .map_err(|e| e.to_string())?;
    let services = settings.service_config();
    let found = variable(service.variable)
        .or_else(|| variable("AWS_ENDPOINT_URL"))
        .or_else(|| services.and_then(|services| services.load_config(section)))
        .or_else(|| settings.endpoint_url().map(str::to_owned));
    Ok(found.filter(|url| !url.is_empty()))
}

fn has_login(url: &str) -> bool {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    rest.split(['/', '?'])
        .next()
        .is_some_and(|place| place.contains('@'))
}

fn regions(
    given: Option<String>,
    is_asked_for: bool,
    http: SharedHttpClient,
) -> RegionProviderChain {
    use aws_config::{imds::region::ImdsRegionProvider, profile::ProfileFileRegionProvider};
    // A variable without a value is none: compose files pass such on.
    let given = given
        .or_else(|| variable("AWS_REGION"))
        .or_else(|| variable("AWS_DEFAULT_REGION"));
    let named = RegionProviderChain::first_try(given.map(Region::new))
        .or_else(ProfileFileRegionProvider::new());
    if !is_asked_for {
        return named.or_else(Region::new(REGION));
    }
    let asked = ProviderConfig::without_region().with_http_client(http);
    let instance = ImdsRegionProvider::builder().configure(&asked).build();
    named.or_else(instance).or_else(Region::new(REGION))
}
