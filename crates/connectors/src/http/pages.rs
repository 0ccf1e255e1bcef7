//! The pages of a JSON API: their records, one a line.

use std::{
    collections::BTreeSet,
    fs::File,
    io::{self, BufReader, BufWriter, Read, Seek, SeekFrom, Write},
};

use artifact::Digest;
use dataset::SourceError;
use serde_json::{Value, value::RawValue};
use ureq::http::{HeaderMap, header};
use url::Url;

use super::{
    address::{Address, Paging, Pointer},
    client::Client,
    credentials::with_parameter,
    download::{Download, Limits, download, no_spool},
    encoding, json,
};

/// Pages with the same records that follow the first of them, at most.
const MAX_EQUAL: u64 = 10;
/// More pages than any API has: the address leads in a circle.
const MAX_PAGES: u64 = 1 << 20;

/// Reads all pages; gives a file of JSON Lines.
pub(super) fn collect(client: &mut Client, address: &Address) -> Result<File, SourceError> {
    let mut lines = Lines::new(client)?;
    let mut limits = Limits::of(address);
    let mut turning = Turning::new(address);
    let mut next = Some(turning.first());
    while let Some(url) = next {
        turning.check_new(client, &url)?;
        let page = download(client, &url, limits)?;
        let page = encoding::decoded(client, page, limits)?;
        let (n, digest) = lines.append(client, &page, address.records.as_ref())?;
        turning.check_turned(client, digest)?;
        let n_bytes = page.file.metadata().map_or(0, |file| file.len());
        if n_bytes > limits.bytes {
            return Err(client.unavailable(Limits::of(address).too_large()));
        }
        limits.bytes -= n_bytes;
        next = turning.next(client, &page, n)?;
    }
    lines.finish(client)
}

/// Reads the one JSON document that a download is; gives a file of JSON Lines.
pub(super) fn lines_of(
    client: &Client,
    page: &Download,
    records: Option<&Pointer>,
) -> Result<File, SourceError> {
    let mut lines = Lines::new(client)?;
    lines.append(client, page, records)?;
    lines.finish(client)
}

/// The records so far.
struct Lines {
    file: BufWriter<File>,
}

impl Lines {
    fn new(client: &Client) -> Result<Self, SourceError> {
        let file = tempfile::tempfile().map_err(|e| client.unavailable(no_spool(&e)))?;
        Ok(Self {
            file: BufWriter::new(file),
        })
    }

    fn append(
        &mut self,
        client: &Client,
        page: &Download,
        records: Option<&Pointer>,
    ) -> Result<(u64, Digest), SourceError> {
        let top = Pointer::default();
        let document = whole(page).map_err(|e| client.unavailable(no_spool(&e)))?;
        let mut failed = None;
        let mut digest = Digest::of(b"");
        let mut take = |record: &RawValue| {
            let record_digest = Digest::of(record.get().as_bytes());
            digest = Digest::of(&[*digest.as_bytes(), *record_digest.as_bytes()].concat());
            write_line(&mut self.file, record).map_err(|e| {
                failed = Some(no_spool(&e));
                String::new()
            })
        };
        let found = json::elements(document, records.unwrap_or(&top), &mut take);
        let n = found.map_err(|reason| match failed {
            Some(failed) => client.unavailable(failed),
            None => client.malformed(explain(reason, page, records)),
        })?;
        Ok((n, digest))
    }

    fn finish(self, client: &Client) -> Result<File, SourceError> {
        let fail = |e: &io::Error| client.unavailable(no_spool(e));
        let mut file = self.file.into_inner().map_err(|e| fail(e.error()))?;
        file.seek(SeekFrom::Start(0)).map_err(|e| fail(&e))?;
        Ok(file)
    }
}

/// Writes a record without ends of lines, which stand between its parts alone: texts escape them.
fn write_line(file: &mut impl Write, record: &RawValue) -> io::Result<()> {
    for part in record.get().split(['\n', '\r']) {
        file.write_all(part.as_bytes())?;
    }
    file.write_all(b"\n")
}

