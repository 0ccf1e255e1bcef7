//! A connection with a runtime of its own: requests block, have a time limit and are repeated.

use std::{sync::Arc, time::Duration};

use dataset::{SourceError, SourceUri};
use tokio::runtime::Runtime;

use super::{
    address::Address,
    dialect::Dialect,
    failure::{LOGIN_ADVICE, cause_of, reason, tls},
    link::{Link, Texts, Value, WHOLE_TABLE, timed},
    mysql::MySql,
    postgres::Postgres,
    rows::Rows,
    sqlite::Sqlite,
};
use crate::{
    backoff,
    failure::{Cause, Trouble},
};

/// How long a connection may take to be made.
pub(super) const CONNECT: Duration = Duration::from_secs(5);

/// A server, or a file, and at most one connection to it; one that fails is given up for another.
pub(super) struct Connection {
    /// Taken when it is dropped.
    runtime: Option<Runtime>,
    link: Option<Box<dyn Link>>,
    pub(super) address: Arc<Address>,
    is_writing: bool,
}

impl Connection {
    /// Prepares a connection; whether there is a server is seen at the first request.
    pub(super) fn open(uri: &SourceUri) -> Result<Self, SourceError> {
        Self::with(Arc::new(Address::parse(uri)?), false)
    }

    pub(super) fn open_for_writing(uri: &SourceUri) -> Result<Self, SourceError> {
        Self::with(Arc::new(Address::parse(uri)?), true)
    }

