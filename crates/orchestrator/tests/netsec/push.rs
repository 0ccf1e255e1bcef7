//! `netsec push` into files, and into databases as far as it goes without a server.

mod files;
#[cfg(feature = "http")]
pub mod once;

use crate::support::Workplace;

fn check(arguments: &[&str], code: i32, word: &str) {
    let place = Workplace::new();
    place.write_tiny(50);
    let fixed = ["push", "--dataset", "tiny.yaml", "--from", "tiny.csv"];
    let called = place.call(&[&fixed[..], arguments].concat());
    assert_eq!(called.code, code, "{}", called.err);
    assert!(called.err.contains(word), "{}", called.err);
}

#[test]
fn what_is_no_destination_is_refused_with_what_is_one() {
    check(&["--to", "synth://phishing"], 64, "pushed to a file");
    check(&["--to", "http://h/out.csv"], 64, "to mongodb://");
    check(&["--to", "file://host/out.csv"], 64, "names a host");
    check(&["--to", ""], 64, "is empty");
}

#[test]
#[cfg(not(all(
    feature = "dynamodb",
    feature = "mongodb",
    feature = "s3",
    feature = "sql"
)))]
fn a_build_without_a_feature_names_it_for_sources_and_destinations() {
    let all = [
        ("mongodb", "mongodb://me:hunter2@h/db?collection=c"),
        ("sql", "postgres://me:hunter2@h/db?table=t"),
        ("sql", "sqlite://records.db?table=t"),
        ("s3", "s3://me:hunter2@bucket/key.csv"),
        ("dynamodb", "dynamodb://me:hunter2@table"),
    ];
    let is_built = |feature| match feature {
        "dynamodb" => cfg!(feature = "dynamodb"),
        "mongodb" => cfg!(feature = "mongodb"),
        "s3" => cfg!(feature = "s3"),
        _ => cfg!(feature = "sql"),
    };
    for (feature, uri) in all.into_iter().filter(|(feature, _)| !is_built(*feature)) {
        let words = format!("build it with the feature `{feature}`");
        check(&["--to", uri], 64, &words);
        let place = Workplace::new();
        for command in ["run", "doctor"] {
            let called = place.call(&[command, "--source", uri]);
            assert_eq!(called.code, 64, "{}", called.err);
            let said = called.out + &called.err;
            assert!(said.contains(&format!("--features {feature}")), "{said}");
            assert!(!said.contains("hunter2"), "{said}");
        }
    }
}

#[cfg(feature = "mongodb")]
mod without_a_server {
    use super::{Workplace, check};

    const TO: [&str; 2] = ["--to", "mongodb://127.0.0.1:1/db?collection=c"];

    #[test]
    fn keys_and_modes_that_do_not_fit_are_refused() {
        check(
            &[&TO[..], &["--key", "a"]].concat(),
            64,
            "--key is for --mode upsert",
        );
        check(&[&TO[..], &["--mode", "upsert"]].concat(), 64, "--key");
        let unknown = [&TO[..], &["--mode", "upsert", "--key", "z"]].concat();
        check(&unknown, 64, "has no such column");
        check(&["--to", "mongodb://h/db"], 64, "names no collection");
        check(
            &["--to", "mongodb://h?collection=c"],
            64,
            "names no database",
        );
    }

    #[test]
    fn a_dry_run_asks_no_server_and_counts() {
        let place = Workplace::new();
        place.write_tiny(200);
        let csv = std::fs::read_to_string(place.path("tiny.csv")).unwrap();
        place.write("more.csv", csv + "x,1,0\n7,7,0\n7,7,0\n");
        let push = |more: &[&str]| {
            let fixed = [
                "push",
                "--dry-run",
                "--json",
                "--dataset",
                "tiny.yaml",
                "--from",
                "more.csv",
            ];
            place.call(&[&fixed[..], &TO, more].concat())
        };
        let called = push(&["--duplicates", "drop", "--quarantine", "bad.csv"]);
        assert_eq!(called.code, 0, "{}", called.err);
        let found: serde_json::Value = serde_json::from_str(&called.out).unwrap();
        assert_eq!(found["rows"], 203);
        assert_eq!(found["rejected"], 1);
        let (accepted, duplicates) = (&found["accepted"], &found["duplicates"]);
        assert_eq!(
            accepted.as_u64().unwrap() + duplicates.as_u64().unwrap(),
            202
        );
        assert!(duplicates.as_u64().unwrap() >= 1);
        let bad = std::fs::read_to_string(place.path("bad.csv")).unwrap();
        assert_eq!(
            bad,
            "row,problems,a,b,y\n201,a: `x` is not a finite number,x,1,0\n"
        );
        let called = push(&["--max-bad-share", "0"]);
        assert_eq!(called.code, 65, "{}", called.err);
        let reason = "1 of 203 rows rejected, at most 0 allowed (row 201: a: `x` is not";
        assert!(called.err.contains(reason), "{}", called.err);
        assert!(
            called.err.contains("artifacts/quarantine/"),
            "{}",
            called.err
        );
    }
}

