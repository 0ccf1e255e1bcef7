//! A small HTTP client that hides nothing: bytes out, an answer in.

use std::{
    io::{BufRead as _, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use serde_json::Value;

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn text(&self) -> String {
        String::from_utf8(self.body.clone()).unwrap()
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        match serde_json::from_slice(&self.body) {
            Ok(value) => value,
            Err(error) => panic!("{error} in {self:?}"),
        }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut found = self.headers.iter().filter(|(n, _)| n == name);
        found.next().map(|(_, value)| value.as_str())
    }
}

/// A connection that is kept open.
pub struct Connection<S: Read + Write = TcpStream> {
    stream: BufReader<S>,
    address: SocketAddr,
}

impl Connection {
    pub fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .unwrap();
        stream.set_nodelay(true).unwrap();
        Self::over(stream, address)
    }

    /// Says that nothing more will be sent.
    pub fn end_writing(&self) {
        let stream = self.stream.get_ref();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
    }
}

impl<S: Read + Write> Connection<S> {
    /// Speaks HTTP over a stream that is open already.
    pub fn over(stream: S, address: SocketAddr) -> Self {
        Self {
            stream: BufReader::new(stream),
            address,
        }
    }

    pub fn write(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.stream.get_mut().write_all(bytes)
    }

    /// Sends a request and reads its answer; lines are further header fields.
    pub fn call(&mut self, method: &str, path: &str, lines: &[&str], body: &[u8]) -> Answer {
        let head = self.head(method, path, lines, Some(body.len()));
        // The server may have refused it by its head alone.
        let _ = self.write(&[head.as_bytes(), body].concat());
        self.read().unwrap()
    }

    pub fn head(&self, method: &str, path: &str, lines: &[&str], length: Option<usize>) -> String {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !lines.iter().any(|l| l.to_lowercase().starts_with("host:")) {
            head += &format!("Host: {}\r\n", self.address);
        }
        if let Some(length) = length {
            head += &format!("Content-Length: {length}\r\n");
        }
        for line in lines {
            head += &format!("{line}\r\n");
        }
        head + "\r\n"
    }

    /// Reads an answer.
    pub fn read(&mut self) -> std::io::Result<Answer> {
        let mut answer = self.read_head()?;
        if answer.header("transfer-encoding") == Some("chunked") {
            self.read_chunks(&mut answer.body)?;
        } else {
            let length = answer
                .header("content-length")
                .map_or(0, |n| n.parse().unwrap());
            answer.body.resize(length, 0);
            self.stream.read_exact(&mut answer.body)?;
        }
        Ok(answer)
    }

    /// Reads so many bytes of a body.
    pub fn read_rest(&mut self, length: usize) -> std::io::Result<Vec<u8>> {
        let mut rest = vec![0; length];
        self.stream.read_exact(&mut rest)?;
        Ok(rest)
    }

    /// Reads an answer's status and header.
    pub fn read_head(&mut self) -> std::io::Result<Answer> {
        let mut status = String::new();
        self.stream.read_line(&mut status)?;
        let code = status.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = code.ok_or_else(|| {
            std::io::Error::new(std::io::ErrorKind::UnexpectedEof, format!("{status:?}"))
        })?;
        let mut headers = Vec::new();
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            let Some((name, value)) = line.trim_end().split_once(": ") else {
                break;
            };
            headers.push((name.to_lowercase(), value.to_owned()));
        }
        Ok(Answer {
            status,
            headers,
            body: Vec::new(),
        })
    }

    fn read_chunks(&mut self, body: &mut Vec<u8>) -> std::io::Result<()> {
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            let broken = || std::io::Error::new(std::io::ErrorKind::UnexpectedEof, "chunk");
            let n = usize::from_str_radix(line.trim_end(), 16).map_err(|_| broken())?;
            let start = body.len();
            body.resize(start + n, 0);
            self.stream.read_exact(&mut body[start..])?;
            self.stream.read_exact(&mut [0; 2])?;
            if n == 0 {
                return Ok(());
            }
        }
    }
}
