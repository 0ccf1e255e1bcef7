//! Watches registry and files: a thread that takes up a new champion soon after it was made.

use std::{
    sync::{Arc, Condvar, Mutex, PoisonError},
    thread,
    time::Duration,
};

/// Ends the watching when it is dropped.
pub struct Watch {
    stop: Arc<(Mutex<bool>, Condvar)>,
    thread: Option<thread::JoinHandle<()>>,
}

impl Watch {
    /// Starts to look every so often; the first look has been taken by the caller.
    ///
    /// # Errors
    /// When the system starts no thread.
    pub fn start(every: Duration, look: impl Fn() + Send + 'static) -> std::io::Result<Self> {
        let stop = Arc::new((Mutex::new(false), Condvar::new()));
        let stopped = Arc::clone(&stop);
        let thread = thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || {
                while !wait(&stopped, every) {
                    look();
                }
            })?;
        Ok(Self {
            stop,
            thread: Some(thread),
        })
    }
}

/// Waits for a while; returns whether it is to stop.
fn wait(stop: &(Mutex<bool>, Condvar), time: Duration) -> bool {
    let (flag, woken) = stop;
    let guard = flag.lock().unwrap_or_else(PoisonError::into_inner);
    let waited = woken.wait_timeout_while(guard, time, |stop| !*stop);
    *waited.unwrap_or_else(PoisonError::into_inner).0
}

impl Drop for Watch {
    fn drop(&mut self) {
        let (flag, woken) = &*self.stop;
        *flag.lock().unwrap_or_else(PoisonError::into_inner) = true;
        woken.notify_all();
        if let Some(thread) = self.thread.take() {
            // Its panic has been printed; there is nothing left to save.
            let _ = thread.join();
        }
    }
}
