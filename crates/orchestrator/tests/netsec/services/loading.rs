//! What a push leaves in a database when the source changes, when records are refused, and when the database
//! writes numbers in its own way.

use serde_json::{Value, json};

use super::{
    bucket::environment,
    database::{Database, EVERY, Kind, SERVERS},
    mongodb::push,
    server::Server,
    table::Table,
};
use crate::{
    push::once::Growing,
    support::{Called, Workplace, tiny_csv},
};

const SCHEMA: [&str; 2] = ["--dataset", "tiny.yaml"];

fn try_to_push(place: &Workplace, from: &str, to: &str, more: &[&str]) -> Called {
    let fixed = ["push", "--json", "--from", from, "--to", to];
    let environment = environment(Table::new().server.port);
    place.call_in(&[&fixed[..], &SCHEMA, more].concat(), &environment)
}

fn pushed(place: &Workplace, from: &str, to: &str, more: &[&str]) -> Value {
    let called = try_to_push(place, from, to, more);
    assert_eq!(called.code, 0, "{}", called.err);
    serde_json::from_str(&called.out).unwrap()
}

fn refused(place: &Workplace, to: &str, more: &[&str], code: i32, words: &str) {
    let called = try_to_push(place, "tiny.csv", to, more);
    assert_eq!(called.code, code, "{}", called.err);
    assert!(called.err.contains(words), "{words}: {}", called.err);
}

#[test]
fn a_source_that_grows_while_it_is_pushed_is_loaded_as_it_was_read() {
    let (database, server, table) = (
        Database::start(Kind::Postgres),
        Server::start(),
        Table::new(),
    );
    let count = |at: usize| match at {
        0 => database.count("tiny"),
        1 => server.count("tiny"),
        _ => table.count(),
    };
    let to = [
        database.address("tiny"),
        server.address("tiny"),
        table.uri(),
    ];
    for (at, to) in to.iter().enumerate() {
        let (place, source) = (Workplace::new(), Growing::start(3));
        place.write_tiny(0);
        assert_eq!(pushed(&place, &source.uri, to, &[])["written"], 3);
        assert_eq!((source.n_asked(), count(at)), (1, 3), "{to}");
    }
}

/// Checks a push of which too many records are refused, those with an `a` of 36, and the mended one.
fn check_taken_back(to: &str, count: impl Fn() -> u64) {
    let place = Workplace::new();
    place.write_tiny(900);
    let before = count();
    let strict = ["--max-bad-share", "0.001"];
    refused(&place, to, &strict, 65, "what was loaded is taken back");
    assert_eq!(count(), before, "{to}");
    let lines = tiny_csv(900);
    let mended: Vec<&str> = lines.lines().filter(|l| !l.starts_with("36,")).collect();
    let n = mended.len() as u64 - 1;
    place.write("tiny.csv", mended.join("\n") + "\n");
    pushed(&place, "tiny.csv", to, &strict);
    assert_eq!(count(), before + n, "{to}");
}

#[test]
fn a_push_that_is_refused_after_loading_leaves_nothing_that_the_mended_one_would_double() {
    for kind in EVERY {
        let database = Database::start(kind);
        database.ask(
            "CREATE TABLE tiny (a DOUBLE PRECISION CHECK (a <> 36), b DOUBLE PRECISION, y BIGINT, \
             netsec_load VARCHAR(32), netsec_row BIGINT)",
        );
        database.ask("INSERT INTO tiny (a, b, y) VALUES (1, 1, 1)");
        check_taken_back(&database.address("tiny"), || database.count("tiny"));
    }
}

#[test]
fn documents_are_taken_back_too_and_those_of_others_stay() {
    let server = Server::start();
    let place = Workplace::new();
    place.write_tiny_rows("a,b,y\n1,1,0\n500,2,1\n");
    let to = server.address("tiny");
    pushed(&place, "tiny.csv", &to, &[]);
    server.ask("tiny", &["index", "a", "unique"], "");
    place.write("tiny.csv", "a,b,y\n2,1,0\n3,1,0\n1,7,1\n4,1,1\n");
    let words = "what was loaded is taken back";
    refused(&place, &to, &["--max-bad-share", "0.1"], 65, words);
    assert_eq!(server.count("tiny"), 2);
}

