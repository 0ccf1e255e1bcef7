//! What a push must not do to a database: cut, change, or reach into other tables.

use std::time::{Duration, Instant};

use super::{
    database::{Database, EVERY, Kind, MARIADB_TAKES, PASSWORD, SERVERS},
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
        place.write_tiny(0);
        place.write("tiny.csv", "a,b,y\n1,2,0\n2,3,1\n");
        let key = ["--mode", "upsert", "--key", "a", "--key", "b", "--key", "y"];
        for _ in 0..2 {
            push_tiny(&place, &database.address("tiny"), &key);
            assert_eq!(database.count("tiny"), 2, "{kind:?}");
        }
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
fn a_constraint_of_sqlite_that_replaces_records_does_not() {
    let database = Database::start(Kind::Sqlite);
    let place = Workplace::new();
    place.write_tiny(0);
    place.write("tiny.csv", "a,b,y\n1,7,0\n2,8,1\n");
    database.ask(
        "CREATE TABLE tiny (a REAL UNIQUE ON CONFLICT REPLACE, b REAL, y BIGINT, \
         netsec_load TEXT, netsec_row BIGINT)",
    );
    database.ask("INSERT INTO tiny (a, b, y) VALUES (1, 1, 0)");
    let more = ["--max-bad-share", "0.5"];
    let pushed = push_tiny(&place, &database.address("tiny"), &more);
    assert_eq!(
        (&pushed["written"], &pushed["rejected"]),
        (&1.into(), &1.into())
    );
    let found = database.ask("SELECT CAST(a AS INTEGER), CAST(b AS INTEGER) FROM tiny ORDER BY a");
    assert_eq!(found, "1\t1\n2\t8\n");
}

#[test]
fn a_record_beyond_what_the_server_takes_at_once_goes_to_quarantine() {
    let database = Database::start(Kind::MariaDb);
    let place = Workplace::new();
    place.write("keyed.yaml", KEYED);
    let (large, larger) = ("x".repeat(6 << 20), "x".repeat(MARIADB_TAKES));
    place.write(
        "keyed.csv",
        format!("k,a,y\n{large},1,0\n{larger},2,1\nz,3,0\n"),
    );
    let more = [
        "--dataset",
        "keyed.yaml",
        "--max-bad-share",
        "0.5",
        "--quarantine",
        "bad.csv",
    ];
    let pushed = push(&place, "keyed.csv", &database.address("t"), &more);
    assert_eq!(
        (&pushed["written"], &pushed["rejected"]),
        (&2.into(), &1.into())
    );
    let lengths = database.ask("SELECT length(k) FROM t ORDER BY a");
    assert_eq!(lengths, format!("{}\n1\n", 6 << 20));
    let rejected = std::fs::read_to_string(place.path("bad.csv")).unwrap();
    assert!(rejected.contains(&format!("of which the server takes {MARIADB_TAKES}")));
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
fn what_a_repeated_push_has_loaded_before_stays_though_its_first_records_are_refused() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write("keyed.yaml", KEYED);
        let rows = |n: usize| -> String {
            let rows = (0..n).map(|i| format!("k{i},{i},{}\n", i % 2));
            format!("k,a,y\n{}", rows.collect::<String>())
        };
        database.ask(
            "CREATE TABLE t (k VARCHAR(20) UNIQUE, a DOUBLE PRECISION, y BIGINT, \
             netsec_load VARCHAR(32), netsec_row BIGINT)",
        );
        let to = database.address("t");
        let dataset = ["--dataset", "keyed.yaml"];
        // More than one batch of them is there.
        place.write("keyed.csv", rows(8_300));
        push(&place, "keyed.csv", &to, &dataset);
        place.write("keyed.csv", rows(9_000));
        let lax = [&dataset[..], &["--max-bad-share", "1"]].concat();
        assert_eq!(push(&place, "keyed.csv", &to, &lax)["written"], 700);
        let fixed = ["push", "--from", "keyed.csv", "--to", &to];
        let called = place.call(&[&fixed[..], &dataset].concat());
        assert_eq!(called.code, 65, "{}", called.err);
        assert_eq!(database.count("t"), 9_000, "{kind:?}");
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
fn whoever_may_write_to_a_table_need_not_have_the_right_to_make_one() {
    let database = Database::start(Kind::Postgres);
    let place = Workplace::new();
    place.write_tiny(20);
    database.ask(
        "CREATE TABLE tiny (a BIGINT, b BIGINT, y BIGINT, netsec_load TEXT, netsec_row BIGINT, \
         UNIQUE (netsec_load, netsec_row))",
    );
    database.ask("CREATE TABLE keyed (a BIGINT UNIQUE, b BIGINT, y BIGINT)");
    database.ask(&format!("CREATE USER writer PASSWORD '{PASSWORD}'"));
    database.ask("GRANT SELECT, INSERT, UPDATE, DELETE ON tiny, keyed TO writer");
    let of = |table: &str| database.address(table).replace("netsec:", "writer:");
    push_tiny(&place, &of("tiny"), &[]);
    assert_eq!(database.count("tiny"), 20);
    place.write("tiny.csv", "a,b,y\n1,2,0\n2,3,1\n");
    push_tiny(&place, &of("keyed"), &["--mode", "upsert", "--key", "a"]);
    assert_eq!(database.count("keyed"), 2);
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
fn a_view_is_no_table() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(20);
        database.ask("CREATE TABLE base (a BIGINT, b BIGINT, y BIGINT)");
        database.ask("CREATE VIEW seen AS SELECT * FROM base");
        for more in [
            &["--mode", "append"][..],
            &["--mode", "replace"],
            &["--mode", "upsert", "--key", "a"],
        ] {
            let called = try_to_push(&place, &database.address("seen"), more);
            assert_eq!(called.code, 65, "{kind:?} {more:?} {}", called.err);
            let said = "`seen` is a view: push into a table";
            assert!(called.err.contains(said), "{kind:?} {}", called.err);
        }
    }
}

#[test]
fn an_index_that_carries_a_column_is_none_on_it_and_a_refusal_names_the_key() {
    let database = Database::start(Kind::Postgres);
    let place = Workplace::new();
    place.write_tiny(0);
    place.write("tiny.csv", "a,b,y\n1,2,0\n2,3,1\n");
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
fn a_zero_stays_one_where_mysql_counts_by_itself() {
    let database = Database::start(Kind::MariaDb);
    let place = Workplace::new();
    place.write_tiny(0);
    place.write("tiny.csv", "a,b,y\n0,2,0\n5,3,1\n");
    database.ask("CREATE TABLE tiny (a BIGINT AUTO_INCREMENT PRIMARY KEY, b BIGINT, y BIGINT)");
    push_tiny(&place, &database.address("tiny"), &["--mode", "replace"]);
    assert_eq!(database.ask("SELECT a FROM tiny ORDER BY a"), "0\n5\n");
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

#[test]
fn doctor_says_that_a_table_may_not_be_read_and_that_a_query_reads_nothing() {
    let database = Database::start(Kind::Postgres);
    let place = Workplace::new();
    place.write_tiny(20);
    push_tiny(&place, &database.address("tiny"), &[]);
    database.ask(&format!("CREATE USER writer PASSWORD '{PASSWORD}'"));
    let denied = database.address("tiny").replace("netsec:", "writer:");
    let deleting = database.uri(database.port, "query=DELETE FROM tiny");
    for (uri, said) in [(denied, "permission denied"), (deleting, "it is no SELECT")] {
        let called = place.call(&["doctor", "--dataset", "tiny.yaml", "--source", &uri]);
        let line = called.out.lines().find(|line| line.contains("FAIL"));
        let line = line.unwrap_or_else(|| panic!("{}", called.out));
        assert!(line.contains("permission") && line.contains(said), "{line}");
    }
    assert_eq!(database.count("tiny"), 20);
}
