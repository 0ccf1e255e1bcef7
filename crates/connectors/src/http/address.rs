//! An HTTP address: what is asked of the server, and behind `#` how its answers are read.

use std::time::Duration;

use artifact::Digest;
use dataset::{SourceError, SourceUri};
use url::Url;

use crate::parameter::{decode, positive};

/// `https://host/path?query#name=value&…`, taken apart. What stands behind `#` is never sent.
#[derive(Debug)]
pub(crate) struct Address {
    /// For people, without secrets.
    pub location: String,
    /// What is asked for, without login and fragment.
    pub url: Url,
    /// User and password of the address.
    pub login: Option<(String, String)>,
    /// The ending that tells the format, where neither path nor content type does.
    pub format: Option<String>,
    /// The file that is meant in a ZIP archive.
    pub member: Option<String>,
    /// The digest that the download must have.
    pub sha256: Option<Digest>,
    /// Where the records stand in a JSON answer.
    pub records: Option<Pointer>,
    pub paging: Paging,
    /// The least time between two requests.
    pub pause: Duration,
    /// How long a server may keep still.
    pub time_limit: Duration,
    /// Bytes that a download, or all pages of one, may have, packed and unpacked.
    pub size_limit: u64,
}

/// How one page of an API leads to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Paging {
    /// There is one page.
    Whole,
    /// By the header `Link` with `rel="next"` (RFC 8288).
    Link,
    /// By a value of the answer, which goes into a parameter, or is a URL where there is none.
    Cursor {
        at: Pointer,
        parameter: Option<String>,
    },
    /// By the number of the page, up to one without records.
    Page { parameter: String, first: u64 },
    /// By the number of records before it, up to a page without records.
    Offset { parameter: String },
}

/// A JSON pointer (RFC 6901), taken apart.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Pointer(pub Vec<String>);

const TIME_LIMIT: Duration = Duration::from_secs(30);
const SIZE_LIMIT: u64 = 16 << 30;
const PARAMETERS: &str = "format, member, sha256, records, paging, cursor, parameter, first, rate, time_limit and size_limit";

impl Address {
    pub(crate) fn parse(uri: &SourceUri) -> Result<Self, SourceError> {
        let location = uri.to_string();
        parse(uri.with_secrets()?, &location)
            .map_err(|reason| SourceError::Unsupported { location, reason })
    }
}

/// The parameters behind `#` before it is known what they add up to.
#[derive(Default)]
struct Parameters {
    paging: Option<String>,
    cursor: Option<Pointer>,
    parameter: Option<String>,
    first: Option<u64>,
}

fn parse(whole: &str, location: &str) -> Result<Address, String> {
    let mut url = Url::parse(whole).map_err(|e| format!("it is no URL: {e}"))?;
    let host = url.host_str().unwrap_or_default();
    if host.is_empty() {
        return Err("it names no host: https://HOST/path".to_owned());
    }
    let fragment = url.fragment().unwrap_or_default().to_owned();
    url.set_fragment(None);
    let login = take_login(&mut url)?;
    let mut address = Address {
        location: location.to_owned(),
        url,
        login,
        format: None,
        member: None,
        sha256: None,
        records: None,
        paging: Paging::Whole,
        pause: Duration::ZERO,
        time_limit: TIME_LIMIT,
        size_limit: SIZE_LIMIT,
    };
    let mut parameters = Parameters::default();
    for part in fragment.split('&').filter(|part| !part.is_empty()) {
        take(&mut address, &mut parameters, part)?;
    }
    address.paging = parameters.paging()?;
    if address.paging != Paging::Whole {
        let of_one_file = [
            ("sha256", address.sha256.is_some()),
            ("member", address.member.is_some()),
            ("format", address.format.is_some()),
        ];
        if let Some((name, _)) = of_one_file.iter().find(|(_, is_given)| *is_given) {
            return Err(format!(
                "`{name}` is of one file, and `paging` of pages of JSON"
            ));
        }
    }
    Ok(address)
}

