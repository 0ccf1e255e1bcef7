//! A client with a runtime of its own: requests are signed, have a time limit and are repeated.
//!
//! Five operations are asked for, so that their JSON is written here and the SDK of all of them need not be built.

use std::sync::Arc;

use artifact::clock;
use aws_credential_types::{Credentials, provider::ProvideCredentials as _};
use aws_sigv4::{
    http_request::{SignableBody, SignableRequest, SigningSettings, sign},
    sign::v4,
};
use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector as _, SharedHttpConnector},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
    http::HttpError,
};
use aws_smithy_types::byte_stream::ByteStream;
use dataset::{SourceError, SourceUri};
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::{address::Address, pace::Pace};
use crate::{
    aws::{
        Given, Login, Place, Service, Threads, chain, connector, of_code, of_connecting, official,
        settings,
    },
    backoff,
    failure::{Cause, Trouble},
};

const SERVICE: Service = Service {
    id: "dynamodb",
    variable: "AWS_ENDPOINT_URL_DYNAMODB",
};
const LOGIN_ADVICE: &str = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or AWS_PROFILE \
                            and its files";
/// An answer is at most this long; DynamoDB's own limit is 16 MB of data.
const ANSWER_BYTES: usize = 128 << 20;

/// A table and the means to ask for it.
#[derive(Clone)]
pub(super) struct Connection {
    pub threads: Arc<Threads>,
    pub client: Client,
}

/// What asks, from whichever task.
#[derive(Clone)]
pub(super) struct Client {
    pub address: Arc<Address>,
    pub reading: Arc<Pace>,
    pub writing: Arc<Pace>,
    pub region: String,
    /// Where another server than Amazon's is.
    endpoint: Option<String>,
    connector: SharedHttpConnector,
    login: Login,
}

impl Connection {
    /// Prepares the client; whether there is a server is seen at the first request.
    pub(super) fn open(uri: &SourceUri) -> Result<Self, SourceError> {
        let address = Address::parse(uri)?;
        let location = address.location.clone();
        Self::with(address).map_err(|reason| SourceError::Unsupported { location, reason })
    }

    fn with(address: Address) -> Result<Self, String> {
        let threads = Threads::start("dynamodb")?;
        let given = Given {
            region: address.region.clone(),
            endpoint: address.endpoint.clone(),
            is_anonymous: false,
        };
        let found = threads.block_on(settings(&SERVICE, given))?;
        let client = Client {
            reading: Arc::new(Pace::new(address.read_rate)),
            writing: Arc::new(Pace::new(address.write_rate)),
            region: found.region,
            endpoint: found.endpoint,
            connector: connector()?,
            login: found.login.ok_or("there is nobody who asks")?,
            address: Arc::new(address),
        };
        Ok(Self {
            threads: Arc::new(threads),
            client,
        })
    }

    pub(super) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.threads.block_on(future)
    }
}

