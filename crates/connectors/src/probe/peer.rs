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
pub(crate) const WEB: &str = "a web server";

/// A `ping` of the database `admin` in MongoDB's wire protocol: <https://www.mongodb.com/docs/manual/reference/mongodb-wire-protocol/>.
const PING: &[u8] = b"\x33\0\0\0\x01\0\0\0\0\0\0\0\xdd\x07\0\0\0\0\0\0\0\
                      \x1e\0\0\0\x10ping\0\x01\0\0\0\x02$db\0\x06\0\0\0admin\0\0";
/// What the header of its answer ends with: the kind of message.
const MESSAGE: &[u8] = b"\xdd\x07\0\0";

/// Says that somebody else listens at an address than who should, where that shows.
pub(crate) fn instead(at: SocketAddr, own: &str) -> Option<String> {
    let other = of(at).filter(|other| *other != own)?;
    Some(format!("{other} answers at this port, not {own}"))
}

/// Says who listens at an address, where that shows: by who speaks first, or by the answer to a few words.
/// Needed only where nobody is understood.
fn of(at: SocketAddr) -> Option<&'static str> {
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
    if answer(at, PING).get(12..16) == Some(MESSAGE) {
        return Some(MONGODB);
    }
    let page = answer(at, b"GET / HTTP/1.0\r\n\r\n");
    page.starts_with(b"HTTP/").then_some(WEB)
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
