//! A body, spooled to a temporary file: taken up where it broke off, and checked.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    time::Duration,
};

use artifact::clock::Stopwatch;
use dataset::SourceError;
use ureq::http::{HeaderMap, header};
use url::Url;

use super::{
    address::Address,
    client::{Answer, Client, Trouble},
};

/// What a server gave, whole.
pub(super) struct Download {
    pub file: File,
    /// Where redirects have led.
    pub url: Url,
    pub headers: HeaderMap,
}

/// A server is given up that sends less than this in each time limit.
const LEAST_BYTES: u64 = 1 << 10;
const BUFFER_BYTES: usize = 1 << 16;

/// How much a server may take: of time for each part, and of room for all.
#[derive(Clone, Copy)]
pub(super) struct Limits {
    pub time: Duration,
    pub bytes: u64,
}

impl Limits {
    pub(super) fn of(address: &Address) -> Self {
        Self {
            time: address.time_limit,
            bytes: address.size_limit,
        }
    }

    /// Says that something is larger than may be.
    pub(super) fn too_large(&self) -> String {
        format!(
            "it is larger than {} MiB: #size_limit=MIB in the address lets more pass",
            self.bytes >> 20
        )
    }
}

/// What a server gave when it was asked for what has changed.
pub(super) enum Answered {
    Whole(Download),
    /// What was there before still stands; where redirects have led.
    Unchanged(Url),
}

/// Downloads what a URL names.
pub(super) fn download(
    client: &mut Client,
    url: &Url,
    limits: Limits,
) -> Result<Download, SourceError> {
    let file = tempfile::tempfile().map_err(|e| client.unavailable(no_spool(&e)))?;
    match download_if(client, url, limits, file, &[])? {
        Answered::Whole(download) => Ok(download),
        Answered::Unchanged(_) => {
            Err(client.unavailable("it answers 304, which was not asked for"))
        }
    }
}

/// Downloads what a URL names into a file, unless the server says that it is what some headers tell of. A
/// file that breaks off is continued where the server lets it be told that it is still the same, and
/// begun anew elsewhere.
pub(super) fn download_if(
    client: &mut Client,
    url: &Url,
    limits: Limits,
    file: File,
    conditions: &[(&str, &str)],
) -> Result<Answered, SourceError> {
    let mut spool = Spool {
        file,
        limits,
        n_bytes: 0,
        version: None,
        total: None,
    };
    let (mut failed, mut furthest) = (0, 0);
    loop {
        let trouble = match spool.request(client, url, conditions) {
            Err(trouble) => trouble,
            Ok(answer) if answer.status == 304 && !conditions.is_empty() => {
                return Ok(Answered::Unchanged(answer.url));
            }
            Ok(answer) => {
                let (url, headers) = (answer.url.clone(), answer.headers.clone());
                match spool.fill(answer) {
                    Ok(()) => return spool.finish(client, url, headers).map(Answered::Whole),
                    Err(trouble) => trouble,
                }
            }
        };
        if spool.n_bytes > furthest {
            (failed, furthest) = (0, spool.n_bytes);
        }
        client.recover(trouble, &mut failed)?;
    }
}

struct Spool {
    file: File,
    limits: Limits,
    n_bytes: u64,
    /// What tells the server whether what is there belongs to what it has.
    version: Option<String>,
    /// How many bytes there are in all, as far as the server has said.
    total: Option<u64>,
}

impl Spool {
    fn request(
        &mut self,
        client: &mut Client,
        url: &Url,
        conditions: &[(&str, &str)],
    ) -> Result<Answer, Trouble> {
        let range = format!("bytes={}-", self.n_bytes);
        match &self.version {
            Some(version) if self.n_bytes > 0 => {
                client.ask(url, &[("range", &range), ("if-range", version)])
            }
            _ => client.ask(url, conditions),
        }
    }