#[cfg(feature = "sql")]
mod without_a_database {
    use super::check;

    #[test]
    fn what_is_no_table_is_refused() {
        check(&["--to", "postgres://h/db"], 64, "it names no table");
        check(&["--to", "mysql://h?table=t"], 64, "names no database");
        let query = ["--to", "sqlite://a.db?query=SELECT 1"];
        check(&query, 64, "records are pushed into a table");
    }
}

#[test]
fn the_quarantine_is_neither_the_source_nor_the_target() {
    let place = Workplace::new();
    place.write_tiny(20);
    std::fs::create_dir(place.path("sub")).unwrap();
    let whole = place.path("tiny.csv").display().to_string();
    for (to, quarantine, flag) in [
        ("out.csv", "tiny.csv", "--from"),
        ("out.csv", "./tiny.csv", "--from"),
        ("out.csv", &whole, "--from"),
        ("out.csv", "./out.csv", "--to"),
        ("sub/../out.csv", "out.csv", "--to"),
        #[cfg(feature = "sql")]
        ("sqlite://rows.db?table=t", "./rows.db", "--to"),
        #[cfg(feature = "mongodb")]
        (
            "mongodb://127.0.0.1:1/db?collection=c",
            "tiny.csv",
            "--from",
        ),
    ] {
        let fixed = ["push", "--dataset", "tiny.yaml", "--from", "tiny.csv"];
        let more = ["--to", to, "--quarantine", quarantine, "--dry-run"];
        let called = place.call(&[&fixed[..], &more].concat());
        assert_eq!(called.code, 64, "{to} {quarantine}: {}", called.err);
        let words = format!("is named by {flag} and by --quarantine");
        assert!(called.err.contains(&words), "{}", called.err);
    }
}

#[cfg(feature = "sql")]
#[test]
fn the_quarantine_is_no_file_that_a_database_keeps_beside_its_own() {
    let place = Workplace::new();
    place.write_tiny(20);
    for (from, to, end, flag) in [
        ("tiny.csv", "sqlite://rows.db?table=t", "-journal", "--to"),
        ("tiny.csv", "sqlite://./rows.db?table=t", "-wal", "--to"),
        ("sqlite://rows.db?table=t", "out.csv", "-shm", "--from"),
    ] {
        let fixed = ["push", "--dataset", "tiny.yaml", "--dry-run"];
        let quarantine = format!("rows.db{end}");
        let more = ["--from", from, "--to", to, "--quarantine", &quarantine];
        let called = place.call(&[&fixed[..], &more].concat());
        assert_eq!(called.code, 64, "{quarantine}: {}", called.err);
        let words = format!("{quarantine} belongs to the database that {flag} names");
        assert!(called.err.contains(&words), "{}", called.err);
    }
}

#[test]
fn a_quarantine_names_its_own_columns_apart_from_those_of_the_source() {
    let place = Workplace::new();
    place.write_tiny(0);
    place.write(
        "odd.csv",
        "problems,a,row,y,b\nnone,007,9,5,1\nnone,1,9,0,1\n",
    );
    let fixed = ["push", "--dataset", "tiny.yaml", "--from", "odd.csv"];
    let more = ["--to", "out.csv", "--quarantine", "bad.csv"];
    let called = place.call(&[&fixed[..], &more, &["--max-bad-share", "0.5"]].concat());
    assert_eq!(called.code, 0, "{}", called.err);
    let bad = std::fs::read_to_string(place.path("bad.csv")).unwrap();
    let expected = "_row,_problems,a,b,y,problems,row\n\
                    1,y: `5` is not a target value of the schema,007,1,5,none,9\n";
    assert_eq!(bad, expected);
}

#[test]
fn two_pushes_of_one_second_keep_their_rejected_rows_apart() {
    let place = Workplace::new();
    place.write_tiny(3);
    place.write("tiny.csv", "a,b,y\nx,1,0\n");
    for _ in 0..4 {
        let fixed = ["push", "--dataset", "tiny.yaml", "--from", "tiny.csv"];
        let called = place.call(&[&fixed[..], &["--to", "out.csv"]].concat());
        assert_eq!(called.code, 65, "{}", called.err);
    }
    let kept = std::fs::read_dir(place.path("artifacts/quarantine")).unwrap();
    assert_eq!(kept.count(), 4);
}
