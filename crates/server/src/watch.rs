//! Watches registry and files: a thread that takes up soon what has changed.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::Duration,
};

use tokio::sync::oneshot;

/// How long a look that is being taken is waited for at the end: a file system may never answer.
const LAST_LOOK: Duration = Duration::from_secs(1);

/// Ends the watching when it is dropped.
pub struct Watch {
    shared: Arc<Shared>,
    thread: Option<thread::JoinHandle<()>>,
    first_look: Option<oneshot::Receiver<()>>,
}

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    is_to_stop: bool,
    has_stopped: bool,
}

impl Watch {
    /// Starts to look, at once and then every so often.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub fn start(every: Duration, look: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let shared = Arc::<Shared>::default();
        let watched = Arc::clone(&shared);
        let (looked, first_look) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || {
                let mut looked = Some(looked);
                loop {
                    // What panics has been printed; the next look may find things mended.
                    if catch_unwind(AssertUnwindSafe(&look)).is_err() {
                        tracing::error!("a look at registry or files panicked");
                    }
                    if let Some(looked) = looked.take() {
                        // Nobody may wait for it any more.
                        let _ = looked.send(());
                    }
                    if watched.wait(every, |state| state.is_to_stop) {
                        break;
                    }
                }
                watched.set(|state| state.has_stopped = true);
            })?;
        Ok(Self {
            shared,
            thread: Some(thread),
            first_look: Some(first_look),
        })
    }

    /// Waits for the first look.
    pub async fn first_look(&mut self) {
        if let Some(first_look) = self.first_look.take() {
            // It is sent in any case: a look that panics is caught.
            let _ = first_look.await;
        }
    }
}

impl Shared {
    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().unwrap_or_else(PoisonError::into_inner));
        self.changed.notify_all();
    }

    /// Waits for a while; returns whether something has come about.
    fn wait(&self, time: Duration, has_come: impl Fn(&State) -> bool) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self
            .changed
            .wait_timeout_while(state, time, |state| !has_come(state));
        has_come(&waited.unwrap_or_else(PoisonError::into_inner).0)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.shared.set(|state| state.is_to_stop = true);
        let has_stopped = self.shared.wait(LAST_LOOK, |state| state.has_stopped);
        if let Some(thread) = self.thread.take().filter(|_| has_stopped) {
            // Its panic has been printed; there is nothing left to save.
            let _ = thread.join();
        }
    }
}