#[test]
fn items_are_taken_back_unless_an_earlier_push_may_have_written_them() {
    let place = Workplace::new();
    place.write(
        "tiny.yaml",
        "
name: tiny
columns:
- {name: a, type: number}
- {name: t, type: text}
target: {column: y, benign: {ok: ['0']}, threats: {bad: ['1']}}
",
    );
    let long = "x".repeat(500_000);
    place.write("tiny.csv", format!("a,t,y\n1,x,0\n2,{long},0\n3,z,1\n"));
    let strict = ["--max-bad-share", "0.1"];
    for mode in ["append", "replace"] {
        let table = Table::new();
        let more = [&strict[..], &["--mode", mode]].concat();
        let words = "what was loaded is taken back";
        refused(&place, &table.uri(), &more, 65, words);
        assert_eq!(table.count(), 0, "{mode}");
        let lax = ["--max-bad-share", "0.5", "--mode", mode];
        pushed(&place, "tiny.csv", &table.uri(), &lax);
        let words = "2 records stay beside those that were there before";
        refused(&place, &table.uri(), &more, 65, words);
        assert_eq!(table.count(), 2, "{mode}");
    }
}

#[test]
fn items_of_an_earlier_push_stay_though_the_first_ones_are_refused() {
    let place = Workplace::new();
    place.write_tiny(0);
    // An index takes no missing number: more are refused than go out at once.
    let row = |i: usize| match i < 150 {
        true => format!("{i},,0\n"),
        false => format!("{i},{i},1\n"),
    };
    let rows: String = (0..200).map(row).collect();
    place.write("tiny.csv", format!("a,b,y\n{rows}"));
    for mode in ["append", "replace"] {
        let table = Table::new();
        table.create_with_index("b");
        let strict = ["--max-bad-share", "0.1", "--mode", mode];
        let words = "what was loaded is taken back";
        refused(&place, &table.uri(), &strict, 65, words);
        assert_eq!(table.count(), 0, "{mode}");
        let lax = ["--max-bad-share", "0.9", "--mode", mode];
        assert_eq!(
            pushed(&place, "tiny.csv", &table.uri(), &lax)["written"],
            50
        );
        let words = "50 records stay beside those that were there before";
        refused(&place, &table.uri(), &strict, 65, words);
        assert_eq!(table.count(), 50, "{mode}");
    }
}

#[test]
fn what_an_earlier_push_has_loaded_is_not_taken_back() {
    let database = Database::start(Kind::Sqlite);
    database.ask(
        "CREATE TABLE tiny (a DOUBLE PRECISION CHECK (a <> 36), b DOUBLE PRECISION, y BIGINT, \
         netsec_load VARCHAR(32), netsec_row BIGINT)",
    );
    let place = Workplace::new();
    place.write_tiny(900);
    let to = database.address("tiny");
    let loaded = pushed(&place, "tiny.csv", &to, &["--max-bad-share", "1"]);
    let n = loaded["written"].as_u64().unwrap();
    assert!((1..900).contains(&n), "{n}");
    let strict = ["--max-bad-share", "0.001"];
    refused(&place, &to, &strict, 65, "rows rejected");
    assert_eq!(database.count("tiny"), n);
    database.ask("DELETE FROM tiny WHERE netsec_row < 11");
    let called = try_to_push(&place, "tiny.csv", &to, &strict);
    for words in [
        "10 records stay beside those that were there before",
        "look at them before another push",
    ] {
        assert!(called.err.contains(words), "{}", called.err);
    }
    // Those of the earlier push may be what others rely on.
    assert!(!called.err.contains("delete"), "{}", called.err);
    assert_eq!(database.count("tiny"), n);
}

