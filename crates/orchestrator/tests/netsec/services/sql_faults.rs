//! What goes wrong between client and database: nothing is lost and nothing doubled.

use std::{
    fs,
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::{
    bucket,
    database::{Database, EVERY, Kind, SERVERS},
    http,
    mongodb::{push, push_tiny},
    proxy::{Fault, Proxy},
    server::{Server, free_port},
};
use crate::support::{TINY, Workplace, send_signal};

const ROWS: usize = 40_000;

#[test]
fn a_reading_that_is_cut_off_is_begun_again_and_gives_the_same() {
    for kind in SERVERS {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(ROWS);
        push_tiny(&place, &database.address("tiny"), &[]);
        let fault = Fault::CutAnswers {
            after: 200_000,
            times: 2,
        };
        let proxy = Proxy::before(database.port, fault);
        let called = place.train_tiny(&database.uri(proxy.port, "table=tiny"), &[]);
        assert_eq!(called.code, 0, "{}", called.err);
        let run: serde_json::Value = serde_json::from_str(&called.out).unwrap();
        assert_eq!(run["rows"]["total"], ROWS);
        assert!(
            proxy.cuts() >= 2,
            "the proxy has cut {} times",
            proxy.cuts()
        );
        let direct = place.train_tiny(&database.address("tiny"), &[]);
        let direct: serde_json::Value = serde_json::from_str(&direct.out).unwrap();
        let raw = "01-ingestion/raw-dataset.bin";
        assert!(place.artifacts(&run)[raw] == place.artifacts(&direct)[raw]);
    }
}

#[test]
fn rows_that_have_changed_since_a_reading_was_cut_off_are_not_mixed_with_the_old_ones() {
    for kind in SERVERS {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(ROWS);
        push_tiny(&place, &database.address("tiny"), &[]);
        let fault = Fault::CutAnswers {
            after: 400_000,
            times: 1,
        };
        let proxy = Proxy::before(database.port, fault);
        // Each time it is asked its rows begin otherwise.
        let query = match kind {
            Kind::Postgres => "SELECT a + random() AS a, b, y FROM tiny",
            _ => "SELECT a + rand() AS a, b, y FROM tiny",
        };
        let called = place.train_tiny(&database.uri(proxy.port, &format!("query={query}")), &[]);
        assert_eq!(called.code, 69, "{kind:?} {}", called.err);
        assert!(called.err.contains("is another one now"), "{}", called.err);
    }
}

#[test]
fn a_push_that_is_cut_off_in_a_batch_neither_loses_nor_doubles() {
    for kind in SERVERS {
        for mode in ["append", "replace"] {
            let database = Database::start(kind);
            let place = Workplace::new();
            place.write_tiny(ROWS);
            let fault = Fault::CutRequests {
                after: 150_000,
                times: 3,
            };
            let proxy = Proxy::before(database.port, fault);
            let to = database.uri(proxy.port, "table=tiny");
            let pushed = push_tiny(&place, &to, &["--mode", mode]);
            let n = |key: &str| pushed[key].as_u64().unwrap() as usize;
            assert_eq!(n("written") + n("already_there"), ROWS, "{mode}");
            assert!(
                proxy.cuts() >= 3,
                "the proxy has cut {} times",
                proxy.cuts()
            );
            assert_eq!(database.count("tiny"), ROWS as u64, "{mode}");
            let distinct = "SELECT count(DISTINCT netsec_row) FROM tiny";
            assert_eq!(database.ask(distinct).trim(), ROWS.to_string());
        }
    }
}

/// Begins a push, and waits until it has loaded something.
pub fn begun(
    place: &Workplace,
    to: &str,
    more: &[&str],
) -> (Child, impl Iterator<Item = String> + use<>) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_netsec"))
        .args([
            "push",
            "--json",
            "--progress",
            "json",
            "--from",
            "tiny.csv",
            "--to",
            to,
        ])
        .args(["--dataset", "tiny.yaml"])
        .args(more)
        .current_dir(place.path(""))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut progress = BufReader::new(child.stderr.take().unwrap())
        .lines()
        .map(Result::unwrap);
    assert!(progress.any(|line| line.contains("records loaded")));
    (child, progress)
}

