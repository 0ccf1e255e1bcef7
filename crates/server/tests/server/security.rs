use std::os::unix::fs::PermissionsExt as _;

use crate::{
    process::{Server, command, wait_for},
    trained::{FLOW, Place},
    trainings::stand_in,
};

/// Makes a key and its line.
pub fn make_key(place: &Place, name: &str, scope: &str) -> (String, String) {
    let made = command(place)
        .args(["--new-key", name, "--scope", scope])
        .output()
        .unwrap();
    let text = String::from_utf8(made.stdout).unwrap();
    let (key, line) = text.trim_end().split_once('\n').unwrap();
    (key.to_owned(), line.to_owned())
}

#[test]
fn a_key_is_asked_for_where_keys_exist() {
    let place = Place::with_flows();
    let (key, line) = make_key(&place, "ci", "predict");
    std::fs::write(place.path().join("keys"), line).unwrap();
    let server = Server::start(&place, &["--keys", "keys"]);
    let body = format!(r#"{{"records":[{FLOW}]}}"#);
    let call = |lines: &[&str]| {
        let lines = [&["Content-Type: application/json"], lines].concat();
        server
            .connect()
            .call("POST", "/v1/predict", &lines, body.as_bytes())
    };
    let without = call(&[]);
    assert_eq!(without.status, 401);
    assert_eq!(without.header("www-authenticate"), Some("Bearer"));
    assert_eq!(call(&["Authorization: Bearer netsec_0"]).status, 401);
    assert_eq!(call(&[&format!("Authorization: Basic {key}")]).status, 401);
    assert_eq!(call(&[&format!("Authorization: Bearer {key}")]).status, 200);
    assert_eq!(call(&[&format!("authorization: bearer {key}")]).status, 200);
    assert_eq!(call(&[&format!("X-API-Key: {key}")]).status, 200);
    for path in [
        "/v1/models",
        "/metrics",
        "/v1/models/flows/history",
        "/nothing",
    ] {
        assert_eq!(server.get(path).status, 401, "{path}");
    }
    for path in ["/healthz", "/readyz", "/docs/", "/openapi.json"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
}

#[test]
fn a_browser_is_asked_for_a_key_once() {
    let place = Place::with_flows();
    let (key, line) = make_key(&place, "ann", "predict");
    let server = Server::start_with(&place, &[], &[("NETSEC_API_KEYS", &line)]);
    let asked = server.get("/").text();
    assert!(
        asked.contains("name=\"key\"") && !asked.contains("flows"),
        "{asked}"
    );
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    let open = |key: &str| {
        let body = format!("key={key}");
        server
            .connect()
            .call("POST", "/session", &form, body.as_bytes())
    };
    assert_eq!(open("netsec_0").status, 401);
    let opened = open(&key);
    assert_eq!(opened.status, 303);
    let cookie = opened.header("set-cookie").unwrap();
    assert!(cookie.contains("; HttpOnly; SameSite=Strict"), "{cookie}");
    let pair = cookie.split(';').next().unwrap();
    assert!(!pair.contains(&key), "the cookie holds the key");
    let get = |path: &str, pair: &str| {
        let lines = [&*format!("Cookie: a=b; {pair}")];
        server.connect().call("GET", path, &lines, b"")
    };
    assert!(get("/", pair).text().contains("flows version 1"));
    assert_eq!(get("/v1/models", pair).status, 200);
    assert_eq!(get("/v1/models", "netsec_session=0").status, 401);
}

#[test]
fn keys_are_rotated_without_a_restart() {
    let place = Place::with_flows();
    let (old, first) = make_key(&place, "ci", "predict");
    let (new, second) = make_key(&place, "ci", "predict");
    let path = place.path().join("keys");
    std::fs::write(&path, &first).unwrap();
    let server = Server::start(&place, &["--keys", "keys", "--poll", "0.05"]);
    let status = |line: &str| {
        let lines = [line];
        let mut connection = server.connect();
        connection.call("GET", "/v1/models", &lines, b"").status
    };
    let bearer = |key: &str| status(&format!("Authorization: Bearer {key}"));
    let form = ["Content-Type: application/x-www-form-urlencoded"];
    let body = format!("key={old}");
    let mut connection = server.connect();
    let opened = connection.call("POST", "/session", &form, body.as_bytes());
    let cookie = opened.header("set-cookie").unwrap();
    let session = format!("Cookie: {}", cookie.split(';').next().unwrap());
    assert_eq!(
        [bearer(&old), bearer(&new), status(&session)],
        [200, 401, 200]
    );
    std::fs::write(&path, format!("{first}\n{second}")).unwrap();
    wait_for("the new key", || bearer(&new) == 200);
    assert_eq!([bearer(&old), status(&session)], [200, 200]);
    std::fs::write(&path, &second).unwrap();
    wait_for("the end of the old key", || bearer(&old) == 401);
    assert_eq!([bearer(&new), status(&session)], [200, 401]);
    // Neither half a file nor an empty one opens the service or closes it.
    for broken in ["", "ci predict", &second[..second.len() - 5]] {
        std::fs::write(&path, broken).unwrap();
        std::thread::sleep(std::time::Duration::from_millis(200));
        let found = [bearer(&new), bearer(&old), server.get("/v1/models").status];
        assert_eq!(found, [200, 401, 401], "{broken:?}");
    }
    // To open a pipe would wait for its other end.
    std::fs::remove_file(&path).unwrap();
    let made = std::process::Command::new("mkfifo").arg(&path).status();
    assert!(made.unwrap().success());
    std::thread::sleep(std::time::Duration::from_millis(200));
    assert_eq!(bearer(&new), 200);
    std::fs::remove_file(&path).unwrap();
    std::fs::write(&path, &first).unwrap();
    wait_for("the key behind the pipe", || bearer(&new) == 401);
}

#[test]
fn a_key_that_asks_too_often_is_told_to_wait_and_others_are_not() {
    let place = Place::with_flows();
    let (one, first) = make_key(&place, "one", "predict");
    let (two, second) = make_key(&place, "two", "predict");
    let keys = format!("{first};{second}");
    let server = Server::start_with(
        &place,
        &["--max-rate", "0.2"],
        &[("NETSEC_API_KEYS", &keys)],
    );
    let ask = |key: &str| {
        let line = format!("X-API-Key: {key}");
        server.connect().call("GET", "/metrics", &[&line], b"")
    };
    assert_eq!(ask(&one).status, 200);
    let refused = ask(&one);
    assert_eq!(refused.status, 429, "{}", refused.text());
    assert_eq!(
        refused.header("content-type"),
        Some("application/problem+json")
    );
    let wait: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=5).contains(&wait), "{wait}");
    for path in ["/healthz", "/readyz", "/openapi.json"] {
        assert_eq!(server.get(path).status, 200, "{path}");
    }
    let counted = ask(&two).text();
    assert!(
        counted.contains("netsec_requests_limited_total 1\n"),
        "{counted}"
    );
    std::thread::sleep(std::time::Duration::from_secs(wait));
    assert_eq!(ask(&one).status, 200);
}