#[test]
fn an_append_whose_records_an_upsert_has_written_over_names_the_way_on() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        let to = database.address("tiny");
        place.write_tiny(0);
        let upsert = ["--mode", "upsert", "--key", "a"];
        let (old, new) = ("a,b,y\n1,1,0\n2,2,1\n", "a,b,y\n1,7,0\n2,8,1\n");
        for (rows, more) in [(old, &[][..]), (new, &upsert)] {
            place.write("tiny.csv", rows);
            pushed(&place, "tiny.csv", &to, more);
        }
        place.write("tiny.csv", old);
        let words = "2 of them were there from an earlier push";
        refused(&place, &to, &[], 69, words);
        let words = "--mode upsert writes them over again; this push has written nothing";
        refused(&place, &to, &[], 69, words);
        pushed(&place, "tiny.csv", &to, &upsert);
        assert_eq!(database.ask("SELECT y FROM tiny WHERE b = 2").trim(), "1");
        assert_eq!(database.count("tiny"), 2, "{kind:?}");
    }
}

#[test]
fn a_table_is_not_emptied_by_a_replacement_of_which_every_record_is_refused() {
    for kind in SERVERS {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(30);
        database.ask(
            "CREATE TABLE tiny (a DOUBLE PRECISION CHECK (a < -1), b DOUBLE PRECISION, y BIGINT)",
        );
        database.ask("INSERT INTO tiny VALUES (-5, 1, 1)");
        let more = ["--mode", "replace", "--max-bad-share", "1"];
        let words = "every record was refused, so that nothing was pushed";
        refused(&place, &database.address("tiny"), &more, 65, words);
        assert_eq!(database.count("tiny"), 1, "{kind:?}");
    }
}

#[test]
fn a_refused_replacement_leaves_nothing_so_that_the_same_push_meets_the_constraints_of_then() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(30);
        database.ask(
            "CREATE TABLE tiny (a DOUBLE PRECISION, b DOUBLE PRECISION, y BIGINT, \
             CONSTRAINT low CHECK (a < 5))",
        );
        database.ask("INSERT INTO tiny VALUES (1, 1, 1)");
        let more = ["--mode", "replace", "--max-bad-share", "0.1"];
        refused(
            &place,
            &database.address("tiny"),
            &more,
            65,
            "is taken back",
        );
        assert_eq!(staging_tables(&database), "", "{kind:?}");
        match kind {
            Kind::Sqlite => {
                database.ask("DROP TABLE tiny");
                database
                    .ask("CREATE TABLE tiny (a DOUBLE PRECISION, b DOUBLE PRECISION, y BIGINT)");
            }
            _ => drop(database.ask("ALTER TABLE tiny DROP CONSTRAINT low")),
        }
        pushed(&place, "tiny.csv", &database.address("tiny"), &more);
        assert_eq!(database.count("tiny"), 30, "{kind:?}");
        assert_eq!(staging_tables(&database), "", "{kind:?}");
    }
}

fn staging_tables(database: &Database) -> String {
    let of = match database.kind {
        Kind::Sqlite => "name FROM sqlite_master WHERE type = 'table' AND name",
        _ => "table_name FROM information_schema.tables WHERE table_name",
    };
    database.ask(&format!("SELECT {of} LIKE 'netsec%'"))
}

#[test]
fn decimals_of_a_table_are_the_numbers_that_were_pushed() {
    for kind in SERVERS {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(0);
        for mode in ["append", "replace", "upsert"] {
            let (table, mut more) = (format!("by_{mode}"), vec!["--mode", mode]);
            database.ask(&format!(
                "CREATE TABLE {table} (a decimal(5,2), b decimal(7,3), y decimal(3,0), \
                 netsec_load varchar(32), netsec_row bigint)"
            ));
            if mode == "upsert" {
                more.extend(["--key", "a"]);
            }
            let to = database.address(&table);
            place.write("tiny.csv", "a,b,y\n2,2.5,0\n17,0.25,1\n");
            assert_eq!(pushed(&place, "tiny.csv", &to, &more)["written"], 2);
            // What the column rounds is another number.
            place.write("tiny.csv", "a,b,y\n3,2.50009,0\n");
            refused(&place, &to, &more, 65, "keep it otherwise than it was sent");
            refused(&place, &to, &more, 65, "row 1: ");
            refused(&place, &to, &more, 65, "`b` would be 2.5, not 2.50009");
            assert_eq!(database.count(&table), 2, "{kind:?} {mode}");
        }
    }
}