/// Stops a push while the server does nothing for it: amid a request it would hold the new rows' places in the
/// table's index, for which another push has to wait.
pub fn stop_between_requests(push: &Child, database: &Database) {
    for _ in 0..100 {
        send_signal(push, "STOP");
        // A request that the server has as a whole ends without the push.
        for _ in 0..20 {
            if database.is_idle() {
                return;
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        send_signal(push, "CONT");
        std::thread::sleep(Duration::from_millis(1));
    }
    panic!("the push was met in a request each time");
}

#[test]
fn an_interrupted_push_is_completed_by_the_same_push() {
    for kind in EVERY {
        for (mode, is_hidden) in [("append", false), ("replace", true)] {
            let database = Database::start(kind);
            let place = Workplace::new();
            place.write_tiny(100);
            let to = database.address("tiny");
            push_tiny(&place, &to, &[]);
            place.write_tiny(ROWS);
            let (mut child, progress) = begun(&place, &to, &["--mode", mode]);
            send_signal(&child, "INT");
            assert_eq!(child.wait().unwrap().code(), Some(130));
            drop(progress);
            let partial = database.count("tiny");
            match is_hidden {
                true => assert_eq!(partial, 100),
                false => assert!((101..100 + ROWS as u64).contains(&partial), "{partial}"),
            }
            let again = push_tiny(&place, &to, &["--mode", mode]);
            let there = again["already_there"].as_u64().unwrap();
            assert!(there > 0, "{again}");
            assert_eq!(again["written"].as_u64().unwrap() + there, ROWS as u64);
            let expected = if is_hidden { ROWS } else { ROWS + 100 };
            assert_eq!(database.count("tiny"), expected as u64, "{kind:?} {mode}");
        }
    }
}

#[test]
fn of_two_equal_replacements_both_end_well() {
    let replace = ["--mode", "replace"];
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        let to = database.address("tiny");
        place.write_tiny(100);
        push_tiny(&place, &to, &[]);
        place.write_tiny(ROWS);
        let both = [(); 2].map(|()| begun(&place, &to, &replace));
        for (mut child, progress) in both {
            let said: Vec<String> = progress.collect();
            assert!(child.wait().unwrap().success(), "{kind:?} {said:?}");
        }
        assert_eq!(database.count("tiny"), ROWS as u64, "{kind:?}");
    }
    for kind in SERVERS {
        let database = Database::start(kind);
        let place = Workplace::new();
        let to = database.address("tiny");
        place.write_tiny(ROWS);
        let (mut child, progress) = begun(&place, &to, &replace);
        stop_between_requests(&child, &database);
        push_tiny(&place, &to, &replace);
        send_signal(&child, "CONT");
        let said: Vec<String> = progress.collect();
        assert!(child.wait().unwrap().success(), "{kind:?} {said:?}");
        let words = "another push of the same records has dropped it";
        let is_told = said.iter().any(|line| line.contains(words));
        assert!(is_told, "{kind:?} {said:?}");
        assert_eq!(database.count("tiny"), ROWS as u64, "{kind:?}");
    }
}

#[test]
fn a_table_that_another_makes_at_the_same_moment_is_replaced() {
    let database = Database::start(Kind::Postgres);
    let place = Workplace::new();
    place.write_tiny(20);
    let mut other = database.ask_meanwhile(
        "BEGIN; CREATE TABLE tiny (a FLOAT8, b FLOAT8, y BIGINT, netsec_load TEXT, netsec_row BIGINT); \
         SELECT pg_sleep(4); COMMIT",
    );
    let is_made = "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'";
    while database.ask(is_made).trim() == "0" {
        std::thread::sleep(Duration::from_millis(50));
    }
    let pushed = push_tiny(&place, &database.address("tiny"), &["--mode", "replace"]);
    assert!(other.wait().unwrap().success());
    assert_eq!(pushed["written"], 20);
    assert_eq!(database.count("tiny"), 20);
}

#[test]
fn a_server_that_is_killed_and_comes_back_is_waited_for() {
    for kind in SERVERS {
        let mut database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(ROWS);
        let (child, progress) = begun(&place, &database.address("tiny"), &[]);
        database.kill();
        database.restart();
        // What is still said must be read.
        let rest = std::thread::spawn(move || progress.collect::<Vec<_>>());
        let output = child.wait_with_output().unwrap();
        let rest = rest.join().unwrap();
        assert!(output.status.success(), "{kind:?} {rest:?}");
        let pushed: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        let n = |key: &str| pushed[key].as_u64().unwrap();
        assert_eq!(n("written") + n("already_there"), ROWS as u64);
        assert_eq!(database.count("tiny"), ROWS as u64, "{kind:?}");
    }
}

#[test]
fn a_duplicate_key_in_mid_batch_goes_to_quarantine_and_the_others_are_loaded() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(0);
        let row = |i: usize| format!("{},{i},{}\n", if i == 700 { 3 } else { i }, i % 2);
        let rows: String = (0..2000).map(row).collect();
        place.write("tiny.csv", format!("a,b,y\n{rows}"));
        database.ask(
            "CREATE TABLE tiny (a DOUBLE PRECISION UNIQUE, b DOUBLE PRECISION, y BIGINT, \
             netsec_load VARCHAR(32), netsec_row BIGINT)",
        );
        let to = database.address("tiny");
        for (written, already_there) in [(1999, 0), (0, 1999)] {
            let pushed = push_tiny(&place, &to, &["--quarantine", "bad.csv"]);
            assert_eq!(pushed["written"], written, "{kind:?}");
            assert_eq!(pushed["already_there"], already_there, "{kind:?}");
            assert_eq!(pushed["rejected"], 1);
            assert_eq!(database.count("tiny"), 1999);
            let rejected = std::fs::read_to_string(place.path("bad.csv")).unwrap();
            let line = rejected.lines().nth(1).unwrap();
            assert!(
                line.starts_with("701,") && line.ends_with(",3,700,0"),
                "{rejected}"
            );
        }
        // A replacement meets the same index beside.
        let replaced = push_tiny(
            &place,
            &to,
            &["--mode", "replace", "--quarantine", "bad.csv"],
        );
        assert_eq!(
            (replaced["written"].as_u64(), replaced["rejected"].as_u64()),
            (Some(1999), Some(1))
        );
        assert_eq!(database.count("tiny"), 1999, "{kind:?}");
    }
}

