//! Downloads of earlier runs: a file that has not changed since is not transferred again.

use std::{
    fs::{self, File},
    io::{self, Seek as _},
    path::{Path, PathBuf},
};

use artifact::{Digest, create_directory, read_file, write_atomic};
use dataset::SourceError;
use serde::{Deserialize, Serialize};
use ureq::http::{HeaderMap, HeaderName, HeaderValue, header};
use url::Url;

use super::{
    client::Client,
    download::{Answered, Download, Limits, download, download_if},
};

/// Bytes that a directory holds at most; the oldest go first.
const MAX_BYTES: u64 = 4 << 30;
const MAX_NOTE_BYTES: u64 = 1 << 16;
/// Headers that say what a download is, which an answer without a body may leave out.
const TELLING: [HeaderName; 5] = [
    header::ETAG,
    header::LAST_MODIFIED,
    header::CONTENT_TYPE,
    header::CONTENT_DISPOSITION,
    header::CONTENT_ENCODING,
];

/// A directory of downloads: `KEY.body`, and `KEY.json` with what the server has said of it. The JSON is
/// written last and holds the digest of the body, so that the two belong together or count as absent.
pub(super) struct Kept {
    directory: PathBuf,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Note {
    /// Of the place to which redirects have led, without its query: signatures there change.
    place: Digest,
    headers: Vec<(String, String)>,
    body: Digest,
}

impl Kept {
    pub(super) fn in_directory(directory: &Path) -> Self {
        Self {
            directory: directory.to_owned(),
        }
    }

    /// Downloads what a URL names, or takes what is kept of it when the server says that it still stands;
    /// where its digest is known, only that is taken for it.
    pub(super) fn download(
        &self,
        client: &mut Client,
        url: &Url,
        limits: Limits,
        pinned: Option<Digest>,
    ) -> Result<Download, SourceError> {
        let key = Digest::of(format!("{}\0{url}", client.who(url)).as_bytes()).to_string();
        let Ok(spool) = self.spool() else {
            return download(client, url, limits);
        };
        let (file, place) = spool.into_parts();
        let may_pass = |file: &File| file.metadata().is_ok_and(|m| m.len() <= limits.bytes);
        let is_meant = |note: &Note| pinned.is_none_or(|digest| digest == note.body);
        let known = self.look_up(&key);
        let known = known.filter(|(note, file)| is_meant(note) && may_pass(file));
        let conditions = known
            .as_ref()
            .map_or(Vec::new(), |(note, _)| note.conditions());
        let answered = download_if(client, url, limits, file, &conditions)?;
        let mut new = match (answered, &known) {
            (Answered::Unchanged(at), Some((note, _))) if note.place == place_of(&at) => {
                let (note, file) = known.expect("it was there above");
                tracing::info!(
                    bytes = file.metadata().map_or(0, |f| f.len()),
                    "download unchanged"
                );
                return Ok(note.download(file, at));
            }
            // Another file that goes by the same ETag.
            (Answered::Unchanged(_), _) => return download(client, url, limits),
            (Answered::Whole(new), _) => new,
        };
        if may_be_kept(&new.headers)
            && let Err(error) = self.keep(&key, &mut new, place)
        {
            tracing::warn!(directory = %self.directory.display(), %error, "download not kept");
        }
        Ok(new)
    }

    /// Makes a file beside those that are kept, which becomes one of them without being copied.
    fn spool(&self) -> io::Result<tempfile::NamedTempFile> {
        create_directory(&self.directory).map_err(io::Error::other)?;
        tempfile::NamedTempFile::new_in(&self.directory)
    }

    fn path(&self, key: &str, ending: &str) -> PathBuf {
        self.directory.join(format!("{key}.{ending}"))
    }

    /// Returns what is kept under a key, when it is whole.
    fn look_up(&self, key: &str) -> Option<(Note, File)> {
        let note = read_file(&self.path(key, "json"), MAX_NOTE_BYTES).ok()?;
        let note: Note = serde_json::from_slice(&note).ok()?;
        let path = self.path(key, "body");
        let mut file = fs::metadata(&path)
            .ok()?
            .is_file()
            .then(|| File::open(&path).ok())??;
        let is_whole = Digest::of_reader(&file).ok()? == note.body;
        file.rewind().ok()?;
        is_whole.then_some((note, file))
    }

