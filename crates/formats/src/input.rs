//! Streams of bytes before any format looks at them: files, gzip, byte order marks, foreign formats.

use std::{
    fs::File,
    io::{self, BufRead as _, BufReader, Cursor, Read},
    path::Path,
};

use dataset::SourceError;
use flate2::bufread::GzDecoder;

/// What begins UTF-8 text of some programs.
const BYTE_ORDER_MARK: &[u8] = &[0xef, 0xbb, 0xbf];
/// Bytes that tell what is no table of text.
const HEAD_BYTES: u64 = 64;

pub(crate) type Bytes = Box<dyn Read + Send>;

/// Text up to here is taken whatever it was compressed to.
pub(crate) const TRUSTED_BYTES: u64 = 64 << 20;
/// Beyond that, how many bytes of text a byte of gzip may stand for. Tables of numbers reach 20, a
/// long run of equal rows 300 and gzip itself 1,032.
const MAX_RATIO: u64 = 200;

/// Returns how many bytes so many packed ones are believed to stand for: more is an attack, or a mistake.
pub fn believable_bytes(packed: u64) -> u64 {
    TRUSTED_BYTES.max(packed.saturating_mul(MAX_RATIO))
}

/// Opens a regular file.
pub(crate) fn open_file(path: &Path, location: &str) -> Result<File, SourceError> {
    let fail = |e: io::Error| unavailable(location, &e);
    let file = File::open(path).map_err(fail)?;
    if file.metadata().map_err(fail)?.is_dir() {
        return Err(SourceError::Unavailable {
            location: location.to_owned(),
            reason: "it is a directory: name a file in it".to_owned(),
        });
    }
    Ok(file)
}

/// Prepares text: decompressed, without a byte order mark, known to have at least one byte.
pub(crate) fn text(reader: Bytes, location: &str) -> Result<Bytes, SourceError> {
    let (mut head, mut reader) = peek(reader, location)?;
    if is_gzip(&head) {
        (head, reader) = peek(Box::new(Unpacked::new(reader)), location)?;
    }
    if let Some(reason) = foreign(&head) {
        return Err(malformed(location, reason));
    }
    let has_mark = head.starts_with(BYTE_ORDER_MARK);
    if has_mark {
        reader
            .read_exact(&mut [0; 3])
            .map_err(|e| failed(location, &e))?;
    }
    if head.is_empty() || (has_mark && head.len() == 3) {
        return Err(malformed(location, "it is empty"));
    }
    Ok(reader)
}

/// Refuses what is no gzip. Foreign formats are told by [`text`], as is that there is nothing.
pub(crate) fn gzip_alone(reader: Bytes, location: &str) -> Result<Bytes, SourceError> {
    let (head, reader) = peek(reader, location)?;
    if head.is_empty() || is_gzip(&head) || foreign(&head).is_some() {
        return Ok(reader);
    }
    let reason = "it is to be gzip, as .gz says, but is none: it is spoiled, or something else was put there; what is not \
                  compressed goes without .gz";
    Err(malformed(location, reason))
}

fn is_gzip(head: &[u8]) -> bool {
    head.starts_with(&[0x1f, 0x8b])
}

/// Returns what gzip holds, and what is no gzip as it is.
///
/// # Errors
/// What the reader fails with; what is given back fails beyond [`believable_bytes`].
pub fn unpacked(reader: impl Read + Send + 'static) -> io::Result<Box<dyn Read + Send>> {
    let mut reader = BufReader::with_capacity(1 << 16, reader);
    Ok(match is_gzip(reader.fill_buf()?) {
        true => Box::new(Unpacked::new(Box::new(reader))),
        false => Box::new(reader),
    })
}

/// Reads everything into memory.
pub(crate) fn all(mut reader: Bytes, location: &str) -> Result<Vec<u8>, SourceError> {
    let mut bytes = Vec::new();
    reader
        .read_to_end(&mut bytes)
        .map_err(|e| failed(location, &e))?;
    Ok(bytes)
}

/// Looks at the first bytes; the reader that is given back starts with them again.
fn peek(mut reader: Bytes, location: &str) -> Result<(Vec<u8>, Bytes), SourceError> {
    let mut head = Vec::new();
    reader
        .by_ref()
        .take(HEAD_BYTES)
        .read_to_end(&mut head)
        .map_err(|e| failed(location, &e))?;
    let whole = Cursor::new(head.clone()).chain(reader);
    Ok((head, Box::new(whole)))
}

