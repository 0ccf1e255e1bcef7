//! Records into PostgreSQL, MariaDB and SQLite and out again, on the real databases.

use serde_json::json;

use super::{
    database::{Database, EVERY, Kind, SERVERS},
    mongodb::{payloads, phishing, push, push_tiny},
};
use crate::support::{TINY, Workplace};

#[test]
fn phishing_pushed_and_trained_from_gives_the_payloads_of_the_file_and_then_asks_no_server() {
    let place = Workplace::new();
    let expected = payloads(&place, &place.run(&["--source", &phishing()]));
    for kind in EVERY {
        let mut database = Database::start(kind);
        let to = database.address("network_data");
        let pushed = push(&place, &phishing(), &to, &[]);
        assert_eq!(pushed["written"], 11_055, "{kind:?}");
        let verified = pushed["verified"].as_str().unwrap();
        assert!(verified.starts_with("11055 records"), "{verified}");
        assert_eq!(database.count("network_data"), 11_055, "{kind:?}");

        let found = payloads(&place, &place.run(&["--source", &to]));
        assert!(found.keys().eq(expected.keys()));
        for (name, bytes) in &found {
            assert!(
                expected[name] == *bytes,
                "{kind:?}: {name} differs from that of the file"
            );
        }
        database.kill();
        let again = place.run(&["--source", &to]);
        assert!(!again["snapshot"].is_null(), "{again}");
        assert!(payloads(&place, &again) == found);
        let anew = place.call(&["run", "--refresh", "--source", &to]);
        let (code, word) = match kind {
            Kind::Sqlite => (64, "there is no file"),
            _ => (69, "netsec doctor"),
        };
        assert_eq!(anew.code, code, "{}", anew.err);
        assert!(anew.err.contains(word), "{}", anew.err);
    }
}

#[test]
fn pushing_again_adds_nothing_and_another_file_adds_its_own() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(2500);
        let to = database.address("tiny");
        assert_eq!(push_tiny(&place, &to, &[])["written"], 2500);
        let again = push_tiny(&place, &to, &[]);
        assert_eq!(
            (&again["written"], &again["already_there"]),
            (&json!(0), &json!(2500))
        );
        assert_eq!(database.count("tiny"), 2500, "{kind:?}");
        // What has gone since is pushed again.
        database.ask("DELETE FROM tiny WHERE netsec_row BETWEEN 700 AND 709");
        let third = push_tiny(&place, &to, &[]);
        assert_eq!(
            (&third["written"], &third["already_there"]),
            (&json!(10), &json!(2490))
        );
        place.write_tiny(100);
        let other = push_tiny(&place, &to, &[]);
        assert_eq!(
            (&other["before"], &other["written"]),
            (&json!(2500), &json!(100))
        );
        assert_eq!(database.count("tiny"), 2600, "{kind:?}");
    }
}

#[test]
fn replacing_keeps_the_table_itself_and_a_failed_one_keeps_the_old_records() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        let to = database.address("tiny");
        place.write_tiny(300);
        push_tiny(&place, &to, &["--mode", "replace"]);
        assert_eq!(push_tiny(&place, &to, &[])["already_there"], 300);
        database.ask("CREATE VIEW seen AS SELECT a FROM tiny");
        place.write_tiny(200);
        let replaced = push_tiny(&place, &to, &["--mode", "replace"]);
        assert_eq!(
            (&replaced["before"], &replaced["written"]),
            (&json!(300), &json!(200))
        );
        // The view is of the new records.
        assert_eq!(database.count("seen"), 200, "{kind:?}");
        assert_eq!(database.count("tiny"), 200, "{kind:?}");
        let beside = tables(&database);
        assert!(!beside.contains("netsec_"), "{beside}");

        // Another table holds on to a record that would go.
        database.ask("CREATE UNIQUE INDEX by_row ON tiny (netsec_row)");
        let row = if kind == Kind::Sqlite {
            "INTEGER"
        } else {
            "BIGINT"
        };
        database.ask(&format!(
            "CREATE TABLE held (r {row}, FOREIGN KEY (r) REFERENCES tiny (netsec_row))"
        ));
        database.ask("INSERT INTO held VALUES (150)");
        place.write_tiny(120);
        let arguments = [
            "push",
            "--from",
            "tiny.csv",
            "--to",
            &to,
            "--dataset",
            "tiny.yaml",
        ];
        let called = place.call(&[&arguments[..], &["--mode", "replace"]].concat());
        assert_eq!(called.code, 65, "{}", called.err);
        assert!(
            called.err.contains("in the place of the old ones"),
            "{}",
            called.err
        );
        assert_eq!(database.count("tiny"), 200, "{kind:?}");
    }
}

fn tables(database: &Database) -> String {
    database.ask(match database.kind {
        Kind::Postgres => "SELECT tablename FROM pg_tables WHERE schemaname = 'public'",
        Kind::MariaDb => "SHOW TABLES",
        Kind::Sqlite => "SELECT name FROM sqlite_master WHERE type = 'table'",
    })
}

