//! Who listens at a port, when it is not who should.

use std::{
    io::{self, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// How long a server may take for its first words.
const GREETING: Duration = Duration::from_secs(1);

pub(crate) const MYSQL: &str = "MySQL";
pub(crate) const POSTGRES: &str = "PostgreSQL";
pub(crate) const MONGODB: &str = "MongoDB";

/// Says who listens at an address, where that shows: by who speaks first, or by the answer to a few words.
/// Needed only where nobody is understood.
pub(crate) fn of(at: SocketAddr) -> Option<&'static str> {
    let greeting = answer(at, b"");
    if greeting.starts_with(b"SSH-") {
        return Some("SSH");
    }
    // Behind the frame: the version of the protocol, or that it is an error.
    if matches!(greeting.get(4), Some(10 | 0xff)) {
        return Some(MYSQL);
    }
    // The request whether TLS is spoken.
    if matches!(answer(at, &[0, 0, 0, 8, 4, 210, 22, 47])[..], [b'S' | b'N']) {
        return Some(POSTGRES);
    }
    let page = answer(at, b"GET / HTTP/1.0\r\n\r\n");
    // MongoDB tells a browser what it is.
    match page.windows(MONGODB.len()).any(|w| w == MONGODB.as_bytes()) {
        true => Some(MONGODB),
        false => page.starts_with(b"HTTP/").then_some("a web server"),
    }
}

/// Says some words, and returns the first of what is said then.
fn answer(at: SocketAddr, words: &[u8]) -> Vec<u8> {
    let ask = || -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&at, super::PATIENCE)?;
        stream.set_read_timeout(Some(GREETING))?;
        stream.write_all(words)?;
        let mut said = vec![0; 512];
        let n_bytes = stream.read(&mut said)?;
        said.truncate(n_bytes);
        Ok(said)
    };
    ask().unwrap_or_default()
}