#[test]
fn a_slow_network_is_slow_and_a_silent_one_is_given_up() {
    for kind in SERVERS {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(40);
        push_tiny(&place, &database.address("tiny"), &[]);
        let trickle = Proxy::before(database.port, Fault::Trickle(Duration::from_micros(100)));
        let slow = database.uri(trickle.port, "table=tiny");
        let copy = push(
            &place,
            &slow,
            &database.address("copy"),
            &["--dataset", "tiny.yaml"],
        );
        assert_eq!(copy["written"], 40);
        let silent = Proxy::before(database.port, Fault::Silence);
        let since = Instant::now();
        let called = place.train_tiny(&database.uri(silent.port, "table=tiny&time_limit=2"), &[]);
        assert_eq!(called.code, 69, "{}", called.err);
        assert!(called.err.contains("connect"), "{}", called.err);
        assert!(since.elapsed() < Duration::from_secs(60));
        assert_eq!(database.count("tiny"), 40);
    }
}

#[test]
fn doctor_names_the_step_that_fails() {
    for kind in SERVERS {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(10);
        let check = |host: &str, more: &str, step: &str| {
            let uri = database.uri(database.port, &format!("table=tiny&time_limit=1{more}"));
            let uri = uri.replace(&format!("127.0.0.1:{}", database.port), host);
            let called = place.call(&["doctor", "--source", &uri]);
            assert_eq!(called.code, 69, "{}", called.out);
            let words = format!("FAIL  {step}");
            assert!(called.out.contains(&words), "{kind:?} {}", called.out);
            // Whoever sees the steps need not be told how to.
            assert!(!called.out.contains("one step after another"));
            let called = place.call(&[&["run", "--source", &uri], &TINY[..]].concat());
            let is_advised = called.err.contains("looks at one step after another");
            assert_eq!(is_advised, step != "TLS", "{kind:?} {}", called.err);
        };
        check("no-such-host.invalid:1", "", "name");
        check(&format!("127.0.0.1:{}", free_port()), "", "port");
        let tls = match kind {
            Kind::Postgres => "&sslmode=require",
            _ => "&ssl-mode=REQUIRED",
        };
        check(&format!("127.0.0.1:{}", database.port), tls, "TLS");
        let silent = Proxy::before(database.port, Fault::Silence);
        check(&format!("127.0.0.1:{}", silent.port), "", "server");
    }
}

