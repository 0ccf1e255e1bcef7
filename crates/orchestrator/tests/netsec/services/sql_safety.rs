//! What a push must not do to a database: cut or change what it is given, or ask for more than it needs.

mod replace;
mod upsert;

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
fn more_values_than_a_statement_takes_come_in_several() {
    let names: Vec<String> = (0..60).map(|i| format!("c{i}")).collect();
    let columns = names
        .iter()
        .map(|name| format!("- {{name: {name}, type: integer}}\n"));
    let columns: String = columns.collect();
    let place = Workplace::new();
    let target = "target: {column: y, benign: {ok: ['0']}, threats: {bad: ['1']}}";
    place.write(
        "wide.yaml",
        format!("name: wide\ncolumns:\n{columns}{target}\n"),
    );
    let row = |i: usize| format!("{i},{}{}\n", "7,".repeat(59), i % 2);
    let rows: String = (0..2500).map(row).collect();
    place.write("wide.csv", format!("{},y\n{rows}", names.join(",")));
    for kind in EVERY {
        let database = Database::start(kind);
        for mode in [&["append"][..], &["replace"], &["upsert", "--key", "c0"]] {
            let more = [&["--dataset", "wide.yaml", "--mode"], mode].concat();
            let pushed = push(&place, "wide.csv", &database.address(mode[0]), &more);
            assert_eq!(pushed["written"], 2500, "{kind:?} {mode:?}");
        }
    }
}

#[test]
fn whatever_a_trigger_says_of_a_record_is_of_the_record() {
    let database = Database::start(Kind::Postgres);
    let place = Workplace::new();
    place.write_tiny_rows("a,b,y\n1,1,0\n2,2,0\n3,3,1\n4,4,1\n");
    database.ask(
        "CREATE FUNCTION judge() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         IF NEW.a = 2 THEN RAISE EXCEPTION 'not this' USING ERRCODE = 'U0001'; END IF; \
         IF NEW.a = 3 THEN RAISE EXCEPTION 'nor this' USING ERRCODE = '42000'; END IF; \
         RETURN NEW; END $$",
    );
    for mode in ["append", "upsert"] {
        database.ask(&format!(
            "CREATE TABLE {mode} (a FLOAT8, b FLOAT8, y BIGINT, netsec_load TEXT, netsec_row BIGINT); \
             CREATE TRIGGER judges BEFORE INSERT ON {mode} FOR EACH ROW EXECUTE FUNCTION judge()"
        ));
        let mut more = vec![
            "--mode",
            mode,
            "--max-bad-share",
            "0.5",
            "--quarantine",
            "bad.csv",
        ];
        if mode == "upsert" {
            more.extend(["--key", "a"]);
        }
        let pushed = push_tiny(&place, &database.address(mode), &more);
        assert_eq!(
            (&pushed["written"], &pushed["rejected"]),
            (&2.into(), &2.into())
        );
        let rejected = std::fs::read_to_string(place.path("bad.csv")).unwrap();
        assert!(rejected.contains("not this"), "{rejected}");
        assert!(rejected.contains("nor this"), "{rejected}");
    }
}

#[test]
fn what_is_not_deleted_is_not_said_to_be_taken_back() {
    let database = Database::start(Kind::Postgres);
    let place = Workplace::new();
    place.write_tiny_rows("a,b,y\n1,1,0\n2,2,0\n3,3,1\n");
    database.ask(
        "CREATE TABLE tiny (a FLOAT8 CHECK (a < 3), b FLOAT8, y BIGINT, netsec_load TEXT, netsec_row BIGINT); \
         CREATE FUNCTION keep() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$; \
         CREATE TRIGGER keeps BEFORE DELETE ON tiny FOR EACH ROW EXECUTE FUNCTION keep()",
    );
    let called = try_to_push(&place, &database.address("tiny"), &[]);
    assert_eq!(called.code, 65, "{}", called.err);
    let said = "taking back the 2 records that were loaded failed";
    assert!(called.err.contains(said), "{}", called.err);
    assert!(
        called.err.contains("2 of them are there still"),
        "{}",
        called.err
    );
    assert_eq!(database.count("tiny"), 2);
}

