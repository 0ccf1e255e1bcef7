//! The end of the service: what was sent before SIGTERM came is answered, over connections that are kept alive as well.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};

use actix_web::{dev::Server, rt::spawn};

use crate::problem::Problem;

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

#[cfg(unix)]
mod signals {
    use std::{
        future::{Future as _, poll_fn},
        pin::pin,
        task::Poll,
        time::Duration,
    };

    use actix_web::{
        rt::{
            signal::unix::{SignalKind, signal},
            time::sleep,
        },
        web::Data,
    };

    use super::{Ending, Relaxed, Server, spawn};
    use crate::routes::Service;

    /// How long nothing may have been asked or answered before connections without a request are closed.
    const QUIET: Duration = Duration::from_millis(500);
    /// How many times that is waited for at most.
    const TIMES: u32 = 6;

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

    /// Lets the servers run until a signal ends them: SIGTERM once all is answered, SIGINT and SIGQUIT at once, also
    /// while they drain. Trainings end with them.
    ///
    /// # Errors
    /// The servers', and when the system lets nobody wait for a signal.
    pub async fn run(
        service: &Data<Service>,
        public: Server,
        admin: Option<Server>,
    ) -> std::io::Result<()> {
        let service = Data::clone(service);
        let handles = [Some(public.handle()), admin.as_ref().map(Server::handle)];
        let mut terminate = signal(SignalKind::terminate())?;
        spawn(async move {
            terminate.recv().await;
            tracing::info!("SIGTERM: requests in progress are answered");
            service.ending.begin().await;
            // Who follows a training would not go away before it has ended.
            service.jobs.stop();
            for handle in handles.into_iter().flatten() {
                spawn(async move { handle.stop(true).await });
            }
        });
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut quit = signal(SignalKind::quit())?;
        let mut both = pin!(super::both(public, admin));
        poll_fn(|context| {
            let is_hasty =
                interrupt.poll_recv(context).is_ready() || quit.poll_recv(context).is_ready();
            match is_hasty {
                true => Poll::Ready(Ok(())),
                false => both.as_mut().poll(context),
            }
        })
        .await
    }
}

#[cfg(unix)]
pub use signals::run;

/// Lets the servers run until they are told to end.
///
/// # Errors
/// The servers'.
#[cfg(not(unix))]
pub async fn run(
    _: &actix_web::web::Data<crate::routes::Service>,
    public: Server,
    admin: Option<Server>,
) -> std::io::Result<()> {
    both(public, admin).await
}

async fn both(public: Server, admin: Option<Server>) -> std::io::Result<()> {
    let admin = admin.map(spawn);
    public.await?;
    match admin {
        None => Ok(()),
        Some(admin) => admin.await.map_err(std::io::Error::other)?,
    }
}
