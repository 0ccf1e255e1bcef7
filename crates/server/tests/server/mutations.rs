//! Bodies that are valid but for a few random changes: every parser of the service has to answer them.

use std::fs;

use serde_json::Value;

use crate::{
    client::{Answer, Connection},
    process::Server,
    sound::sound_records,
    trained::{FLOW, Place},
};

/// Bodies that are sent to each path.
const BODIES: usize = 2500;

/// What is put into bodies.
const TOKENS: [&str; 40] = [
    "null",
    "true",
    "NaN",
    "-Infinity",
    "1e999",
    "-0",
    "40.0",
    "4e1",
    "0.5",
    "-1",
    "1001",
    "\"",
    "\\",
    "\\u0000",
    "\\ud800",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"records\":",
    "\"top\":",
    "\"duration\":40,",
    "\"bytes\":null",
    "\"id\":7,",
    "\"attack\":\"0\",",
    "\"tcp\"",
    "\"sctp\"",
    "\"\"",
    " ",
    "\n",
    "\u{feff}",
    "é",
    "\0",
    "tcp",
    "9007199254740993",
    "{}",
    "[]",
    "\"x\":{\"y\":[1]},",
];

/// Changes texts at random, by a sequence that is the same in every run.
struct Mutations(u64);

impl Mutations {
    fn below(&mut self, n: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % n.max(1)
    }

    /// Returns a place in a text; often one beside what gives it its structure.
    fn place(&mut self, body: &[u8]) -> usize {
        let any = self.below(body.len() + 1);
        if self.below(2) == 0 {
            return any;
        }
        let next = body[any..].iter().position(|b| b"{}[],:\"\n".contains(b));
        next.map_or(any, |n| any + n + self.below(2))
    }

    fn range(&mut self, body: &[u8]) -> std::ops::Range<usize> {
        let (a, b) = (self.place(body), self.place(body));
        let most = 1 + self.below(40);
        let start = a.min(b);
        start..a.max(b).min(start + most)
    }

    /// Returns where an element of a list or an object stands, with the comma before it.
    fn element(&mut self, body: &[u8]) -> std::ops::Range<usize> {
        let any = self.below(body.len() + 1);
        let comma = body[any..].iter().position(|byte| *byte == b',');
        let Some(start) = comma.map(|n| any + n) else {
            return 0..0;
        };
        let end = body[start + 1..].iter().position(|b| b",]}".contains(b));
        start..end.map_or(body.len(), |n| start + 1 + n)
    }

    fn change(&mut self, body: &mut Vec<u8>) {
        match self.below(9) {
            0 if !body.is_empty() => {
                let at = self.below(body.len());
                body[at] ^= 1 << self.below(8);
            }
            1 => drop(body.drain(self.range(body))),
            2 => {
                let copied = body[self.range(body)].to_vec();
                let at = self.place(body);
                body.splice(at..at, copied);
            }
            3 => {
                let range = self.range(body);
                body.splice(range, TOKENS[self.below(TOKENS.len())].bytes());
            }
            4 => body.truncate(self.place(body)),
            5 => drop(body.drain(self.element(body))),
            6 => {
                let element = self.element(body);
                let copied = body[element.clone()].to_vec();
                body.splice(element.end..element.end, copied);
            }
            _ => {
                let at = self.place(body);
                body.splice(at..at, TOKENS[self.below(TOKENS.len())].bytes());
            }
        }
    }

    fn of(&mut self, seed: &[u8]) -> Vec<u8> {
        let mut body = seed.to_vec();
        for _ in 0..1 + self.below(3) {
            self.change(&mut body);
        }
        body
    }
}

/// A server and a connection that is opened anew when it was closed.
struct Target {
    server: Server,
    connection: Connection,
}

impl Target {
    fn start(place: &Place) -> Self {
        let server = Server::start(place, &["--max-rows", "5"]);
        let connection = server.connect();
        Self { server, connection }
    }

    fn send(&mut self, path: &str, kind: &str, body: &[u8]) -> Answer {
        let line = format!("Content-Type: {kind}");
        let head = self
            .connection
            .head("POST", path, &[&line], Some(body.len()));
        let whole = [head.as_bytes(), body].concat();
        if self.connection.write(&whole).is_ok()
            && let Ok(answer) = self.connection.read()
        {
            return answer;
        }
        self.connection = self.server.connect();
        self.connection.call("POST", path, &[&line], body)
    }

    /// Sends changed bodies; checks what every answer must be, then what `check` says.
    fn send_all(
        &mut self,
        path: &str,
        kind: &str,
        seeds: &[&[u8]],
        check: impl Fn(&mut Self, &[u8], &Answer),
    ) {
        let mut mutations = Mutations(path.len() as u64);
        let before = self.server.resident();
        for n in 0..BODIES {
            let body = mutations.of(seeds[n % seeds.len()]);
            let answer = self.send(path, kind, &body);
            let shown = String::from_utf8_lossy(&body);
            let said = String::from_utf8_lossy(&answer.body);
            assert!(
                [200, 400, 422].contains(&answer.status),
                "{path} {shown:?}: {said}"
            );
            if answer.status != 200 {
                assert_eq!(
                    answer.header("content-type"),
                    Some("application/problem+json")
                );
                assert_eq!(answer.json()["status"], Value::from(answer.status));
            }
            check(self, &body, &answer);
        }
        assert_eq!(self.server.get("/readyz").status, 200);
        let grown = self.server.resident().saturating_sub(before);
        assert!(grown < 40 << 10, "{path}: {grown} KiB more than before");
    }
}

