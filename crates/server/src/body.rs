//! Bodies of requests: how many bytes they may have, how long they may take, what they claim to be.

use std::{
    collections::BTreeMap,
    future::poll_fn,
    ops::Deref,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use actix_web::{
    HttpRequest,
    http::{StatusCode, header},
    rt::time::timeout,
    web::{BytesMut, Payload},
};
use futures_core::Stream as _;

use crate::{problem::Problem, slots::Client};

/// How many bytes the bodies of all requests may have that are read or worked on at a time, and those of one client:
/// each takes several times its size meanwhile.
#[derive(Debug)]
pub struct Room {
    all: usize,
    each: usize,
    taken: Mutex<BTreeMap<Client, usize>>,
}

/// A body in memory; what it takes of the room is given back with it.
pub struct Body {
    bytes: BytesMut,
    room: Option<(Arc<Room>, Client)>,
}

impl Room {
    /// Makes room for so many bytes, of which one client may have a share.
    pub fn new(all: usize, each: usize) -> Arc<Self> {
        Arc::new(Self {
            all,
            each,
            taken: Mutex::default(),
        })
    }

    fn take(&self, client: Client, n: usize) -> Result<(), Problem> {
        let mut taken = self.taken();
        let own = taken.get(&client).copied().unwrap_or(0);
        let full = |detail| Err(Problem::too_many(detail, Duration::from_secs(1)));
        if taken.values().sum::<usize>().saturating_add(n) > self.all {
            return full(format!(
                "bodies and answers of {} bytes are worked on already, as many as may be at a time: try again later",
                self.all
            ));
        }
        if own.saturating_add(n) > self.each {
            return full(format!(
                "bodies of this client are worked on already, or answers to it wait to be read, of which one may \
                 have {} bytes at a time: try again later, or send smaller ones",
                self.each
            ));
        }
        taken.insert(client, own + n);
        Ok(())
    }

    fn give_back(&self, client: Client, n: usize) {
        let mut taken = self.taken();
        if let Some(own) = taken.get_mut(&client) {
            *own -= n;
            if *own == 0 {
                taken.remove(&client);
            }
        }
    }

    fn taken(&self) -> MutexGuard<'_, BTreeMap<Client, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a large answer takes of the room until it has been read; given back when it is dropped.
pub struct Held {
    room: Arc<Room>,
    client: Client,
    n: usize,
}

impl Held {
    /// Takes it. Of a client that takes nothing else, one answer may be larger than its share.
    ///
    /// # Errors
    /// Status 429 when there is no room at present.
    pub fn of(room: &Arc<Room>, client: Client, n: usize) -> Result<Self, Problem> {
        let mut taken = room.taken();
        match taken.get(&client) {
            None => {
                taken.insert(client, n);
            }
            Some(_) => {
                drop(taken);
                room.take(client, n)?;
            }
        }
        let room = Arc::clone(room);
        Ok(Self { room, client, n })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.room.give_back(self.client, self.n);
    }
}

impl Body {
    fn push(&mut self, part: &[u8]) -> Result<(), Problem> {
        if let Some((room, client)) = &self.room {
            room.take(*client, part.len())?;
        }
        self.bytes.extend_from_slice(part);
        Ok(())
    }
}

impl Deref for Body {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        if let Some((room, client)) = &self.room {
            room.give_back(*client, self.bytes.len());
        }
    }
}

/// Reads a JSON body into memory.
///
/// # Errors
/// As [`read`].
pub async fn read_json(
    request: &HttpRequest,
    payload: Payload,
    bounds: &Bounds<'_>,
) -> Result<Body, Problem> {
    read(request, payload, &JSON, bounds).await
}

/// What a body may take.
pub struct Bounds<'s> {
    /// Bytes at most.
    pub bytes: usize,
    /// Until its end.
    pub time: Duration,
    /// What it shares with those of other requests.
    pub room: Option<&'s Arc<Room>>,
}

/// Reads a body of some kind into memory.
///
/// # Errors
/// Status 413 when it is too large, 415 when it is something else or compressed, 408 when it does not
/// come in time, 400 when it breaks off, 429 when there is no room for it at present.
pub async fn read(
    request: &HttpRequest,
    payload: Payload,
    kind: &Kind,
    bounds: &Bounds<'_>,
) -> Result<Body, Problem> {
    check_type(request, kind)?;
    check_length(request, bounds.bytes as u64)?;
    let body = Body {
        bytes: BytesMut::new(),
        room: (bounds.room).map(|room| (Arc::clone(room), Client::of(request))),
    };
    let read = timeout(bounds.time, read_whole(payload, bounds.bytes, body)).await;
    read.unwrap_or_else(|_| {
        let time = bounds.time.as_secs_f64();
        Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            format!("the body did not come within {time} seconds"),
        ))
    })
}

