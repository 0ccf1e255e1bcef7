//! What an upsert must not do: write over what has another key, or take one key for another.

use super::{KEYED, try_to_push};
use crate::{
    services::{
        database::{Database, EVERY, Kind, SERVERS},
        mongodb::{push, push_tiny},
    },
    support::Workplace,
};

/// Pushes records by their key `k` into a table of one record.
fn upsert(database: &Database, of_type: &str, kind: &str, there: &str, records: &str) -> String {
    let place = Workplace::new();
    place.write("keyed.yaml", KEYED.replace("name: k, type: text", kind));
    place.write("keyed.csv", format!("k,a,y\n{records}"));
    let double = "DOUBLE PRECISION";
    database.ask("DROP TABLE IF EXISTS t");
    database.ask(&format!(
        "CREATE TABLE t (k {of_type}, a {double}, y BIGINT, PRIMARY KEY (k))"
    ));
    database.ask(&format!("INSERT INTO t VALUES ({there}, 1, 0)"));
    let mut more = vec!["--dataset", "keyed.yaml", "--mode", "upsert", "--key", "k"];
    more.extend(["--max-bad-share", "0.9", "--quarantine", "bad.csv"]);
    push(&place, "keyed.csv", &database.address("t"), &more);
    let rejected = std::fs::read_to_string(place.path("bad.csv")).unwrap();
    assert!(
        rejected.contains("otherwise than it was sent"),
        "{rejected}"
    );
    let found = database.ask("SELECT k, a FROM t ORDER BY a");
    found.replace(".0\n", "\n")
}

#[test]
fn a_key_that_counts_as_equal_to_another_ones_writes_over_nothing() {
    for kind in EVERY {
        let database = Database::start(kind);
        let types: &[&str] = match kind {
            Kind::Postgres => {
                database.ask("CREATE EXTENSION citext");
                database.ask(
                    "CREATE COLLATION ci (provider = icu, locale = 'und-u-ks-level2', \
                     deterministic = false)",
                );
                &["citext", "text COLLATE ci"]
            }
            Kind::MariaDb => &["varchar(20) COLLATE utf8mb4_general_ci"],
            Kind::Sqlite => &["TEXT COLLATE NOCASE"],
        };
        for of_type in types {
            let text = "name: k, type: text";
            let records = "ABC,7,1\nnew,8,0\nTwice,9,0\nTWICE,10,0\nabc2,11,1\n";
            let found = upsert(&database, of_type, text, "'abc'", records);
            let expected = "abc\t1\nnew\t8\nTwice\t9\nabc2\t11\n";
            assert_eq!(found, expected, "{kind:?} {of_type}");
            // One that is written alike is the same.
            let found = upsert(&database, of_type, text, "'abc'", "abc,7,1\nx,8,0\nX,9,1\n");
            assert_eq!(found, "abc\t7\nx\t8\n", "{kind:?} {of_type}");
        }
    }
}

#[test]
fn a_key_that_the_table_would_round_to_another_writes_over_nothing() {
    for kind in SERVERS {
        let database = Database::start(kind);
        let mut types = vec!["decimal(12,2)"];
        types.extend((kind == Kind::Postgres).then_some("real"));
        for of_type in types {
            let records = "1.2500000001,7,1\n5.5,8,0\n1.25,9,0\n";
            let found = upsert(&database, of_type, "name: k, type: number", "1.25", records);
            let found = found.replace("5.50", "5.5");
            assert_eq!(found, "5.5\t8\n1.25\t9\n", "{kind:?} {of_type}");
        }
    }
}

#[test]
fn a_table_of_keys_alone_is_loaded_twice_without_harm() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny_rows("a,b,y\n1,2,0\n2,3,1\n");
        let key = ["--mode", "upsert", "--key", "a", "--key", "b", "--key", "y"];
        for _ in 0..2 {
            push_tiny(&place, &database.address("tiny"), &key);
            assert_eq!(database.count("tiny"), 2, "{kind:?}");
        }
    }
}