/// Returns whether a text begins as web pages do.
fn is_page(head: &[u8]) -> bool {
    let text = head.strip_prefix(BYTE_ORDER_MARK).unwrap_or(head);
    let text = text.trim_ascii_start().to_ascii_lowercase();
    [&b"<!doctype html"[..], b"<html"]
        .iter()
        .any(|beginning| text.starts_with(beginning))
}

fn foreign(head: &[u8]) -> Option<&'static str> {
    if is_page(head) {
        return Some(
            "it is a web page (HTML): one to log in at, or that says what is wrong; look at it in a browser",
        );
    }

    let known: [(&[u8], &str); 5] = [
        (
            b"PAR1",
            "it is a Parquet file: give it a name that ends with .parquet",
        ),
        (
            b"PK\x03\x04",
            "it is a ZIP archive: unpack it first, or write #format=zip behind a web address",
        ),
        (
            &[0x28, 0xb5, 0x2f, 0xfd],
            "it is compressed with zstd: use gzip or none",
        ),
        (&[0xff, 0xfe], "it is UTF-16 text: convert it to UTF-8"),
        (&[0xfe, 0xff], "it is UTF-16 text: convert it to UTF-8"),
    ];
    known
        .iter()
        .find(|(magic, _)| head.starts_with(magic))
        .map(|(_, reason)| *reason)
}

/// Tells damage of the content from trouble on the way to it.
pub(crate) fn failed(location: &str, error: &io::Error) -> SourceError {
    match error.kind() {
        // What does not unpack; the library tells it in words of its own.
        io::ErrorKind::InvalidInput => {
            malformed(location, "damaged or cut short: its gzip does not unpack")
        }
        io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof => {
            malformed(location, &format!("damaged or cut short: {error}"))
        }
        _ => unavailable(location, error),
    }
}

pub(crate) fn malformed(location: &str, reason: &str) -> SourceError {
    SourceError::Malformed {
        location: location.to_owned(),
        reason: reason.to_owned(),
    }
}

fn unavailable(location: &str, error: &io::Error) -> SourceError {
    SourceError::Unavailable {
        location: location.to_owned(),
        reason: format!("{error}{}", artifact::remedy(error)),
    }
}

/// Text out of one gzip stream after another, refused once it has grown beyond what tables of records do.
struct Unpacked {
    /// The present stream; none behind the last one.
    decoder: Option<GzDecoder<Packed>>,
    n_bytes: u64,
}

type Packed = BufReader<Counted>;

struct Counted {
    inner: Bytes,
    n_bytes: u64,
}

impl Unpacked {
    fn new(inner: Bytes) -> Self {
        let packed = BufReader::with_capacity(1 << 16, Counted { inner, n_bytes: 0 });
        Self {
            decoder: Some(GzDecoder::new(packed)),
            n_bytes: 0,
        }
    }

    fn check_growth(&self) -> io::Result<()> {
        let packed = self
            .decoder
            .as_ref()
            .map_or(0, |d| d.get_ref().get_ref().n_bytes);
        if self.n_bytes <= believable_bytes(packed) {
            return Ok(());
        }
        let (text, packed) = (self.n_bytes >> 20, packed >> 10);
        Err(damage(format!(
            "{packed} KiB of gzip unpack to more than {text} MiB, over {MAX_RATIO} times as much: \
             unpack it first if that is meant"
        )))
    }
}

impl Read for Unpacked {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = self.decoder.as_mut() {
            let n = decoder.read(buffer)?;
            if n > 0 || buffer.is_empty() {
                self.n_bytes += n as u64;
                self.check_growth()?;
                return Ok(n);
            }
            let ended = self.decoder.take().map(GzDecoder::into_inner);
            self.decoder = ended.map(next_stream).transpose()?.flatten();
        }
        Ok(0)
    }
}

/// Returns the gzip stream that follows one that has ended, if any does; zeros are padding, as for gzip.
fn next_stream(mut packed: Packed) -> io::Result<Option<GzDecoder<Packed>>> {
    loop {
        let ahead = packed.fill_buf()?;
        let zeros = ahead.iter().take_while(|byte| **byte == 0).count();
        match ahead.get(zeros) {
            None if zeros == 0 => return Ok(None),
            None => packed.consume(zeros),
            Some(0x1f) => {
                packed.consume(zeros);
                return Ok(Some(GzDecoder::new(packed)));
            }
            Some(_) => {
                return Err(damage(
                    "bytes that are no gzip follow the end of its gzip stream: cut them off, or \
                     unpack it first"
                        .to_owned(),
                ));
            }
        }
    }
}

fn damage(reason: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.n_bytes += n as u64;
        Ok(n)
    }
}