#[test]
fn a_file_that_another_program_has_locked_is_said_to_be() {
    let database = Database::start(Kind::Sqlite);
    let place = Workplace::new();
    place.write_tiny(40);
    let limited = database.uri(database.port, "table=tiny&time_limit=1");
    push_tiny(&place, &limited, &[]);
    let mut other = another_program(&database, "BEGIN EXCLUSIVE");
    let push = ["push", "--from", "tiny.csv", "--to", &limited];
    let doctor = ["doctor", "--source", &limited];
    for arguments in [&push[..], &doctor] {
        let called = place.call(&[arguments, &["--dataset", "tiny.yaml"]].concat());
        assert_eq!(called.code, 69, "{}", called.err);
        let said = called.out + &called.err;
        for words in ["database is locked", "another program", "fuser"] {
            assert!(said.contains(words), "{said}");
        }
    }
    drop(other.stdin.take());
    other.wait().unwrap();
    assert_eq!(push_tiny(&place, &limited, &[])["already_there"], 40);

    // Others may read it.
    let other = another_program(&database, "BEGIN IMMEDIATE");
    place.write_tiny(41);
    let called = place.call(&[&push[..], &["--dataset", "tiny.yaml"]].concat());
    assert_eq!(called.code, 69, "{}", called.err);
    let words = "what was loaded, if anything, stays under the load `";
    assert!(called.err.contains(words), "{}", called.err);
    drop(other);
    assert_eq!(database.count("tiny"), 40);
}

#[test]
fn a_virtual_table_takes_no_key() {
    let database = Database::start(Kind::Sqlite);
    database.ask("CREATE VIRTUAL TABLE v USING fts5(a, b, y)");
    let place = Workplace::new();
    place.write_tiny(40);
    let to = database.address("v");
    let push = ["push", "--from", "tiny.csv", "--to", &to];
    let upsert = ["--dataset", "tiny.yaml", "--mode", "upsert", "--key", "a"];
    let called = place.call(&[&push[..], &upsert].concat());
    assert_eq!(called.code, 65, "{}", called.err);
    let words = "`v` is a virtual table, which cannot have a unique index: --mode upsert needs another table";
    assert!(called.err.contains(words), "{}", called.err);
    assert!(
        !called.err.contains("an address may hold"),
        "{}",
        called.err
    );
}

#[test]
fn a_query_of_a_file_that_never_gives_its_next_row_is_given_up() {
    let database = Database::start(Kind::Sqlite);
    database.ask("CREATE TABLE t (id TEXT)");
    let place = Workplace::new();
    place.write_tiny(40);
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n WHERE i < 0";
    let from = database.uri(database.port, &format!("time_limit=1&query={endless}"));
    let push = ["push", "--from", &from, "--to", "out.jsonl"];
    let called = place.call(&[&push[..], &["--dataset", "tiny.yaml"]].concat());
    assert_eq!(called.code, 69, "{}", called.err);
    assert!(
        called.err.contains("no answer within 1 s"),
        "{}",
        called.err
    );
}

#[test]
fn a_request_to_a_file_that_never_ends_is_given_up_within_its_time() {
    let database = Database::start(Kind::Sqlite);
    let place = Workplace::new();
    place.write_tiny(40);
    let limited = database.uri(database.port, "table=tiny&time_limit=1");
    push_tiny(&place, &limited, &[]);
    database.ask(
        "CREATE VIEW endless AS WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) \
         SELECT i FROM n WHERE i < 0; \
         CREATE TRIGGER waits AFTER INSERT ON tiny BEGIN SELECT count(*) FROM endless; END",
    );
    place.write_tiny(41);
    let since = Instant::now();
    let push = ["push", "--from", "tiny.csv", "--to", &limited];
    let called = place.call(&[&push[..], &["--dataset", "tiny.yaml"]].concat());
    assert_eq!(called.code, 69, "{}", called.err);
    assert!(
        called.err.contains("no answer within 1 s"),
        "{}",
        called.err
    );
    // Five attempts.
    assert!(since.elapsed() < Duration::from_secs(30));
}