#[test]
fn an_index_of_mysql_on_the_beginning_of_a_column_is_none_on_the_column() {
    let database = Database::start(Kind::MariaDb);
    let place = Workplace::new();
    place.write("keyed.yaml", KEYED);
    place.write("keyed.csv", "k,a,y\nabcd,7,1\n");
    database.ask("CREATE TABLE t (k VARCHAR(20), a DOUBLE, y BIGINT, UNIQUE KEY short (k(3)))");
    database.ask("INSERT INTO t VALUES ('abce', 1, 0)");
    let fixed = [
        "push",
        "--from",
        "keyed.csv",
        "--to",
        &database.address("t"),
    ];
    let more = ["--dataset", "keyed.yaml", "--mode", "upsert", "--key", "k"];
    let called = place.call(&[&fixed[..], &more].concat());
    assert_eq!(called.code, 65, "{}", called.err);
    assert!(called.err.contains("short on k(3)"), "{}", called.err);
    assert_eq!(database.ask("SELECT k, a FROM t"), "abce\t1\n");
}

#[test]
fn an_index_that_carries_a_column_is_none_on_it_and_a_refusal_names_the_key() {
    let database = Database::start(Kind::Postgres);
    let place = Workplace::new();
    place.write_tiny_rows("a,b,y\n1,2,0\n2,3,1\n");
    database.ask("CREATE TABLE tiny (a BIGINT, b BIGINT, y BIGINT)");
    database.ask("CREATE UNIQUE INDEX one ON tiny (a) INCLUDE (b)");
    database.ask("INSERT INTO tiny VALUES (1, 7, 0)");
    let more = [
        "--mode",
        "upsert",
        "--key",
        "a",
        "--key",
        "b",
        "--max-bad-share",
        "0.5",
    ];
    let more = [&more[..], &["--quarantine", "bad.csv"]].concat();
    assert_eq!(
        push_tiny(&place, &database.address("tiny"), &more)["written"],
        1
    );
    let rejected = std::fs::read_to_string(place.path("bad.csv")).unwrap();
    assert!(
        rejected.contains("Key (a)=(1) already exists"),
        "{rejected}"
    );
}

#[test]
fn a_key_that_mysql_cannot_look_up_is_refused_with_what_mends_it() {
    let database = Database::start(Kind::MariaDb);
    let place = Workplace::new();
    place.write("keyed.yaml", KEYED);
    place.write("keyed.csv", "k,a,y\nabc,7,1\n");
    let to = database.address("t");
    push(&place, "keyed.csv", &to, &["--dataset", "keyed.yaml"]);
    let fixed = ["push", "--from", "keyed.csv", "--to", &to];
    let more = ["--dataset", "keyed.yaml", "--mode", "upsert", "--key", "k"];
    let upsert = [&fixed[..], &more].concat();
    let called = place.call(&upsert);
    assert_eq!(called.code, 65, "{}", called.err);
    let advice = "ALTER TABLE `t` MODIFY `k` VARCHAR(255)";
    assert!(called.err.contains(advice), "{}", called.err);
    database.ask(advice);
    assert_eq!(place.call(&upsert).code, 0);
}

/// Returns how many of a table's indexes a push has made.
fn n_made(database: &Database) -> u64 {
    let made = match database.kind {
        Kind::Postgres => "pg_indexes WHERE indexname",
        Kind::MariaDb => {
            "information_schema.statistics WHERE table_schema = 'netsec' AND index_name"
        }
        Kind::Sqlite => "sqlite_master WHERE type = 'index' AND name",
    };
    let counted = database.ask(&format!("SELECT count(*) FROM {made} LIKE 'netsec%'"));
    counted.trim().parse().unwrap()
}

#[test]
fn an_upsert_that_is_refused_leaves_no_index_behind() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(20);
        let check = |columns: &str, said: &str| {
            database.ask("DROP TABLE IF EXISTS tiny");
            database.ask(&format!("CREATE TABLE tiny ({columns})"));
            let to = database.address("tiny");
            let called = try_to_push(&place, &to, &["--mode", "upsert", "--key", "a"]);
            assert_eq!(called.code, 65, "{kind:?} {}", called.err);
            assert!(called.err.contains(said), "{kind:?} {}", called.err);
            assert_eq!(n_made(&database), 0, "{kind:?} {columns}");
        };
        let (a, b, y) = ("a DOUBLE PRECISION", "b DOUBLE PRECISION", "y BIGINT");
        check(&format!("{a}, {b}"), "`tiny` has no column `y`");
        let never = "CHECK (b < 0)";
        check(&format!("{a}, {b} {never}, {y}"), "20 of 20 rows rejected");
        if kind == Kind::MariaDb {
            check(
                &format!("{a}, {b} UNIQUE, {y}"),
                "another unique index, b on b",
            );
        }
        let quoted = |name: &str| database.quote(name);
        let (other, y) = (quoted("A"), quoted("y"));
        check(
            &format!("{other} DOUBLE PRECISION, {b}, {y} BIGINT"),
            "no column `a`, which the schema has, but `A`: rename one of them",
        );
    }
}

