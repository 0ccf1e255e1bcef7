//! Appends and replacements of the same records at the same moment: none takes from another what that has called
//! verified, and nothing is there twice.

use std::{
    process::{Child, Command, Output, Stdio},
    time::Duration,
};

use serde_json::{Value, json};

use super::{
    bucket::environment,
    database::{Database, EVERY, Kind},
    proxy::{Fault, Proxy},
    server::Server,
    sql_faults::{begun, stop_between_requests},
    table::Table,
};
use crate::support::{Called, Workplace, send_signal};

const SCHEMA: [&str; 2] = ["--dataset", "tiny.yaml"];
const REPLACE: [&str; 2] = ["--mode", "replace"];
const STRICT: [&str; 2] = ["--max-bad-share", "0"];
const LAX: [&str; 4] = ["--mode", "replace", "--max-bad-share", "1"];
const COLUMNS: &str = "(a DOUBLE PRECISION UNIQUE, b DOUBLE PRECISION, y BIGINT, netsec_load VARCHAR(32), \
                       netsec_row BIGINT, UNIQUE (netsec_load, netsec_row))";

fn try_to_push(place: &Workplace, to: &str, more: &[&str]) -> Called {
    let fixed = ["push", "--json", "--from", "tiny.csv", "--to", to];
    let arguments = [&fixed[..], &SCHEMA, more].concat();
    place.call_in(&arguments, &environment(9))
}

fn pushed(place: &Workplace, to: &str, more: &[&str]) -> Value {
    let called = try_to_push(place, to, more);
    assert_eq!(called.code, 0, "{to} {more:?}: {}", called.err);
    serde_json::from_str(&called.out).unwrap()
}

/// Writes 300 records, and more that a table refuses which knows no two with the same `a`.
fn with_refused(n_refused: usize) -> Workplace {
    let place = Workplace::new();
    let rows: String = (0..300).map(|i| format!("{i},{i},{}\n", i % 2)).collect();
    place.write_tiny_rows(format!("a,b,y\n{rows}{}", "7,7,1\n".repeat(n_refused)));
    place
}

/// Checks that an append which is refused after an equal replacement takes nothing from that: it waits before
/// it deletes.
fn check_held(place: &Workplace, held: &Proxy, [through, to]: [&str; 2], count: impl Fn() -> u64) {
    let refused = std::thread::scope(|scope| {
        let append = scope.spawn(|| try_to_push(place, through, &STRICT));
        while held.cuts() == 0 {
            assert!(!append.is_finished(), "{}", append.join().unwrap().err);
            std::thread::sleep(Duration::from_millis(1));
        }
        let replaced = pushed(place, to, &LAX);
        assert_eq!((&replaced["written"], count()), (&json!(300), 300), "{to}");
        held.open();
        append.join().unwrap()
    });
    check_refused(&refused.err, refused.code);
    assert_eq!(count(), 300, "{to}");
    // It is there, whoever pushes it.
    assert_eq!(
        pushed(place, to, &["--max-bad-share", "1"])["accepted"],
        301
    );
    assert_eq!(count(), 300, "{to}");
}

fn check_refused(said: &str, code: i32) {
    assert_eq!(code, 65, "{said}");
    assert!(said.contains("what was loaded is taken back"), "{said}");
    assert!(!said.contains("delete"), "{said}");
}

#[test]
fn a_refused_append_takes_no_record_of_an_equal_replacement() {
    for kind in [Kind::Postgres, Kind::MariaDb] {
        let (database, place) = (Database::start(kind), with_refused(1));
        database.ask(&format!("CREATE TABLE tiny {COLUMNS}"));
        let held = Proxy::before(database.port, Fault::Wait("DELETE FROM"));
        let through = database.uri(held.port, "table=tiny");
        let to = database.address("tiny");
        check_held(&place, &held, [&through, &to], || database.count("tiny"));
    }
}

/// Begins an append to a file that is refused, and stops it before it takes back what it has written.
fn stopped(place: &Workplace, database: &Database) -> Child {
    let mut append = Command::new(env!("CARGO_BIN_EXE_netsec"))
        .args(["push", "--from", "tiny.csv"])
        .args(["--to", &database.address("tiny")])
        .args([&SCHEMA[..], &STRICT].concat())
        .current_dir(place.path(""))
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // Between two requests, once all have been written that can be.
    let is_met = |append: &Child| {
        send_signal(append, "STOP");
        std::thread::sleep(Duration::from_millis(50));
        database.is_idle() && database.count("tiny") == 300
    };
    while !is_met(&append) {
        send_signal(&append, "CONT");
        assert!(append.try_wait().unwrap().is_none(), "it was not met");
        std::thread::sleep(Duration::from_millis(1));
    }
    append
}

/// Returns what it says once it goes on.
fn continued(append: Child) -> String {
    send_signal(&append, "CONT");
    let output = append.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(65), "{said}");
    said
}

