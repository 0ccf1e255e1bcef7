//! What a replacement must not do: reach into other tables, or let records become others.

use super::{KEYED, try_to_push};
use crate::{
    services::{
        database::{Database, EVERY, Kind},
        mongodb::push_tiny,
    },
    support::Workplace,
};

#[test]
fn a_table_whose_records_others_hang_on_is_not_replaced() {
    for kind in EVERY {
        for rule in ["CASCADE", "SET NULL"] {
            let database = Database::start(kind);
            let place = Workplace::new();
            place.write_tiny(1);
            database.ask("CREATE TABLE tiny (a BIGINT PRIMARY KEY, b BIGINT, y BIGINT)");
            database.ask(&format!(
                "CREATE TABLE child (p BIGINT, FOREIGN KEY (p) REFERENCES tiny(a) ON DELETE {rule})"
            ));
            database.ask("INSERT INTO tiny VALUES (0, 0, 0)");
            database.ask("INSERT INTO child VALUES (0)");
            let called = try_to_push(&place, &database.address("tiny"), &["--mode", "replace"]);
            assert_eq!(called.code, 65, "{kind:?} {}", called.err);
            for words in ["records of child", "--mode upsert"] {
                assert!(called.err.contains(words), "{}", called.err);
            }
            assert_eq!(
                database.ask("SELECT p FROM child").trim(),
                "0",
                "{kind:?} {rule}"
            );
        }
    }
}

#[test]
fn what_hangs_on_a_part_an_heir_or_a_view_is_no_less_safe() {
    let database = Database::start(Kind::Postgres);
    let place = Workplace::new();
    place.write_tiny(1);
    let columns = "a BIGINT PRIMARY KEY, b BIGINT, y BIGINT";
    database.ask(&format!(
        "CREATE TABLE whole ({columns}) PARTITION BY RANGE (a)"
    ));
    database.ask("CREATE TABLE part PARTITION OF whole FOR VALUES FROM (0) TO (9)");
    database.ask(&format!("CREATE TABLE parent ({columns})"));
    database.ask("CREATE TABLE heir (more BIGINT) INHERITS (parent)");
    database.ask(&format!("CREATE TABLE base ({columns})"));
    database.ask("CREATE VIEW seen AS SELECT * FROM base");
    database.ask("INSERT INTO whole VALUES (0, 0, 0)");
    database.ask("CREATE TABLE child (p BIGINT REFERENCES part(a) ON DELETE CASCADE)");
    database.ask("INSERT INTO child VALUES (0)");
    let expected = [
        ("whole", "records of child"),
        ("parent", "records of heir"),
        ("seen", "`seen` is a view: push into a table"),
    ];
    for (table, said) in expected {
        let called = try_to_push(&place, &database.address(table), &["--mode", "replace"]);
        assert_eq!(called.code, 65, "{table}: {}", called.err);
        assert!(called.err.contains(said), "{table}: {}", called.err);
    }
    assert_eq!(database.ask("SELECT p FROM child").trim(), "0");
}

#[test]
fn a_trigger_that_changes_records_lets_no_replacement_through() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(200);
        push_tiny(&place, &database.address("tiny"), &[]);
        match kind {
            Kind::Postgres => {
                database.ask(
                    "CREATE FUNCTION blank() RETURNS trigger LANGUAGE plpgsql AS \
                     'BEGIN NEW.y := 0; RETURN NEW; END'",
                );
                database.ask(
                    "CREATE TRIGGER t BEFORE INSERT ON tiny FOR EACH ROW EXECUTE FUNCTION blank()",
                );
            }
            Kind::MariaDb => {
                database.ask("CREATE TRIGGER t BEFORE INSERT ON tiny FOR EACH ROW SET NEW.y = 0");
            }
            Kind::Sqlite => {
                database.ask(
                    "CREATE TRIGGER t AFTER INSERT ON tiny BEGIN \
                     UPDATE tiny SET y = 0 WHERE rowid = NEW.rowid; END",
                );
            }
        }
        let threats = |database: &Database| database.ask("SELECT count(*) FROM tiny WHERE y <> 0");
        let before = threats(&database);
        let called = try_to_push(&place, &database.address("tiny"), &["--mode", "replace"]);
        assert_eq!(called.code, 65, "{kind:?} {}", called.err);
        assert!(called.err.contains("have become others"), "{}", called.err);
        assert_eq!(threats(&database), before, "{kind:?}");
    }
}

