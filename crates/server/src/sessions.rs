//! Sessions of browsers: a key is asked for once, and a cookie that only the service reads stands for it.

use std::{
    collections::VecDeque,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use artifact::Digest;

/// Sessions of a key at a time; its oldest ends when another begins, and none of other keys: who has one key cannot log
/// out those who have another.
const MOST_EACH: usize = 100;
/// How long a session lasts.
const LIFETIME: Duration = Duration::from_secs(12 * 3600);
/// The cookie's name.
pub const COOKIE: &str = "netsec_session";

/// The sessions that are open, in memory alone.
#[derive(Debug, Default)]
pub struct Sessions(Mutex<VecDeque<Session>>);

#[derive(Debug)]
struct Session {
    token: Digest,
    key: Digest,
    began: Instant,
}

impl Sessions {
    /// Begins a session of a key; returns its token.
    ///
    /// # Errors
    /// When the system gives no randomness.
    pub fn begin(&self, key: Digest) -> Result<String, getrandom::Error> {
        let mut random = [0; 32];
        getrandom::fill(&mut random)?;
        let token: String = random.iter().map(|byte| format!("{byte:02x}")).collect();
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|s| s.began.elapsed() < LIFETIME);
        let own = sessions.iter().enumerate().filter(|(_, s)| s.key == key);
        if own.clone().count() >= MOST_EACH
            && let Some(oldest) = own.map(|(at, _)| at).next()
        {
            sessions.remove(oldest);
        }
        sessions.push_back(Session {
            token: Digest::of(token.as_bytes()),
            key,
            began: Instant::now(),
        });
        Ok(token)
    }

    /// Ends the session of a token, if it has one.
    pub fn end(&self, token: &str) {
        let token = Digest::of(token.as_bytes());
        let mut sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions.retain(|s| s.token != token);
    }

    /// Returns the key of a token's session, which may have been taken out since. Tokens are compared by their digests,
    /// whose order tells nothing about a token.
    pub fn key_of(&self, token: &str) -> Option<Digest> {
        let token = Digest::of(token.as_bytes());
        let sessions = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        sessions
            .iter()
            .find(|s| s.token == token && s.began.elapsed() < LIFETIME)
            .map(|s| s.key)
    }
}

/// Returns the token that a `Cookie` header holds.
pub fn token_in(header: &str) -> Option<&str> {
    let pairs = header
        .split(';')
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .filter(|(name, _)| *name == COOKIE)
        .map(|(_, token)| token)
        .next()
}
