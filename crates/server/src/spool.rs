//! An answer that is written faster than it is read: a little in memory, the rest in a file.
//!
//! Many clients send all of their request before they read any of the answer. If the answer had to
//! wait for them, both would wait for ever.

use std::{
    collections::VecDeque,
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError, Weak},
    task::{Context, Poll, Waker},
    time::Duration,
};

use actix_web::{
    body::{BodySize, MessageBody},
    http::StatusCode,
    rt::{self, time::sleep},
    web::Bytes,
};

use crate::{problem::Problem, slots::Slot};

/// Bytes in memory at most; beyond them a file is begun.
const IN_MEMORY: usize = 4 << 20;
/// Bytes that are read from the file at a time.
const PIECE: usize = 1 << 16;

/// The writing end.
pub struct SpoolWriter(Arc<Mutex<Spool>>);

/// The reading end: the body of an answer.
pub struct SpoolBody(Arc<Mutex<Spool>>);

/// Makes both ends of a spool that takes so many unread bytes.
pub fn spool(limit: u64) -> (SpoolWriter, SpoolBody) {
    let spool = Arc::new(Mutex::new(Spool {
        memory: VecDeque::new(),
        held: 0,
        file: None,
        limit,
        end: None,
        reader: None,
        n_read: 0,
        is_abandoned: false,
        slot: None,
    }));
    (SpoolWriter(Arc::clone(&spool)), SpoolBody(spool))
}

struct Spool {
    memory: VecDeque<Bytes>,
    /// Bytes in memory.
    held: usize,
    file: Option<Overflow>,
    limit: u64,
    end: Option<Result<(), Problem>>,
    reader: Option<Waker>,
    /// Pieces that were read.
    n_read: u64,
    is_abandoned: bool,
    /// What the client has taken for as long as some of its answer is kept.
    slot: Option<Arc<Slot>>,
}

/// What did not fit in memory; it follows what is in memory. Its file has no name: a kill leaves nothing.
struct Overflow {
    file: File,
    written: u64,
    read: u64,
}

impl SpoolWriter {
    /// Fails when nobody reads any more, so that nothing is worked out for nobody.
    ///
    /// # Errors
    /// That nobody does.
    pub fn check_wanted(&self) -> Result<(), Problem> {
        match lock(&self.0).is_abandoned {
            true => Err(abandoned()),
            false => Ok(()),
        }
    }

    /// Adds a piece.
    ///
    /// # Errors
    /// When nobody reads any more; status 507 when too much is unread, or the disk is full.
    pub fn push(&self, piece: Vec<u8>) -> Result<(), Problem> {
        let mut spool = lock(&self.0);
        if spool.is_abandoned {
            return Err(abandoned());
        }
        let limit = spool.limit;
        let fits = spool.held + piece.len() <= IN_MEMORY;
        match &mut spool.file {
            Some(file) if file.read < file.written => file.push(&piece, limit)?,
            _ if fits => {
                spool.held += piece.len();
                spool.memory.push_back(piece.into());
            }
            _ => {
                let mut file = Overflow::new().map_err(|e| Problem::no_storage(&e))?;
                file.push(&piece, limit)?;
                spool.file = Some(file);
            }
        }
        wake(&mut spool);
        Ok(())
    }

    /// Ends the answer; one that has failed breaks off, so that nobody takes it for whole.
    pub fn finish(self, result: Result<(), Problem>) {
        let mut spool = lock(&self.0);
        spool.end = Some(result);
        wake(&mut spool);
    }
}

fn abandoned() -> Problem {
    Problem::bad_request("nobody reads the answer any more")
}

impl Drop for SpoolWriter {
    fn drop(&mut self) {
        let mut spool = lock(&self.0);
        spool
            .end
            .get_or_insert_with(|| Err(Problem::internal(&"an answer was not ended")));
        wake(&mut spool);
    }
}

impl Overflow {
    fn new() -> io::Result<Self> {
        Ok(Self {
            file: tempfile::tempfile()?,
            written: 0,
            read: 0,
        })
    }