#[test]
fn a_table_that_does_something_when_records_are_deleted_is_not_replaced() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(20);
        push_tiny(&place, &database.address("tiny"), &[]);
        database.ask("CREATE TABLE other (a BIGINT)");
        database.ask("INSERT INTO other VALUES (1)");
        let causes: &[[&str; 3]] = match kind {
            Kind::Postgres => {
                database.ask(
                    "CREATE FUNCTION empty() RETURNS trigger LANGUAGE plpgsql AS \
                     'BEGIN DELETE FROM other; RETURN OLD; END'",
                );
                &[
                    [
                        "CREATE TRIGGER gone BEFORE DELETE ON tiny FOR EACH ROW EXECUTE FUNCTION empty()",
                        "DROP TRIGGER gone ON tiny",
                        "trigger gone",
                    ],
                    [
                        "CREATE TRIGGER all_gone AFTER DELETE ON tiny EXECUTE FUNCTION empty()",
                        "DROP TRIGGER all_gone ON tiny",
                        "trigger all_gone",
                    ],
                    [
                        "CREATE RULE instead AS ON DELETE TO tiny DO ALSO DELETE FROM other",
                        "DROP RULE instead ON tiny",
                        "rule instead",
                    ],
                ]
            }
            Kind::MariaDb => &[[
                "CREATE TRIGGER gone BEFORE DELETE ON tiny FOR EACH ROW DELETE FROM other",
                "DROP TRIGGER gone",
                "trigger gone",
            ]],
            Kind::Sqlite => &[[
                "CREATE TRIGGER gone BEFORE DELETE ON tiny BEGIN DELETE FROM other; END",
                "DROP TRIGGER gone",
                "trigger gone",
            ]],
        };
        let replace = ["--mode", "replace"];
        for [make, drop, said] in causes {
            database.ask(make);
            let called = try_to_push(&place, &database.address("tiny"), &replace);
            assert_eq!(called.code, 65, "{kind:?} {}", called.err);
            assert!(called.err.contains(said), "{kind:?} {}", called.err);
            assert_eq!(database.count("other"), 1, "{kind:?}");
            database.ask(drop);
        }
        push_tiny(&place, &database.address("tiny"), &replace);
    }
}

#[test]
fn a_trigger_that_changes_what_a_column_takes_for_equal_is_noticed() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write("keyed.yaml", KEYED);
        place.write("keyed.csv", "k,a,y\nabc,7,1\nd,8,0\n");
        let of_type = match kind {
            Kind::Postgres => {
                database.ask("CREATE EXTENSION citext");
                "citext"
            }
            Kind::MariaDb => "varchar(20) COLLATE utf8mb4_general_ci",
            Kind::Sqlite => "TEXT COLLATE NOCASE",
        };
        database.ask(&format!(
            "CREATE TABLE t (k {of_type}, a DOUBLE PRECISION, y BIGINT)"
        ));
        database.ask("INSERT INTO t VALUES ('old', 1, 0)");
        match kind {
            Kind::Postgres => {
                database.ask(
                    "CREATE FUNCTION loud() RETURNS trigger LANGUAGE plpgsql AS \
                     'BEGIN NEW.k := upper(NEW.k::text); RETURN NEW; END'",
                );
                database.ask(
                    "CREATE TRIGGER l BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION loud()",
                );
            }
            Kind::MariaDb => {
                database.ask(
                    "CREATE TRIGGER l BEFORE INSERT ON t FOR EACH ROW SET NEW.k = UPPER(NEW.k)",
                );
            }
            Kind::Sqlite => {
                database.ask(
                    "CREATE TRIGGER l AFTER INSERT ON t BEGIN \
                     UPDATE t SET k = upper(k) WHERE rowid = NEW.rowid; END",
                );
            }
        }
        let fixed = [
            "push",
            "--from",
            "keyed.csv",
            "--to",
            &database.address("t"),
        ];
        let more = ["--dataset", "keyed.yaml", "--mode", "replace"];
        let called = place.call(&[&fixed[..], &more].concat());
        assert_eq!(called.code, 65, "{kind:?} {}", called.err);
        assert!(called.err.contains("have become others"), "{}", called.err);
        assert_eq!(database.ask("SELECT k FROM t").trim(), "old", "{kind:?}");
    }
}

#[test]
fn a_column_that_the_server_computes_is_refused_and_nothing_is_left() {
    let database = Database::start(Kind::Postgres);
    let place = Workplace::new();
    place.write_tiny(20);
    database.ask("CREATE TABLE tiny (a BIGINT, b BIGINT, y BIGINT GENERATED ALWAYS AS (1) STORED)");
    let called = try_to_push(&place, &database.address("tiny"), &["--mode", "replace"]);
    assert_eq!(called.code, 65, "{}", called.err);
    let tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(database.ask(tables).trim(), "tiny");
}

#[test]
fn a_zero_stays_one_where_mysql_counts_by_itself() {
    let database = Database::start(Kind::MariaDb);
    let place = Workplace::new();
    place.write_tiny_rows("a,b,y\n0,2,0\n5,3,1\n");
    database.ask("CREATE TABLE tiny (a BIGINT AUTO_INCREMENT PRIMARY KEY, b BIGINT, y BIGINT)");
    push_tiny(&place, &database.address("tiny"), &["--mode", "replace"]);
    assert_eq!(database.ask("SELECT a FROM tiny ORDER BY a"), "0\n5\n");
}

#[test]
fn a_column_that_lacks_is_told_before_anything_is_made() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(20);
        database.ask("CREATE TABLE tiny (a DOUBLE PRECISION, b DOUBLE PRECISION)");
        let to = database.address("tiny");
        let called = try_to_push(&place, &to, &["--mode", "replace"]);
        assert_eq!(called.code, 65, "{}", called.err);
        let said = "`tiny` has no column `y`";
        assert!(called.err.contains(said), "{}", called.err);
        database.ask("ALTER TABLE tiny ADD COLUMN y BIGINT");
        push_tiny(&place, &to, &["--mode", "replace"]);
        assert_eq!(database.count("tiny"), 20, "{kind:?}");
    }
}
