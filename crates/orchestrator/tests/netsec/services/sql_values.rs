//! Names and values of every kind, into databases and out again.

use serde_json::json;

use super::{
    database::{Database, EVERY, Kind, SERVERS},
    mongodb::{push, push_tiny},
};
use crate::support::Workplace;

const ODD: [&str; 8] = [
    "net.bytes",
    "with space",
    "größe in kB",
    "quote\"d",
    "tick`ed",
    "it's",
    "x\"; DROP TABLE victim; --",
    "x`) ; DROP TABLE victim; -- \\",
];

#[test]
fn names_of_every_kind_are_names_and_never_sql() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        database.ask("CREATE TABLE victim (a INTEGER)");
        let columns: Vec<_> = ODD
            .iter()
            .map(|name| json!({"name": name, "type": "number"}))
            .collect();
        let schema = json!({
            "name": "odd", "columns": columns,
            "target": {"column": "y'\"`y", "benign": {"ok": ["a 'b'"]}, "threats": {"bad": ["c\\\"; --"]}},
        });
        place.write("odd.yaml", schema.to_string());
        let record = |i: usize| {
            let mut record = serde_json::Map::new();
            for (at, name) in ODD.iter().enumerate() {
                record.insert((*name).to_owned(), json!((i * (at + 3)) % 50));
            }
            let label = if i.is_multiple_of(3) {
                "a 'b'"
            } else {
                "c\\\"; --"
            };
            record.insert("y'\"`y".to_owned(), json!(label));
            json!(record).to_string() + "\n"
        };
        place.write("odd.jsonl", (0..400).map(record).collect::<String>());
        for (i, table) in ["odd.t", "o d'd`\"", "x\"; DROP TABLE victim; --"]
            .iter()
            .enumerate()
        {
            let escaped: String = table.bytes().map(|b| format!("%{b:02x}")).collect();
            let to = database.address(&escaped);
            for mode in ["append", "replace"] {
                let pushed = push(
                    &place,
                    "odd.jsonl",
                    &to,
                    &["--dataset", "odd.yaml", "--mode", mode],
                );
                assert_eq!(pushed["accepted"], 400, "{kind:?} {table}");
            }
            assert_eq!(database.count(table), 400, "{kind:?} {table}");
            let key = ["--mode", "upsert", "--key", ODD[6], "--max-bad-share", "1"];
            let keyed = database.address(&format!("keyed{i}"));
            push(
                &place,
                "odd.jsonl",
                &keyed,
                &[&["--dataset", "odd.yaml"][..], &key].concat(),
            );
            let back = place.call(&[
                "push",
                "--dry-run",
                "--json",
                "--dataset",
                "odd.yaml",
                "--from",
                &to,
                "--to",
                &to,
            ]);
            let back: serde_json::Value = serde_json::from_str(&back.out).unwrap();
            assert_eq!(
                (&back["accepted"], &back["left_out"]),
                (&json!(400), &json!([]))
            );
        }
        assert_eq!(database.count("victim"), 0, "{kind:?}");
    }
}

/// The columns of a table of every type, the values of its one row, and the texts that they are read as.
fn types(kind: Kind) -> &'static [(&'static str, &'static str, &'static str)] {
    match kind {
        Kind::Postgres => &[
            ("smallint", "-7", "-7"),
            ("bigint", "9007199254740993", "9007199254740993"),
            (
                "numeric(30,10)",
                "12345678901234567890.0100000000",
                "12345678901234567890.0100000000",
            ),
            ("real", "0.1", "0.1"),
            ("double precision", "1e-7", "1e-7"),
            ("boolean", "true", "true"),
            ("varchar(20)", "'tab\tand \\ and ä'", "tab\tand \\ and ä"),
            ("date", "'2026-02-03'", "2026-02-03"),
            (
                "timestamp",
                "'2026-02-03 04:05:06.7'",
                "2026-02-03T04:05:06.7",
            ),
            (
                "timestamptz",
                "'2026-02-03 04:05:06+02'",
                "2026-02-03T02:05:06Z",
            ),
            ("time", "'04:05:06'", "04:05:06"),
            ("inet", "'10.1.2.3'", "10.1.2.3"),
            (
                "uuid",
                "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'",
                "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
            ),
            ("text", "NULL", ""),
        ],
        Kind::MariaDb => &[
            ("smallint", "-7", "-7"),
            (
                "bigint unsigned",
                "18446744073709551615",
                "18446744073709551615",
            ),
            (
                "decimal(30,10)",
                "12345678901234567890.01",
                "12345678901234567890.0100000000",
            ),
            ("float", "0.1", "0.1"),
            ("double", "1e-7", "1e-7"),
            ("boolean", "true", "1"),
            ("varchar(20)", "'tab\tand \\\\ and ä'", "tab\tand \\ and ä"),
            ("date", "'2026-02-03'", "2026-02-03"),
            (
                "datetime(3)",
                "'2026-02-03 04:05:06.7'",
                "2026-02-03T04:05:06.700000",
            ),
            ("datetime", "'2026-02-03 00:00:00'", "2026-02-03T00:00:00"),
            ("time", "'-30:05:06'", "-30:05:06"),
            ("year", "2026", "2026"),
            ("enum('x','y')", "'y'", "y"),
            ("text", "NULL", ""),
        ],
        Kind::Sqlite => &[
            ("INTEGER", "-7", "-7"),
            ("INTEGER", "9007199254740993", "9007199254740993"),
            ("REAL", "0.1", "0.1"),
            ("REAL", "1e-7", "1e-7"),
            ("TEXT", "'tab\tand \\ and ä'", "tab\tand \\ and ä"),
            ("DATE", "'2026-02-03'", "2026-02-03"),
            ("TEXT", "NULL", ""),
        ],
    }
}

