//! A TCP proxy that does to connections what networks do.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

/// What happens to a connection.
#[derive(Clone, Copy)]
pub enum Fault {
    /// Cut once the server has sent this many bytes, for the first so many connections that come so far.
    CutAnswers { after: usize, times: usize },
    /// Cut once the client has sent this many bytes, for the first so many connections that come so far.
    CutRequests { after: usize, times: usize },
    /// Nothing more is passed on once the client has sent this many bytes.
    HoldRequests { after: usize },
    /// Answered by the proxy itself, the first so many connections.
    Answer {
        status: &'static str,
        body: &'static str,
        times: usize,
    },
    /// What the server says arrives byte by byte, with this wait before each.
    Trickle(Duration),
    /// Connections are taken and nothing is ever said.
    Silence,
}

/// A proxy before a port of this machine; it lives as long as the test's process.
pub struct Proxy {
    pub port: u16,
    cuts: Arc<AtomicUsize>,
}

impl Proxy {
    pub fn before(target: u16, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let cuts = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&cuts);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let counter = Arc::clone(&counter);
                std::thread::spawn(move || serve(client.unwrap(), target, fault, &counter));
            }
        });
        Self { port, cuts }
    }

    /// Returns how many connections were cut.
    pub fn cuts(&self) -> usize {
        self.cuts.load(Ordering::SeqCst)
    }
}

const HOLD: usize = usize::MAX;

/// Answers a request of HTTP, whatever it is.
fn answer(mut client: TcpStream, status: &str, body: &str) {
    let _ = client.read(&mut [0; 4096]);
    let n = body.len();
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {n}\r\nconnection: close\r\n\r\n");
    let _ = client.write_all((head + body).as_bytes());
    let _ = client.shutdown(Shutdown::Write);
    let _ = client.read(&mut [0; 4096]);
}

fn serve(client: TcpStream, target: u16, fault: Fault, cuts: &Arc<AtomicUsize>) {
    if let Fault::Silence = fault {
        std::thread::sleep(Duration::from_secs(60));
        return;
    }
    if let Fault::Answer {
        status,
        body,
        times,
    } = fault
        && cuts.fetch_add(1, Ordering::SeqCst) < times
    {
        return answer(client, status, body);
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else {
        return;
    };
    let (requests, answers) = match fault {
        Fault::CutAnswers { after, times } => (None, Some((after, times))),
        Fault::CutRequests { after, times } => (Some((after, times)), None),
        Fault::HoldRequests { after } => (Some((after, HOLD)), None),
        _ => (None, None),
    };
    let wait = match fault {
        Fault::Trickle(wait) => Some(wait),
        _ => None,
    };
    let (from, to) = (client.try_clone().unwrap(), server.try_clone().unwrap());
    let counter = Arc::clone(cuts);
    std::thread::spawn(move || pump(from, to, requests, None, &counter));
    pump(server, client, answers, wait, cuts);
}

fn pump(
    mut from: TcpStream,
    mut to: TcpStream,
    cut: Option<(usize, usize)>,
    wait: Option<Duration>,
    cuts: &AtomicUsize,
) {
    let mut buffer = vec![0; if wait.is_some() { 1 } else { 4096 }];
    let mut sent = 0;
    loop {
        let n = from.read(&mut buffer).unwrap_or(0);
        sent += n;
        let is_over = cut.is_some_and(|(after, times)| {
            sent > after && cuts.fetch_add(1, Ordering::SeqCst) < times
        });
        if is_over && cut.is_some_and(|(_, times)| times == HOLD) {
            std::thread::sleep(Duration::from_secs(60));
        }
        if let Some(wait) = wait {
            std::thread::sleep(wait);
        }
        if n == 0 || is_over || to.write_all(&buffer[..n]).is_err() {
            // The other side may have gone already.
            let _ = from.shutdown(Shutdown::Both);
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
    }
}