    /// Takes the body of an answer; it is whole when there is no trouble.
    fn fill(&mut self, answer: Answer) -> Result<(), Trouble> {
        let part = Part::of(&answer.headers);
        match (answer.status, part) {
            (206, Some(part)) if self.continues(part, &answer.headers) => {}
            // The answer broke off behind its last byte.
            (
                416,
                Some(Part {
                    total: Some(total), ..
                }),
            ) if total == self.n_bytes => return Ok(()),
            (206 | 304 | 416, _) => {
                self.version = None;
                let status = answer.status;
                return Err(Trouble::passing(format!(
                    "it answers {status}, which was not asked for"
                )));
            }
            _ => self
                .restart(&answer)
                .map_err(|e| Trouble::lasting(no_spool(&e)))?,
        }
        if self.total.is_some_and(|total| total > self.limits.bytes) {
            return Err(Trouble::lasting(self.limits.too_large()));
        }
        self.write(answer.body)?;
        match part.and_then(|part| part.total) {
            Some(total) if answer.status == 206 && self.n_bytes < total => Err(Trouble::passing(
                format!("it gave {} of {total} bytes", self.n_bytes),
            )),
            _ => Ok(()),
        }
    }

    /// Returns whether a part is that of what is there: not every server heeds what it was asked with.
    fn continues(&self, part: Part, headers: &HeaderMap) -> bool {
        let is_as_long = match (part.total, self.total) {
            (Some(total), Some(first)) => total == first,
            _ => true,
        };
        part.first == Some(self.n_bytes) && is_as_long && version(headers) == self.version
    }

    fn write(&mut self, mut body: Box<dyn Read + Send>) -> Result<(), Trouble> {
        let time_limit = self.limits.time;
        let mut buffer = vec![0; BUFFER_BYTES];
        let (mut lap, mut in_lap) = (Stopwatch::start(), 0);
        loop {
            let n = body
                .read(&mut buffer)
                .map_err(|e| Trouble::of_body(&e, time_limit))?;
            if n == 0 {
                return Ok(());
            }
            if self.n_bytes + n as u64 > self.limits.bytes {
                return Err(Trouble::lasting(self.limits.too_large()));
            }
            let written = self.file.write_all(&buffer[..n]);
            written.map_err(|e| Trouble::lasting(no_spool(&e)))?;
            self.n_bytes += n as u64;
            in_lap += n as u64;
            if lap.seconds() < time_limit.as_secs_f64() {
                continue;
            }
            if in_lap < LEAST_BYTES {
                return Err(Trouble::lasting(format!(
                    "{in_lap} bytes came in {} s: it is too slow; #time_limit=SECONDS gives it more time",
                    time_limit.as_secs()
                )));
            }
            (lap, in_lap) = (Stopwatch::start(), 0);
        }
    }

    fn restart(&mut self, answer: &Answer) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.n_bytes = 0;
        self.version = version(&answer.headers);
        let length = answer.headers.get(header::CONTENT_LENGTH);
        self.total = length.and_then(|n| n.to_str().ok()?.parse().ok());
        Ok(())
    }

    fn finish(
        mut self,
        client: &Client,
        url: Url,
        headers: HeaderMap,
    ) -> Result<Download, SourceError> {
        self.file
            .seek(SeekFrom::Start(0))
            .map_err(|e| client.unavailable(no_spool(&e)))?;
        Ok(Download {
            file: self.file,
            url,
            headers,
        })
    }
}

/// What `Content-Range` says: the first byte, and how many there are in all.
#[derive(Clone, Copy)]
struct Part {
    first: Option<u64>,
    total: Option<u64>,
}

impl Part {
    /// Reads `bytes 500-999/1234`, of which each number may be missing.
    fn of(headers: &HeaderMap) -> Option<Self> {
        let text = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
        let (range, total) = text.strip_prefix("bytes ")?.split_once('/')?;
        let first = range
            .split_once('-')
            .and_then(|(first, _)| first.parse().ok());
        Some(Self {
            first,
            total: total.parse().ok(),
        })
    }
}

/// Returns what a part may be asked for by: a strong ETag, or the time of the last change.
fn version(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let etag = text(header::ETAG).filter(|etag| !etag.starts_with("W/"));
    etag.or_else(|| text(header::LAST_MODIFIED))
        .map(str::to_owned)
}

pub(super) fn no_spool(error: &io::Error) -> String {
    crate::spool::no_room("the download", error)
}