#[test]
fn values_of_every_type_are_read_exactly_and_others_are_named() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        let types = types(kind);
        let unread = if kind == Kind::Postgres {
            "jsonb"
        } else {
            "blob"
        };
        let binary = if kind == Kind::Postgres {
            "'{}'"
        } else {
            "x'ff00'"
        };
        let declared: Vec<String> = types
            .iter()
            .enumerate()
            .map(|(i, t)| format!("c{i} {}", t.0))
            .collect();
        let values: Vec<&str> = types.iter().map(|t| t.1).collect();
        let (declared, values) = (declared.join(", "), values.join(", "));
        database.ask(&format!(
            "CREATE TABLE typed ({declared}, y INTEGER, odd {unread})"
        ));
        database.ask(&format!("INSERT INTO typed VALUES ({values}, 0, {binary})"));
        let schema = |more: &str| {
            let names = (0..types.len())
                .map(|i| format!("c{i}"))
                .chain((!more.is_empty()).then(|| more.to_owned()));
            let columns: Vec<_> = names
                .map(|name| json!({"name": name, "type": "text", "may_be_missing": true}))
                .collect();
            json!({
                "name": "typed", "columns": columns,
                "target": {"column": "y", "benign": {"ok": ["0"]}, "threats": {"bad": ["1"]}},
            })
        };
        place.write("typed.yaml", schema("").to_string());
        let copy = Database::start(Kind::Sqlite);
        push(
            &place,
            &database.address("typed"),
            &copy.address("copy"),
            &["--dataset", "typed.yaml"],
        );
        let names: Vec<String> = (0..types.len()).map(|i| format!("quote(c{i})")).collect();
        let found = copy.ask(&format!("SELECT {} FROM copy", names.join(" || '|' || ")));
        let expected: Vec<String> = types
            .iter()
            .map(|t| match t.2 {
                "" => "NULL".to_owned(),
                text => format!("'{text}'"),
            })
            .collect();
        assert_eq!(found.trim_end(), expected.join("|"), "{kind:?}");

        place.write("typed.yaml", schema("odd").to_string());
        let from = database.address("typed");
        let arguments = [
            "push",
            "--dataset",
            "typed.yaml",
            "--from",
            &from,
            "--to",
            &copy.address("x"),
        ];
        let called = place.call(&arguments);
        assert_eq!(called.code, 65, "{kind:?} {}", called.err);
        let words = if kind == Kind::Postgres {
            "of type jsonb"
        } else {
            "binary data"
        };
        assert!(called.err.contains(words), "{kind:?} {}", called.err);
    }
}