#[test]
fn keys_may_come_from_the_environment() {
    let place = Place::with_flows();
    let (key, line) = make_key(&place, "ci", "predict");
    let server = Server::start_with(&place, &[], &[("NETSEC_API_KEYS", &line)]);
    assert_eq!(server.get("/v1/models").status, 401);
    let lines = [&*format!("Authorization: Bearer {key}")];
    assert_eq!(
        server
            .connect()
            .call("GET", "/v1/models", &lines, b"")
            .status,
        200
    );
}

#[test]
fn without_keys_it_refuses_to_be_reached_from_elsewhere() {
    let place = Place::with_flows();
    let refused = command(&place)
        .args(["--listen", "0.0.0.0:0"])
        .output()
        .unwrap();
    assert_eq!(refused.status.code(), Some(78));
    let said = String::from_utf8(refused.stderr).unwrap();
    assert!(said.contains("--insecure"), "{said}");
    let listen = ["--listen", "0.0.0.0:0", "--check"];
    let told = command(&place)
        .args(listen)
        .arg("--insecure")
        .output()
        .unwrap();
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    let (_, line) = make_key(&place, "ci", "predict");
    let keyed = command(&place)
        .args(listen)
        .env("NETSEC_API_KEYS", line)
        .output()
        .unwrap();
    assert_eq!(keyed.status.code(), Some(0), "{keyed:?}");
}