#[test]
fn what_others_put_beside_is_noticed_before_the_swap() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        let to = database.address("tiny");
        place.write_tiny(200);
        push_tiny(&place, &to, &[]);
        place.write_tiny(250);
        let load = push_tiny(&place, &database.address("elsewhere"), &[]);
        let load = load["load"].as_str().unwrap();
        let beside = format!(
            "netsec_{load}_{}",
            &artifact::Digest::of(b"tiny").to_string()[..8]
        );
        database.ask(&format!(
            "CREATE TABLE {beside} AS SELECT * FROM tiny WHERE netsec_row = 1"
        ));
        let arguments = [
            "push",
            "--from",
            "tiny.csv",
            "--to",
            &to,
            "--dataset",
            "tiny.yaml",
        ];
        let called = place.call(&[&arguments[..], &["--mode", "replace"]].concat());
        assert_eq!(called.code, 69, "{}", called.err);
        assert!(
            called.err.contains("read back 251 records"),
            "{}",
            called.err
        );
        assert_eq!(database.count("tiny"), 200, "{kind:?}");
    }
}

#[test]
fn upserting_writes_over_equal_keys_and_rejects_contradictions() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        let to = database.address("keyed");
        place.write(
            "keyed.yaml",
            "
name: keyed
columns:
- {name: id, type: text, never_use: true}
- {name: a, type: number}
target: {column: y, benign: {ok: ['0']}, threats: {bad: ['1']}}
",
        );
        let upsert = |csv: &str| {
            place.write("keyed.csv", format!("id,a,y\n{csv}"));
            let arguments = ["--dataset", "keyed.yaml", "--mode", "upsert", "--key", "id"];
            push(
                &place,
                "keyed.csv",
                &to,
                &[&arguments[..], &["--max-bad-share", "1"]].concat(),
            )
        };
        let rows = |n: usize, a: usize| -> String {
            (0..n)
                .map(|i| format!("k{i},{},{}\n", a + i, i % 2))
                .collect()
        };
        assert_eq!(upsert(&rows(1500, 0))["written"], 1500);
        assert_eq!(upsert(&rows(1600, 7))["written"], 1600);
        assert_eq!(database.count("keyed"), 1600, "{kind:?}");
        let written = "SELECT count(*) FROM keyed WHERE id = 'k3' AND a = 10";
        assert_eq!(database.ask(written).trim(), "1");
        let found = upsert("k1,5,1\nk1,5,1\nk1,6,1\n,1,0\nk9999,1,0\n");
        assert_eq!(
            (&found["duplicates"], &found["rejected"]),
            (&json!(1), &json!(2))
        );
        assert_eq!(database.count("keyed"), 1601, "{kind:?}");
    }
}

#[test]
fn a_query_chooses_and_is_one_statement_that_changes_nothing() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(500);
        push_tiny(&place, &database.address("tiny"), &[]);
        let expected = database.ask("SELECT count(*) FROM tiny WHERE a > 0");
        let chosen = "query=SELECT a, b, y FROM tiny WHERE a > 0 -- not all";
        let called = place.train_tiny(&database.uri(database.port, chosen), &[]);
        assert_eq!(called.code, 0, "{kind:?} {}", called.err);
        let run: serde_json::Value = serde_json::from_str(&called.out).unwrap();
        assert_eq!(run["rows"]["total"].to_string(), expected.trim());
        for query in [
            "DELETE FROM tiny",
            "DROP TABLE tiny",
            "SELECT 1; DROP TABLE tiny",
            "SELECT 1) TO STDOUT; DROP TABLE tiny; --",
            "COMMIT; DROP TABLE tiny",
            "CREATE TABLE made (a INTEGER)",
        ] {
            let called =
                place.train_tiny(&database.uri(database.port, &format!("query={query}")), &[]);
            assert_ne!(called.code, 0, "{kind:?} {query}");
            assert_eq!(database.count("tiny"), 500, "{kind:?} {query}");
            assert!(!tables(&database).contains("made"), "{kind:?}");
        }
    }
}

#[test]
fn what_is_not_there_is_named_and_not_made() {
    let place = Workplace::new();
    place.write_tiny(10);
    let called = place.train_tiny("sqlite://not/here.db?table=t", &[]);
    assert_eq!(called.code, 64, "{}", called.err);
    assert!(
        called.err.contains("there is no file ./not/here.db"),
        "{}",
        called.err
    );
    let called = place.train_tiny("sqlite://here.db?table=t", &[]);
    assert_eq!(called.code, 64, "{}", called.err);
    assert!(!place.path("here.db").exists());
    for kind in EVERY {
        let database = Database::start(kind);
        database.ask("CREATE TABLE empty (a INTEGER)");
        let called = place.train_tiny(&database.address("missing"), &[]);
        assert_eq!(called.code, 64, "{kind:?} {}", called.err);
        assert!(called.err.contains("missing"), "{}", called.err);
        let called = place.train_tiny(&database.address("empty"), &[]);
        assert_eq!(called.code, 65, "{kind:?} {}", called.err);
        assert!(
            called.err.contains("table `empty` holds no rows"),
            "{}",
            called.err
        );
    }
}

