//! A body, spooled to a temporary file: taken up where it broke off, and checked.

use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
};

use artifact::clock::Stopwatch;
use dataset::SourceError;
use ureq::http::{HeaderMap, header};
use url::Url;

use super::client::{Answer, Client, Trouble};

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

/// Downloads what a URL names. A file that breaks off is continued where the server lets it be told
/// that it is still the same, and begun anew elsewhere.
pub(super) fn download(
    client: &mut Client,
    url: &Url,
    time_limit: std::time::Duration,
) -> Result<Download, SourceError> {
    let file = tempfile::tempfile().map_err(|e| client.unavailable(no_spool(&e)))?;
    let mut spool = Spool {
        file,
        n_bytes: 0,
        version: None,
    };
    let mut failed = 0;
    loop {
        let before = spool.n_bytes;
        let trouble = match spool.request(client, url) {
            Err(trouble) => trouble,
            Ok(answer) => {
                let (url, headers) = (answer.url.clone(), answer.headers.clone());
                match spool.fill(answer, time_limit) {
                    Ok(()) => return spool.finish(client, url, headers),
                    Err(trouble) => trouble,
                }
            }
        };
        if spool.n_bytes > before {
            failed = 0;
        }
        client.recover(trouble, &mut failed)?;
    }
}

struct Spool {
    file: File,
    n_bytes: u64,
    /// What tells the server whether what is there belongs to what it has.
    version: Option<String>,
}

impl Spool {
    fn request(&mut self, client: &mut Client, url: &Url) -> Result<Answer, Trouble> {
        let range = format!("bytes={}-", self.n_bytes);
        match &self.version {
            Some(version) if self.n_bytes > 0 => {
                client.ask(url, &[("range", &range), ("if-range", version)])
            }
            _ => client.ask(url, &[]),
        }
    }

    fn fill(&mut self, answer: Answer, time_limit: std::time::Duration) -> Result<(), Trouble> {
        if !self.continues(&answer) {
            self.restart(&answer)
                .map_err(|e| Trouble::lasting(no_spool(&e)))?;
        }
        let mut body = answer.body;
        let mut buffer = vec![0; BUFFER_BYTES];
        let (mut lap, mut in_lap) = (Stopwatch::start(), 0);
        loop {
            let n = body.read(&mut buffer).map_err(|e| Trouble::of_body(&e))?;
            if n == 0 {
                return Ok(());
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

    /// Returns whether an answer goes on behind what is there.
    fn continues(&self, answer: &Answer) -> bool {
        let range = answer.headers.get(header::CONTENT_RANGE);
        let range = range
            .and_then(|range| range.to_str().ok())
            .unwrap_or_default();
        answer.status == 206 && range.starts_with(&format!("bytes {}-", self.n_bytes))
    }

    fn restart(&mut self, answer: &Answer) -> io::Result<()> {
        self.file.set_len(0)?;
        self.file.seek(SeekFrom::Start(0))?;
        self.n_bytes = 0;
        self.version = version(&answer.headers);
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

/// Returns what a part may be asked for by: a strong ETag, or the time of the last change.
fn version(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let etag = text(header::ETAG).filter(|etag| !etag.starts_with("W/"));
    etag.or_else(|| text(header::LAST_MODIFIED))
        .map(str::to_owned)
}

pub(super) fn no_spool(error: &io::Error) -> String {
    let folder = std::env::temp_dir();
    format!(
        "cannot keep the download in a temporary file in {}: {error}: make room there, or set TMPDIR to \
         another folder",
        folder.display()
    )
}