#[test]
fn a_column_that_is_not_read_back_is_refused_before_anything_is_written() {
    for kind in SERVERS {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny(20);
        let types: &[&str] = match kind {
            Kind::Postgres => {
                database.ask("CREATE DOMAIN document AS jsonb");
                &["jsonb", "bytea", "float8[]", "interval", "document"]
            }
            _ => &["bit", "point"],
        };
        for of_type in types {
            database.ask("DROP TABLE IF EXISTS tiny");
            database.ask(&format!(
                "CREATE TABLE tiny (a {of_type}, b DOUBLE PRECISION, y BIGINT, \
                 netsec_load VARCHAR(32), netsec_row BIGINT)"
            ));
            let to = database.address("tiny");
            for more in [
                &["--mode", "append"][..],
                &["--mode", "replace"],
                &["--mode", "upsert", "--key", "b"],
            ] {
                let fixed = ["push", "--from", "tiny.csv", "--to", &to];
                let fixed = [&fixed[..], &["--dataset", "tiny.yaml"], more].concat();
                let called = place.call(&fixed);
                assert_eq!(called.code, 65, "{of_type} {more:?} {}", called.err);
                let said = "column `a` of `tiny` is of type ";
                assert!(called.err.contains(said), "{of_type} {}", called.err);
                let why = "which is not read back: ";
                assert!(called.err.contains(why), "{of_type} {}", called.err);
                assert!(!called.err.contains("quarantine"), "{}", called.err);
            }
            assert_eq!(database.count("tiny"), 0, "{kind:?} {of_type}");
        }
    }
}

#[test]
fn a_number_that_is_0_or_1_fits_a_column_of_booleans_and_is_read_as_the_number() {
    for kind in EVERY {
        let database = Database::start(kind);
        let place = Workplace::new();
        place.write_tiny_rows("a,b,y\n0,1.5,0\n1,2.5,1\n1,3.5,0\n2,4.5,1\n");
        let more = ["--max-bad-share", "0.3", "--quarantine", "bad.csv"];
        let is_strict = kind == Kind::Postgres;
        for mode in [&["append"][..], &["replace"], &["upsert", "--key", "b"]] {
            let table = format!("of_{}", mode[0]);
            database.ask(&format!(
                "CREATE TABLE {table} (a BOOLEAN, b DOUBLE PRECISION, y BOOLEAN, \
                 netsec_load VARCHAR(32), netsec_row BIGINT)"
            ));
            let more = [&["--mode"], mode, &more].concat();
            let pushed = push_tiny(&place, &database.address(&table), &more);
            let (written, rejected) = if is_strict { (3, 1) } else { (4, 0) };
            let found = (&pushed["written"], &pushed["rejected"]);
            assert_eq!(found, (&written.into(), &rejected.into()), "{kind:?}");
            let back = ["--dataset", "tiny.yaml", "--mode", "replace"];
            push(&place, &database.address(&table), "back.csv", &back);
            let back = std::fs::read_to_string(place.path("back.csv")).unwrap();
            let expected = "a,b,y\n0,1.5,0\n1,2.5,1\n1,3.5,0\n";
            assert!(back.starts_with(expected), "{kind:?} {back}");
        }
        if is_strict {
            let rejected = std::fs::read_to_string(place.path("bad.csv")).unwrap();
            assert!(rejected.contains("boolean"), "{rejected}");
            let found = database.ask("SELECT a, y FROM of_append ORDER BY b");
            assert_eq!(found, "f\tf\nt\tt\nt\tf\n");
        }
    }
}

#[test]
fn a_column_of_char_fills_texts_up_with_blanks_that_mean_nothing_in_every_mode() {
    for kind in SERVERS {
        let database = Database::start(kind);
        let place = Workplace::new();
        let schema = json!({
            "name": "padded",
            "columns": [{"name": "id", "type": "text"}, {"name": "a", "type": "number"}],
            "target": {"column": "y", "benign": {"ok": ["0"]}, "threats": {"bad": ["1"]}},
        });
        place.write("padded.yaml", schema.to_string());
        let records = "id,a,y\nAbc,0.5,0\nabcdefghijkl,1.5,1\n";
        place.write("padded.csv", records);
        for mode in [&["append"][..], &["replace"], &["upsert", "--key", "id"]] {
            let table = format!("of_{}", mode[0]);
            database.ask(&format!(
                "CREATE TABLE {table} (id CHAR(12), a CHAR(8), y BIGINT, \
                 netsec_load VARCHAR(32), netsec_row BIGINT)"
            ));
            let schema = ["--dataset", "padded.yaml"];
            let more = [&schema[..], &["--mode"], mode].concat();
            let pushed = push(&place, "padded.csv", &database.address(&table), &more);
            let found = (&pushed["written"], &pushed["rejected"]);
            assert_eq!(found, (&2.into(), &0.into()), "{kind:?} {mode:?}");
            let back = [&schema[..], &["--mode", "replace"]].concat();
            push(&place, &database.address(&table), "back.csv", &back);
            let back = std::fs::read_to_string(place.path("back.csv")).unwrap();
            assert_eq!(back, records, "{kind:?} {mode:?}");
        }
    }
}