#[test]
fn numbers_that_dynamodb_writes_out_are_the_ones_that_were_pushed() {
    let (table, place) = (Table::new(), Workplace::new());
    place.write_tiny_rows(
        "a,b,y\n1e21,1e25,0\n1.2345678901234567e30,-1e22,1\n9007199254740992,1e-7,0\n",
    );
    assert_eq!(pushed(&place, "tiny.csv", &table.uri(), &[])["written"], 3);
    let keyed = Table::new();
    let more = ["--mode", "upsert", "--key", "a"];
    assert_eq!(
        pushed(&place, "tiny.csv", &keyed.uri(), &more)["written"],
        3
    );
    // And read back as numbers.
    pushed(&place, &table.uri(), "out.csv", &[]);
    let out = std::fs::read_to_string(place.path("out.csv")).unwrap();
    for cells in ["1e21,1e25,0", "1.2345678901234567e30,-1e22,1"] {
        assert!(out.contains(cells), "{out}");
    }
}

#[test]
fn a_table_of_dynamodb_is_cleaned_in_its_own_place() {
    let (table, place) = (Table::new(), Workplace::new());
    place.write_tiny(2_000);
    pushed(&place, "tiny.csv", &table.uri(), &[]);
    let more = ["--mode", "replace", "--duplicates", "drop"];
    let cleaned = pushed(&place, &table.uri(), &table.uri(), &more);
    assert_eq!(cleaned["rows"], 2_000);
    assert_eq!(table.count(), cleaned["accepted"].as_u64().unwrap());
}

#[test]
fn one_file_of_sqlite_is_read_and_then_written_to() {
    let database = Database::start(Kind::Sqlite);
    let place = Workplace::new();
    place.write_tiny(30_000);
    let (first, second) = (database.address("first"), database.address("second"));
    pushed(&place, "tiny.csv", &first, &[]);
    pushed(&place, &first, &second, &[]);
    assert_eq!(database.count("second"), 30_000);
    // And in its own place.
    pushed(&place, &second, &second, &["--mode", "replace"]);
    assert_eq!(database.count("second"), 30_000);
}

#[test]
fn one_bad_record_does_not_stop_a_replacement_in_sqlite() {
    let database = Database::start(Kind::Sqlite);
    let place = Workplace::new();
    place.write_tiny_rows("a,b,y\n1,2,0\n200,3,1\n4,,1\n1,5,0\n");
    for (table, definition) in [
        (
            "\"a (b\"",
            "(a REAL NOT NULL UNIQUE CHECK (a < 100), b REAL NOT NULL, y INTEGER)",
        ),
        (
            "plain",
            "(y INTEGER, a INTEGER PRIMARY KEY, b REAL NOT NULL, CHECK (a < 100))",
        ),
    ] {
        database.ask(&format!("CREATE TABLE {table} {definition}"));
        database.ask(&format!("INSERT INTO {table} (a, b, y) VALUES (7, 7, 1)"));
        let name = table.trim_matches('"');
        let to = database.address(&name.replace(' ', "%20"));
        let more = ["--mode", "replace", "--max-bad-share", "0.9"];
        let found = pushed(&place, "tiny.csv", &to, &more);
        let counts = (&found["written"], &found["rejected"]);
        assert_eq!(counts, (&json!(1), &json!(3)), "{table}");
        let kept = database.ask(&format!("SELECT a, b FROM {table}"));
        assert_eq!(kept.trim_end().replace(".0", ""), "1\t2", "{table}");
        let left =
            "SELECT count(*) FROM sqlite_master WHERE name LIKE 'netsec%' AND type = 'table'";
        assert_eq!(database.ask(left).trim(), "0");
    }
    // The records of tables that nobody has laid out go as before.
    place.write_tiny(50);
    let to = database.address("new");
    push(&place, "tiny.csv", &to, &["--dataset", "tiny.yaml"]);
    place.write_tiny(60);
    let more = ["--dataset", "tiny.yaml", "--mode", "replace"];
    push(&place, "tiny.csv", &to, &more);
    assert_eq!(database.count("new"), 60);
}
