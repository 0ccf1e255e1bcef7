//! Replacements of which the last answers are lost: what is said of the records is what is known of them.

use std::time::Duration;

use super::{
    bucket::environment,
    database::{Database, Kind, SERVERS},
    mongodb::push_tiny,
    proxy::{Fault, Proxy},
    s3::{SCHEMA, fails, push_tiny as push_item},
    server::Server,
    table::Table,
};
use crate::support::{Called, Workplace};

const REPLACE: [&str; 2] = ["--mode", "replace"];
const NOT_KNOWN: &str = "has taken the place of the records that were there is not known: look";
const KNOWN: &str = "what was loaded has taken the place of the records that were there";

fn replace(place: &Workplace, to: &str) -> Called {
    let arguments = ["push", "--from", "tiny.csv", "--to", to];
    place.call(&[&arguments[..], &SCHEMA, &REPLACE].concat())
}

fn check(called: &Called, said: &str) {
    assert_eq!(called.code, 69, "{}", called.err);
    assert!(called.err.contains(said), "{said}: {}", called.err);
    for never in ["were there stay", "taken back"] {
        assert!(!called.err.contains(never), "{never}: {}", called.err);
    }
}

#[test]
fn whether_a_table_was_replaced_is_not_known_when_nobody_answers_any_more() {
    for kind in SERVERS {
        let database = Database::start(kind);
        let place = Workplace::new();
        let to = database.address("tiny");
        place.write_tiny(100);
        push_tiny(&place, &to, &[]);
        place.write_tiny(70);
        let gone = Proxy::before(database.port, Fault::Vanish(&["DELETE FROM", "COMMIT"]));
        let called = replace(&place, &database.uri(gone.port, "table=tiny"));
        check(&called, NOT_KNOWN);
        assert!(called.err.contains("table `netsec_"), "{}", called.err);
        assert_eq!(database.count("tiny"), 70, "{kind:?}");
        push_tiny(&place, &to, &REPLACE);
        assert_eq!(database.count("tiny"), 70, "{kind:?}");
    }
}

#[test]
fn a_table_that_was_made_by_its_replacement_counts_whatever_fails_behind_it() {
    for kind in SERVERS {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(70);
        let behind = Fault::Vanish(&["DROP TABLE", "CREATE UNIQUE INDEX"]);
        let gone = Proxy::before(database.port, behind);
        let called = replace(&place, &database.uri(gone.port, "table=tiny"));
        check(&called, KNOWN);
        assert_eq!(database.count("tiny"), 70, "{kind:?}");
    }
}

#[test]
fn a_replacement_that_counts_is_not_taken_back_by_words() {
    let database = Database::start(Kind::MariaDb);
    let place = Workplace::new();
    place.write_tiny(100);
    push_tiny(&place, &database.address("tiny"), &[]);
    place.write_tiny(70);
    // It may not drop what it has loaded into.
    let to = database.address("tiny").replace("netsec:", "keeper:");
    let called = replace(&place, &to);
    check(&called, KNOWN);
    assert!(called.err.contains("DROP command denied"), "{}", called.err);
    assert_eq!(database.count("tiny"), 70);
}

#[test]
fn whether_a_collection_was_replaced_is_not_known_when_nobody_answers_any_more() {
    let server = Server::start();
    let place = Workplace::new();
    let to = server.address("tiny");
    place.write_tiny(100);
    push_tiny(&place, &to, &[]);
    place.write_tiny(70);
    let gone = Proxy::before(server.port, Fault::Vanish(&["renameCollection"]));
    let called = replace(&place, &server.uri(gone.port, "tiny", ""));
    check(&called, NOT_KNOWN);
    assert!(
        called.err.contains("collection `tiny__netsec_"),
        "{}",
        called.err
    );
    assert_eq!(server.count("tiny"), 70);
    push_tiny(&place, &to, &REPLACE);
    assert_eq!(server.count("tiny"), 70);
}

#[test]
fn the_beginning_of_another_equal_push_takes_no_collections_place() {
    let server = Server::start();
    let place = Workplace::new();
    let to = server.address("tiny");
    place.write_tiny(70);
    let load = push_tiny(&place, &to, &[])["load"].clone();
    let beside = format!("tiny__netsec_{}", load.as_str().unwrap());
    server.ask("tiny", &["drop"], "");
    place.write_tiny(100);
    push_tiny(&place, &to, &[]);
    place.write_tiny(70);
    let held = Proxy::before(server.port, Fault::Interrupt("renameCollection"));
    let through = server.uri(held.port, "tiny", "");
    let called = std::thread::scope(|scope| {
        let pushed = scope.spawn(|| replace(&place, &through));
        while held.cuts() == 0 {
            std::thread::sleep(Duration::from_millis(1));
        }
        // Others have renamed it, and replaced it again; one more has only begun.
        server.ask(&beside, &["drop"], "");
        server.ask(&beside, &["index", "a"], "");
        held.open();
        pushed.join().unwrap()
    });
    assert_eq!(called.code, 69, "{}", called.err);
    let said = "holds 0 of the 70 documents that were loaded";
    assert!(called.err.contains(said), "{}", called.err);
    assert_eq!(server.count("tiny"), 100);
}

#[test]
fn items_that_were_there_may_be_gone_once_their_deletion_has_begun() {
    let (table, place) = (Table::new(), Workplace::new());
    let port = table.server.port;
    place.write_tiny(100);
    push_item(&place, port, &table.uri(), &[]);
    place.write_tiny(70);
    let gone = Proxy::before(port, Fault::Vanish(&["DeleteRequest"]));
    let to = table.uri();
    let arguments = ["push", "--from", "tiny.csv", "--to", &to];
    let arguments = [&arguments[..], &SCHEMA, &REPLACE].concat();
    let said = fails(&place, &environment(gone.port), &arguments, 69);
    let words = "of the records that were there before some may be deleted already";
    assert!(said.contains(words), "{said}");
    assert!((70..170).contains(&table.count()), "{}", table.count());
    push_item(&place, port, &table.uri(), &REPLACE);
    assert_eq!(table.count(), 70);
}
