//! The SDK's client of an address.

use aws_sdk_s3::{Client, config::ResponseChecksumValidation};

use super::address::Address;
use crate::aws::{Given, Login, Service, settings};

const SERVICE: Service = Service {
    id: "s3",
    variable: "AWS_ENDPOINT_URL_S3",
};

/// A client, and what it was made with.
pub(super) struct Prepared {
    pub client: Client,
    /// Who asks, unless requests are not signed.
    pub login: Option<Login>,
    /// Where another server than Amazon's is.
    pub endpoint: Option<String>,
    /// That of whoever has none is the first: S3 says of a bucket elsewhere where it is.
    pub region: String,
}

/// Makes the client of an address from the environment.
pub(super) async fn prepare(address: &Address) -> Result<Prepared, String> {
    let given = Given {
        is_anonymous: address.is_anonymous,
        ..Given::default()
    };
    let found = settings(&SERVICE, given).await?;
    let mut config = aws_sdk_s3::config::Builder::from(&found.config)
        // A part is no whole, whatever a server says of it.
        .response_checksum_validation(ResponseChecksumValidation::WhenRequired)
        .force_path_style(found.endpoint.is_some());
    config.set_endpoint_url(found.endpoint.clone());
    match &found.login {
        Some(login) => config = config.credentials_provider(login.clone()),
        None => config = config.allow_no_auth(),
    }
    Ok(Prepared {
        client: Client::from_conf(config.build()),
        login: found.login,
        endpoint: found.endpoint,
        region: found.region,
    })
}