    fn push(&mut self, piece: &[u8], limit: u64) -> Result<(), Problem> {
        let written = self.written + piece.len() as u64;
        if written - self.read > limit {
            return Err(Problem::new(
                StatusCode::INSUFFICIENT_STORAGE,
                "too much of the answer is unread: read it while you send",
            ));
        }
        let end = self.file.seek(SeekFrom::Start(self.written));
        let done = end.and_then(|_| self.file.write_all(piece));
        done.map_err(|e| Problem::no_storage(&e))?;
        self.written = written;
        Ok(())
    }

    fn next(&mut self) -> io::Result<Option<Bytes>> {
        let left = self.written - self.read;
        let mut piece = vec![0; PIECE.min(usize::try_from(left).unwrap_or(PIECE))];
        if piece.is_empty() {
            return Ok(None);
        }
        self.file.seek(SeekFrom::Start(self.read))?;
        self.file.read_exact(&mut piece)?;
        self.read += piece.len() as u64;
        Ok(Some(piece.into()))
    }
}

impl Spool {
    /// Gives back all that it takes.
    fn abandon(&mut self) {
        self.is_abandoned = true;
        self.memory.clear();
        self.held = 0;
        self.file = None;
        self.slot = None;
    }

    fn next(&mut self) -> io::Result<Option<Bytes>> {
        self.n_read += 1;
        if let Some(piece) = self.memory.pop_front() {
            self.held -= piece.len();
            return Ok(Some(piece));
        }
        let Some(file) = &mut self.file else {
            return Ok(None);
        };
        let piece = file.next()?;
        if file.read == file.written {
            self.file = None;
        }
        Ok(piece)
    }
}

impl SpoolBody {
    /// Keeps a slot for as long as the answer, and lets go of both once all is written and nobody has read any of it
    /// for so long. Before that a client may still be sending, and most read nothing meanwhile.
    pub fn keep(&self, slot: Arc<Slot>, pause: Duration) {
        lock(&self.0).slot = Some(slot);
        rt::spawn(let_go(Arc::downgrade(&self.0), pause));
    }

    /// Waits until something is there, or the end: the error of an answer that has failed before it
    /// has begun.
    pub async fn begun(&self) -> Result<(), Problem> {
        std::future::poll_fn(|context| {
            let mut spool = lock(&self.0);
            if !spool.memory.is_empty() || spool.file.is_some() {
                return Poll::Ready(Ok(()));
            }
            if let Some(end) = &spool.end {
                return Poll::Ready(end.clone());
            }
            spool.reader = Some(context.waker().clone());
            Poll::Pending
        })
        .await
    }
}

impl MessageBody for SpoolBody {
    type Error = io::Error;

    fn size(&self) -> BodySize {
        BodySize::Stream
    }

    fn poll_next(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, io::Error>>> {
        let mut spool = lock(&self.0);
        match spool.next() {
            Ok(Some(piece)) => return Poll::Ready(Some(Ok(piece))),
            Err(error) => return Poll::Ready(Some(Err(error))),
            Ok(None) => {}
        }
        match &spool.end {
            Some(Ok(())) => Poll::Ready(None),
            Some(Err(problem)) => Poll::Ready(Some(Err(io::Error::other(problem.to_string())))),
            None => {
                spool.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl Drop for SpoolBody {
    fn drop(&mut self) {
        lock(&self.0).abandon();
    }
}

async fn let_go(spool: Weak<Mutex<Spool>>, pause: Duration) {
    let mut seen = None;
    loop {
        sleep(pause).await;
        let Some(spool) = spool.upgrade() else {
            return;
        };
        let mut spool = lock(&spool);
        if spool.is_abandoned {
            return;
        }
        let now = spool.end.is_some().then_some(spool.n_read);
        if now.is_some() && now == seen {
            spool.end = Some(Err(Problem::bad_request("the answer was not read in time")));
            spool.abandon();
            return;
        }
        seen = now;
    }
}

fn lock(spool: &Mutex<Spool>) -> MutexGuard<'_, Spool> {
    spool.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wake(spool: &mut Spool) {
    if let Some(waker) = spool.reader.take() {
        waker.wake();
    }
}

#[cfg(test)]
mod tests;