async fn read_whole(mut payload: Payload, most: usize, mut body: Body) -> Result<Body, Problem> {
    while let Some(part) = poll_fn(|context| Pin::new(&mut payload).poll_next(context)).await {
        let part = part.map_err(|error| {
            tracing::debug!(%error, "a body cannot be read");
            Problem::bad_request("the body breaks off before its end: send it again")
        })?;
        if body.len() + part.len() > most {
            return Err(too_large(most as u64));
        }
        body.push(&part)?;
    }
    Ok(body)
}

/// What a path takes.
pub struct Kind {
    /// Media types, the usual one first.
    pub types: &'static [&'static str],
    /// Codings that it is unpacked from (`Content-Encoding`).
    pub encodings: &'static [&'static str],
    /// What to do about another coding.
    pub advice: &'static str,
}

/// What a browser sends of a form.
pub const FORM: Kind = Kind {
    types: &["application/x-www-form-urlencoded"],
    encodings: &[],
    advice: "a form comes uncompressed: send it so, without `Content-Encoding`",
};

const JSON: Kind = Kind {
    types: &["application/json"],
    encodings: &[],
    advice: "JSON comes uncompressed: send it so, without `Content-Encoding`",
};

/// Checks what a body claims to be; one that claims nothing is taken for what is expected.
///
/// # Errors
/// Status 415.
pub fn check_type(request: &HttpRequest, expected: &Kind) -> Result<(), Problem> {
    let refuse = |detail: String| Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail);
    let is_in = |given: &str, known: &[&str]| known.iter().any(|k| given.eq_ignore_ascii_case(k));
    if let Some(encoding) = text_of(request, &header::CONTENT_ENCODING)?
        && !is_in(encoding, &["identity"])
        && !is_in(encoding, expected.encodings)
    {
        return Err(refuse(expected.advice.to_owned()));
    }
    let Some(given) = text_of(request, &header::CONTENT_TYPE)? else {
        return Ok(());
    };
    let mut parts = given.split(';').map(str::trim);
    let kind = parts.next().unwrap_or_default();
    if !is_in(kind, expected.types) {
        return Err(refuse(format!("send {}", expected.types.join(" or "))));
    }
    if !is_text(kind) {
        return Ok(());
    }
    let charset = parts.find_map(charset).unwrap_or("utf-8");
    if is_in(charset, &["utf-8", "utf8", "us-ascii"]) {
        return Ok(());
    }
    Err(refuse(
        "text is read as UTF-8 alone: convert it, and send it with `charset=utf-8`".to_owned(),
    ))
}

/// Returns whether a media type is one of characters.
fn is_text(kind: &str) -> bool {
    let kind = kind.to_ascii_lowercase();
    kind.starts_with("text/") || ["application/csv", "application/json"].contains(&kind.as_str())
}

/// Returns the value of a parameter of a media type, where that is the character set.
fn charset(parameter: &str) -> Option<&str> {
    let (name, value) = parameter.split_once('=')?;
    let is_charset = name.trim().eq_ignore_ascii_case("charset");
    is_charset.then(|| value.trim().trim_matches('"'))
}

/// Checks the length that a body claims, before any of it is read.
///
/// # Errors
/// Status 413.
pub fn check_length(request: &HttpRequest, limit: u64) -> Result<(), Problem> {
    let length = text_of(request, &header::CONTENT_LENGTH)?.and_then(|text| text.parse().ok());
    match length {
        Some(length) if u64::gt(&length, &limit) => Err(too_large(limit)),
        _ => Ok(()),
    }
}

/// A body beyond what is allowed, status 413.
pub fn too_large(limit: u64) -> Problem {
    Problem::new(
        StatusCode::PAYLOAD_TOO_LARGE,
        format!("the body has more than {limit} bytes: send it in parts"),
    )
}

fn text_of<'r>(
    request: &'r HttpRequest,
    name: &header::HeaderName,
) -> Result<Option<&'r str>, Problem> {
    let value = request.headers().get(name).map(|value| value.to_str());
    value
        .transpose()
        .map_err(|_| Problem::bad_request(format!("the header `{name}` is no text")))
}