/// Makes a file with a table that refuses so many records that a push is met while it tries them.
fn slow_to_refuse() -> (Database, Workplace) {
    let database = Database::start(Kind::Sqlite);
    database.ask(&format!("CREATE TABLE tiny {COLUMNS}"));
    (database, with_refused(20_000))
}

#[test]
fn a_refused_append_takes_no_record_of_an_equal_replacement_in_a_file() {
    let (database, place) = slow_to_refuse();
    let append = stopped(&place, &database);
    pushed(&place, &database.address("tiny"), &LAX);
    assert_eq!(database.count("tiny"), 300);
    check_refused(&continued(append), 65);
    assert_eq!(database.count("tiny"), 300);
}

#[test]
fn what_others_have_added_to_an_append_is_not_taken_back_with_it() {
    let (database, place) = slow_to_refuse();
    let append = stopped(&place, &database);
    database.ask("INSERT INTO tiny SELECT 5000, 1, 1, netsec_load, 99999 FROM tiny LIMIT 1");
    let said = continued(append);
    let words = "300 records stay beside those that were there before";
    assert!(said.contains(words) && !said.contains("delete"), "{said}");
    assert_eq!(database.count("tiny"), 301);
}

#[test]
fn a_refused_append_takes_no_document_of_an_equal_replacement() {
    let (server, place) = (Server::start(), with_refused(1));
    server.ask("tiny", &["index", "a", "unique"], "");
    let held = Proxy::before(server.port, Fault::Wait("delete\0"));
    let through = server.uri(held.port, "tiny", "");
    let to = server.address("tiny");
    check_held(&place, &held, [&through, &to], || server.count("tiny"));
}

/// Lets an append go on that was stopped, to its end; returns what it says.
fn ended((append, progress): (Child, impl Iterator<Item = String>)) -> (Output, Vec<String>) {
    send_signal(&append, "CONT");
    let said = progress.collect();
    (append.wait_with_output().unwrap(), said)
}

/// As [`ended`]; it must find that all of its rows are there.
fn check_all_there(append: (Child, impl Iterator<Item = String>), rows: usize) {
    let (output, said) = ended(append);
    assert!(output.status.success(), "{said:?}");
    let told: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(told["already_there"], rows, "{told}");
}

#[test]
fn an_append_amid_which_an_equal_replacement_comes_doubles_nothing() {
    const ROWS: usize = 20_000;
    let place = Workplace::new();
    let rows: String = (0..ROWS).map(|i| format!("{i},{i},{}\n", i % 2)).collect();
    place.write_tiny_rows(format!("a,b,y\n{rows}"));
    let others = COLUMNS.replacen("UNIQUE", "", 1);
    // Where the new records are in the way of the append's, and where they are not.
    for (kind, columns) in [
        (Kind::Postgres, COLUMNS),
        (Kind::Postgres, &others),
        (Kind::MariaDb, &others),
        (Kind::Sqlite, &others),
    ] {
        let database = Database::start(kind);
        database.ask(&format!("CREATE TABLE tiny {columns}"));
        let to = database.address("tiny");
        let (append, progress) = begun(&place, &to, &[]);
        stop_between_requests(&append, &database);
        pushed(&place, &to, &REPLACE);
        check_all_there((append, progress), ROWS);
        assert_eq!(database.count("tiny"), ROWS as u64, "{kind:?}");
    }
    for is_unique in [false, true] {
        // One that has ended before it could be stopped tells nothing.
        let (server, append, progress) = loop {
            let server = Server::start();
            if is_unique {
                server.ask("tiny", &["index", "a", "unique"], "");
            }
            let (mut append, progress) = begun(&place, &server.address("tiny"), &[]);
            send_signal(&append, "STOP");
            if server.count("tiny") < ROWS as u64 {
                break (server, append, progress);
            }
            append.kill().unwrap();
            append.wait().unwrap();
        };
        pushed(&place, &server.address("tiny"), &REPLACE);
        check_all_there((append, progress), ROWS);
        assert_eq!(server.count("tiny"), ROWS as u64);
    }
}

#[test]
fn a_refused_append_amid_which_an_equal_replacement_comes_leaves_nothing_of_its_own() {
    const ROWS: usize = 20_000;
    let place = Workplace::new();
    let rows: String = (0..ROWS).map(|i| format!("{i},{i},{}\n", i % 2)).collect();
    place.write_tiny_rows(format!("a,b,y\n{rows}-1,7,1\n"));
    let columns = COLUMNS.replacen("UNIQUE", "CHECK (a >= 0)", 1);
    for kind in [Kind::Postgres, Kind::Sqlite] {
        let database = Database::start(kind);
        database.ask(&format!("CREATE TABLE tiny {columns}"));
        let to = database.address("tiny");
        let (append, progress) = begun(&place, &to, &STRICT);
        stop_between_requests(&append, &database);
        pushed(&place, &to, &LAX);
        let (output, said) = ended((append, progress));
        check_refused(said.last().unwrap(), output.status.code().unwrap());
        assert_eq!(database.count("tiny"), ROWS as u64, "{kind:?}");
    }
}

