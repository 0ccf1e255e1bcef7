//! The pages of a JSON API: their records, one a line.

use std::{
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
    download::{Download, download, no_spool},
    json,
};

/// More pages than any API has: the address leads in a circle.
const MAX_PAGES: u64 = 1 << 20;

/// Reads all pages; gives a file of JSON Lines.
pub(super) fn collect(client: &mut Client, address: &Address) -> Result<File, SourceError> {
    let mut lines = Lines::new(client)?;
    let mut turning = Turning::new(address);
    let mut next = Some(turning.first());
    while let Some(url) = next {
        let page = download(client, &url, address.time_limit)?;
        lines.check_new(client, &page)?;
        let n = lines.append(client, &page, address.records.as_ref())?;
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
    last_page: Option<Digest>,
}

impl Lines {
    fn new(client: &Client) -> Result<Self, SourceError> {
        let file = tempfile::tempfile().map_err(|e| client.unavailable(no_spool(&e)))?;
        Ok(Self {
            file: BufWriter::new(file),
            last_page: None,
        })
    }

    /// Refuses a page that is the one before it: the parameter is not what turns the pages.
    fn check_new(&mut self, client: &Client, page: &Download) -> Result<(), SourceError> {
        let digest = whole(page).and_then(Digest::of_reader);
        let digest = digest.map_err(|e| client.unavailable(no_spool(&e)))?;
        match self.last_page.replace(digest) {
            Some(last) if last == digest => Err(client.malformed(
                "a page is the same as the one before it: does #parameter=NAME name what turns the pages?",
            )),
            _ => Ok(()),
        }
    }

    fn append(
        &mut self,
        client: &Client,
        page: &Download,
        records: Option<&Pointer>,
    ) -> Result<u64, SourceError> {
        let top = Pointer::default();
        let document = whole(page).map_err(|e| client.unavailable(no_spool(&e)))?;
        let mut failed = None;
        let mut take = |record: &RawValue| {
            write_line(&mut self.file, record).map_err(|e| {
                failed = Some(no_spool(&e));
                String::new()
            })
        };
        let found = json::elements(document, records.unwrap_or(&top), &mut take);
        found.map_err(|reason| match failed {
            Some(failed) => client.unavailable(failed),
            None => client.malformed(explain(reason, page, records)),
        })
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

/// Reads a page from its beginning.
fn whole(page: &Download) -> io::Result<impl Read + use<>> {
    let mut file = page.file.try_clone()?;
    file.seek(SeekFrom::Start(0))?;
    Ok(BufReader::with_capacity(1 << 16, file))
}

/// Which page comes next.
struct Turning<'a> {
    address: &'a Address,
    n_pages: u64,
    n_records: u64,
}

impl<'a> Turning<'a> {
    fn new(address: &'a Address) -> Self {
        Self {
            address,
            n_pages: 0,
            n_records: 0,
        }
    }

    fn first(&self) -> Url {
        match &self.address.paging {
            Paging::Page { parameter, first } => {
                with(&self.address.url, parameter, &first.to_string())
            }
            Paging::Offset { parameter } => with(&self.address.url, parameter, "0"),
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
            Paging::Cursor { at, parameter } => {
                let document = whole(page).map_err(|e| client.unavailable(no_spool(&e)))?;
                let cursor = json::value(document, at);
                let cursor = cursor.map_err(|reason| client.malformed(reason))?;
                match cursor_text(cursor) {
                    None => None,
                    Some(link) if is_link(&link) => Some(follow(client, page, &link)?),
                    Some(cursor) => Some(with(url, parameter, &cursor)),
                }
            }
            Paging::Page { .. } | Paging::Offset { .. } if n == 0 => None,
            Paging::Page { parameter, first } => {
                Some(with(url, parameter, &(first + self.n_pages).to_string()))
            }
            Paging::Offset { parameter } => Some(with(url, parameter, &self.n_records.to_string())),
        })
    }
}

/// Returns a URL with a parameter of the query set, in the place of one of that name.
fn with(url: &Url, name: &str, value: &str) -> Url {
    let others: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(n, _)| n != name)
        .map(|(n, v)| (n.into_owned(), v.into_owned()))
        .collect();
    let mut url = url.clone();
    url.query_pairs_mut()
        .clear()
        .extend_pairs(others)
        .append_pair(name, value);
    url
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

fn is_link(cursor: &str) -> bool {
    ["http://", "https://", "/", "?"]
        .iter()
        .any(|start| cursor.starts_with(start))
}

fn cursor_text(value: Option<Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(text),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
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
    fn a_parameter_takes_the_place_of_one_of_its_name() {
        let url = Url::parse("https://h/x?page=7&q=a%20b").unwrap();
        assert_eq!(
            with(&url, "page", "8&").as_str(),
            "https://h/x?q=a+b&page=8%26"
        );
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
