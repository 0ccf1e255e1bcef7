//! What a push must not do to a database: cut, change, or reach into other tables.

use std::time::{Duration, Instant};

use super::{
    database::{Database, EVERY, Kind, SERVERS},
    mongodb::{push, push_tiny},
};
use crate::support::{Called, TINY, Workplace};

const KEYED: &str = "
name: keyed
columns:
- {name: k, type: text}
- {name: a, type: number}
target: {column: y, benign: {ok: ['0']}, threats: {bad: ['1']}}
";

fn try_to_push(place: &Workplace, to: &str, more: &[&str]) -> Called {
    let fixed = ["push", "--json", "--from", "tiny.csv", "--to", to];
    place.call(&[&fixed[..], &["--dataset", "tiny.yaml"], more].concat())
}

#[test]
fn a_text_that_is_too_long_for_its_column_goes_to_quarantine_and_is_never_cut() {
    for kind in SERVERS {
        let database = Database::start(kind);
        let types: &[&str] = match kind {
            Kind::Postgres => {
                database.ask("CREATE DOMAIN inner_name AS varchar(5)");
                database.ask("CREATE DOMAIN name_of_five AS inner_name CHECK (VALUE <> '')");
                &["varchar(5)", "char(5)", "name_of_five"]
            }
            _ => &["varchar(5)"],
        };
        let place = Workplace::new();
        place.write("keyed.yaml", KEYED);
        place.write("keyed.csv", "k,a,y\nabcdeXYZ,7,1\nother,8,0\n");
        for (i, of_type) in types.iter().enumerate() {
            for mode in ["append", "replace", "upsert"] {
                let table = format!("t{i}_{mode}");
                database.ask(
                    &format!(
                        "CREATE TABLE {table} (k {of_type} UNIQUE, a float8, y bigint{})",
                        if mode == "append" {
                            ", netsec_load varchar(32), netsec_row bigint"
                        } else {
                            ""
                        }
                    )
                    .replace(
                        "float8",
                        if kind == Kind::Postgres {
                            "float8"
                        } else {
                            "double"
                        },
                    ),
                );
                database.ask(&format!(
                    "INSERT INTO {table} (k, a, y) VALUES ('abcde', 1, 0)"
                ));
                let mut more = vec!["--dataset", "keyed.yaml", "--mode", mode];
                more.extend(["--max-bad-share", "0.5", "--quarantine", "bad.csv"]);
                if mode == "upsert" {
                    more.extend(["--key", "k"]);
                }
                let pushed = push(&place, "keyed.csv", &database.address(&table), &more);
                assert_eq!(
                    (&pushed["written"], &pushed["rejected"]),
                    (&1.into(), &1.into())
                );
                let found = database.ask(&format!("SELECT k, a FROM {table} ORDER BY k"));
                let expected = match mode {
                    "replace" => "other\t8\n",
                    _ => "abcde\t1\nother\t8\n",
                };
                assert_eq!(found, expected, "{kind:?} {of_type} {mode}");
                let rejected = std::fs::read_to_string(place.path("bad.csv")).unwrap();
                assert!(rejected.contains("abcdeXYZ"), "{rejected}");
            }
        }
    }
}

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
        ("seen", "the tables behind this view"),
    ];
    for (table, said) in expected {
        let called = try_to_push(&place, &database.address(table), &["--mode", "replace"]);
        assert_eq!(called.code, 65, "{table}: {}", called.err);
        assert!(called.err.contains(said), "{table}: {}", called.err);
    }
    assert_eq!(database.ask("SELECT p FROM child").trim(), "0");
}

#[test]
fn a_table_that_somebody_has_locked_is_waited_for_as_long_as_was_said() {
    let database = Database::start(Kind::Postgres);
    let place = Workplace::new();
    place.write_tiny(100);
    push_tiny(&place, &database.address("tiny"), &[]);
    let lock = "BEGIN; LOCK TABLE tiny IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(120)";
    let mut holder = database.ask_meanwhile(lock);
    let is_held = "SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' \
                   AND relation = 'tiny'::regclass";
    while database.ask(is_held).trim() == "0" {
        std::thread::sleep(Duration::from_millis(50));
    }
    let since = Instant::now();
    let query = database.uri(database.port, "query=SELECT * FROM tiny&time_limit=1");
    let called = place.call(&[&["run", "--source", &query], &TINY[..]].concat());
    assert_eq!(called.code, 69, "{}", called.err);
    assert!(
        called.err.contains("no answer within 1 s"),
        "{}",
        called.err
    );
    assert!(since.elapsed() < Duration::from_secs(60));
    holder.kill().unwrap();
    holder.wait().unwrap();
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