#[test]
fn a_number_in_a_column_of_texts_is_told_apart_as_a_text() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write(
            "keyed.yaml",
            KEYED.replace("k, type: text", "k, type: integer"),
        );
        place.write("keyed.csv", "k,a,y\n1,7,1\n2,8,0\n");
        let columns = "a DOUBLE PRECISION, y BIGINT";
        database.ask(&format!(
            "CREATE TABLE t (k VARCHAR(20) PRIMARY KEY, {columns})"
        ));
        database.ask("INSERT INTO t VALUES ('01', 1, 0), ('2', 2, 0), ('2abc', 3, 0)");
        let dataset = ["--dataset", "keyed.yaml"];
        let upsert = [&dataset[..], &["--mode", "upsert", "--key", "k"]].concat();
        push(&place, "keyed.csv", &database.address("t"), &upsert);
        let found = database.ask("SELECT k, y FROM t ORDER BY k");
        assert_eq!(found, "01\t0\n1\t1\n2\t0\n2abc\t0\n", "{kind:?}");
        assert_eq!(database.ask("SELECT k FROM t WHERE a = 8").trim(), "2");
        if kind == Kind::MariaDb {
            // Of which a number would be the position.
            database.ask(&format!("CREATE TABLE e (k ENUM('2', '1'), {columns})"));
            let replace = [&dataset[..], &["--mode", "replace"]].concat();
            push(&place, "keyed.csv", &database.address("e"), &replace);
            assert_eq!(
                database.ask("SELECT k, a FROM e ORDER BY a"),
                "1\t7\n2\t8\n"
            );
        }
    }
}

#[test]
fn a_trigger_of_sqlite_that_ends_the_transaction_costs_its_record_alone() {
    let database = Database::start(Kind::Sqlite);
    let place = Workplace::new();
    place.write_tiny_rows("a,b,y\n1,1,0\n2,2,0\n3,3,1\n4,4,1\n");
    for mode in ["append", "upsert"] {
        database.ask(&format!(
            "CREATE TABLE {mode} (a REAL, b REAL, y BIGINT, netsec_load TEXT, netsec_row BIGINT); \
             CREATE TRIGGER judges_{mode} BEFORE INSERT ON {mode} WHEN NEW.a = 2 \
             BEGIN SELECT RAISE(ROLLBACK, 'not this'); END"
        ));
        let mut more = vec!["--mode", mode];
        more.extend(
            (mode == "upsert")
                .then_some(["--key", "a"])
                .into_iter()
                .flatten(),
        );
        let lax = ["--max-bad-share", "0.3", "--quarantine", "bad.csv"];
        let to = database.address(mode);
        let pushed = push_tiny(&place, &to, &[&more[..], &lax].concat());
        assert_eq!(
            (&pushed["written"], &pushed["rejected"]),
            (&3.into(), &1.into())
        );
        assert_eq!(database.count(mode), 3, "{mode}");
        let rejected = std::fs::read_to_string(place.path("bad.csv")).unwrap();
        let line = rejected.lines().nth(1).unwrap();
        assert!(
            line.contains("not this") && line.ends_with(",2,2,0"),
            "{rejected}"
        );
    }
    database.ask("CREATE TABLE never AS SELECT * FROM upsert WHERE 0");
    database.ask(
        "CREATE TRIGGER judges_never BEFORE INSERT ON never BEGIN SELECT RAISE(ROLLBACK, 'none'); END",
    );
    let before = n_made(&database);
    let key = ["--mode", "upsert", "--key", "a"];
    let called = try_to_push(&place, &database.address("never"), &key);
    assert_eq!(called.code, 65, "{}", called.err);
    assert_eq!(n_made(&database), before);
}
