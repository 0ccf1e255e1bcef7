//! Answers that their client does not read: they neither stay in memory nor take room that others want.
//!
//! What is answered in one piece would be held for as long as its connection is, which nothing ends while a
//! client merely reads nothing. Large ones are given on in parts instead, and let go when one of them waits too long.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{
    body::{BodySize, BoxBody, MessageBody, SizedStream},
    rt::{self, time::timeout},
    web::Bytes,
};
use futures_core::Stream;
use tokio::sync::mpsc::{Receiver, channel};

use crate::{
    body::{Held, Room},
    problem::Problem,
    slots::Client,
};

/// Bytes that are answered in one piece: what a connection may hold in any case.
const PIECE: u64 = 256 << 10;
const PART: usize = 64 << 10;

/// What large answers may take, and how long each part of one may wait.
pub struct Bounds<'s> {
    pub room: &'s Arc<Room>,
    pub client: Client,
    pub time: Duration,
}

/// Gives a large answer on in parts.
///
/// # Errors
/// Status 429 when other answers of this client wait to be read, and there is no room for more.
pub fn bounded<B: MessageBody + 'static>(body: B, bounds: &Bounds<'_>) -> Result<BoxBody, Problem> {
    match body.size() {
        BodySize::Sized(n) if n > PIECE => {}
        _ => return Ok(BoxBody::new(body)),
    }
    match body.try_into_bytes() {
        Ok(whole) => in_parts(whole, bounds),
        // It comes in parts already.
        Err(body) => Ok(BoxBody::new(body)),
    }
}

fn in_parts(mut whole: Bytes, bounds: &Bounds<'_>) -> Result<BoxBody, Problem> {
    let (length, time) = (whole.len(), bounds.time);
    let held = Held::of(bounds.room, bounds.client, length)?;
    let (sender, parts) = channel(1);
    rt::spawn(async move {
        let _held = held;
        while !whole.is_empty() {
            // A copy: a part of the whole would hold all of it.
            let part = Bytes::copy_from_slice(&whole.split_to(PART.min(whole.len())));
            if !matches!(timeout(time, sender.send(part)).await, Ok(Ok(()))) {
                return;
            }
        }
    });
    Ok(BoxBody::new(SizedStream::new(length as u64, Parts(parts))))
}

/// The parts of an answer; when they end before it does, its connection is closed.
struct Parts(Receiver<Bytes>);

impl Stream for Parts {
    type Item = Result<Bytes, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|part| part.map(Ok))
    }
}
