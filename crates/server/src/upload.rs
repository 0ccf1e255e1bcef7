//! Uploads as a blocking reader has them: what the network gives, no faster than it is read.

use std::{
    future::poll_fn,
    io::{self, Read},
    pin::Pin,
    sync::{Arc, OnceLock},
    time::{Duration, Instant},
};

use actix_web::{
    http::StatusCode,
    rt::{
        self,
        time::{sleep, timeout},
    },
    web::{Bytes, Payload},
};
use futures_core::Stream as _;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::{body, problem::Problem};

/// Parts that wait to be read; each has at most some ten KiB.
const WAITING: usize = 16;
/// How long what is left of a broken upload is kept at hand, until its answer is on its way.
const ANSWERED: Duration = Duration::from_secs(1);

/// What an upload may take.
#[derive(Debug, Clone, Copy)]
pub struct UploadLimits {
    /// Bytes at most.
    pub bytes: u64,
    /// From its head to its end.
    pub time: Duration,
    /// Between two of its parts.
    pub pause: Duration,
    /// Bytes a second at least, on average over every `span` of waiting for it.
    pub rate: f64,
    pub span: Duration,
}

/// The reading end of an upload.
pub struct Upload {
    parts: Receiver<Part>,
    current: Bytes,
    has_ended: bool,
    left: u64,
    limit: u64,
    fault: Fault,
}

/// Why an upload does not come whole, once that is known.
#[derive(Debug, Clone, Default)]
pub struct Fault(Arc<OnceLock<Problem>>);

/// A part of an upload, or how it has ended.
enum Part {
    Bytes(Bytes),
    End,
    Broken,
}

impl Fault {
    /// Returns it, or another problem where the upload has none: whoever reads a broken upload only
    /// sees that it cannot be read.
    pub fn or(&self, other: impl FnOnce() -> Problem) -> Problem {
        self.0.get().cloned().unwrap_or_else(other)
    }

    /// Notes the first one.
    fn set(&self, problem: Problem) -> io::Error {
        let error = io::Error::other(problem.to_string());
        // What follows from the first is none of its own.
        let _ = self.0.set(problem);
        error
    }
}

impl Upload {
    /// Starts to take an upload.
    pub fn start(payload: Payload, limits: UploadLimits) -> Self {
        let (sender, parts) = channel(WAITING);
        let fault = Fault::default();
        rt::spawn(pass_on(payload, sender, Pace::new(limits), fault.clone()));
        Self {
            parts,
            current: Bytes::new(),
            has_ended: false,
            left: limits.bytes,
            limit: limits.bytes,
            fault,
        }
    }

    /// Returns where its fault will stand.
    pub fn fault(&self) -> Fault {
        self.fault.clone()
    }

    fn next_part(&mut self) -> io::Result<bool> {
        if self.has_ended {
            return Ok(false);
        }
        match self.parts.blocking_recv() {
            Some(Part::Bytes(bytes)) => {
                let left = self.left.checked_sub(bytes.len() as u64);
                self.left = left.ok_or_else(|| self.fault.set(body::too_large(self.limit)))?;
                self.current = bytes;
                Ok(true)
            }
            Some(Part::End) => {
                self.has_ended = true;
                Ok(false)
            }
            // Where none is set yet, the service has ended.
            Some(Part::Broken) | None => Err(self.fault.set(broken_off())),
        }
    }
}

impl Read for Upload {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.current.is_empty() {
            if !self.next_part()? {
                return Ok(0);
            }
        }
        let n = buffer.len().min(self.current.len());
        buffer[..n].copy_from_slice(&self.current.split_to(n));
        Ok(n)
    }
}

async fn pass_on(mut payload: Payload, sender: Sender<Part>, mut pace: Pace, fault: Fault) {
    loop {
        let part = match pace.next(&mut payload).await {
            Ok(Some(bytes)) => Part::Bytes(bytes),
            Ok(None) => Part::End,
            Err(problem) => {
                let error = fault.set(problem);
                tracing::debug!(%error, "an upload broke off");
                Part::Broken
            }
        };
        match part {
            Part::Bytes(_) => {
                if sender.send(part).await.is_err() {
                    return drain(payload, pace).await;
                }
            }
            Part::End => {
                let _ = sender.send(part).await;
                return;
            }
            Part::Broken => {
                let _ = sender.send(part).await;
                // Of a chunked body that nobody reads any more actix would wait for the end without an
                // end; as long as it could be read, its connection is closed behind the answer.
                sender.closed().await;
                sleep(ANSWERED).await;
                return;
            }
        }
    }
}

/// Reads what is left of an upload that has its answer already, or will have none: a client that sends
/// everything before it reads would wait for ever.
async fn drain(mut payload: Payload, mut pace: Pace) {
    let mut left = pace.limits.bytes;
    while let Ok(Some(bytes)) = pace.next(&mut payload).await {
        left = left.saturating_sub(bytes.len() as u64);
        if left == 0 {
            return;
        }
    }
}

/// How an upload comes on. Only the time counts that it was waited for, not what scoring takes.
struct Pace {
    limits: UploadLimits,
    began: Instant,
    /// Of the present span.
    waited: Duration,
    bytes: usize,
}

impl Pace {
    fn new(limits: UploadLimits) -> Self {
        Self {
            limits,
            began: Instant::now(),
            waited: Duration::ZERO,
            bytes: 0,
        }
    }

    /// Waits for the next part; nothing at the end.
    ///
    /// # Errors
    /// Status 408 when it comes too slowly, 400 when the transfer breaks off.
    async fn next(&mut self, payload: &mut Payload) -> Result<Option<Bytes>, Problem> {
        let (began, limits) = (Instant::now(), self.limits);
        let left = limits.time.saturating_sub(self.began.elapsed());
        if left.is_zero() {
            return Err(self.too_late(Duration::ZERO));
        }
        let next = poll_fn(|context| Pin::new(&mut *payload).poll_next(context));
        let part = timeout(left.min(limits.pause), next).await;
        let part = part.map_err(|_| self.too_late(began.elapsed()))?;
        let part = part.transpose().map_err(|error| {
            tracing::debug!(%error, "an upload cannot be read");
            broken_off()
        })?;
        self.waited += began.elapsed();
        self.bytes += part.as_ref().map_or(0, Bytes::len);
        self.check_rate()?;
        Ok(part)
    }

    fn too_late(&self, waited: Duration) -> Problem {
        let (most, waited) = (self.limits.time, waited.as_secs_f64());
        if self.began.elapsed() >= most {
            return too_slow(format!(
                "has not ended within {} seconds",
                most.as_secs_f64()
            ));
        }
        too_slow(format!("stood still for {waited:.1} seconds"))
    }

    fn check_rate(&mut self) -> Result<(), Problem> {
        let seconds = self.waited.as_secs_f64();
        if self.waited < self.limits.span {
            return Ok(());
        }
        let (bytes, rate) = (self.bytes, self.limits.rate);
        if (bytes as f64) < rate * seconds {
            return Err(too_slow(format!(
                "had {bytes} bytes in {seconds:.1} seconds, less than {rate} a second"
            )));
        }
        (self.waited, self.bytes) = (Duration::ZERO, 0);
        Ok(())
    }
}

fn too_slow(how: String) -> Problem {
    Problem::new(
        StatusCode::REQUEST_TIMEOUT,
        format!("the upload {how}: send it again, or in parts"),
    )
}

fn broken_off() -> Problem {
    Problem::bad_request("the upload breaks off before its end: send it again")
}
