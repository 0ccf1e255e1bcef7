//! Tables on a DynamoDB server, and another client for them.

use std::{
    io::{BufRead as _, BufReader, Lines, Write as _},
    path::Path,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    sync::{
        Mutex, OnceLock,
        atomic::{AtomicU32, Ordering},
    },
};

use serde_json::{Value, json};

/// The server; it ends when this process does.
pub struct Server {
    pub port: u16,
    /// Where it has too little capacity.
    pub busy_port: u16,
    client: Mutex<(ChildStdin, Lines<BufReader<ChildStdout>>)>,
    _children: [Child; 2],
}

/// A table of a test's own, which nobody has made yet.
pub struct Table {
    pub server: &'static Server,
    pub name: String,
}

impl Server {
    fn start() -> Self {
        let variable = |name: &str| std::env::var_os(name).expect("use .ci/services");
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/netsec/services");
        let start = |program: &str, script: &str, argument: &std::ffi::OsStr| {
            let mut command = Command::new(program);
            command.arg(directory.join(script)).arg(argument);
            let piped = command.stdin(Stdio::piped()).stdout(Stdio::piped());
            piped.spawn().unwrap()
        };
        let dynalite = variable("DYNALITE");
        let mut server = start("node", "dynamodb_server.js", &dynalite);
        let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
        let mut port = || -> u16 { lines.next().unwrap().unwrap().parse().unwrap() };
        let (port, busy_port) = (port(), port());
        let python = variable("S3_PYTHON").into_string().unwrap();
        let text = port.to_string();
        let mut client = start(&python, "dynamodb_client.py", text.as_ref());
        let lines = BufReader::new(client.stdout.take().unwrap()).lines();
        Self {
            port,
            busy_port,
            client: Mutex::new((client.stdin.take().unwrap(), lines)),
            _children: [server, client],
        }
    }
}

impl Table {
    /// Names one on the server that all tests share.
    pub fn new() -> Self {
        static SERVER: OnceLock<Server> = OnceLock::new();
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        Self {
            server: SERVER.get_or_init(Server::start),
            name: format!("table-{}", NUMBER.fetch_add(1, Ordering::SeqCst)),
        }
    }

    /// Makes it, with a key of some columns and their types.
    pub fn create(&self, key: &[(&str, &str)]) {
        let schema = |(i, (name, _)): (usize, &(&str, &str))| {
            let kind = ["HASH", "RANGE"][i];
            json!({"AttributeName": name, "KeyType": kind})
        };
        let definition =
            |(name, kind): &(&str, &str)| json!({"AttributeName": name, "AttributeType": kind});
        self.make(json!({
            "KeySchema": key.iter().enumerate().map(schema).collect::<Vec<_>>(),
            "AttributeDefinitions": key.iter().map(definition).collect::<Vec<_>>(),
        }));
    }

    /// Makes it as a push does, with an index on a number: an item that has something else there is refused.
    pub fn create_with_index(&self, number: &str) {
        let by = |name: &str| json!([{"AttributeName": name, "KeyType": "HASH"}]);
        self.make(json!({
            "KeySchema": by("_key"),
            "AttributeDefinitions": [
                {"AttributeName": "_key", "AttributeType": "S"},
                {"AttributeName": number, "AttributeType": "N"},
            ],
            "GlobalSecondaryIndexes": [{
                "IndexName": "by-number",
                "KeySchema": by(number),
                "Projection": {"ProjectionType": "KEYS_ONLY"},
            }],
        }));
    }

    fn make(&self, mut arguments: Value) {
        arguments["BillingMode"] = json!("PAY_PER_REQUEST");
        let made = self.ask("create_table", arguments);
        assert!(made["error"].is_null(), "{made}");
        while self.ask("describe_table", json!({}))["Table"]["TableStatus"] != "ACTIVE" {
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
    }

    /// Lets the other client make a call; gives its JSON.
    pub fn ask(&self, name: &str, mut arguments: Value) -> Value {
        arguments["TableName"] = json!(self.name);
        let mut client = self.server.client.lock().unwrap();
        writeln!(client.0, "{}", json!([name, arguments])).unwrap();
        let answer = client.1.next().unwrap().unwrap();
        serde_json::from_str(&answer).unwrap()
    }

    pub fn put(&self, item: Value) {
        let put = self.ask("put_item", json!({"Item": item}));
        assert!(put["error"].is_null(), "{put}");
    }

    /// Counts the items.
    pub fn count(&self) -> u64 {
        let (mut count, mut arguments) = (0, json!({"Select": "COUNT"}));
        loop {
            let page = self.ask("scan", arguments.clone());
            count += page["Count"].as_u64().unwrap_or_default();
            if page["LastEvaluatedKey"].is_null() {
                return count;
            }
            arguments["ExclusiveStartKey"] = page["LastEvaluatedKey"].clone();
        }
    }

    pub fn items(&self) -> Vec<Value> {
        self.ask("scan", json!({}))["Items"]
            .as_array()
            .unwrap()
            .clone()
    }

    pub fn uri(&self) -> String {
        format!("dynamodb://{}", self.name)
    }
}