#[test]
fn what_a_replacement_has_put_there_an_equal_append_does_not_add() {
    let place = Workplace::new();
    place.write_tiny(700);
    let check = |to: &str, count: &dyn Fn() -> u64| {
        for mode in ["append", "replace", "append", "replace", "append"] {
            pushed(&place, to, &["--mode", mode]);
            assert_eq!(count(), 700, "{to} {mode}");
        }
    };
    for kind in EVERY {
        let database = Database::start(kind);
        let to = database.address("tiny");
        check(&to, &|| database.count("tiny"));
        // Some of it, too.
        database.ask("DELETE FROM tiny WHERE netsec_row <= 100");
        let told = pushed(&place, &to, &[]);
        assert_eq!(
            (&told["written"], &told["already_there"]),
            (&json!(100), &json!(600))
        );
        let load = pushed(&place, &database.address("elsewhere"), &[])["load"].clone();
        let load = load.as_str().unwrap();
        // Also where an append that was killed amid it has left some a second time.
        database.ask(&format!(
            "INSERT INTO tiny (a, b, y, netsec_load, netsec_row) SELECT a, b, y, '{load}', netsec_row FROM tiny WHERE \
             netsec_row <= 200"
        ));
        assert_eq!(pushed(&place, &to, &STRICT)["already_there"], 700);
        assert_eq!(database.count("tiny"), 700);
        // As earlier versions have called what they have put there.
        database.ask(&format!("UPDATE tiny SET netsec_load = '{load}'"));
        assert_eq!(pushed(&place, &to, &[])["already_there"], 700);
        assert_eq!(database.count("tiny"), 700);
    }
    let server = Server::start();
    check(&server.address("tiny"), &|| server.count("tiny"));
    let told = pushed(&place, &server.address("tiny"), &[]);
    assert_eq!(
        (&told["written"], &told["already_there"]),
        (&json!(0), &json!(700))
    );
    let table = Table::new();
    let to = format!(
        "{}?endpoint=http://127.0.0.1:{}",
        table.uri(),
        table.server.port
    );
    check(&to, &|| table.count());
    // Also where the replacement has come to nothing midway.
    let cut = Proxy::before(
        table.server.port,
        Fault::Vanish(&["BatchWriteItem", "BatchWriteItem"]),
    );
    let through = format!(
        "{}?endpoint=http://127.0.0.1:{}&time_limit=1",
        table.uri(),
        cut.port
    );
    let broken = try_to_push(&place, &through, &REPLACE);
    assert_eq!(broken.code, 69, "{}", broken.err);
    pushed(&place, &to, &[]);
    assert_eq!(table.count(), 700);
}

#[test]
fn a_refused_replacement_leaves_the_items_that_are_all_there_are() {
    let (table, place) = (Table::new(), with_refused(0));
    // A text that is longer than an item may be is refused.
    let schema = "
name: tiny
columns:
- {name: a, type: number}
- {name: b, type: text}
target: {column: y, benign: {ok: ['0']}, threats: {bad: ['1']}}
";
    let rows: String = (0..300).map(|i| format!("{i},x,{}\n", i % 2)).collect();
    place.write("tiny.yaml", schema);
    let to = format!(
        "{}?endpoint=http://127.0.0.1:{}",
        table.uri(),
        table.server.port
    );
    place.write("tiny.csv", format!("a,b,y\n{}", "7,old,1\n".repeat(20)));
    pushed(&place, &to, &[]);
    let long = "x".repeat(500_000);
    place.write("tiny.csv", format!("a,b,y\n{rows}300,{long},1\n"));
    let strict = [REPLACE, STRICT].concat();
    let refused = try_to_push(&place, &to, &strict);
    check_refused(&refused.err, refused.code);
    assert_eq!(table.count(), 20);
    // An equal one has deleted the old ones before this one looks.
    let held = Proxy::before(table.server.port, Fault::Wait("NOT begins_with"));
    let through = format!("{}?endpoint=http://127.0.0.1:{}", table.uri(), held.port);
    let refused = std::thread::scope(|scope| {
        let first = scope.spawn(|| try_to_push(&place, &through, &strict));
        while held.cuts() == 0 {
            assert!(!first.is_finished(), "{}", first.join().unwrap().err);
            std::thread::sleep(Duration::from_millis(1));
        }
        pushed(&place, &to, &LAX);
        held.open();
        first.join().unwrap()
    });
    assert_eq!(refused.code, 65, "{}", refused.err);
    assert_eq!(table.count(), 300, "{}", refused.err);
}
