//! Bodies whose end nobody has seen when the answer is given.
//!
//! Of a chunked body that nobody holds any more, actix would wait for the end, without an end (h1 dispatcher of
//! actix-http 3.20); as long as it is held, its connection is closed behind the answer.

use std::{
    cell::RefCell,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll},
    time::Duration,
};

use actix_web::{
    HttpMessage as _,
    dev::{Payload, ServiceRequest},
    error::PayloadError,
    rt::{self, time::sleep},
    web::Bytes,
};
use futures_core::Stream;

/// How long a body is held, until its answer is on its way.
const ANSWERED: Duration = Duration::from_secs(1);

/// A chunked body, which others read.
pub struct Unread(Rc<RefCell<Inner>>);

struct Inner {
    payload: Payload,
    has_ended: bool,
}

impl Unread {
    /// Takes hold of the body of a request, where it is chunked.
    pub fn of(request: &mut ServiceRequest) -> Option<Self> {
        if !request.head().chunked() {
            return None;
        }
        let inner = Rc::new(RefCell::new(Inner {
            payload: request.take_payload(),
            has_ended: false,
        }));
        let read = Box::pin(Reader(Rc::clone(&inner)));
        request.set_payload(Payload::Stream { payload: read });
        Some(Self(inner))
    }

    /// Holds what is left of it, now that there is an answer.
    pub fn answered(self) {
        if self.0.borrow().has_ended {
            return;
        }
        rt::spawn(async move {
            sleep(ANSWERED).await;
            drop(self);
        });
    }
}

/// What others read it by.
struct Reader(Rc<RefCell<Inner>>);

impl Stream for Reader {
    type Item = Result<Bytes, PayloadError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let mut inner = self.0.borrow_mut();
        let next = Pin::new(&mut inner.payload).poll_next(context);
        inner.has_ended |= matches!(next, Poll::Ready(None));
        next
    }
}