#[test]
fn a_name_in_a_file_that_is_no_text_is_told() {
    let database = Database::start(Kind::Sqlite);
    let place = Workplace::new();
    place.write_tiny(40);
    let tables =
        b"CREATE TABLE t (id TEXT, \"x\xff\" TEXT); CREATE TABLE fits (id TEXT -- caf\xe9\n);";
    ask_bytes(&database, tables);
    let from = database.uri(database.port, "table=t");
    let push = ["push", "--from", &from, "--to", "out.jsonl"];
    // What others are called is theirs.
    let fits = database.uri(database.port, "table=fits");
    let called = place.call(&[
        "push",
        "--from",
        &fits,
        "--to",
        "out.jsonl",
        "--dataset",
        "tiny.yaml",
    ]);
    assert!(!called.err.contains("UTF-8"), "{}", called.err);
    for arguments in [&push[..], &["doctor", "--source", &from]] {
        let called = place.call(&[arguments, &["--dataset", "tiny.yaml"]].concat());
        let said = called.out + &called.err;
        assert!([64, 69].contains(&called.code), "{}: {said}", called.code);
        assert!(
            said.contains("not UTF-8") && !said.contains("panicked"),
            "{said}"
        );
    }
}

#[test]
fn a_database_is_not_written_over_by_what_is_read_from_it() {
    let database = Database::start(Kind::Sqlite);
    let place = Workplace::new();
    place.write_tiny(40);
    push_tiny(&place, &database.address("tiny"), &[]);
    let file = place.path("records.data");
    fs::copy(database.file(), &file).unwrap();
    let before = fs::read(&file).unwrap();
    let from = format!("sqlite://{}?table=tiny", file.display());
    let push = [
        "push",
        "--from",
        &from,
        "--to",
        "records.data",
        "--mode",
        "replace",
    ];
    let called = place.call(&[&push[..], &["--dataset", "tiny.yaml"]].concat());
    assert_eq!(called.code, 64, "{}", called.err);
    assert_eq!(fs::read(&file).unwrap(), before);
}

#[test]
fn a_file_whose_writer_was_killed_is_read_as_it_was_before() {
    let database = Database::start(Kind::Sqlite);
    let place = Workplace::new();
    place.write_tiny(3_000);
    let to = database.address("tiny");
    push_tiny(&place, &to, &[]);
    // So small a memory that what is changed goes to the disk before its end.
    let half = "PRAGMA cache_size = 1; BEGIN; UPDATE tiny SET netsec_row = -netsec_row";
    let mut other = another_program(&database, half);
    other.kill().unwrap();
    other.wait().unwrap();
    assert!(database.file().with_extension("db-journal").exists());
    // Who may not write cannot put it right. Everybody may read the file, below a folder that everybody may enter.
    if database.is_of_root() {
        let netsec = env!("CARGO_BIN_EXE_netsec");
        let called = Command::new("setpriv")
            .args([
                "--reuid=nobody",
                "--clear-groups",
                netsec,
                "doctor",
                "--source",
                &to,
            ])
            .output()
            .unwrap();
        let said = String::from_utf8(called.stdout).unwrap();
        for words in [
            "was broken off",
            "records.db-journal",
            "a user who may write",
        ] {
            assert!(said.contains(words), "{said}{:?}", called.stderr);
        }
    }
    let called = place.call(&["doctor", "--source", &to, "--dataset", "tiny.yaml"]);
    assert_eq!(called.code, 0, "{}{}", called.out, called.err);
    assert_eq!(push_tiny(&place, &to, &[])["already_there"], 3_000);
}

/// Starts another program that has done something to a file, and waits for more.
fn another_program(database: &Database, sql: &str) -> Child {
    let mut other = Command::new("sqlite3")
        .arg(database.file())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    writeln!(other.stdin.as_mut().unwrap(), "{sql}; SELECT 'done';").unwrap();
    let mut heard = BufReader::new(other.stdout.take().unwrap()).lines();
    assert_eq!(heard.next().unwrap().unwrap(), "done");
    other
}

/// Says something to a file that is no text as a whole.
fn ask_bytes(database: &Database, sql: &[u8]) {
    let mut client = Command::new("sqlite3")
        .arg(database.file())
        .stdin(Stdio::piped())
        .spawn()
        .unwrap();
    client.stdin.take().unwrap().write_all(sql).unwrap();
    assert!(client.wait().unwrap().success());
}

