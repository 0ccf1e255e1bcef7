//! An object, spooled to a temporary file: its parts side by side, all of the same version, and checked.

use std::{
    fs::File,
    io::{self, Read as _, Seek as _, SeekFrom, Write as _},
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use artifact::clock::Stopwatch;
use aws_sdk_s3::primitives::ByteStream;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use tokio::{task::JoinSet, time::timeout};

use super::{
    connection::Store,
    object::{CHANGED, Content},
};
use crate::{
    aws::chain,
    failure::{Cause, Trouble},
};

/// Bytes that are asked for at once.
pub(super) const PART_BYTES: u64 = 8 << 20;
/// Parts that come side by side.
const ABREAST: usize = 4;
/// How often an object is begun anew that changes while it is read.
const BEGINNINGS: u32 = 3;
/// A server is given up that sends less than this in each time limit.
const LEAST_BYTES: u64 = 1 << 10;

/// Downloads an object of at most `most` bytes; one that changes meanwhile is begun anew, so that no file is of two
/// versions.
pub(super) async fn download(store: Store, key: String, most: u64) -> Result<File, Trouble> {
    let mut beginnings = 1;
    loop {
        match attempt(&store, &key, most).await {
            Err(trouble) if trouble.cause == Cause::Changed && beginnings < BEGINNINGS => {
                tracing::warn!(key, reason = trouble.reason, "changed, reading it anew");
                beginnings += 1;
            }
            outcome => return outcome,
        }
    }
}

async fn attempt(store: &Store, key: &str, most: u64) -> Result<File, Trouble> {
    let (content, body) = store.open(key).await?;
    if content.n_bytes > most {
        let reason = format!("it has {} bytes, at most {most} are read", content.n_bytes);
        return Err(store.trouble(&format!("read `{key}`"), Cause::Refused, reason));
    }
    let file = tempfile::tempfile().map_err(|e| no_spool(store, key, &e))?;
    let spool = Spool {
        store: store.clone(),
        content: Arc::new(content),
        file: Arc::new(Mutex::new(file)),
    };
    spool.fill(body).await?;
    tokio::task::spawn_blocking(move || spool.finish())
        .await
        .map_err(|e| store.trouble(&format!("check `{key}`"), Cause::Refused, e.to_string()))?
}

#[derive(Clone)]
struct Spool {
    store: Store,
    content: Arc<Content>,
    file: Arc<Mutex<File>>,
}

impl Spool {
    /// Reads all parts; the first comes with the answer that says what the object is.
    async fn fill(&self, body: ByteStream) -> Result<(), Trouble> {
        let n_bytes = self.content.n_bytes;
        let starts = (0..n_bytes.max(1)).step_by(PART_BYTES as usize);
        let mut parts = starts.map(|first| first..n_bytes.min(first + PART_BYTES));
        let (mut body, mut tasks) = (Some(body), JoinSet::new());
        loop {
            while tasks.len() < ABREAST
                && let Some(part) = parts.next()
            {
                let (spool, body) = (self.clone(), body.take());
                tasks.spawn(async move { spool.read(part, body).await });
            }
            match tasks.join_next().await {
                None => return Ok(()),
                Some(Ok(outcome)) => outcome?,
                Some(Err(e)) => return Err(self.trouble(Cause::Refused, e.to_string())),
            }
        }
    }

    /// Reads a part, from where it has come to whenever it breaks off.
    async fn read(&self, part: Range<u64>, mut body: Option<ByteStream>) -> Result<(), Trouble> {
        let (mut at, mut failed) = (part.start, 0);
        loop {
            let before = at;
            let body = match body.take() {
                Some(body) => Ok(body),
                None => self.store.open_part(&self.content, at, part.end).await,
            };
            let outcome = match body {
                Ok(body) => self.drain(body, &mut at, part.end).await,
                Err(trouble) => Err(trouble),
            };
            let Err(trouble) = outcome else {
                return Ok(());
            };
            if at > before {
                failed = 0;
            }
            self.store.wait(trouble, &mut failed).await?;
        }
    }

    /// Reads to the end of a part, and no further: the whole is checked once it is there.
    async fn drain(&self, mut body: ByteStream, at: &mut u64, end: u64) -> Result<(), Trouble> {
        let limit = self.store.address.time_limit;
        let (mut lap, mut in_lap) = (Stopwatch::start(), 0);
        while *at < end {
            if lap.seconds() >= limit.as_secs_f64() {
                if in_lap < LEAST_BYTES {
                    let reason = format!("{in_lap} bytes came in {} s", limit.as_secs());
                    return Err(self.trouble(Cause::TimedOut, reason));
                }
                (lap, in_lap) = (Stopwatch::start(), 0);
            }
            let bytes = match timeout(limit, body.next()).await {
                Ok(Some(Ok(bytes))) => bytes,
                Ok(Some(Err(error))) => {
                    let reason = format!("the answer broke off: {}", chain(&error));
                    return Err(self.trouble(Cause::Interrupted, reason));
                }
                Ok(None) => {
                    let reason = format!("the answer broke off at byte {at} of {end}");
                    return Err(self.trouble(Cause::Interrupted, reason));
                }
                Err(_) => return Err(self.store.no_answer(&self.asked())),
            };
            let n = (bytes.len() as u64).min(end - *at);
            self.write(*at, &bytes[..n as usize])?;
            *at += n;
            in_lap += n;
        }
        Ok(())
    }

    fn write(&self, at: u64, bytes: &[u8]) -> Result<(), Trouble> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let sought = file.seek(SeekFrom::Start(at));
        sought
            .and_then(|_| file.write_all(bytes))
            .map_err(|e| no_spool(&self.store, &self.content.key, &e))
    }

    /// Checks what has come, and gives it from its beginning.
    fn finish(self) -> Result<File, Trouble> {
        let no_spool = |e: &io::Error| no_spool(&self.store, &self.content.key, e);
        let file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        let mut file = file.try_clone().map_err(|e| no_spool(&e))?;
        let n_bytes = file.metadata().map_err(|e| no_spool(&e))?.len();
        if n_bytes != self.content.n_bytes {
            let reason = format!("{n_bytes} of {} bytes came", self.content.n_bytes);
            return Err(self.trouble(Cause::Refused, reason));
        }
        file.seek(SeekFrom::Start(0)).map_err(|e| no_spool(&e))?;
        let Some((algorithm, expected)) = &self.content.checksum else {
            return Ok(file);
        };
        let mut checksum = algorithm.into_impl();
        let mut buffer = vec![0; 1 << 16];
        loop {
            match file.read(&mut buffer).map_err(|e| no_spool(&e))? {
                0 => break,
                n => checksum.update(&buffer[..n]),
            }
        }
        let found = STANDARD.encode(checksum.finalize());
        if found != *expected {
            let name = algorithm.as_str();
            let reason =
                format!("its {name} is {found}, not {expected}: it is damaged ({CHANGED})");
            return Err(self.trouble(Cause::Changed, reason));
        }
        file.seek(SeekFrom::Start(0)).map_err(|e| no_spool(&e))?;
        Ok(file)
    }

    fn asked(&self) -> String {
        format!("read `{}`", self.content.key)
    }

    fn trouble(&self, cause: Cause, reason: impl Into<String>) -> Trouble {
        self.store.trouble(&self.asked(), cause, reason)
    }
}

fn no_spool(store: &Store, key: &str, error: &io::Error) -> Trouble {
    let reason = crate::spool::no_room("the download", error);
    store.trouble(&format!("read `{key}`"), Cause::Refused, reason)
}