#[test]
fn a_file_that_is_no_database_is_said_to_be_none() {
    let place = Workplace::new();
    place.write_tiny(10);
    place.write("rows.csv", "a,b,y\n1,2,0\n");
    let to = "sqlite://tiny.csv?table=t";
    let push = ["push", "--from", to, "--to", "out.csv"];
    let into = ["push", "--from", "rows.csv", "--to", to];
    let doctor = ["doctor", "--source", to];
    for (arguments, code) in [(&push[..], 64), (&into, 69), (&doctor, 64)] {
        let called = place.call(&[arguments, &["--dataset", "tiny.yaml"]].concat());
        assert_eq!(called.code, code, "{} {}", called.out, called.err);
        let said = called.out + &called.err;
        let advice = "name a database, or another file by its path alone";
        assert!(said.contains(advice), "{said}");
    }
}

#[test]
fn a_table_of_others_is_appended_to_once_it_can_know_loads() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(50);
        database.ask("CREATE TABLE tiny (a REAL, b REAL, y INTEGER, other INTEGER DEFAULT 7)");
        let to = database.address("tiny");
        let arguments = [
            "push",
            "--from",
            "tiny.csv",
            "--to",
            &to,
            "--dataset",
            "tiny.yaml",
        ];
        let called = place.call(&arguments);
        assert_eq!(called.code, 65, "{}", called.err);
        assert!(called.err.contains("ADD COLUMN"), "{}", called.err);
        assert_eq!(
            push_tiny(&place, &to, &["--mode", "replace"])["written"],
            50,
            "{kind:?}"
        );
        assert_eq!(database.ask("SELECT DISTINCT other FROM tiny").trim(), "7");
        let advice = called.err.split_once("add them: ").unwrap().1;
        for statement in advice.lines().next().unwrap().split("; ") {
            database.ask(statement);
        }
        assert_eq!(push_tiny(&place, &to, &[])["written"], 50, "{kind:?}");
        assert_eq!(push_tiny(&place, &to, &[])["already_there"], 50, "{kind:?}");
        assert_eq!(database.count("tiny"), 100, "{kind:?}");
    }
}

#[test]
fn doctor_looks_at_one_step_after_another() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(100);
        let to = database.address("tiny");
        push_tiny(&place, &to, &[]);
        let called = place.call(&["doctor", "--dataset", "tiny.yaml", "--source", &to]);
        assert_eq!(called.code, 0, "{}", called.out);
        let steps: &[&str] = match kind {
            Kind::Sqlite => &["file", "permission", "source"],
            _ => &["name", "port", "TLS", "credentials", "permission", "source"],
        };
        let checks = called
            .out
            .lines()
            .filter_map(|l| l.get(6..19))
            .map(str::trim);
        let found: Vec<&str> = checks.filter(|c| steps.contains(c)).collect();
        assert_eq!(found, steps, "{}", called.out);
        let called = place.call(&["doctor", "--source", &database.address("missing")]);
        assert_ne!(called.code, 0);
        assert!(called.out.contains("FAIL  permission"), "{}", called.out);
    }
}

#[test]
fn a_wrong_password_is_said_once_and_never_shown() {
    for kind in SERVERS {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(10);
        let right = database.address("tiny");
        push_tiny(&place, &right, &[]);
        let bare = right.replace(&format!(":{}@", super::database::PASSWORD), "@");
        let wrong = bare.replace("netsec@", "netsec:wr0ng-one@");
        let environment = [("NETSEC_SQL_PASSWORD", "wr0ng-one")];
        for (uri, environment) in [(&wrong, &[][..]), (&bare, &environment[..])] {
            let since = std::time::Instant::now();
            let run = place.call_with(
                &[&["run", "--source", uri][..], &TINY].concat(),
                environment,
            );
            assert_eq!(run.code, 69, "{}", run.err);
            assert!(run.err.contains("check user and password"), "{}", run.err);
            assert!(since.elapsed() < std::time::Duration::from_secs(5));
            let doctor = place.call_with(&["doctor", "--source", uri], environment);
            assert!(doctor.out.contains("FAIL  credentials"), "{}", doctor.out);
            assert!(doctor.out.contains("ok    port"), "{}", doctor.out);
            for said in [run.err, run.out, doctor.out, doctor.err] {
                assert!(!said.contains("wr0ng-one"), "{said}");
            }
        }
        let environment = [("NETSEC_SQL_PASSWORD", super::database::PASSWORD)];
        let doctor = place.call_with(
            &["doctor", "--dataset", "tiny.yaml", "--source", &bare],
            &environment,
        );
        assert_eq!(doctor.code, 0, "{}", doctor.out);
    }
}