#[test]
fn foreign_names_and_origins_are_refused() {
    let server = Server::start(&Place::with_flows(), &[]);
    let port = server.address.port();
    let get = |lines: &[&str]| server.connect().call("GET", "/healthz", lines, b"").status;
    assert_eq!(get(&["Host: evil.example"]), 421);
    assert_eq!(get(&[&format!("Host: localhost.evil.example:{port}")]), 421);
    assert_eq!(get(&["Host: localhost"]), 200);
    assert_eq!(get(&[&format!("Host: 127.0.0.1:{port}")]), 200);
    assert_eq!(get(&["Host: [::1]:5000"]), 200);
    assert_eq!(get(&["Host: localhost:"]), 200);
    assert_eq!(get(&["Host: localhost:65536"]), 400);
    assert_eq!(get(&["Host: localhost:99999"]), 400);
    assert_eq!(get(&["Origin: https://evil.example"]), 403);
    let plain = |version: &str| {
        let mut connection = server.connect();
        let request = format!("GET /healthz HTTP/{version}\r\n\r\n");
        connection.write(request.as_bytes()).unwrap();
        connection.read().unwrap().status
    };
    // So load balancers ask.
    assert_eq!((plain("1.0"), plain("1.1")), (200, 400));
    assert_eq!(get(&["Origin: null"]), 403);
    assert_eq!(get(&[&format!("Origin: http://127.0.0.1:{port}")]), 200);
}

#[test]
fn allowed_names_and_origins_are_served() {
    let arguments = [
        "--allow-host",
        "svc.example",
        "--allow-origin",
        "https://portal.example",
    ];
    let server = Server::start(&Place::with_flows(), &arguments);
    let host = server
        .connect()
        .call("GET", "/healthz", &["Host: SVC.example:80"], b"");
    assert_eq!(host.status, 200);
    let lines = [
        "Origin: https://portal.example",
        "Access-Control-Request-Method: POST",
    ];
    let preflight = server.connect().call("OPTIONS", "/v1/predict", &lines, b"");
    assert_eq!(preflight.status, 204);
    let allowed = preflight.header("access-control-allow-origin");
    assert_eq!(allowed, Some("https://portal.example"));
    let foreign = server.connect().call(
        "OPTIONS",
        "/v1/predict",
        &["Origin: https://x.example"],
        b"",
    );
    assert_eq!(foreign.status, 403);
    assert_eq!(foreign.header("access-control-allow-origin"), None);
}

#[test]
fn every_answer_has_the_security_headers() {
    let server = Server::start(&Place::with_flows(), &[]);
    for path in ["/healthz", "/nothing", "/docs/", "/v1/models"] {
        let answer = server.get(path);
        assert_eq!(
            answer.header("x-content-type-options"),
            Some("nosniff"),
            "{path}"
        );
        assert_eq!(answer.header("x-frame-options"), Some("DENY"), "{path}");
        let policy = answer.header("content-security-policy").unwrap();
        assert!(policy.contains("default-src 'none'"), "{path}: {policy}");
    }
}

