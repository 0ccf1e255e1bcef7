//! Uploads as a blocking reader has them: what the network gives, no faster than it is read.

use std::{
    io::{self, Read},
    pin::Pin,
    time::Duration,
};

use actix_web::{
    rt::{self, time::timeout},
    web::{Bytes, Payload},
};
use futures_core::Stream as _;
use tokio::sync::mpsc::{Receiver, Sender, channel};

/// Parts that wait to be read; each has at most some ten KiB.
const WAITING: usize = 16;

/// The reading end of an upload.
pub struct Upload {
    parts: Receiver<Part>,
    current: Bytes,
    has_ended: bool,
    left: u64,
}

/// A part of an upload, or how it has ended.
enum Part {
    Bytes(Bytes),
    End,
    Broken(io::Error),
}

impl Upload {
    /// Starts to take an upload of at most so many bytes, whose parts follow each other within a time.
    pub fn start(payload: Payload, limit: u64, time: Duration) -> Self {
        let (sender, parts) = channel(WAITING);
        rt::spawn(pass_on(payload, sender, time));
        Self {
            parts,
            current: Bytes::new(),
            has_ended: false,
            left: limit,
        }
    }

    fn next_part(&mut self) -> io::Result<bool> {
        if self.has_ended {
            return Ok(false);
        }
        match self.parts.blocking_recv() {
            Some(Part::Bytes(bytes)) => {
                self.left = self
                    .left
                    .checked_sub(bytes.len() as u64)
                    .ok_or_else(|| io::Error::other("it is larger than allowed"))?;
                self.current = bytes;
                Ok(true)
            }
            Some(Part::End) => {
                self.has_ended = true;
                Ok(false)
            }
            Some(Part::Broken(error)) => Err(error),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
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

async fn pass_on(mut payload: Payload, sender: Sender<Part>, time: Duration) {
    loop {
        let next = std::future::poll_fn(|context| Pin::new(&mut payload).poll_next(context));
        let part = match timeout(time, next).await {
            Ok(Some(Ok(bytes))) => Part::Bytes(bytes),
            Ok(Some(Err(error))) => Part::Broken(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                error.to_string(),
            )),
            Ok(None) => Part::End,
            Err(_) => Part::Broken(io::ErrorKind::TimedOut.into()),
        };
        let is_last = !matches!(part, Part::Bytes(_));
        // A reader that went away has its answer already.
        if sender.send(part).await.is_err() || is_last {
            return;
        }
    }
}
