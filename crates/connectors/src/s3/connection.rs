//! A client with a runtime of its own: requests have a time limit and are repeated.

use std::{error::Error, sync::Arc};

use aws_sdk_s3::{
    Client,
    config::{Credentials, ProvideCredentials as _},
    error::{ProvideErrorMetadata, SdkError},
};
use dataset::{SourceError, SourceUri};
use tokio::{
    runtime::Handle,
    time::{sleep, timeout},
};

use super::{
    address::Address,
    client::prepare,
    failure::{LOGIN_ADVICE, judge},
};
use crate::{
    aws::{Login, Threads, chain},
    backoff,
    failure::{Cause, Trouble},
};

/// A bucket and the means to ask for it.
pub(crate) struct Connection {
    threads: Arc<Threads>,
    pub store: Store,
}

/// What asks, from whichever task.
#[derive(Clone)]
pub(crate) struct Store {
    pub client: Client,
    pub address: Arc<Address>,
    /// Where another server than Amazon's is.
    pub endpoint: Option<String>,
    pub region: String,
    /// Who asks, unless requests are not signed.
    login: Option<Login>,
}

impl Connection {
    /// Prepares the client; whether there is a server is seen at the first request.
    pub(crate) fn open(uri: &SourceUri) -> Result<Self, SourceError> {
        Self::with(Address::parse(uri)?)
    }

    pub(crate) fn with(address: Address) -> Result<Self, SourceError> {
        let refuse = |reason: String| SourceError::Unsupported {
            location: address.location.clone(),
            reason,
        };
        let threads = Threads::start("s3").map_err(refuse)?;
        let prepared = threads.block_on(prepare(&address)).map_err(refuse)?;
        let store = Store {
            client: prepared.client,
            address: Arc::new(address),
            endpoint: prepared.endpoint,
            region: prepared.region,
            login: prepared.login,
        };
        Ok(Self {
            threads: Arc::new(threads),
            store,
        })
    }

    /// Asks for another address as the same client.
    pub(crate) fn to(&self, address: Address) -> Self {
        let mut store = self.store.clone();
        store.address = Arc::new(address);
        Self {
            threads: Arc::clone(&self.threads),
            store,
        }
    }

    pub(crate) fn address(&self) -> &Address {
        &self.store.address
    }

    pub(crate) fn handle(&self) -> &Handle {
        self.threads.handle()
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.handle().block_on(future)
    }
}

impl Store {
    /// Finds out who asks; says so when nobody is found.
    pub(crate) async fn log_in(&self) -> Result<Option<Credentials>, Trouble> {
        let Some(login) = &self.login else {
            return Ok(None);
        };
        let asked = "find credentials";
        match timeout(self.address.time_limit, login.provide_credentials()).await {
            Ok(Ok(found)) => Ok(Some(found)),
            Ok(Err(error)) => Err(self.trouble(asked, Cause::Credentials, chain(&error))),
            Err(_) => Err(self.no_answer(asked)),
        }
    }

    /// Makes a request until it succeeds, fails for good or has failed often enough. It may be carried
    /// out more than once, so that doing it twice must do no more than doing it once.
    pub(crate) async fn repeat<T, E, F>(
        &self,
        asked: &str,
        request: impl Fn() -> F,
    ) -> Result<T, Trouble>
    where
        F: Future<Output = Result<T, SdkError<E>>>,
        E: ProvideErrorMetadata + Error + 'static,
    {
        let mut failed = 0;
        loop {
            match self.once(asked, request()).await {
                Err(trouble) => self.wait(trouble, &mut failed).await?,
                found => return found,
            }
        }
    }

    /// Makes a request once, within the time limit.
    pub(crate) async fn once<T, E>(
        &self,
        asked: &str,
        request: impl Future<Output = Result<T, SdkError<E>>>,
    ) -> Result<T, Trouble>
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        if self.login.as_ref().is_some_and(Login::is_new) {
            self.log_in().await?;
        }
        match timeout(self.address.time_limit, request).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => {
                let (cause, reason) = judge(&error);
                Err(self.trouble(asked, cause, reason))
            }
            Err(_) => Err(self.no_answer(asked)),
        }
    }

    /// Waits before the next attempt; gives the trouble back when there is to be none.
    pub(crate) async fn wait(&self, trouble: Trouble, failed: &mut u32) -> Result<(), Trouble> {
        match backoff::next(&trouble, failed) {
            Some(wait) => sleep(wait).await,
            None => return Err(trouble),
        }
        Ok(())
    }

    pub(crate) fn no_answer(&self, asked: &str) -> Trouble {
        let limit = self.address.time_limit.as_secs();
        self.trouble(
            asked,
            Cause::TimedOut,
            format!("no answer within {limit} s"),
        )
    }

    pub(crate) fn trouble(&self, asked: &str, cause: Cause, reason: impl Into<String>) -> Trouble {
        let mut reason = reason.into();
        if let Some(login) = &self.login {
            reason = login.masked(&reason);
        }
        let server = match &self.endpoint {
            Some(endpoint) => dataset::without_secrets(endpoint),
            None => format!("S3 in {}", self.region),
        };
        Trouble {
            location: self.address.location.clone(),
            asked: format!("{asked} at {server}"),
            reason,
            cause,
            login_advice: LOGIN_ADVICE,
        }
    }
}