#[test]
fn configuration_that_makes_no_sense_is_refused() {
    let place = Place::with_flows();
    std::fs::write(place.path().join("empty"), "# none yet\n").unwrap();
    let twice = ["--listen", "127.0.0.1:5000", "--admin-listen"];
    let two = ["--train-source", "a=/x.csv", "--train-source", "a=/z.csv"];
    let spaced = ["--train-source", "a b=postgres://u:p@h/d"];
    let unknown = ["--train-source", "a:phishin=/x.csv"];
    let gone = ["--train-source", "a:gone.yaml=/x.csv"];
    let program = stand_in(&place, "exit 0");
    let silent = place.path().join("silent").display().to_string();
    std::fs::write(&silent, "#!/bin/sh\nexec sleep 60\n").unwrap();
    std::fs::set_permissions(&silent, std::fs::Permissions::from_mode(0o755)).unwrap();
    for (arguments, said) in [
        (&["--max-rows", "0"][..], "--max-rows is 0"),
        (&["--poll", "0"], "--poll is 0 seconds"),
        (&["--allow-origin", "*"], "--allow-origin *"),
        (&["--keys", "none"], "keys: "),
        (&["--keys", "empty"], "keys: empty holds no key"),
        (&["--max-rate", "0"], "--max-rate is 0"),
        (
            &["--max-body", "9", "--max-bodies-per-client", "8"],
            "--max-bodies-per-client is 8 bytes: use 9, which is --max-body, to 144, which is --max-bodies",
        ),
        (&["--workers", "0"], "--workers is 0: use at least 1"),
        (&["--workers", "513"], "--workers is 513: use at most 512"),
        (
            &["--prediction-log-bytes", "0"],
            "--prediction-log-bytes is 0",
        ),
        (
            &["--min-upload-rate", "1e13"],
            "--min-upload-rate is 10000000000000 bytes",
        ),
        (
            &["--max-uploads-per-client", "33"],
            "--max-uploads-per-client is 33: use 1 to 32",
        ),
        (
            &["--allow-host", "http://x"],
            "--allow-host http://x: write each name alone",
        ),
        (&["--allow-host", "*"], "--allow-host *: "),
        (&["--allow-host", "a.example,b:80"], "--allow-host b:80: "),
        (
            &[&twice[..], &["127.0.0.1:5000"]].concat(),
            "--listen 127.0.0.1:5000 and --admin-listen 127.0.0.1:5000 are one address",
        ),
        (&[&twice[..], &["[::]:5000"]].concat(), "are one address"),
        (&["--model", "../x"], "--model: "),
        (
            &["--model", &"a".repeat(101)],
            "use at most 100 letters, digits, `-` and `_`",
        ),
        (&two, "--train-source a: two sources have this name"),
        (&spaced, "--train-source: write NAME=URI"),
        (&unknown, "--train-source a: no data set `phishin`: give "),
        (&gone, "--train-source a: "),
        (
            &["--netsec", "./gone"],
            "--netsec ./gone: there is no such program",
        ),
        (
            &["--netsec", "no-netsec"],
            "--netsec no-netsec: there is no such",
        ),
        (
            &["--prediction-log-share", "NaN"],
            "--prediction-log-share is NaN",
        ),
        (
            &["--prediction-log-share", "2"],
            "--prediction-log-share is 2",
        ),
        (
            &["--artifacts", "/nope"],
            "--artifacts /nope: there is no such directory",
        ),
        (
            &["--netsec", "/bin/true"],
            "--netsec /bin/true: it does not say that it is `netsec`",
        ),
        (
            &["--train-source", "a=/nope.csv", "--netsec", &program],
            "--train-source a: /nope.csv: there is no such file",
        ),
        (
            &["--prediction-log", "empty"],
            "--prediction-log empty: it is no directory",
        ),
        (
            &["--netsec", &silent],
            "when it is asked for its `--version`, within 5 seconds",
        ),
        // A directory is no program.
        (
            &["--netsec", "/tmp"],
            "--netsec /tmp: there is no such program",
        ),
    ] {
        let refused = command(&place)
            .args(arguments)
            .arg("--check")
            .output()
            .unwrap();
        assert_eq!(refused.status.code(), Some(78), "{arguments:?}");
        let error = String::from_utf8(refused.stderr).unwrap();
        assert!(error.contains(said), "{arguments:?}: {error}");
    }
}

/// Checks what is said of a setting of the environment, with the exit code.
#[track_caller]
fn check_variable(name: &str, value: &str, code: i32, said: &str) {
    let place = Place::with_flows();
    let mut command = command(&place);
    let told = command.arg("--check").env(name, value).output().unwrap();
    assert_eq!(told.status.code(), Some(code), "{told:?}");
    let error = String::from_utf8(told.stderr).unwrap();
    assert!(error.contains(said), "{error}");
}

#[test]
fn settings_of_the_environment_that_make_no_sense_are_named() {
    check_variable(
        "NETSEC_API_KEYS",
        "x",
        78,
        "keys: NETSEC_API_KEYS, line 1: 1 words",
    );
    for none in ["", " ; "] {
        let said = "NETSEC_API_KEYS is set and holds no key, which would open the service";
        check_variable("NETSEC_API_KEYS", none, 78, said);
    }
    check_variable("TMPDIR", "/nope", 78, "no file can be made in /nope: ");
    check_variable("NETSEC_LISTEN", "svc:5000", 64, "or localhost:5000");
    check_variable("NETSEC_LISTEN", "localhost:5000", 0, "");
    for unset in ["NETSEC_ALLOW_ORIGIN", "NETSEC_ALLOW_HOST", "NETSEC_MODEL"] {
        check_variable(unset, "", 0, "");
    }
    check_variable(
        "NETSEC_TRUSTED_KEYS",
        "",
        64,
        "name the file of the keys whose signatures count",
    );
    check_variable(
        "NETSEC_ADMIN_LISTEN",
        "localhost:5000x",
        64,
        "or localhost:5000",
    );
}