fn explain(reason: String, page: &Download, records: Option<&Pointer>) -> String {
    let arrays = whole(page).map(json::arrays).unwrap_or_default();
    let named: Vec<String> = arrays
        .iter()
        .map(|name| format!("#records=/{name}"))
        .collect();
    match (records, named.is_empty()) {
        (_, true) => format!(
            "{} answers with JSON that holds no records: {reason}",
            page.url.path()
        ),
        (None, false) => format!(
            "its records are not at the top: {reason}: try {}",
            named.join(", ")
        ),
        (Some(_), false) => format!("{reason}: arrays are at {}", named.join(", ")),
    }
}

/// Reads a page from its beginning, unpacked.
fn whole(page: &Download) -> io::Result<impl Read + use<>> {
    let mut file = page.file.try_clone()?;
    file.seek(SeekFrom::Start(0))?;
    Ok(BufReader::new(formats::unpacked(file)?))
}

/// Which page comes next.
struct Turning<'a> {
    address: &'a Address,
    n_pages: u64,
    n_records: u64,
    /// What has been asked for.
    asked: BTreeSet<Digest>,
    last_page: Option<Digest>,
    /// Equal pages in a row.
    n_equal: u64,
}

impl<'a> Turning<'a> {
    fn new(address: &'a Address) -> Self {
        Self {
            address,
            n_pages: 0,
            n_records: 0,
            asked: BTreeSet::new(),
            last_page: None,
            n_equal: 0,
        }
    }

    /// Refuses to ask for what has been asked for: pages that lead in a circle never end.
    fn check_new(&mut self, client: &Client, url: &Url) -> Result<(), SourceError> {
        match self.asked.insert(Digest::of(url.as_str().as_bytes())) {
            true => Ok(()),
            false => Err(client.malformed(format!(
                "page {} leads back to a page before it",
                self.n_pages
            ))),
        }
    }

    /// Refuses pages of the same records without end: the parameter is not what turns them, or the last one
    /// is given again and again. Some may be equal.
    fn check_turned(&mut self, client: &Client, digest: Digest) -> Result<(), SourceError> {
        let is_equal = self.last_page.replace(digest) == Some(digest);
        self.n_equal = if is_equal { self.n_equal + 1 } else { 0 };
        match self.n_equal {
            MAX_EQUAL => Err(client.malformed(format!(
                "{} pages in a row are the same: does #parameter=NAME name what turns them?",
                MAX_EQUAL + 1
            ))),
            _ => Ok(()),
        }
    }

    fn first(&self) -> Url {
        match &self.address.paging {
            Paging::Page { parameter, first } => {
                with_parameter(&self.address.url, parameter, &first.to_string())
            }
            Paging::Offset { parameter } => with_parameter(&self.address.url, parameter, "0"),
            _ => self.address.url.clone(),
        }
    }

    /// Returns the URL after a page of `n` records.
    fn next(
        &mut self,
        client: &Client,
        page: &Download,
        n: u64,
    ) -> Result<Option<Url>, SourceError> {
        self.n_pages += 1;
        self.n_records += n;
        if self.n_pages == MAX_PAGES {
            return Err(client.malformed(format!("more than {MAX_PAGES} pages: do they end?")));
        }
        let url = &self.address.url;
        Ok(match &self.address.paging {
            Paging::Whole => None,
            Paging::Link => {
                let next = next_link(&page.headers);
                next.map(|link| follow(client, page, &link)).transpose()?
            }
            Paging::Cursor { at, parameter } => match (self.cursor(client, page, at)?, parameter) {
                (None, _) => None,
                (Some(cursor), Some(name)) => Some(with_parameter(url, name, &cursor)),
                (Some(link), None) => Some(follow(client, page, &link)?),
            },
            Paging::Page { .. } | Paging::Offset { .. } if n == 0 => None,
            Paging::Page { parameter, first } => Some(with_parameter(
                url,
                parameter,
                &(first + self.n_pages).to_string(),
            )),
            Paging::Offset { parameter } => {
                Some(with_parameter(url, parameter, &self.n_records.to_string()))
            }
        })
    }
}