fn take_login(url: &mut Url) -> Result<Option<(String, String)>, String> {
    if url.username().is_empty() && url.password().is_none() {
        return Ok(None);
    }
    // What cannot be decoded is not shown: it is a password.
    let plain =
        |text| decode(text).map_err(|_| "its login is not UTF-8 behind percent signs".to_owned());
    let login = (
        plain(url.username())?,
        plain(url.password().unwrap_or_default())?,
    );
    // It goes into a header, and to one host alone.
    let cleared = url.set_username("").and_then(|()| url.set_password(None));
    cleared.map_err(|()| "its login cannot be told from its host".to_owned())?;
    Ok(Some(login))
}

fn take(address: &mut Address, parameters: &mut Parameters, part: &str) -> Result<(), String> {
    let (name, value) = part.split_once('=').unwrap_or((part, ""));
    let value = decode(value)?;
    match name {
        "format" => address.format = Some(value),
        "member" => address.member = Some(value),
        "sha256" => address.sha256 = Some(digest(&value)?),
        "records" => address.records = Some(Pointer::parse(name, &value)?),
        "rate" => address.pause = pause(&value)?,
        "time_limit" => address.time_limit = Duration::from_secs(positive(name, &value)?.into()),
        "size_limit" => address.size_limit = u64::from(positive(name, &value)?) << 20,
        "paging" => parameters.paging = Some(value),
        "cursor" => parameters.cursor = Some(Pointer::parse(name, &value)?),
        "parameter" => parameters.parameter = Some(value),
        "first" => parameters.first = Some(whole(name, &value)?.into()),
        _ => {
            return Err(format!(
                "`{name}` is not known behind `#`: known are {PARAMETERS}; what the server is to get \
                 stands before it"
            ));
        }
    }
    Ok(())
}

impl Parameters {
    fn paging(self) -> Result<Paging, String> {
        let kind = self.paging.as_deref();
        if self.cursor.is_some() && kind != Some("cursor") {
            return Err("`cursor` needs `paging=cursor`".to_owned());
        }
        if self.first.is_some() && kind != Some("page") {
            return Err("`first` needs `paging=page`".to_owned());
        }
        let named = |usual: &str| self.parameter.clone().unwrap_or_else(|| usual.to_owned());
        match kind {
            None if self.parameter.is_none() => Ok(Paging::Whole),
            None => Err("`parameter` needs `paging`".to_owned()),
            Some("link") => Ok(Paging::Link),
            Some("cursor") => Ok(Paging::Cursor {
                parameter: self.parameter,
                at: self.cursor.ok_or(
                    "`paging=cursor` needs to know where an answer has it: cursor=/meta/next",
                )?,
            }),
            Some("page") => Ok(Paging::Page {
                parameter: named("page"),
                first: self.first.unwrap_or(1),
            }),
            Some("offset") => Ok(Paging::Offset {
                parameter: named("offset"),
            }),
            Some(other) => Err(format!(
                "paging={other} is not known: known are link, cursor, page and offset"
            )),
        }
    }
}

impl Pointer {
    fn parse(name: &str, text: &str) -> Result<Self, String> {
        if !text.is_empty() && !text.starts_with('/') {
            return Err(format!(
                "{name}={text} is no JSON pointer: write {name}=/{text}"
            ));
        }
        let steps = text.split('/').skip(1);
        Ok(Self(
            steps
                .map(|step| step.replace("~1", "/").replace("~0", "~"))
                .collect(),
        ))
    }
}

fn digest(text: &str) -> Result<Digest, String> {
    text.parse()
        .map_err(|_| format!("sha256={text} is no SHA-256 of 64 hexadecimal digits"))
}

fn pause(text: &str) -> Result<Duration, String> {
    let rate = text.parse().ok().filter(|rate: &f64| *rate > 0.0);
    rate.and_then(|rate| Duration::try_from_secs_f64(1.0 / rate).ok())
        .ok_or_else(|| format!("rate={text} is no number of requests a second"))
}

fn whole(name: &str, text: &str) -> Result<u32, String> {
    text.parse()
        .map_err(|_| format!("{name}={text} is no whole number"))
}

#[cfg(test)]
mod tests;