    fn with(address: Arc<Address>, is_writing: bool) -> Result<Self, SourceError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(|e| SourceError::Unavailable {
            location: address.location.clone(),
            reason: format!("cannot wait for a network: {e}"),
        })?;
        Ok(Self {
            runtime: Some(runtime),
            link: None,
            address,
            is_writing,
        })
    }

    pub(super) fn dialect(&self) -> Dialect {
        self.address.dialect
    }

    /// Makes a request until it succeeds, fails for good or has failed often enough. It may be carried
    /// out more than once, so that doing it twice must do no more than doing it once.
    pub(super) fn repeat<T>(
        &mut self,
        asked: &str,
        request: impl AsyncFn(&mut dyn Link) -> sqlx::Result<T>,
    ) -> Result<T, Trouble> {
        self.repeat_within(self.address.time_limit, asked, request)
    }

    /// Makes a request that takes the longer, the larger the table is.
    pub(super) fn repeat_at_length<T>(
        &mut self,
        asked: &str,
        request: impl AsyncFn(&mut dyn Link) -> sqlx::Result<T>,
    ) -> Result<T, Trouble> {
        self.repeat_within(self.address.time_limit * WHOLE_TABLE, asked, request)
    }

    fn repeat_within<T>(
        &mut self,
        limit: Duration,
        asked: &str,
        request: impl AsyncFn(&mut dyn Link) -> sqlx::Result<T>,
    ) -> Result<T, Trouble> {
        let mut failed = 0;
        loop {
            let mut result = self.once(asked, async |link| {
                link.limit(limit);
                timed(limit, request(link)).await
            });
            if let Err(trouble) = &mut result
                && trouble.cause == Cause::TimedOut
            {
                trouble.reason = unanswered(limit);
            }
            match result {
                Err(trouble) if backoff::may_try_again(&trouble, &mut failed) => {}
                result => return result,
            }
        }
    }

    /// Asks for a few rows of texts.
    pub(super) fn texts(
        &mut self,
        asked: &str,
        sql: &str,
        values: &[Value],
    ) -> Result<Vec<Texts>, Trouble> {
        self.repeat(asked, async |link| link.texts(sql, values).await)
    }

    /// Reads the rows of one query in one transaction that changes nothing.
    pub(super) fn read(
        &mut self,
        select: &str,
        values: &[Value],
        rows: &mut Rows,
    ) -> Result<(), Trouble> {
        let (limit, begin) = (self.address.time_limit, self.dialect().begin_reading());
        self.connect()?;
        self.once("read rows", async |link| {
            link.limit(limit);
            timed(limit, link.script(begin)).await?;
            link.read(select, values, rows).await
        })?;
        if rows.stopped().is_some() {
            // It may be in the middle of the rows.
            self.disconnect();
            return Ok(());
        }
        // All has been read; a connection on which this fails is given up.
        let _ = self.once("end the transaction", async |link| {
            link.limit(limit);
            timed(limit, link.script("COMMIT")).await
        });
        Ok(())
    }

    /// Connects unless there is a connection.
    pub(super) fn connect(&mut self) -> Result<(), Trouble> {
        if self.link.is_some() {
            return Ok(());
        }
        let limit = CONNECT.min(self.address.time_limit);
        let connected = self.block_on(timed(limit, connect(&self.address, self.is_writing)));
        let link = connected.map_err(|error| {
            let mut trouble = self.failed("connect", &error);
            if trouble.cause == Cause::TimedOut {
                trouble.reason = unanswered(limit);
            }
            // Nobody is there, or somebody who is not understood.
            if matches!(trouble.cause, Cause::Interrupted | Cause::TimedOut)
                && matches!(error, sqlx::Error::Io(_) | sqlx::Error::Protocol(_))
            {
                trouble.cause = Cause::Unreachable;
            }
            trouble
        })?;
        self.link = Some(link);
        Ok(())
    }

    /// Makes a request once. Whatever a failed one has left open goes with its connection.
    pub(super) fn once<T>(
        &mut self,
        asked: &str,
        request: impl AsyncFnOnce(&mut dyn Link) -> sqlx::Result<T>,
    ) -> Result<T, Trouble> {
        self.connect()?;
        let mut link = self.link.take().expect("it was connected above");
        match self.block_on(request(link.as_mut())) {
            Ok(found) => {
                self.link = Some(link);
                Ok(found)
            }
            Err(error) => {
                self.drop_inside(link);
                Err(self.failed(asked, &error))
            }
        }
    }

    pub(super) fn trouble(&self, asked: &str, cause: Cause, reason: impl Into<String>) -> Trouble {
        Trouble {
            location: self.address.location.clone(),
            asked: asked.to_owned(),
            reason: reason.into(),
            cause,
            login_advice: LOGIN_ADVICE,
        }
    }

    fn failed(&self, asked: &str, error: &sqlx::Error) -> Trouble {
        if let Some(reason) = tls(error, self.dialect()) {
            return self.trouble(asked, Cause::Tls, reason);
        }
        let is_ours = !matches!(error, sqlx::Error::Database(_));
        let reason = match cause_of(error) {
            Cause::TimedOut if is_ours => unanswered(self.address.time_limit),
            _ => dataset::without_secrets(&reason(error)),
        };
        self.trouble(asked, cause_of(error), reason)
    }

    fn disconnect(&mut self) {
        if let Some(link) = self.link.take() {
            self.drop_inside(link);
        }
    }

    fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        self.runtime().block_on(future)
    }

    /// Drops a connection where the runtime is known.
    fn drop_inside(&self, link: Box<dyn Link>) {
        let _guard = self.runtime().enter();
        drop(link);
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("it is taken by drop alone")
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.disconnect();
        if let Some(runtime) = self.runtime.take() {
            // A look-up of a name that hangs must not hold the program up.
            runtime.shutdown_background();
        }
    }
}

fn unanswered(limit: Duration) -> String {
    format!("no answer within {} s", limit.as_secs())
}

async fn connect(address: &Address, is_writing: bool) -> sqlx::Result<Box<dyn Link>> {
    Ok(match address.dialect {
        Dialect::Postgres => Box::new(Postgres::connect(address).await?),
        Dialect::MySql => Box::new(MySql::connect(address, is_writing).await?),
        Dialect::Sqlite => {
            let file = address.file.display();
            if address.file.is_dir() {
                let message = format!("{file} is a directory: name a file in it");
                return Err(sqlx::Error::InvalidArgument(message));
            }
            if !is_writing && !address.file.is_file() {
                let message = format!("there is no file {file}");
                return Err(sqlx::Error::InvalidArgument(message));
            }
            Box::new(Sqlite::open(address, is_writing)?)
        }
    })
}
