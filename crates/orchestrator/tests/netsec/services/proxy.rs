//! A TCP proxy that does to connections what networks do.

use std::{
    io::{Read as _, Write as _},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

/// What happens to a connection.
#[derive(Clone, Copy)]
pub enum Fault {
    /// Nothing: connections and requests are counted.
    None,
    /// Requests of HTTP without bodies, for a server that closes each connection: the client's stays.
    Keep,
    /// A request of HTTP whose first line holds the text gets this status, once for each.
    Refuse(&'static [(&'static str, &'static str)]),
    /// The first request of HTTP whose first line holds the text is passed on, but not its answer; those
    /// after it get these statuses.
    Lose(&'static str, &'static [&'static str]),
    /// Requests of HTTP whose first line holds the text go no further than to the proxy.
    Hold(&'static str),
    /// Answered by the proxy itself with these bytes, the first so many connections.
    Say { bytes: &'static str, times: usize },
    /// Cut once the server has sent this many bytes, for the first so many connections that come so far.
    CutAnswers { after: usize, times: usize },
    /// The first is cut once the server has sent this many bytes; later ones wait until they are let on.
    CutThenWait { after: usize },
    /// Cut once the client has sent this many bytes, for the first so many connections that come so far.
    CutRequests { after: usize, times: usize },
    /// Once these texts have come one after another in what clients send, the request with the last one is
    /// passed on; it is not answered, and from then on nobody is.
    Vanish(&'static [&'static str]),
    /// The first request with this text goes no further: its connection is cut, and later ones wait until they
    /// are let on.
    Interrupt(&'static str),
    /// From this text on, what clients send waits until it is let on.
    Wait(&'static str),
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
    seen: Arc<Mutex<Seen>>,
}

/// What has come to a proxy.
#[derive(Default)]
struct Seen {
    n_connections: usize,
    /// The first lines of requests of HTTP.
    requests: Vec<String>,
    /// Which of those to refuse have been.
    refused: Vec<usize>,
    is_open: bool,
    /// How many of those that are to come one after another have.
    n_texts: usize,
}

impl Proxy {
    pub fn before(target: u16, fault: Fault) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let cuts = Arc::new(AtomicUsize::new(0));
        let seen = Arc::<Mutex<Seen>>::default();
        let (counter, noted) = (Arc::clone(&cuts), Arc::clone(&seen));
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let (counter, noted) = (Arc::clone(&counter), Arc::clone(&noted));
                noted.lock().unwrap().n_connections += 1;
                std::thread::spawn(move || serve(client.unwrap(), target, fault, &counter, &noted));
            }
        });
        Self { port, cuts, seen }
    }

    /// Lets those on that wait.
    pub fn open(&self) {
        self.seen.lock().unwrap().is_open = true;
    }

    pub fn n_connections(&self) -> usize {
        self.seen.lock().unwrap().n_connections
    }

    /// Counts the requests whose first line holds a text.
    pub fn n_requests(&self, text: &str) -> usize {
        let seen = self.seen.lock().unwrap();
        seen.requests.iter().filter(|r| r.contains(text)).count()
    }

    /// Counts the requests that were refused.
    pub fn n_refused(&self) -> usize {
        self.seen.lock().unwrap().refused.len()
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
    say(client, &(head + body));
}

/// Says it, and takes what else comes, so that it arrives.
fn say(mut client: TcpStream, bytes: &str) {
    let _ = client.write_all(bytes.as_bytes());
    let _ = client.shutdown(Shutdown::Write);
    let _ = client.set_read_timeout(Some(Duration::from_secs(2)));
    while client.read(&mut [0; 4096]).is_ok_and(|n| n > 0) {}
}

impl Seen {
    /// Notes which of some texts, that come one after another, have come; returns whether all have.
    fn has_come(&mut self, bytes: &[u8], texts: &[&str]) -> bool {
        let holds = |text: &str| {
            bytes
                .windows(text.len())
                .any(|part| part == text.as_bytes())
        };
        while texts.get(self.n_texts).is_some_and(|text| holds(text)) {
            self.n_texts += 1;
        }
        self.n_texts == texts.len()
    }

    /// Notes a request that begins; returns the status that it is to get.
    fn note(&mut self, bytes: &[u8], fault: Fault) -> Option<&'static str> {
        let is_request = ["GET ", "PUT ", "POST ", "HEAD ", "DELETE "]
            .iter()
            .any(|method| bytes.starts_with(method.as_bytes()));
        if !is_request {
            return None;
        }
        let text = String::from_utf8_lossy(bytes);
        let line = text.lines().next().unwrap_or_default();
        self.requests.push(line.to_owned());
        let Fault::Refuse(all) = fault else {
            return None;
        };
        let mut all = all.iter().enumerate();
        let (i, (_, status)) =
            all.find(|(i, (part, _))| line.contains(part) && !self.refused.contains(i))?;
        self.refused.push(i);
        Some(status)
    }
}

fn serve(
    mut client: TcpStream,
    target: u16,
    fault: Fault,
    cuts: &Arc<AtomicUsize>,
    seen: &Arc<Mutex<Seen>>,
) {
    if let Fault::Say { bytes, times } = fault
        && cuts.fetch_add(1, Ordering::SeqCst) < times
    {
        let _ = client.read(&mut [0; 4096]);
        return say(client, bytes);
    }
    if let Fault::Vanish(texts) = fault
        && seen.lock().unwrap().n_texts == texts.len()
    {
        return;
    }
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
    if let Fault::CutThenWait { .. } | Fault::Interrupt(_) = fault {
        while cuts.load(Ordering::SeqCst) > 0 && !seen.lock().unwrap().is_open {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
    if let Fault::Keep = fault {
        return keep(client, target, seen);
    }
    let Ok(server) = TcpStream::connect(("127.0.0.1", target)) else {
        return;
    };
    let (requests, answers) = match fault {
        Fault::CutAnswers { after, times } => (None, Some((after, times))),
        Fault::CutThenWait { after } => (None, Some((after, 1))),
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
    let (noted, lost) = (Arc::clone(seen), Arc::new(AtomicBool::new(false)));
    let is_lost = Arc::clone(&lost);
    let losses = Arc::clone(cuts);
    let both = [client.try_clone().unwrap(), server.try_clone().unwrap()];
    std::thread::spawn(move || {
        let note = |bytes: &[u8]| {
            let mut seen = noted.lock().unwrap();
            if let Fault::Vanish(texts) = fault
                && seen.has_come(bytes, texts)
            {
                lost.store(true, Ordering::SeqCst);
            }
            if let Fault::Interrupt(text) = fault
                && seen.has_come(bytes, &[text])
                && losses.fetch_add(1, Ordering::SeqCst) == 0
            {
                for side in &both {
                    let _ = side.shutdown(Shutdown::Both);
                }
            }
            if let Fault::Wait(text) = fault
                && seen.has_come(bytes, &[text])
            {
                losses.fetch_add(1, Ordering::SeqCst);
                while !seen.is_open {
                    drop(seen);
                    std::thread::sleep(Duration::from_millis(1));
                    seen = noted.lock().unwrap();
                }
                return None;
            }
            let (n, status) = (seen.requests.len(), seen.note(bytes, fault));
            let mut new = seen.requests[n..].iter();
            if let Fault::Hold(text) = fault
                && new.clone().any(|line| line.contains(text))
            {
                drop(seen);
                losses.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_secs(60));
                return None;
            }
            let Fault::Lose(text, then) = fault else {
                return status;
            };
            let meant = new.find(|line| line.contains(text));
            match meant.map(|_| losses.fetch_add(1, Ordering::SeqCst)) {
                Some(0) => lost.store(true, Ordering::SeqCst),
                Some(n) => return then.get(n - 1).copied(),
                None => {}
            }
            None
        };
        pump(from, to, requests, None, &counter, &note);
    });
    match fault {
        Fault::Lose(..) => return lose(server, client, &is_lost),
        Fault::Vanish(..) => return vanish(server, client, &is_lost),
        _ => {}
    }
    pump(server, client, answers, wait, cuts, &|_| None);
}

/// Passes answers on until one is to be lost, which is waited for: the server has done what it was asked.
fn lose(mut from: TcpStream, mut to: TcpStream, is_lost: &AtomicBool) {
    let mut buffer = [0; 4096];
    while let Ok(n) = from.read(&mut buffer)
        && n > 0
        && (is_lost.load(Ordering::SeqCst) || to.write_all(&buffer[..n]).is_ok())
    {}
    let _ = to.shutdown(Shutdown::Both);
}

/// Passes answers on until one is to be lost: the server has then done what it was asked.
fn vanish(mut from: TcpStream, mut to: TcpStream, is_lost: &AtomicBool) {
    let mut buffer = [0; 4096];
    while let Ok(n) = from.read(&mut buffer)
        && n > 0
        && !is_lost.load(Ordering::SeqCst)
        && to.write_all(&buffer[..n]).is_ok()
    {}
    for side in [from, to] {
        let _ = side.shutdown(Shutdown::Both);
    }
}

/// Passes one request after another on, each over a connection of its own.
fn keep(mut client: TcpStream, target: u16, seen: &Mutex<Seen>) {
    let (mut request, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(n) = client.read(&mut buffer)
        && n > 0
    {
        request.extend(&buffer[..n]);
        if !request.ends_with(b"\r\n\r\n") {
            continue;
        }
        seen.lock().unwrap().note(&request, Fault::Keep);
        let mut server = TcpStream::connect(("127.0.0.1", target)).unwrap();
        server.write_all(&request).unwrap();
        request.clear();
        let mut answer = Vec::new();
        server.read_to_end(&mut answer).unwrap();
        let close = b"Connection: close\r\n";
        if let Some(at) = answer.windows(close.len()).position(|part| part == close) {
            answer.drain(at..at + close.len());
        }
        client.write_all(&answer).unwrap();
    }
}

fn pump(
    mut from: TcpStream,
    mut to: TcpStream,
    cut: Option<(usize, usize)>,
    wait: Option<Duration>,
    cuts: &AtomicUsize,
    note: &dyn Fn(&[u8]) -> Option<&'static str>,
) {
    let mut buffer = vec![0; if wait.is_some() { 1 } else { 4096 }];
    let mut sent = 0;
    loop {
        let n = from.read(&mut buffer).unwrap_or(0);
        sent += n;
        if let Some(status) = note(&buffer[..n]) {
            let head =
                format!("HTTP/1.1 {status}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            say(from, &head);
            let _ = to.shutdown(Shutdown::Both);
            return;
        }
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