#[test]
fn what_others_have_deleted_meanwhile_is_not_said_to_stay() {
    // MariaDB's triggers must not write to their own table.
    for kind in [Kind::Postgres, Kind::Sqlite] {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny_rows("a,b,y\n1,1,0\n2,2,0\n3,3,1\n4,4,1\n");
        database.ask(
            "CREATE TABLE tiny (a DOUBLE PRECISION CHECK (a < 4), b DOUBLE PRECISION, y BIGINT, \
             netsec_load VARCHAR(32), netsec_row BIGINT, UNIQUE (netsec_load, netsec_row))",
        );
        // The last one takes another of this load with it, as a replacement at the same moment would.
        let gone = match kind {
            Kind::Postgres => {
                "CREATE FUNCTION go() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
                 DELETE FROM tiny WHERE a = 2; RETURN NULL; END $$; \
                 CREATE TRIGGER goes AFTER INSERT ON tiny FOR EACH STATEMENT EXECUTE FUNCTION go()"
            }
            _ => {
                "CREATE TRIGGER goes AFTER INSERT ON tiny WHEN NEW.a = 3 \
                 BEGIN DELETE FROM tiny WHERE a = 2; END"
            }
        };
        database.ask(gone);
        let called = try_to_push(&place, &database.address("tiny"), &[]);
        assert_eq!(called.code, 65, "{}", called.err);
        let said = "of 3 records 2 were found, and none of them is there any more";
        assert!(called.err.contains(said), "{kind:?} {}", called.err);
        assert!(
            !called.err.contains("records stay"),
            "{kind:?} {}",
            called.err
        );
        assert_eq!(database.count("tiny"), 0, "{kind:?}");
    }
}

#[test]
fn what_may_not_be_read_back_is_taken_back() {
    let database = Database::start(Kind::Postgres);
    let place = Workplace::new();
    place.write_tiny(20);
    database.ask(&format!(
        "CREATE TABLE tiny (a FLOAT8, b FLOAT8, y BIGINT, netsec_load TEXT, netsec_row BIGINT, \
         UNIQUE (netsec_load, netsec_row)); \
         CREATE USER writer PASSWORD '{PASSWORD}'; \
         GRANT INSERT, DELETE ON tiny TO writer; \
         GRANT SELECT (netsec_load, netsec_row) ON tiny TO writer"
    ));
    let to = database.address("tiny").replace("netsec:", "writer:");
    let called = try_to_push(&place, &to, &[]);
    assert_eq!(called.code, 69, "{}", called.err);
    for said in [
        "cannot read postgres://",
        "back: read rows: permission denied for table tiny",
        "what was loaded is taken back",
    ] {
        assert!(called.err.contains(said), "{said}: {}", called.err);
    }
    assert_eq!(database.count("tiny"), 0);
}

#[test]
fn what_could_not_be_read_in_time_stays_under_a_name_by_which_the_same_push_completes_it() {
    let database = Database::start(Kind::Postgres);
    let place = Workplace::new();
    place.write_tiny(20);
    // Writing is quick, and reading is not.
    database.ask(&format!(
        "CREATE USER writer PASSWORD '{PASSWORD}'; GRANT CREATE ON SCHEMA public TO writer; \
         ALTER ROLE writer SET statement_timeout = '1s'"
    ));
    for table in ["append", "replace"] {
        database.ask(&format!(
            "CREATE TABLE {table} (a FLOAT8, b FLOAT8, y BIGINT, netsec_load TEXT, netsec_row BIGINT, \
             UNIQUE (netsec_load, netsec_row)); \
             ALTER TABLE {table} ENABLE ROW LEVEL SECURITY; \
             CREATE POLICY writes ON {table} FOR INSERT WITH CHECK (true); \
             CREATE POLICY removes ON {table} FOR DELETE USING (true); \
             CREATE POLICY reads ON {table} FOR SELECT USING (pg_sleep(0.2) IS NOT NULL); \
             GRANT ALL ON {table} TO writer"
        ));
    }
    let push_as = |user: &str, mode: &str| {
        let to = database.address(mode).replace("netsec:", user);
        try_to_push(&place, &to, &["--mode", mode])
    };
    let limited = "statement timeout: the server has ended it at a time limit of its own";
    let check = |called: &Called, words: &[&str]| {
        assert_eq!(called.code, 69, "{}", called.err);
        for said in words {
            assert!(called.err.contains(said), "{said}: {}", called.err);
        }
        assert!(!called.err.contains("time_limit="), "{}", called.err);
    };
    let called = push_as("writer:", "append");
    check(
        &called,
        &[limited, "stays under the load `", "the same push goes on"],
    );
    let load = database.ask("SELECT DISTINCT netsec_load FROM append");
    assert!(
        called.err.contains(&format!("`{}`", load.trim())),
        "{}",
        called.err
    );
    let called = push_as("writer:", "replace");
    let beside = database.ask("SELECT tablename FROM pg_tables WHERE tablename LIKE 'netsec%'");
    let beside = format!("what was loaded stays in table `{}`", beside.trim());
    check(
        &called,
        &[limited, "the records that were there stay", &beside],
    );
    for mode in ["append", "replace"] {
        let called = push_as("netsec:", mode);
        assert_eq!(called.code, 0, "{mode} {}", called.err);
        assert_eq!(database.count(mode), 20, "{mode}");
    }
}

