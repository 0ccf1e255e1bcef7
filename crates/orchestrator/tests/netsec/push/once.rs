//! Sources that give other records when they are read again.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use serde_json::Value;

use crate::support::{Workplace, tiny_csv};

/// A server whose file has some rows, and one more each time that it is asked for.
pub struct Growing {
    pub uri: String,
    n_asked: Arc<AtomicUsize>,
}

impl Growing {
    pub fn start(rows: usize) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let n_asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&n_asked);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let request = BufReader::new(stream.try_clone().unwrap());
                let lines = request.lines().map_while(Result::ok);
                if lines.take_while(|line| !line.is_empty()).count() == 0 {
                    continue;
                }
                let body = tiny_csv(rows + count.fetch_add(1, Ordering::SeqCst));
                let n = body.len();
                let head = format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/csv\r\nContent-Length: {n}\r\nConnection: close\r\n\r\n"
                );
                let _ = stream.write_all((head + &body).as_bytes());
            }
        });
        Self {
            uri: format!("http://127.0.0.1:{port}/tiny.csv"),
            n_asked,
        }
    }

    pub fn n_asked(&self) -> usize {
        self.n_asked.load(Ordering::SeqCst)
    }
}

#[test]
fn a_source_is_read_once_so_that_it_may_change_meanwhile() {
    let place = Workplace::new();
    place.write_tiny(0);
    let source = Growing::start(3);
    let fixed = ["push", "--json", "--dataset", "tiny.yaml", "--from"];
    let called = place.call(&[&fixed[..], &[&source.uri, "--to", "out.csv"]].concat());
    assert_eq!(called.code, 0, "{}", called.err);
    let pushed: Value = serde_json::from_str(&called.out).unwrap();
    assert_eq!(
        (&pushed["rows"], &pushed["written"]),
        (&3.into(), &3.into())
    );
    assert_eq!(source.n_asked(), 1);
    let out = std::fs::read_to_string(place.path("out.csv")).unwrap();
    assert_eq!(out, tiny_csv(3));
}
