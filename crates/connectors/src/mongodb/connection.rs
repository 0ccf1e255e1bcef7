//! A client with a runtime of its own: requests block, have a time limit and are repeated.

use std::time::Duration;

use dataset::{SourceError, SourceUri};
use mongodb::{
    Client, Collection, Database,
    bson::RawDocumentBuf,
    error::{ErrorKind, Result as DriverResult},
    options::{
        ClientOptions, ConnectionString, Credential, ReadPreference, ServerAddress, Tls,
        WriteConcern,
    },
};
use tokio::{runtime::Runtime, task::JoinHandle, time::timeout};

use super::{
    PASSWORD_VARIABLE, USERNAME_VARIABLE,
    address::Address,
    failure::{LOGIN_ADVICE, cause_of, reason},
};
use crate::{
    backoff,
    failure::{Cause, Trouble},
    tls,
};

/// How long the driver looks for a server before one attempt has failed, unless the address says.
const SELECTION: Duration = Duration::from_secs(5);
/// How long a connection may take to be made, unless the address says.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a server is waited for that is told good-bye.
const FAREWELL: Duration = Duration::from_secs(1);

/// How many times as long as any other request one may take that goes over a whole collection.
const WHOLE_COLLECTION: u32 = 20;
const UNDERSTAND: &str = "understand the address";

/// A MongoDB collection and the means to ask for it.
pub(crate) struct Connection {
    /// Taken when it is dropped.
    runtime: Option<Runtime>,
    client: Client,
    password: Option<String>,
    pub address: Address,
    /// Where the servers are, of `mongodb+srv://` as its record has them.
    pub hosts: Vec<ServerAddress>,
    pub uses_tls: bool,
}

impl Connection {
    /// Prepares the client; whether there is a server is seen at the first request.
    pub(crate) fn open(uri: &SourceUri) -> Result<Self, SourceError> {
        Self::of(Address::parse(uri)?)
    }

    /// Prepares the client for an address that has been taken apart.
    pub(super) fn of(address: Address) -> Result<Self, SourceError> {
        Self::with(address, |_| {})
    }

    /// Prepares a client that writes, and reads what was written: whole, and from where it was.
    pub(crate) fn open_for_writing(uri: &SourceUri) -> Result<Self, SourceError> {
        let mut address = Address::parse(uri)?;
        address.projection = None;
        Self::with(address, |options| {
            options.selection_criteria = Some(ReadPreference::Primary.into());
        })
    }

    fn with(address: Address, adapt: fn(&mut ClientOptions)) -> Result<Self, SourceError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("mongodb")
            .enable_all()
            .build()
            .map_err(|e| SourceError::Unavailable {
                location: address.location.clone(),
                reason: format!("cannot start a thread: {e}"),
            })?;
        let mut options = runtime.block_on(options_of(&address))?;
        adapt(&mut options);
        let (hosts, tls) = (options.hosts.clone(), options.tls.clone());
        let password = options.credential.as_ref().and_then(|c| c.password.clone());
        let client = {
            let _guard = runtime.enter();
            Client::with_options(options)
        };
        let client = client.map_err(|e| trouble(&address, "connect", &e))?;
        Ok(Self {
            runtime: Some(runtime),
            client,
            password,
            address,
            hosts,
            uses_tls: matches!(tls, Some(Tls::Enabled(_))),
        })
    }

    pub(crate) fn database(&self) -> Database {
        self.client.database(&self.address.database)
    }

    pub(crate) fn admin(&self) -> Database {
        self.client.database("admin")
    }

    pub(crate) fn collection(&self, name: &str) -> Collection<RawDocumentBuf> {
        self.database().collection(name)
    }

    /// Returns whether a user's name is given.
    pub(crate) fn has_credentials(&self) -> bool {
        self.password.is_some()
    }

    /// Makes a request until it succeeds, fails for good or has failed often enough. It may be carried
    /// out more than once, so that doing it twice must do no more than doing it once.
    pub(crate) fn repeat<T>(
        &self,
        asked: &str,
        request: impl AsyncFn() -> DriverResult<T>,
    ) -> Result<T, Trouble> {
        self.repeat_within(self.address.time_limit, asked, request)
    }

    /// Makes a request that takes the longer, the larger the collection is.
    pub(crate) fn repeat_at_length<T>(
        &self,
        asked: &str,
        request: impl AsyncFn() -> DriverResult<T>,
    ) -> Result<T, Trouble> {
        self.repeat_within(self.address.time_limit * WHOLE_COLLECTION, asked, request)
    }

    fn repeat_within<T>(
        &self,
        limit: Duration,
        asked: &str,
        request: impl AsyncFn() -> DriverResult<T>,
    ) -> Result<T, Trouble> {
        let mut failed = 0;
        loop {
            match self.block_on(self.within(limit, asked, request())) {
                Err(trouble) if backoff::may_try_again(&trouble, &mut failed) => {}
                result => return result,
            }
        }
    }

    /// Makes a request once, within the time limit.
    pub(crate) fn once<T>(
        &self,
        asked: &str,
        request: impl Future<Output = DriverResult<T>>,
    ) -> Result<T, Trouble> {
        self.block_on(self.limited(asked, request))
    }

    /// Waits for a request within the time limit.
    pub(crate) async fn limited<T>(
        &self,
        asked: &str,
        request: impl Future<Output = DriverResult<T>>,
    ) -> Result<T, Trouble> {
        self.within(self.address.time_limit, asked, request).await
    }

    async fn within<T>(
        &self,
        limit: Duration,
        asked: &str,
        request: impl Future<Output = DriverResult<T>>,
    ) -> Result<T, Trouble> {
        match timeout(limit, request).await {
            Ok(Ok(found)) => Ok(found),
            Ok(Err(error)) => Err(self.explain(asked, &error)),
            Err(_) => Err(self.trouble(
                asked,
                Cause::TimedOut,
                format!("no answer within {} s", limit.as_secs()),
            )),
        }
    }

    fn explain(&self, asked: &str, error: &mongodb::error::Error) -> Trouble {
        let mut trouble = trouble(&self.address, asked, error);
        if let Some(password) = self.password.as_ref().filter(|p| !p.is_empty()) {
            trouble.reason = trouble.reason.replace(password, "***");
        }
        trouble
    }

    pub(crate) fn trouble(&self, asked: &str, cause: Cause, reason: impl Into<String>) -> Trouble {
        Trouble {
            location: self.address.location.clone(),
            asked: asked.to_owned(),
            reason: reason.into(),
            cause,
            login_advice: LOGIN_ADVICE,
        }
    }

    pub(crate) fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime().block_on(future)
    }

    /// Does something beside what is waited for.
    pub(crate) fn spawn<T: Send + 'static>(
        &self,
        task: impl Future<Output = T> + Send + 'static,
    ) -> JoinHandle<T> {
        self.runtime().spawn(task)
    }

    /// Does the last thing that this connection is for, and waits a moment for what the driver has still to
    /// tell the server: that a cursor is closed, say.
    pub(crate) fn settle(&self, last: impl Future<Output = ()>) {
        let client = self.client.clone();
        let settled = async {
            last.await;
            client.shutdown().await;
        };
        // A server that does not listen any more must not hold the program up.
        let _ = self.block_on(async { timeout(FAREWELL, settled).await });
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is taken by drop alone")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A look-up of a name that hangs must not hold the program up.
            runtime.shutdown_background();
        }
    }
}