#[test]
fn an_append_that_comes_again_finds_its_records_wherever_the_table_keeps_them() {
    let database = Database::start(Kind::Postgres);
    let place = Workplace::new();
    place.write_tiny_rows("a,b,y\n1,1,0\n2,2,0\n3,3,1\n");
    // The index is that of the table alone, and the rows lie in another one.
    database.ask(
        "CREATE TABLE tiny (a FLOAT8, b FLOAT8, y BIGINT, netsec_load TEXT, netsec_row BIGINT); \
         CREATE TABLE part () INHERITS (tiny); \
         CREATE FUNCTION route() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN \
         INSERT INTO part VALUES (NEW.*); RETURN NULL; END $$; \
         CREATE TRIGGER routes BEFORE INSERT ON tiny FOR EACH ROW EXECUTE FUNCTION route()",
    );
    let to = database.address("tiny");
    push_tiny(&place, &to, &[]);
    database.ask("DELETE FROM tiny WHERE a = 2");
    for found in [[1, 2], [0, 3]] {
        let again = push_tiny(&place, &to, &[]);
        assert_eq!([&again["written"], &again["already_there"]], found);
        assert_eq!(database.count("tiny"), 3);
    }
}

#[test]
fn names_that_the_server_would_cut_are_refused() {
    let database = Database::start(Kind::Postgres);
    let place = Workplace::new();
    place.write_tiny(3);
    let called = try_to_push(&place, &database.address(&"t".repeat(64)), &[]);
    assert_eq!(called.code, 64, "{}", called.err);
    assert!(
        called
            .err
            .contains("has 64 bytes, of which the server takes 63"),
        "{}",
        called.err
    );
    let tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(database.ask(tables), "");
    // Nor are they read under the name that is left of them.
    let name = "c".repeat(64);
    let tiny = std::fs::read_to_string(place.path("tiny.yaml")).unwrap();
    let schema = tiny.replace("name: b", &format!("name: {name}"));
    assert_ne!(schema, tiny);
    place.write("long.yaml", schema);
    let from = database.uri(
        database.port,
        &format!("query=SELECT 1 AS a, 2 AS {name}, 0 AS y"),
    );
    let read = place.call(&[
        "push",
        "--from",
        &from,
        "--to",
        "out.csv",
        "--dataset",
        "long.yaml",
    ]);
    assert_eq!(read.code, 64, "{}", read.err);
    assert!(
        read.err.contains("give the column a shorter one"),
        "{}",
        read.err
    );
}

#[test]
fn a_replacement_that_cannot_be_prepared_leaves_no_table() {
    let database = Database::start(Kind::MariaDb);
    let place = Workplace::new();
    place.write_tiny(3);
    database.ask("CREATE TABLE tiny (a DOUBLE, b DOUBLE, y BIGINT) WITH SYSTEM VERSIONING");
    let to = database.address("tiny");
    let called = try_to_push(&place, &to, &["--mode", "replace"]);
    assert_eq!(called.code, 65, "{}", called.err);
    assert_eq!(database.ask("SHOW TABLES").trim(), "tiny");
    database.ask("ALTER TABLE tiny DROP SYSTEM VERSIONING");
    push_tiny(&place, &to, &["--mode", "replace"]);
    assert_eq!(database.count("tiny"), 3);
}

#[test]
fn what_copy_would_pass_over_is_asked() {
    let database = Database::start(Kind::Postgres);
    let place = Workplace::new();
    place.write_tiny(20);
    database.ask(
        "CREATE TABLE tiny (a FLOAT8, b FLOAT8, y BIGINT, netsec_load TEXT, netsec_row BIGINT); \
         CREATE TABLE seen (a FLOAT8); \
         CREATE RULE also AS ON INSERT TO tiny DO ALSO INSERT INTO seen VALUES (NEW.a)",
    );
    push_tiny(&place, &database.address("tiny"), &[]);
    assert_eq!((database.count("tiny"), database.count("seen")), (20, 20));
    database.ask(
        "CREATE TABLE counted (a FLOAT8, b FLOAT8, y BIGINT GENERATED ALWAYS AS IDENTITY, \
         netsec_load TEXT, netsec_row BIGINT)",
    );
    let called = try_to_push(&place, &database.address("counted"), &[]);
    assert_eq!(called.code, 65, "{}", called.err);
    assert_eq!(database.count("counted"), 0);
}