    fn keep(&self, key: &str, new: &mut Download, spool: tempfile::TempPath) -> io::Result<()> {
        let note = Note {
            place: place_of(&new.url),
            headers: telling(&new.headers),
            body: Digest::of_reader(&new.file)?,
        };
        new.file.rewind()?;
        if new.file.metadata()?.len() > MAX_BYTES {
            return Ok(());
        }
        spool.persist(self.path(key, "body"))?;
        let note = serde_json::to_vec(&note)?;
        write_atomic(&self.path(key, "json"), &note).map_err(io::Error::other)?;
        self.bound(MAX_BYTES)
    }

    /// Removes the oldest files beyond a number of bytes.
    fn bound(&self, most: u64) -> io::Result<()> {
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.directory)? {
            let entry = entry?;
            let metadata = entry.metadata()?;
            files.push((metadata.modified()?, metadata.len(), entry.path()));
        }
        files.sort();
        let mut n_bytes: u64 = files.iter().map(|(_, n, _)| n).sum();
        for (_, n, path) in files {
            if n_bytes <= most {
                break;
            }
            fs::remove_file(path)?;
            n_bytes -= n;
        }
        Ok(())
    }
}

impl Note {
    /// Returns the headers that ask for what has changed since.
    fn conditions(&self) -> Vec<(&str, &str)> {
        let tags = self.headers.iter().filter(|(name, _)| name == "etag");
        tags.map(|(_, tag)| ("if-none-match", tag.as_str()))
            .collect()
    }

    fn download(self, file: File, url: Url) -> Download {
        let mut headers = HeaderMap::new();
        for (name, value) in self.headers {
            let name = HeaderName::try_from(name);
            if let (Ok(name), Ok(value)) = (name, HeaderValue::try_from(value)) {
                headers.insert(name, value);
            }
        }
        Download { file, url, headers }
    }
}

/// Returns whether a server lets an answer be kept, and says how it is known again. A date does not tell: a file may
/// be replaced by an older one, or changed twice within a second.
fn may_be_kept(headers: &HeaderMap) -> bool {
    let refuses = |value: &HeaderValue| {
        let said = value.to_str().unwrap_or_default().to_ascii_lowercase();
        said.contains("no-store")
    };
    let is_refused = headers.get_all(header::CACHE_CONTROL).iter().any(refuses);
    headers.contains_key(header::ETAG) && !is_refused
}

fn telling(headers: &HeaderMap) -> Vec<(String, String)> {
    let text = |name: &HeaderName| {
        let value = headers.get(name)?.to_str().ok()?;
        Some((name.as_str().to_owned(), value.to_owned()))
    };
    TELLING.iter().filter_map(text).collect()
}

fn place_of(url: &Url) -> Digest {
    let mut place = url.clone();
    place.set_query(None);
    Digest::of(place.as_str().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_go_first_beyond_a_number_of_bytes() {
        let directory = tempfile::tempdir().unwrap();
        let kept = Kept::in_directory(directory.path());
        for name in ["a", "b", "c"] {
            fs::write(kept.path(name, "body"), [0; 100]).unwrap();
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        kept.bound(250).unwrap();
        let is_there = ["a", "b", "c"].map(|name| kept.path(name, "body").exists());
        assert_eq!(is_there, [false, true, true]);
    }

    #[test]
    fn what_cannot_be_known_again_or_must_not_be_kept_is_not_kept() {
        let check = |headers: &[(&'static str, &'static str)], expected| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(*name, HeaderValue::from_static(value));
            }
            assert_eq!(may_be_kept(&map), expected, "{headers:?}");
        };
        check(&[("etag", "W/\"a\"")], true);
        check(&[("etag", "\"a\""), ("cache-control", "max-age=0")], true);
        check(&[("last-modified", "x")], false);
        check(&[("content-type", "text/csv")], false);
        check(
            &[("etag", "\"a\""), ("cache-control", "private, No-Store")],
            false,
        );
    }
}
