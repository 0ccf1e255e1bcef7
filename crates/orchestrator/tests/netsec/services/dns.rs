//! A scripted DNS server, and programs that ask it: one cluster of MongoDB, as Atlas has them.

use std::{
    net::{Ipv4Addr, UdpSocket},
    process::Command,
    sync::atomic::{AtomicU8, Ordering},
};

use crate::support::{Called, Workplace};

/// The name of the cluster, and of its one server.
pub const CLUSTER: &str = "cluster.netsec.example";
pub const SHARD: &str = "shard.netsec.example";

const A: u16 = 1;
const TXT: u16 = 16;
const SRV: u16 = 33;
const NO_SUCH_NAME: u8 = 3;

/// A DNS server at an address of this machine; it lives as long as the test's process.
pub struct Dns {
    address: Ipv4Addr,
}

impl Dns {
    /// Starts one that says that the cluster's server is at a port of this machine.
    pub fn start(port: u16) -> Self {
        static NEXT: AtomicU8 = AtomicU8::new(1);
        let id = std::process::id().to_le_bytes();
        let address = Ipv4Addr::new(127, 53, id[0], NEXT.fetch_add(1, Ordering::SeqCst));
        let socket = UdpSocket::bind((address, 53)).expect("a name server needs root");
        std::thread::spawn(move || {
            let mut buffer = [0; 1024];
            while let Ok((n, from)) = socket.recv_from(&mut buffer) {
                socket.send_to(&answer(&buffer[..n], port), from).unwrap();
            }
        });
        Self { address }
    }

    /// Calls `netsec` where names are looked up here.
    pub fn call(&self, place: &Workplace, arguments: &[&str]) -> Called {
        let address = self.address;
        place.write(
            "resolv.conf",
            format!("nameserver {address}\noptions timeout:1 attempts:1\n"),
        );
        place.write("nsswitch.conf", "hosts: dns\n");
        let script =
            "for f in resolv nsswitch; do mount --bind $f.conf /etc/$f.conf; done; exec \"$@\"";
        let output = Command::new("unshare")
            .args([
                "--mount",
                "sh",
                "-ec",
                script,
                "sh",
                env!("CARGO_BIN_EXE_netsec"),
            ])
            .args(arguments)
            .current_dir(place.path(""))
            .output()
            .unwrap();
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Called {
            code: output.status.code().unwrap(),
            out: text(output.stdout),
            err: text(output.stderr),
        }
    }
}

/// Answers a query (RFC 1035) of one question.
fn answer(query: &[u8], port: u16) -> Vec<u8> {
    let (name, end) = question(query);
    let kind = u16::from_be_bytes([query[end], query[end + 1]]);
    let record = format!("_mongodb._tcp.{CLUSTER}");
    let data = match (name.to_lowercase(), kind) {
        (name, SRV) if name == record => {
            Some([&[0, 0, 0, 0][..], &port.to_be_bytes(), &labels(SHARD)].concat())
        }
        (name, TXT) if name == CLUSTER => Some(text("authSource=admin")),
        (name, A) if name == SHARD => Some(vec![127, 0, 0, 1]),
        _ => None,
    };
    let is_known = [CLUSTER, SHARD, &record]
        .iter()
        .any(|known| name.eq_ignore_ascii_case(known));
    let status = if is_known { 0 } else { NO_SUCH_NAME };
    let n_answers = u8::from(data.is_some());
    let head = [
        query[0],
        query[1],
        0x84,
        0x80 | status,
        0,
        1,
        0,
        n_answers,
        0,
        0,
        0,
        0,
    ];
    let mut said = [&head[..], &query[12..end + 4]].concat();
    if let Some(data) = data {
        // The name of the question, its kind, the Internet, an hour.
        said.extend([0xc0, 12]);
        said.extend(kind.to_be_bytes());
        said.extend([0, 1, 0, 0, 14, 16]);
        said.extend((data.len() as u16).to_be_bytes());
        said.extend(data);
    }
    said
}

/// Returns the name that is asked for, and where it ends.
fn question(query: &[u8]) -> (String, usize) {
    let (mut parts, mut at) = (Vec::new(), 12);
    while query[at] > 0 {
        let end = at + 1 + usize::from(query[at]);
        parts.push(String::from_utf8_lossy(&query[at + 1..end]).into_owned());
        at = end;
    }
    (parts.join("."), at + 1)
}

fn labels(name: &str) -> Vec<u8> {
    let parts = name.split('.').flat_map(text);
    parts.chain([0]).collect()
}

/// Writes a text behind its length.
fn text(text: &str) -> Vec<u8> {
    [&[text.len() as u8], text.as_bytes()].concat()
}
