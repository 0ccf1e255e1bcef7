//! A headless Chromium, driven through its DevTools protocol over two named pipes.

use std::{
    fs::{self, File, OpenOptions},
    io::{BufRead as _, BufReader, Write as _},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use base64::Engine as _;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A browser with one page open.
pub struct Chromium {
    child: Child,
    commands: File,
    events: BufReader<File>,
    session: Value,
    last_id: u64,
    /// What the browser has complained about.
    pub complaints: Vec<Value>,
    _place: TempDir,
}

impl Chromium {
    /// Opens a page.
    pub fn open(url: &str) -> Self {
        let place = tempfile::tempdir().unwrap();
        let (commands, events) = (place.path().join("commands"), place.path().join("events"));
        for pipe in [&commands, &events] {
            assert!(Command::new("mkfifo").arg(pipe).status().unwrap().success());
        }
        let profile = format!("--user-data-dir={}", place.path().join("profile").display());
        let child = Command::new("sh")
            .args([
                "-c",
                "exec chromium \"$@\" 3<\"$COMMANDS\" 4>\"$EVENTS\"",
                "sh",
            ])
            .args([
                "--headless",
                "--no-sandbox",
                "--disable-gpu",
                "--remote-debugging-pipe",
            ])
            .arg(profile)
            .env("COMMANDS", &commands)
            .env("EVENTS", &events)
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut browser = Self {
            child,
            commands: OpenOptions::new().write(true).open(commands).unwrap(),
            events: BufReader::new(File::open(events).unwrap()),
            session: Value::Null,
            last_id: 0,
            complaints: Vec::new(),
            _place: place,
        };
        let made = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let target = json!({"targetId": made["targetId"], "flatten": true});
        browser.session = browser.call("Target.attachToTarget", target)["sessionId"].clone();
        for domain in ["Page", "Runtime", "Log", "DOM"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser.call("Page.navigate", json!({"url": url}));
        browser.wait("document.readyState === 'complete'");
        browser
    }

    /// Calls a method and returns its result.
    #[track_caller]
    pub fn call(&mut self, method: &str, parameters: Value) -> Value {
        let answer = self.ask(method, parameters);
        assert!(answer["error"].is_null(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Calls a method and returns what is answered: a result, or an error.
    fn ask(&mut self, method: &str, parameters: Value) -> Value {
        self.last_id += 1;
        let mut message = json!({"id": self.last_id, "method": method, "params": parameters});
        if !self.session.is_null() {
            message["sessionId"] = self.session.clone();
        }
        self.commands
            .write_all(format!("{message}\0").as_bytes())
            .unwrap();
        loop {
            let mut answer = Vec::new();
            self.events.read_until(0, &mut answer).unwrap();
            answer.pop();
            let answer: Value = serde_json::from_slice(&answer).unwrap();
            if answer["method"] == json!("Log.entryAdded") {
                self.complaints.push(answer["params"]["entry"].clone());
            } else if answer["method"] == json!("Runtime.exceptionThrown") {
                self.complaints.push(answer["params"].clone());
            }
            if answer["id"] == json!(self.last_id) {
                return answer;
            }
        }
    }

    /// Evaluates JavaScript on the page.
    #[track_caller]
    pub fn evaluate(&mut self, script: &str) -> Value {
        let evaluated = self.try_to_evaluate(script);
        evaluated.unwrap_or_else(|| panic!("{script}: another page came meanwhile"))
    }

    /// Evaluates JavaScript; gives nothing when another page came meanwhile.
    #[track_caller]
    fn try_to_evaluate(&mut self, script: &str) -> Option<Value> {
        let asked = json!({"expression": script, "awaitPromise": true, "returnByValue": true});
        let answer = self.ask("Runtime.evaluate", asked);
        let error = answer["error"]["message"].as_str().unwrap_or_default();
        if error.contains("navigated") {
            return None;
        }
        assert!(answer["error"].is_null(), "{script}: {answer}");
        let result = &answer["result"];
        assert!(result["exceptionDetails"].is_null(), "{script}: {result}");
        Some(result["result"]["value"].clone())
    }

    /// Waits until an expression is true.
    #[track_caller]
    pub fn wait(&mut self, script: &str) {
        let began = Instant::now();
        while self.try_to_evaluate(script) != Some(json!(true)) {
            assert!(
                began.elapsed() < Duration::from_secs(30),
                "waited for {script}"
            );
            std::thread::sleep(Duration::from_millis(30));
        }
    }

    /// Chooses a file in an input.
    pub fn choose(&mut self, selector: &str, file: &Path) {
        let document = self.call("DOM.getDocument", json!({}));
        let root = &document["root"]["nodeId"];
        let node = self.call(
            "DOM.querySelector",
            json!({"nodeId": root, "selector": selector}),
        );
        let chosen = json!({"files": [file], "nodeId": node["nodeId"]});
        self.call("DOM.setFileInputFiles", chosen);
    }

    /// Keeps a picture of the whole page, for people to look at.
    pub fn picture(&mut self, name: &str, width: u32, is_dark: bool) {
        let scheme = if is_dark { "dark" } else { "light" };
        let feature = json!({"name": "prefers-color-scheme", "value": scheme});
        self.call("Emulation.setEmulatedMedia", json!({"features": [feature]}));
        let metrics =
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.call("Emulation.setDeviceMetricsOverride", metrics);
        let wide = self.evaluate("document.documentElement.scrollWidth - innerWidth");
        assert!(
            wide.as_i64().unwrap() <= 0,
            "{name} is {wide} pixels too wide"
        );
        let asked = json!({"captureBeyondViewport": true});
        let picture = self.call("Page.captureScreenshot", asked);
        let bytes = base64::prelude::BASE64_STANDARD.decode(picture["data"].as_str().unwrap());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::write(path, bytes.unwrap()).unwrap();
    }
}

impl Drop for Chromium {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