async fn options_of(address: &Address) -> Result<ClientOptions, SourceError> {
    let parsed = understand(address)?;
    let parsed = timeout(
        address.time_limit,
        ClientOptions::parse(parsed).into_future(),
    );
    let mut options = match parsed.await {
        Ok(parsed) => parsed.map_err(|e| unresolved(address, &e))?,
        Err(_) => {
            let limit = address.time_limit.as_secs();
            let none = std::io::Error::other(format!("no answer within {limit} s"));
            return Err(unresolved(address, &none.into()).into());
        }
    };
    options.app_name.get_or_insert_with(|| "netsec".to_owned());
    options.server_selection_timeout.get_or_insert(SELECTION);
    options.connect_timeout.get_or_insert(CONNECT);
    options
        .write_concern
        .get_or_insert_with(WriteConcern::majority);
    supply_credentials(&mut options, |name| std::env::var(name).ok());
    Ok(options)
}

/// Reads what of an address is the driver's, without looking anything up.
pub(super) fn understand(address: &Address) -> Result<ConnectionString, Trouble> {
    let parsed = ConnectionString::parse(&address.driver_uri);
    parsed.map_err(|e| trouble(address, UNDERSTAND, &e))
}

/// Says that the servers of an address are not known: of `mongodb+srv://` by the record that was asked for.
fn unresolved(address: &Address, error: &mongodb::error::Error) -> Trouble {
    let mut trouble = trouble(address, UNDERSTAND, error);
    let is_of_dns = matches!(*error.kind, ErrorKind::DnsResolve { .. } | ErrorKind::Io(_));
    if let Some(record) = address.record().filter(|_| is_of_dns) {
        trouble.asked = format!("look the SRV record `{record}` up");
        trouble.cause = Cause::Nameless;
    }
    trouble
}

/// Completes user and password from the environment where the address lacks them.
fn supply_credentials(options: &mut ClientOptions, variable: impl Fn(&str) -> Option<String>) {
    let username = options.credential.as_ref().and_then(|c| c.username.clone());
    let Some(username) = username.or_else(|| variable(USERNAME_VARIABLE)) else {
        return;
    };
    let credential = options.credential.get_or_insert_with(Credential::default);
    credential.username = Some(username);
    if credential.password.is_none() {
        credential.password = variable(PASSWORD_VARIABLE);
    }
}

fn trouble(address: &Address, asked: &str, error: &mongodb::error::Error) -> Trouble {
    let said = dataset::without_secrets(&reason(error));
    let of_tls = tls::explain(&said, "tlsCAFile=FILE");
    Trouble {
        location: address.location.clone(),
        asked: asked.to_owned(),
        cause: of_tls.as_ref().map_or(cause_of(error), |_| Cause::Tls),
        reason: of_tls.unwrap_or(said),
        login_advice: LOGIN_ADVICE,
    }
}