impl Turning<'_> {
    /// Returns the cursor to the next page; the last has none, but the first has to have its place.
    fn cursor(
        &self,
        client: &Client,
        page: &Download,
        at: &Pointer,
    ) -> Result<Option<String>, SourceError> {
        let document = whole(page).map_err(|e| client.unavailable(no_spool(&e)))?;
        let found = json::value(document, at).map_err(|reason| client.malformed(reason))?;
        let wrong =
            |what: &str| Err(client.malformed(format!("{what} at {at}, where #cursor= says")));
        match found {
            None if self.n_pages == 1 => wrong("the first page has nothing"),
            None | Some(Value::Null | Value::Bool(false)) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text).filter(|text| !text.is_empty())),
            Some(Value::Number(number)) => Ok(Some(number.to_string())),
            Some(_) => wrong("neither a text nor a number is"),
        }
    }
}

/// Follows a link within the server: another one was not named by whoever asked.
fn follow(client: &Client, page: &Download, link: &str) -> Result<Url, SourceError> {
    let next = page.url.join(link).ok();
    next.filter(|next| next.origin() == page.url.origin())
        .ok_or_else(|| {
            client.malformed(format!(
                "its next page is at `{}`, on another server: that is not followed",
                dataset::without_secrets(link)
            ))
        })
}

/// Returns the target of `rel="next"` among the `Link` headers.
fn next_link(headers: &HeaderMap) -> Option<String> {
    let values = headers.get_all(header::LINK).into_iter();
    let values: Vec<&str> = values.filter_map(|value| value.to_str().ok()).collect();
    // A target may hold commas, so links are told by what they are in.
    let links = values.iter().flat_map(|value| value.split('<').skip(1));
    links
        .filter_map(|link| link.split_once('>'))
        .find_map(|(target, parameters)| {
            let relations = parameters
                .split(';')
                .filter_map(|p| p.trim().split_once('='));
            let mut relations =
                relations.filter(|(name, _)| name.trim().eq_ignore_ascii_case("rel"));
            let is_next = relations.any(|(_, value)| {
                let value = value.trim().trim_end_matches(',').trim().trim_matches('"');
                value
                    .split_ascii_whitespace()
                    .any(|word| word.eq_ignore_ascii_case("next"))
            });
            is_next.then(|| target.to_owned())
        })
}

#[cfg(test)]
mod tests {
    use ureq::http::HeaderValue;

    use super::*;

    #[test]
    fn the_next_page_is_found_among_links() {
        for (values, expected) in [
            (
                &["<https://h/x?page=2&a=1,2>; rel=\"next\""][..],
                Some("https://h/x?page=2&a=1,2"),
            ),
            (
                &["</a>; rel=prev, </b>; title=x; rel=\"last next\""][..],
                Some("/b"),
            ),
            (&["</a>; rel=prev", "</c>; REL=Next"][..], Some("/c")),
            (&["</a>; rel=\"nextish\""][..], None),
            (&["rel=next"][..], None),
        ] {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(header::LINK, HeaderValue::from_str(value).unwrap());
            }
            assert_eq!(next_link(&headers).as_deref(), expected, "{values:?}");
        }
    }

    #[test]
    fn a_record_over_several_lines_becomes_one() {
        let record: Box<RawValue> =
            serde_json::from_str("{\"a\":\n \"x\\n\",\r\n\"b\": [1]}").unwrap();
        let mut line = Vec::new();
        write_line(&mut line, &record).unwrap();
        assert_eq!(line, b"{\"a\": \"x\\n\",\"b\": [1]}\n");
    }
}