impl Client {
    /// Finds out who asks; says so when nobody is found.
    pub(super) async fn log_in(&self) -> Result<Credentials, Trouble> {
        let asked = "find credentials";
        match timeout(self.address.time_limit, self.login.provide_credentials()).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => Err(self.trouble(asked, Cause::Credentials, chain(&error))),
            Err(_) => Err(self.no_answer(asked)),
        }
    }

    /// Asks until it succeeds, fails for good or has failed often enough. It may be carried out more than
    /// once, so that doing it twice must do no more than doing it once.
    pub(super) async fn ask<T: DeserializeOwned>(
        &self,
        asked: &str,
        operation: &str,
        parameters: &Value,
    ) -> Result<T, Trouble> {
        let mut failed = 0;
        loop {
            match self.once(asked, operation, parameters).await {
                Err(trouble) => self.wait(trouble, &mut failed).await?,
                found => return found,
            }
        }
    }

    /// Asks once, within the time limit.
    pub(super) async fn once<T: DeserializeOwned>(
        &self,
        asked: &str,
        operation: &str,
        parameters: &Value,
    ) -> Result<T, Trouble> {
        let credentials = self.log_in().await?;
        let body = parameters.to_string().into_bytes();
        let request = self.request(operation, body, credentials);
        let request = request.map_err(|reason| self.trouble(asked, Cause::Wrong, reason))?;
        match timeout(self.address.time_limit, self.exchange(request)).await {
            Ok(Ok((200, bytes))) => serde_json::from_slice(&bytes).map_err(|e| {
                self.trouble(
                    asked,
                    Cause::Refused,
                    format!("its answer is no such JSON: {e}"),
                )
            }),
            Ok(Ok((status, bytes))) => {
                let (cause, reason) = refusal(status, &bytes);
                Err(self.trouble(asked, cause, reason))
            }
            Ok(Err((cause, reason))) => Err(self.trouble(asked, cause, reason)),
            Err(_) => Err(self.no_answer(asked)),
        }
    }

    /// Waits before the next attempt; gives the trouble back when there is to be none.
    pub(super) async fn wait(&self, trouble: Trouble, failed: &mut u32) -> Result<(), Trouble> {
        match backoff::next(&trouble, failed) {
            Some(wait) => sleep(wait).await,
            None => return Err(trouble),
        }
        Ok(())
    }

    fn request(
        &self,
        operation: &str,
        body: Vec<u8>,
        credentials: Credentials,
    ) -> Result<HttpRequest, String> {
        let url = match &self.endpoint {
            Some(endpoint) => format!("{}/", endpoint.trim_end_matches('/')),
            None => format!("https://{}/", official("dynamodb", &self.region)),
        };
        let target = format!("DynamoDB_20120810.{operation}");
        let headers = [
            ("content-type", "application/x-amz-json-1.0"),
            ("x-amz-target", target.as_str()),
        ];
        let identity = credentials.into();
        let parameters = v4::SigningParams::builder()
            .identity(&identity)
            .region(&self.region)
            .name("dynamodb")
            .time(clock::now().into())
            .settings(SigningSettings::default())
            .build()
            .map_err(|e| e.to_string())?
            .into();
        let signable = SignableRequest::new(
            "POST",
            &url,
            headers.into_iter(),
            SignableBody::Bytes(&body),
        );
        let signed = sign(signable.map_err(|e| chain(&e))?, &parameters);
        let (signed, _) = signed.map_err(|e| chain(&e))?.into_parts();
        let mut request = http::Request::post(url);
        for (name, value) in headers.into_iter().chain(signed.headers()) {
            request = request.header(name, value);
        }
        let request = request.body(body.into()).map_err(|e| e.to_string())?;
        request.try_into().map_err(|e: HttpError| chain(&e))
    }

    async fn exchange(&self, request: HttpRequest) -> Result<(u16, Vec<u8>), (Cause, String)> {
        let answer: Result<HttpResponse, ConnectorError> = self.connector.call(request).await;
        let answer = answer.map_err(|error| {
            let (is_timeout, is_io) = (error.is_timeout(), error.is_io());
            of_connecting(chain(&error), is_timeout, is_io, error.is_user())
        })?;
        let status = answer.status().as_u16();
        let (mut body, mut bytes) = (ByteStream::new(answer.into_body()), Vec::new());
        while let Some(part) = body.next().await {
            let broken = |e| {
                (
                    Cause::Interrupted,
                    format!("the answer broke off: {}", chain(&e)),
                )
            };
            bytes.extend_from_slice(&part.map_err(broken)?);
            if bytes.len() > ANSWER_BYTES {
                let reason = format!("its answer is longer than {ANSWER_BYTES} bytes");
                return Err((Cause::Refused, reason));
            }
        }
        Ok((status, bytes))
    }

    fn no_answer(&self, asked: &str) -> Trouble {
        let limit = self.address.time_limit.as_secs();
        let reason = format!("no answer within {limit} s");
        self.trouble(asked, Cause::TimedOut, reason)
    }

    pub(super) fn trouble(&self, asked: &str, cause: Cause, reason: impl Into<String>) -> Trouble {
        let server = match &self.endpoint {
            Some(endpoint) => dataset::without_secrets(endpoint),
            None => format!("DynamoDB in {}", self.region),
        };
        Trouble {
            location: self.address.location.clone(),
            asked: format!("{asked} at {server}"),
            reason: self.login.masked(&reason.into()),
            cause,
            login_advice: LOGIN_ADVICE,
        }
    }

    /// Returns where the server is.
    pub(super) fn place(&self) -> Result<Place, String> {
        match &self.endpoint {
            Some(endpoint) => Place::of(endpoint),
            None => Ok(Place {
                host: official("dynamodb", &self.region),
                port: 443,
                is_encrypted: true,
            }),
        }
    }
}

/// What an answer says that is none.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Refusal {
    #[serde(rename = "__type")]
    code: String,
    #[serde(alias = "Message")]
    message: String,
}

fn refusal(status: u16, bytes: &[u8]) -> (Cause, String) {
    let said: Refusal = serde_json::from_slice(bytes).unwrap_or_default();
    let code = said.code.rsplit('#').next().unwrap_or_default();
    let mut reason = format!("it answers {status} {code}").trim_end().to_owned();
    if !said.message.is_empty() {
        reason += &format!(", {}", said.message);
    }
    (of_code(code, status), reason)
}