#[test]
fn doctor_names_a_server_of_another_kind() {
    let [postgres, mariadb] = SERVERS.map(Database::start);
    let place = http::served();
    let web = http::Server::start(&place);
    let documents = Server::start();
    let of_items = |port| format!("dynamodb://table?endpoint=http://127.0.0.1:{port}");
    let environment = bucket::environment(postgres.port);
    let mongodb = |port: u16| {
        format!("mongodb://127.0.0.1:{port}/db?collection=c&serverSelectionTimeoutMS=500")
    };
    for (uri, other) in [
        (postgres.uri(mariadb.port, "table=t"), "MySQL"),
        (
            postgres.uri(web.port, "table=t&time_limit=1"),
            "a web server",
        ),
        (
            mariadb.uri(postgres.port, "table=t&time_limit=1"),
            "PostgreSQL",
        ),
        (
            mariadb.uri(web.port, "table=t&time_limit=1"),
            "a web server",
        ),
        (
            postgres.uri(documents.port, "table=t&time_limit=1"),
            "MongoDB",
        ),
        (
            mariadb.uri(documents.port, "table=t&time_limit=1"),
            "MongoDB",
        ),
        (of_items(postgres.port), "PostgreSQL"),
        (of_items(documents.port), "MongoDB"),
        (format!("http://127.0.0.1:{}/a.csv", mariadb.port), "MySQL"),
        (
            format!("https://127.0.0.1:{}/a.csv", postgres.port),
            "PostgreSQL",
        ),
        ("s3://bucket/a.csv".to_owned(), "PostgreSQL"),
        (mongodb(postgres.port), "PostgreSQL"),
        (mongodb(mariadb.port), "MySQL"),
    ] {
        let called = place.call_in(&["doctor", "--source", &uri], &environment);
        assert_eq!(called.code, 69, "{}", called.out);
        let words = format!("{other} answers at this port, not");
        assert!(called.out.contains(&words), "{uri}: {}", called.out);
    }
}

/// Returns how many records a push of 3,000 says that it has written, and how many were there.
fn written_and_there(database: &Database, chosen: &str) -> [serde_json::Value; 2] {
    let place = Workplace::new();
    place.write_tiny(3_000);
    let pushed = push_tiny(&place, &database.uri(database.port, chosen), &[]);
    assert_eq!(database.count("tiny"), 3_000);
    ["written", "already_there"].map(|key| pushed[key].clone())
}

#[test]
fn what_was_there_is_what_was_there_when_the_push_began() {
    let columns = "a DOUBLE PRECISION, b DOUBLE PRECISION, y BIGINT, netsec_load VARCHAR(32), \
                   netsec_row BIGINT, UNIQUE (netsec_load, netsec_row)";
    let database = Database::start(Kind::Postgres);
    // The answer to a request does not come in time, but the request is carried out.
    database.ask(&format!(
        "CREATE TABLE tiny ({columns}); \
         CREATE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         PERFORM pg_sleep(0.0005); RETURN NEW; END $$; \
         CREATE TRIGGER waits BEFORE INSERT ON tiny FOR EACH ROW EXECUTE FUNCTION wait()"
    ));
    let found = written_and_there(&database, "table=tiny&time_limit=1");
    assert_eq!(found, [3_000, 0]);
    // Whatever is there is left out without a word.
    database.ask(
        "DELETE FROM tiny WHERE netsec_row <= 2990; \
         CREATE OR REPLACE FUNCTION wait() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF EXISTS (SELECT FROM tiny WHERE (netsec_load, netsec_row) = \
         (NEW.netsec_load, NEW.netsec_row)) THEN RETURN NULL; END IF; RETURN NEW; END $$",
    );
    let found = written_and_there(&database, "table=tiny");
    assert_eq!(found, [2_990, 10]);

    // What a statement has written before the trigger fails stays.
    let database = Database::start(Kind::Sqlite);
    database.ask(&format!(
        "CREATE TABLE tiny ({columns}); \
         CREATE TRIGGER fails BEFORE INSERT ON tiny WHEN NEW.netsec_row = 1500 \
         BEGIN SELECT RAISE(FAIL, 'not this'); END"
    ));
    let place = Workplace::new();
    place.write_tiny(3_001);
    let to = database.address("tiny");
    let pushed = push_tiny(&place, &to, &["--max-bad-share", "0.5"]);
    let found = ["written", "already_there", "rejected"].map(|key| pushed[key].clone());
    assert_eq!(found, [3_000, 0, 1]);
}