#[test]
fn a_text_that_ends_a_line_or_a_cell_is_kept_as_it_is() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write("keyed.yaml", KEYED);
        let lines = "k,a,y\n\\N,7,1\n\\.,8,0\n\"a\tb\r\nc\\\",9,0\nä\u{b}b\\x41,10,0\n";
        place.write("keyed.csv", lines);
        let more = ["--dataset", "keyed.yaml"];
        let pushed = push(&place, "keyed.csv", &database.address("t"), &more);
        assert_eq!(pushed["written"], 4, "{kind:?}");
        push(&place, &database.address("t"), "back.csv", &more);
        let back = std::fs::read_to_string(place.path("back.csv")).unwrap();
        assert_eq!(back, lines, "{kind:?}");
    }
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
fn a_constraint_of_sqlite_that_replaces_records_does_not() {
    let database = Database::start(Kind::Sqlite);
    let place = Workplace::new();
    place.write_tiny_rows("a,b,y\n1,7,0\n2,8,1\n");
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
fn what_lacks_to_a_trigger_is_no_fault_of_the_address() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(20);
        let to = database.address("tiny");
        push_tiny(&place, &to, &[]);
        let insert = "INSERT INTO nosuch VALUES (NEW.a)";
        match kind {
            Kind::Postgres => {
                database.ask(&format!(
                    "CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS \
                     'BEGIN {insert}; RETURN NEW; END'"
                ));
                database
                    .ask("CREATE TRIGGER t AFTER INSERT ON tiny FOR EACH ROW EXECUTE FUNCTION f()")
            }
            Kind::MariaDb => database.ask(&format!(
                "CREATE TRIGGER t AFTER INSERT ON tiny FOR EACH ROW {insert}"
            )),
            Kind::Sqlite => database.ask(&format!(
                "CREATE TRIGGER t AFTER INSERT ON tiny BEGIN {insert}; END"
            )),
        };
        place.write_tiny(30);
        for mode in ["append", "replace"] {
            let called = try_to_push(&place, &to, &["--mode", mode]);
            assert_eq!(called.code, 69, "{kind:?} {}", called.err);
            for said in ["nosuch", "a trigger or a function of the table"] {
                assert!(called.err.contains(said), "{kind:?} {}", called.err);
            }
            let advice = "what an address may hold";
            assert!(!called.err.contains(advice), "{kind:?} {}", called.err);
            assert_eq!(database.count("tiny"), 20, "{kind:?} {mode}");
        }
    }
}

#[test]
fn a_record_that_row_security_refuses_is_no_right_that_lacks() {
    let database = Database::start(Kind::Postgres);
    let place = Workplace::new();
    place.write_tiny(20);
    database.ask(&format!(
        "CREATE USER writer PASSWORD '{PASSWORD}'; GRANT CREATE ON SCHEMA public TO writer; \
         CREATE TABLE tiny (a FLOAT8, b FLOAT8, y BIGINT); \
         ALTER TABLE tiny ENABLE ROW LEVEL SECURITY; \
         CREATE POLICY few ON tiny USING (true) WITH CHECK (a < 7); \
         GRANT ALL ON tiny TO writer"
    ));
    let to = database.address("tiny").replace("netsec:", "writer:");
    let called = try_to_push(&place, &to, &["--mode", "replace"]);
    assert_eq!(called.code, 65, "{}", called.err);
    assert!(called.err.contains("row-level security"), "{}", called.err);
    assert!(!called.err.contains("let this user"), "{}", called.err);
    let tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public'";
    assert_eq!(database.ask(tables).trim(), "tiny");
}

#[test]
fn a_directory_is_no_database() {
    let place = Workplace::new();
    place.write_tiny(20);
    let uri = format!("sqlite://{}?table=tiny", place.path("").display());
    let doctor = place.call(&["doctor", "--dataset", "tiny.yaml", "--source", &uri]);
    let pushed = try_to_push(&place, &uri, &[]);
    for said in [doctor.out, pushed.err] {
        assert!(said.contains("is a directory: name a file in it"), "{said}");
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

#[test]
fn doctor_tells_a_database_that_a_user_may_not_see_from_a_wrong_password() {
    for kind in SERVERS {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(20);
        let closed = match kind {
            Kind::Postgres => {
                database.ask("CREATE DATABASE closed");
                database.ask("REVOKE CONNECT ON DATABASE closed FROM PUBLIC");
                database.ask(&format!("CREATE USER reader PASSWORD '{PASSWORD}'"));
                database.address("tiny").replace("/postgres?", "/closed?")
            }
            _ => database.address("tiny").replace("/netsec?", "/mysql?"),
        };
        let closed = closed.replace("netsec:", "reader:");
        let called = place.call(&["doctor", "--dataset", "tiny.yaml", "--source", &closed]);
        assert_eq!(called.code, 69, "{}", called.out);
        for line in ["ok    credentials", "FAIL  permission"] {
            assert!(called.out.contains(line), "{kind:?} {}", called.out);
        }
    }
}
