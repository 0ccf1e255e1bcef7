//! The end of the service: what was sent before SIGTERM came is answered, over connections that are kept alive as well.

use std::{
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    time::Duration,
};

use actix_web::{
    dev::ServerHandle,
    rt::{spawn, time::sleep},
    web::Data,
};

use crate::routes::Service;

/// How long nothing may have been asked before connections without a request are closed.
const QUIET: Duration = Duration::from_millis(250);
/// How many times that is waited for at most.
const TIMES: u32 = 8;

/// Whether the service ends, and what it is asked meanwhile.
#[derive(Default)]
pub struct Ending {
    has_begun: AtomicBool,
    answers: AtomicU64,
}

impl Ending {
    /// Takes note of an answer; returns whether it is the last over its connection, which says so.
    pub fn is_last_answer(&self) -> bool {
        let has_begun = self.has_begun.load(Relaxed);
        if has_begun {
            self.answers.fetch_add(1, Relaxed);
        }
        has_begun
    }

    /// Begins to end: waits until clients know of it. Who is about to ask over a connection that is kept alive, as proxies
    /// do, would find it closed, and not know whether the request was taken.
    async fn begin(&self) {
        self.has_begun.store(true, Relaxed);
        for _ in 0..TIMES {
            let before = self.answers.load(Relaxed);
            sleep(QUIET).await;
            if self.answers.load(Relaxed) == before {
                return;
            }
        }
    }
}

/// Lets signals end a server: SIGTERM once all is answered, SIGINT and SIGQUIT at once.
///
/// # Errors
/// When the system lets nobody wait for a signal.
#[cfg(unix)]
pub fn at_signals(service: &Data<Service>, server: &ServerHandle) -> std::io::Result<()> {
    use actix_web::rt::signal::unix::{SignalKind, signal};
    let mut signals = signal(SignalKind::terminate())?;
    let (service, handle) = (Data::clone(service), server.clone());
    spawn(async move {
        signals.recv().await;
        tracing::info!("SIGTERM: requests in progress are answered");
        service.ending.begin().await;
        handle.stop(true).await;
    });
    for kind in [SignalKind::interrupt(), SignalKind::quit()] {
        let mut signals = signal(kind)?;
        let handle = server.clone();
        spawn(async move {
            signals.recv().await;
            handle.stop(false).await;
        });
    }
    Ok(())
}
