//! A scripted peer that speaks enough of MongoDB's wire protocol to refuse a password: the real server
//! of these tests knows no authentication.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
};

/// Starts the peer; returns its port.
pub fn that_refuses_passwords() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            std::thread::spawn(move || converse(client.unwrap()));
        }
    });
    port
}

fn converse(mut client: TcpStream) -> Option<()> {
    loop {
        let mut header = [0; 16];
        client.read_exact(&mut header).ok()?;
        let word = |at: usize| i32::from_le_bytes(header[at..at + 4].try_into().unwrap());
        let (length, id, operation) = (word(0), word(4), word(12));
        let mut body = vec![0; length as usize - 16];
        client.read_exact(&mut body).ok()?;
        let asks = |word: &str| body.windows(word.len()).any(|w| w == word.as_bytes());
        let document = match asks("saslStart") {
            true => refusal(),
            false => hello(),
        };
        let answer = match operation {
            // OP_QUERY, which older greetings still use, is answered with OP_REPLY.
            2004 => message(
                id,
                1,
                &[&[0; 16][..], &1i32.to_le_bytes(), &document].concat(),
            ),
            _ => message(id, 2013, &[&[0; 5][..], &document].concat()),
        };
        client.write_all(&answer).ok()?;
    }
}

fn message(to: i32, operation: i32, body: &[u8]) -> Vec<u8> {
    let words = [16 + body.len() as i32, 1, to, operation];
    let header = words.iter().flat_map(|w| w.to_le_bytes());
    header.chain(body.iter().copied()).collect()
}

fn hello() -> Vec<u8> {
    document(&[
        boolean("isWritablePrimary", true),
        boolean("ismaster", true),
        boolean("helloOk", true),
        int("maxBsonObjectSize", 16 << 20),
        int("maxMessageSizeBytes", 48_000_000),
        int("maxWriteBatchSize", 100_000),
        int("minWireVersion", 0),
        int("maxWireVersion", 21),
        double("ok", 1.0),
    ])
}

fn refusal() -> Vec<u8> {
    document(&[
        double("ok", 0.0),
        int("code", 18),
        text("codeName", "AuthenticationFailed"),
        text("errmsg", "Authentication failed."),
    ])
}

fn document(elements: &[Vec<u8>]) -> Vec<u8> {
    let inside = elements.concat();
    let length = (inside.len() as i32 + 5).to_le_bytes();
    [&length[..], &inside, &[0]].concat()
}

fn element(kind: u8, name: &str, value: &[u8]) -> Vec<u8> {
    [&[kind], name.as_bytes(), &[0], value].concat()
}

fn double(name: &str, value: f64) -> Vec<u8> {
    element(1, name, &value.to_le_bytes())
}

fn text(name: &str, value: &str) -> Vec<u8> {
    let length = (value.len() as i32 + 1).to_le_bytes();
    element(2, name, &[&length[..], value.as_bytes(), &[0]].concat())
}

fn boolean(name: &str, value: bool) -> Vec<u8> {
    element(8, name, &[u8::from(value)])
}

fn int(name: &str, value: i32) -> Vec<u8> {
    element(16, name, &value.to_le_bytes())
}
