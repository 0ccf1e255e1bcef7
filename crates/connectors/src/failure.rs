//! Why a server did not do what was asked of it: whether to try again, and what to do about it.

use dataset::{SinkError, SourceError};

use crate::probe::{LOOK, OfStep};

/// Why a request failed, for people.
#[derive(Debug, Clone)]
pub(crate) struct Trouble {
    pub location: String,
    /// What was asked of the server.
    pub asked: String,
    pub reason: String,
    pub cause: Cause,
    /// What to look at when user or password are wrong.
    pub login_advice: &'static str,
}

/// What is behind a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cause {
    /// No server could be reached.
    Unreachable,
    /// The connection or the server gave up for a moment.
    Interrupted,
    /// No answer came within the time limit.
    TimedOut,
    /// The server gave up at a time limit of its own.
    #[cfg(feature = "sql")]
    Limited,
    /// Another program keeps everybody else away from a file.
    #[cfg(feature = "sql")]
    Locked,
    /// User or password are wrong.
    Credentials,
    /// The user may not do this.
    Permission,
    /// The address or what was asked is wrong.
    Wrong,
    /// The disk of a file has no room or fails, or has damaged the file.
    #[cfg(feature = "sql")]
    Disk,
    /// What a table asks for by itself when it is written to is not there.
    #[cfg(feature = "sql")]
    Inside,
    /// The server's certificate is not accepted, or it does not speak TLS; the reason says what to do.
    #[cfg(any(
        feature = "dynamodb",
        feature = "mongodb",
        feature = "s3",
        feature = "sql"
    ))]
    Tls,
    /// The name is not known to the DNS.
    #[cfg(feature = "mongodb")]
    Nameless,
    /// The server has more to do than it takes on.
    #[cfg(feature = "dynamodb")]
    Busy,
    /// What was asked for is not there.
    #[cfg(any(feature = "dynamodb", feature = "s3"))]
    Missing,
    /// What is read or written is no longer what it was.
    #[cfg(feature = "s3")]
    Changed,
    /// The server refused, or answered what it should not.
    Refused,
}

impl Cause {
    /// Returns whether whoever has written the address has to change it.
    fn is_of_the_address(self) -> bool {
        match self {
            #[cfg(any(feature = "dynamodb", feature = "s3"))]
            Self::Missing => true,
            cause => cause == Self::Wrong,
        }
    }

    /// Returns whether the same request may succeed a moment later.
    pub(crate) fn is_transient(self) -> bool {
        match self {
            Self::Unreachable | Self::Interrupted | Self::TimedOut => true,
            #[cfg(feature = "dynamodb")]
            Self::Busy => true,
            #[cfg(feature = "sql")]
            Self::Limited | Self::Locked => true,
            _ => false,
        }
    }
}

impl Trouble {
    pub(crate) fn advice(&self) -> &'static str {
        match self.cause {
            Cause::Unreachable => "check host and port and whether the server runs",
            Cause::Interrupted => "run it again",
            #[cfg(feature = "dynamodb")]
            Cause::Busy => {
                "give the table more capacity, or ask for less of it: rcu=UNITS and wcu=UNITS in the address"
            }
            #[cfg(feature = "s3")]
            Cause::Changed => "run it again",
            #[cfg(feature = "sql")]
            Cause::Limited => {
                "the server has ended it at a time limit of its own, or somebody has: run it again, or have the limit \
                 raised for this user"
            }
            #[cfg(feature = "sql")]
            Cause::Locked => {
                "another program has a transaction open in it: `fuser` with the file's path names its process; \
                 end that transaction, and run it again"
            }
            Cause::TimedOut => "run it again, or set time_limit=SECONDS in the address",
            Cause::Credentials => self.login_advice,
            Cause::Permission => "let this user do that, or use another",
            #[cfg(any(feature = "dynamodb", feature = "s3"))]
            Cause::Missing => "check the address; docs/connectors.md lists what it may hold",
            Cause::Wrong => "docs/connectors.md lists what an address may hold",
            #[cfg(feature = "sql")]
            Cause::Disk => "look at the disk, and whether it has room: then run it again",
            #[cfg(feature = "sql")]
            Cause::Inside => {
                "a trigger or a function of the table asks for what is not there, or the table has changed meanwhile: mend \
                 it, and push the same again"
            }
            #[cfg(any(
                feature = "dynamodb",
                feature = "mongodb",
                feature = "s3",
                feature = "sql"
            ))]
            Cause::Tls => "",
            #[cfg(feature = "mongodb")]
            Cause::Nameless => {
                "check the name, and whether this machine reaches a DNS server; mongodb://HOST:PORT,… with \
                 &tls=true does without the record"
            }
            Cause::Refused => "",
        }
    }

    /// Takes it for one of what a table does by itself: that there is such a table has been seen.
    #[cfg(feature = "sql")]
    pub(crate) fn of_writing(mut self) -> Self {
        if self.cause == Cause::Wrong {
            self.cause = Cause::Inside;
        }
        self
    }

    /// Says that what was written cannot be read.
    #[cfg(feature = "sql")]
    pub(crate) fn unread(self) -> SinkError {
        if self.cause == Cause::Refused {
            return self.into();
        }
        let is_transient = self.cause.is_transient();
        let (location, reason) = self.said();
        SinkError::Unread {
            location,
            reason,
            is_transient,
        }
    }

    fn said(self) -> (String, String) {
        let look = if self.cause == Cause::Unreachable {
            LOOK
        } else {
            ""
        };
        let (location, reason) = self.said_of_step();
        (location, reason + look)
    }

    fn said_of_step(self) -> (String, String) {
        let advice = self.advice();
        let colon = if advice.is_empty() { "" } else { ": " };
        let reason = format!("{}: {}{colon}{advice}", self.asked, self.reason);
        (self.location, reason)
    }
}

impl From<Trouble> for SourceError {
    fn from(trouble: Trouble) -> Self {
        let cause = trouble.cause;
        of_source(cause, trouble.said())
    }
}

impl OfStep for Trouble {
    fn of_step(self) -> SourceError {
        let cause = self.cause;
        of_source(cause, self.said_of_step())
    }
}

fn of_source(cause: Cause, (location, reason): (String, String)) -> SourceError {
    match cause.is_of_the_address() {
        true => SourceError::Unsupported { location, reason },
        false => SourceError::Unavailable { location, reason },
    }
}

impl From<Trouble> for SinkError {
    fn from(trouble: Trouble) -> Self {
        let cause = trouble.cause;
        let (location, reason) = trouble.said();
        match cause {
            Cause::Refused => Self::Rejected { location, reason },
            cause if cause.is_transient() => Self::Interrupted { location, reason },
            _ => Self::Unavailable { location, reason },
        }
    }
}
