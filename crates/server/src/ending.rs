//! The end of the service: what was sent before SIGTERM came is answered, over connections that are kept alive as well.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
#[cfg(unix)]
use std::{
    future::poll_fn,
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{dev::Server, rt::spawn, web::Data};
#[cfg(unix)]
use actix_web::{
    dev::ServerHandle,
    rt::{
        signal::unix::{Signal, SignalKind, signal},
        time::sleep,
    },
};

#[cfg(unix)]
use harness::{INTERRUPTED, TERMINATED};

use crate::{problem::Problem, routes::Service};

/// Whether the service ends, and what it is asked meanwhile.
#[derive(Default)]
pub struct Ending {
    has_begun: AtomicBool,
    seen: AtomicU64,
}

impl Ending {
    /// Takes note of a request that comes, or of its answer.
    pub fn note(&self) {
        if self.has_begun() {
            self.seen.fetch_add(1, Relaxed);
        }
    }

    /// Refuses what would not come to its end.
    ///
    /// # Errors
    /// Status 503 when the service ends.
    pub fn check(&self) -> Result<(), Problem> {
        match self.has_begun() {
            true => Err(Problem::unavailable("the service is ending")),
            false => Ok(()),
        }
    }

    /// Returns whether the service ends: an answer is the last over its connection then, and says so.
    pub fn has_begun(&self) -> bool {
        self.has_begun.load(Relaxed)
    }
}

/// How long nothing may have been asked or answered before connections without a request are closed.
#[cfg(unix)]
const QUIET: Duration = Duration::from_millis(500);
/// How many times that is waited for at most.
#[cfg(unix)]
const TIMES: u32 = 6;

#[cfg(unix)]
impl Ending {
    /// Begins to end: waits until clients know of it. Who is about to ask over a connection that is kept alive, as
    /// proxies do, would find it closed, and not know whether the request was taken.
    async fn begin(&self) {
        self.has_begun.store(true, Relaxed);
        for _ in 0..TIMES {
            let before = self.seen.load(Relaxed);
            sleep(QUIET).await;
            if self.seen.load(Relaxed) == before {
                return;
            }
        }
    }
}

/// What tells the service to end.
#[cfg(unix)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
    quit: Signal,
}

#[cfg(unix)]
impl Signals {
    /// Listens to signals from now on; until then, the first process of a container is told nothing by them.
    ///
    /// # Errors
    /// When the system lets nobody wait for a signal.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            quit: signal(SignalKind::quit())?,
        })
    }

    /// Waits for what is begun with, but not beyond a signal.
    ///
    /// # Errors
    /// The exit code of a process that the signal ends.
    pub async fn wait_for<T>(&mut self, beginning: impl Future<Output = T>) -> Result<T, u8> {
        let mut beginning = pin!(beginning);
        poll_fn(|context| {
            if self.terminate.poll_recv(context).is_ready() {
                return Poll::Ready(Err(TERMINATED));
            }
            match self.is_hasty(context) {
                true => Poll::Ready(Err(INTERRUPTED)),
                false => beginning.as_mut().poll(context).map(Ok),
            }
        })
        .await
    }

    fn is_hasty(&mut self, context: &mut Context<'_>) -> bool {
        self.interrupt.poll_recv(context).is_ready() || self.quit.poll_recv(context).is_ready()
    }

    /// Lets the servers run until a signal ends them: SIGTERM once all is answered, SIGINT and SIGQUIT at once, also
    /// while they drain. Trainings end with them.
    ///
    /// # Errors
    /// The servers'.
    pub async fn end(
        mut self,
        service: &Data<Service>,
        public: Server,
        admin: Option<Server>,
    ) -> std::io::Result<()> {
        let service = Data::clone(service);
        let handles = [Some(public.handle()), admin.as_ref().map(Server::handle)];
        let mut both = pin!(both(public, admin));
        let mut is_ending = false;
        poll_fn(|context| {
            if self.is_hasty(context) {
                return Poll::Ready(Ok(()));
            }
            if !is_ending && self.terminate.poll_recv(context).is_ready() {
                is_ending = true;
                spawn(drain(Data::clone(&service), handles.clone()));
            }
            both.as_mut().poll(context)
        })
        .await
    }
}

#[cfg(unix)]
async fn drain(service: Data<Service>, servers: [Option<ServerHandle>; 2]) {
    tracing::info!("SIGTERM: requests in progress are answered");
    service.ending.begin().await;
    // Who follows a training would not go away before it has ended.
    service.jobs.stop();
    for server in servers.into_iter().flatten() {
        spawn(async move { server.stop(true).await });
    }
}

/// Where the system has no signals, the servers listen to what it has by themselves.
#[cfg(not(unix))]
pub struct Signals;

#[cfg(not(unix))]
impl Signals {
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self)
    }

    pub async fn wait_for<T>(&mut self, beginning: impl Future<Output = T>) -> Result<T, u8> {
        Ok(beginning.await)
    }

    pub async fn end(
        self,
        _: &Data<Service>,
        public: Server,
        admin: Option<Server>,
    ) -> std::io::Result<()> {
        both(public, admin).await
    }
}

async fn both(public: Server, admin: Option<Server>) -> std::io::Result<()> {
    let admin = admin.map(spawn);
    public.await?;
    match admin {
        None => Ok(()),
        Some(admin) => admin.await.map_err(std::io::Error::other)?,
    }
}
