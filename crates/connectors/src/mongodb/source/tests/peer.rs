//! A scripted server of one collection, of which one cursor reads.

use std::{
    io::{Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

use mongodb::bson::{Bson, Document, doc, oid::ObjectId};

/// What happens to a request.
#[derive(Clone, Copy)]
pub(super) enum Fault {
    /// It is refused with this code.
    Code(i32),
    /// It is never answered.
    Silence,
}

/// The server; it lives as long as the test's process.
pub(super) struct Peer {
    pub port: u16,
    state: Arc<Mutex<State>>,
}

struct State {
    n_documents: usize,
    /// The document that comes next.
    next: usize,
    /// What happens, once, to the request for this document.
    fault: Option<(usize, Fault)>,
    asked: Vec<Document>,
}

impl Peer {
    /// Starts a server of documents `{a: 0}`, `{a: 1}` and so on.
    pub(super) fn with(n_documents: usize, fault: Option<(usize, Fault)>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(Mutex::new(State {
            n_documents,
            next: 0,
            fault,
            asked: Vec::new(),
        }));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for client in listener.incoming() {
                let state = Arc::clone(&shared);
                std::thread::spawn(move || converse(client.unwrap(), &state));
            }
        });
        Self { port, state }
    }

    /// Returns the commands of a name that have come so far.
    pub(super) fn asked(&self, name: &str) -> Vec<Document> {
        let asked = &self.state.lock().unwrap().asked;
        let named = asked.iter().filter(|command| name_of(command) == name);
        named.cloned().collect()
    }

    /// Counts the batches that were asked for.
    pub(super) fn n_batches(&self) -> usize {
        self.asked("find").len() + self.asked("getMore").len()
    }
}

/// Returns the document that a filter wants, with those behind it.
pub(super) fn behind(filter: &Document) -> Option<usize> {
    let id = filter.get_array("$and").ok()?[1].as_document()?;
    let id = id.get_document("_id").ok()?.get_object_id("$gt").ok()?;
    let number = id.bytes()[8..].try_into().ok()?;
    Some(u32::from_be_bytes(number) as usize + 1)
}

fn document(i: usize) -> Bson {
    let mut id = [0; 12];
    id[8..].copy_from_slice(&(i as u32).to_be_bytes());
    doc! {"_id": ObjectId::from_bytes(id), "a": i as i32}.into()
}

fn name_of(command: &Document) -> &str {
    command.keys().next().unwrap()
}

fn converse(mut client: TcpStream, state: &Mutex<State>) -> Option<()> {
    loop {
        let mut header = [0; 16];
        client.read_exact(&mut header).ok()?;
        let word = |at: usize| i32::from_le_bytes(header[at..at + 4].try_into().unwrap());
        let (length, id, operation) = (word(0), word(4), word(12));
        let mut body = vec![0; length as usize - 16];
        client.read_exact(&mut body).ok()?;
        // OP_QUERY, of which the greeting is, is answered with OP_REPLY.
        let (operation, frame, answer) = match operation {
            2004 => (
                1,
                &[&[0; 16][..], &1i32.to_le_bytes()].concat()[..],
                hello(),
            ),
            _ => {
                let command = Document::from_reader(&body[5..]).unwrap();
                (2013, &[0; 5][..], state.lock().unwrap().answer(command))
            }
        };
        if answer.is_empty() {
            std::thread::sleep(Duration::from_secs(60));
        }
        let body = [frame, &answer.to_vec().unwrap()].concat();
        let words = [16 + body.len() as i32, 1, id, operation];
        let header: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
        client.write_all(&[header, body].concat()).ok()?;
    }
}

impl State {
    /// Answers a command; not at all with an empty document.
    fn answer(&mut self, command: Document) -> Document {
        let answer = match name_of(&command) {
            "hello" | "isMaster" => hello(),
            "find" => {
                self.next = command
                    .get_document("filter")
                    .map_or(0, |f| behind(f).unwrap_or(0));
                self.batch("firstBatch", &command)
            }
            "getMore" => self.batch("nextBatch", &command),
            "aggregate" => {
                let counted = doc! {"n": self.n_documents as i32};
                doc! {"cursor": {"id": 0_i64, "ns": "db.c", "firstBatch": [counted]}, "ok": 1}
            }
            _ => doc! {"ok": 1},
        };
        self.asked.push(command);
        answer
    }

    fn batch(&mut self, name: &str, command: &Document) -> Document {
        match self.fault.take_if(|(at, _)| *at == self.next) {
            Some((_, Fault::Code(code))) => {
                return doc! {"ok": 0, "code": code, "errmsg": "scripted"};
            }
            Some((_, Fault::Silence)) => return Document::new(),
            None => {}
        }
        let wanted = command.get_i32("batchSize").unwrap() as usize;
        let end = self.n_documents.min(self.next + wanted);
        let documents: Vec<Bson> = (self.next..end).map(document).collect();
        self.next = end;
        let id = if end < self.n_documents { 7_i64 } else { 0 };
        doc! {"cursor": {"id": id, "ns": "db.c", name: documents}, "ok": 1}
    }
}

fn hello() -> Document {
    doc! {"isWritablePrimary": true, "ismaster": true, "helloOk": true, "maxBsonObjectSize": 16 << 20,
    "maxMessageSizeBytes": 48_000_000, "maxWriteBatchSize": 100_000, "minWireVersion": 0, "maxWireVersion": 21,
    "ok": 1}
}