#[test]
fn what_is_no_file_is_refused_before_it_is_waited_for() {
    let place = Place::with_flows();
    let make = |program: &str, name: &str| {
        let path = place.path().join(name);
        let made = std::process::Command::new(program).arg(path).status();
        assert!(made.unwrap().success());
    };
    make("mkfifo", "pipe.yaml");
    make("mkdir", "directory.yaml");
    let program = stand_in(&place, "exit 0");
    let check = |arguments: &[&str], name: &str, more: &[&str]| {
        let mut child = command(&place)
            .args(arguments)
            .args(more)
            .arg("--check")
            .stderr(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let began = std::time::Instant::now();
        while child.try_wait().unwrap().is_none() {
            if began.elapsed().as_secs() > 10 {
                child.kill().unwrap();
            }
            std::thread::sleep(std::time::Duration::from_millis(10));
        }
        let found = child.wait_with_output().unwrap();
        let said = String::from_utf8(found.stderr).unwrap();
        assert_eq!(found.status.code(), Some(78), "{arguments:?}: {said}");
        let expected = format!("{name}: it is no file");
        assert!(said.contains(&expected), "{arguments:?}: {said}");
    };
    for name in ["pipe.yaml", "directory.yaml"] {
        let source = format!("a:{name}=/x.csv");
        check(&["--keys", name], name, &[]);
        check(&["--trusted-keys", name], name, &[]);
        check(&["--tls-certificate", name, "--tls-key", name], name, &[]);
        check(&["--train-source", &source], name, &["--netsec", &program]);
    }
    make("mkfifo", ".training.lock");
    check(&[], ".training.lock", &[]);
}

#[test]
fn a_browser_may_forget_its_key() {
    let place = Place::with_flows();
    let (key, line) = make_key(&place, "ann", "predict");
    let server = Server::start_with(&place, &[], &[("NETSEC_API_KEYS", &line)]);
    let form = "Content-Type: application/x-www-form-urlencoded";
    let open = || {
        let body = format!("key={key}");
        let mut connection = server.connect();
        let opened = connection.call("POST", "/session", &[form], body.as_bytes());
        let cookie = opened.header("set-cookie").unwrap();
        format!("Cookie: {}", cookie.split(';').next().unwrap())
    };
    let (cookie, other) = (open(), open());
    let get = |cookie: &str| {
        server
            .connect()
            .call("GET", "/v1/models", &[cookie], b"")
            .status
    };
    let page = server.connect().call("GET", "/", &[&cookie], b"").text();
    let button = "<form method=\"post\" action=\"/session/end\">";
    assert!(page.contains(button), "{page}");
    assert!(
        !server.get("/").text().contains(button),
        "there is no key to forget"
    );
    let end = |lines: &[&str]| server.connect().call("POST", "/session/end", lines, b"");
    let foreign = end(&[&cookie, form, "Origin: https://elsewhere.example"]);
    assert_eq!((foreign.status, get(&cookie)), (403, 200));
    let ended = end(&[&cookie, form]);
    assert_eq!((ended.status, ended.header("location")), (303, Some("/")));
    let gone = ended.header("set-cookie").unwrap();
    assert!(
        gone.starts_with("netsec_session=; ") && gone.contains("; Max-Age=0"),
        "{gone}"
    );
    assert_eq!(
        (get(&cookie), get(&other)),
        (401, 200),
        "one session ends, no other"
    );
    // It may have ended by itself meanwhile.
    assert_eq!(end(&[&cookie, form]).status, 303);
    assert_eq!(end(&[]).status, 303);
}

#[test]
fn who_logs_in_often_ends_no_session_of_another_key() {
    let place = Place::with_flows();
    let (predict, first) = make_key(&place, "ci", "predict");
    let (admin, second) = make_key(&place, "ops", "admin");
    let keys = format!("{first};{second}");
    let server = Server::start_with(&place, &[], &[("NETSEC_API_KEYS", &keys)]);
    let mut connection = server.connect();
    let mut open = |key: &str| {
        let form = ["Content-Type: application/x-www-form-urlencoded"];
        let opened = connection.call("POST", "/session", &form, format!("key={key}").as_bytes());
        let cookie = opened.header("set-cookie").unwrap();
        format!("Cookie: {}", cookie.split(';').next().unwrap())
    };
    let (of_admin, oldest) = (open(&admin), open(&predict));
    let latest = (0..100).map(|_| open(&predict)).last().unwrap();
    let status = [of_admin, oldest, latest].map(|cookie| {
        let asked = server.connect().call("GET", "/v1/models", &[&cookie], b"");
        asked.status
    });
    assert_eq!(status, [200, 401, 200]);
}