/// Two records with everything that a record may have.
fn seed() -> String {
    let other =
        r#"{"id":3,"protocol":"udp","duration":0,"root":1,"bytes":null,"service":"ss\u0068"}"#;
    format!(r#"{{"records":[{FLOW},{other}]}}"#)
}

/// Checks that a body is answered when it is sound, and only then; and as it is without its spaces.
fn check_records(target: &mut Target, path: &str, body: &[u8], answer: &Answer) {
    let shown = String::from_utf8_lossy(body);
    let text = answer.text();
    match sound_records(body, path.ends_with("explain")) {
        None => assert_ne!(answer.status, 200, "{path} took {shown:?}"),
        // The oracle does not see what stands twice.
        Some(_) if answer.status == 422 && text.contains("twice") => {}
        Some(records) => {
            assert_eq!(answer.status, 200, "{path} refused {shown:?}: {text}");
            let n = match path.ends_with("explain") {
                true => answer.json()["explanations"].as_array().unwrap().len(),
                false => answer.json()["predictions"].as_array().unwrap().len(),
            };
            assert_eq!(n, records.len(), "{path} {shown:?}");
            let plain = serde_json::json!({ "records": records }).to_string();
            if path.ends_with("predict") {
                let again = target.send(path, "application/json", plain.as_bytes());
                assert_eq!(again.text(), text, "{path} {shown:?}");
            }
        }
    }
}

#[test]
fn changed_records_are_answered_when_they_are_sound_and_only_then() {
    let place = Place::with_flows();
    let mut target = Target::start(&place);
    for path in ["/v1/predict", "/v1/explain"] {
        let seed = match path {
            "/v1/predict" => seed(),
            _ => seed().replacen('{', "{\"top\":2,", 1),
        };
        target.send_all(
            path,
            "application/json",
            &[seed.as_bytes()],
            |target, body, answer| {
                check_records(target, path, body, answer);
            },
        );
    }
}

#[test]
fn changed_bodies_of_other_protocols_are_answered() {
    let place = Place::with_flows();
    let mut target = Target::start(&place);
    let split = r#"{"dataframe_split":{"index":[0],"columns":["duration","bytes","protocol","root"],"data":[[40,null,"tcp",true],[1,2.5,"udp",0]]}}"#;
    let records = format!(r#"{{"dataframe_records":[{FLOW}],"params":{{}}}}"#);
    let instances = format!(r#"{{"instances":[{FLOW}]}}"#);
    let inputs = r#"{"inputs":{"duration":[40,1],"protocol":["tcp","udp"],"root":[true,false]}}"#;
    let infer = r#"{"id":"a","inputs":[{"name":"duration","shape":[2,1],"datatype":"INT64","data":[40,1]},{"name":"protocol","shape":[2],"datatype":"BYTES","data":["tcp","udp"]},{"name":"root","shape":[2],"datatype":"BOOL","data":[true,false]}]}"#;
    let feedback = r#"{"feedback":[{"version":1,"predicted":"dos","actual":"normal"},{"version":1.0,"predicted":"dos","actual":"dos"}]}"#;
    let invocations = [
        split.as_bytes(),
        records.as_bytes(),
        instances.as_bytes(),
        inputs.as_bytes(),
    ];
    let json = "application/json";
    target.send_all("/invocations", json, &invocations, |_, body, answer| {
        let parsed = serde_json::from_slice::<Value>(body);
        assert!(
            answer.status != 200 || parsed.is_ok(),
            "{:?}",
            String::from_utf8_lossy(body)
        );
    });
    target.send_all(
        "/v2/models/flows/infer",
        json,
        &[infer.as_bytes()],
        |_, body, answer| {
            if answer.status == 200 {
                let asked: Value = serde_json::from_slice(body).unwrap();
                let n = asked["inputs"][0]["data"].as_array().unwrap().len();
                let answered = answer.json()["outputs"][2]["data"]
                    .as_array()
                    .unwrap()
                    .len();
                assert_eq!(n, answered);
            }
        },
    );
    target.send_all("/v1/feedback", json, &[feedback.as_bytes()], |_, _, _| {});
}

#[test]
fn changed_files_are_answered() {
    let place = Place::with_flows();
    let mut target = Target::start(&place);
    let csv = "note,duration,bytes,protocol,root\n\"a, \"\"b\"\"\",40,12.5,tcp,true\r\nx,1,,udp,no\n,2,3,icmp,0\n";
    let zipped = gzip(csv.as_bytes());
    let seeds = [csv.as_bytes(), csv.as_bytes(), &zipped];
    target.send_all("/v1/predict/csv", "text/csv", &seeds, |_, body, answer| {
        if answer.status == 200 {
            assert!(
                answer.text().contains(",threat_probability,"),
                "{:?}",
                String::from_utf8_lossy(body)
            );
        }
    });
    let path = place.path().join("in.parquet");
    write_parquet(&path, csv);
    let parquet = fs::read(&path).unwrap();
    let kind = "application/vnd.apache.parquet";
    target.send_all("/v1/predict/parquet", kind, &[&parquet], |_, _, answer| {
        if answer.status == 200 {
            assert!(answer.body.starts_with(b"PAR1") && answer.body.ends_with(b"PAR1"));
        }
    });
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, bytes).unwrap();
    encoder.finish().unwrap()
}

fn write_parquet(path: &std::path::Path, csv: &str) {
    let format = formats::FileFormat::Csv {
        delimiter: b',',
        header: None,
    };
    let reader = Box::new(std::io::Cursor::new(csv.as_bytes().to_vec()));
    let mut source = formats::read(reader, "t".to_owned(), &format).unwrap();
    let mut sink = formats::create(path, &formats::FileFormat::Parquet).unwrap();
    while let Some(batch) = source.next_batch().unwrap() {
        sink.write(&batch).unwrap();
    }
    sink.finish().unwrap();
}
