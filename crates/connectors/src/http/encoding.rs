//! What was packed for the way, unpacked into a file.

use std::{
    fs::File,
    io::{self, Read, Seek as _, SeekFrom},
};

use dataset::SourceError;
use ureq::http::{HeaderMap, header};

use super::{
    client::Client,
    download::{Download, Limits},
};

/// Unpacks a download that its server has packed for the way (`Content-Encoding`).
pub(super) fn decoded(
    client: &Client,
    download: Download,
    limits: Limits,
) -> Result<Download, SourceError> {
    match coding(&download.headers).as_deref() {
        None => return Ok(download),
        Some("gzip" | "x-gzip") => {}
        Some(other) => {
            let reason = format!("it is packed with `{other}`, which was not asked for");
            return Err(client.malformed(reason));
        }
    }
    let unpack = || {
        let length = download.file.metadata()?.len();
        let text = formats::unpacked(download.file.try_clone()?)?;
        spooled(text, length, limits)
    };
    let file = unpack().map_err(|e| client.malformed(format!("its gzip does not unpack: {e}")))?;
    Ok(Download { file, ..download })
}

/// Returns whether a server has packed something for the way.
pub(super) fn is_packed(headers: &HeaderMap) -> bool {
    coding(headers).is_some()
}

fn coding(headers: &HeaderMap) -> Option<String> {
    let name = headers.get(header::CONTENT_ENCODING)?;
    let name = name.to_str().unwrap_or_default().trim().to_lowercase();
    (!["", "identity"].contains(&name.as_str())).then_some(name)
}

/// Copies what so many packed bytes stand for into a file; the sizes that they state are not believed.
pub(super) fn spooled(mut text: impl Read, packed: u64, limits: Limits) -> io::Result<File> {
    let believable = formats::believable_bytes(packed);
    let most = believable.min(limits.bytes);
    let mut file = tempfile::tempfile()?;
    let n = io::copy(&mut text.by_ref().take(most), &mut file)?;
    if n == most && text.read(&mut [0])? > 0 {
        let reason = match most < believable {
            true => limits.too_large(),
            false => {
                let mib = most >> 20;
                format!("it unpacks to more than {mib} MiB, far more than rows do")
            }
        };
        return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
    }
    file.seek(SeekFrom::Start(0))?;
    Ok(file)
}
