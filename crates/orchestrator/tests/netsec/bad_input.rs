use std::fs;

use crate::support::{SMALL, TINY, Workplace, small_csv, tiny_csv};

/// Runs on a file of this content and returns exit code and message.
fn check(name: &str, content: impl AsRef<[u8]>) -> (i32, String) {
    let place = Workplace::new();
    let source = place.write(name, content);
    let called = place.call(&[&["run", "--source", &source], &SMALL[..]].concat());
    (called.code, called.err)
}

fn refused(name: &str, content: impl AsRef<[u8]>, word: &str) {
    let (code, message) = check(name, content);
    assert_eq!(code, 65, "{message}");
    assert!(message.contains(word), "{message}");
}

#[test]
fn data_that_cannot_be_learned_from_is_refused_with_its_reason() {
    let good = small_csv(400);
    let header = good.lines().next().unwrap();
    let benign: String = good
        .lines()
        .filter(|l| !l.ends_with(",-1"))
        .map(|l| format!("{l}\n"))
        .collect();
    refused("header.csv", format!("{header}\n"), "no rows");
    refused("one_class.csv", benign, "both classes");
    refused(
        "no_label.csv",
        good.replacen("Result", "Outcome", 1),
        "missing: Result",
    );
    refused(
        "twice.csv",
        good.replacen("Redirect", "having_IP_Address", 1),
        "named twice",
    );
    refused(
        "inf.csv",
        good.replace("\n1,", "\ninf,"),
        "is not a whole number",
    );
    refused("nan.csv", good.replace("\n1,", "\nNaN,"), "missing");
    refused(
        "huge.csv",
        good.replace("\n1,", "\n1e308,"),
        "is not one of",
    );
}

#[test]
fn what_is_no_table_of_these_columns_is_refused_with_its_reason() {
    let good = small_csv(300);
    let (header, rows) = good.split_once('\n').unwrap();
    let blank_first = |row: &str| format!(",{}\n", row.split_once(',').unwrap().1);
    let unlabelled = |row: &str| format!("{},\n", row.rsplit_once(',').unwrap().0);
    let missing: String = rows.lines().map(blank_first).collect();
    let no_labels: String = rows.lines().map(unlabelled).collect();
    refused("empty.csv", "", "it is empty");
    refused("mark.csv", "\u{feff}", "it is empty");
    refused("lines.csv", "\n\n\n", "only empty lines");
    refused("zeros.csv", [0; 5000], "missing");
    refused(
        "latin.csv",
        good.replace("\n1,", "\n1\u{e9},"),
        "is not a whole number",
    );
    refused(
        "foreign.csv",
        bytes_replaced(&good, b"\n1,", b"\n\xe9,"),
        "is not UTF-8",
    );
    refused(
        "minus_zero.csv",
        good.replace("\n1,", "\n-0.0,"),
        "is not one of",
    );
    refused("blank.csv", format!("{header}\n{missing}"), "missing");
    refused(
        "no_labels.csv",
        format!("{header}\n{no_labels}"),
        "missing target",
    );
    refused(
        "one_row.csv",
        good.lines().take(2).collect::<Vec<_>>().join("\n"),
        "both classes",
    );
    refused(
        "open_quote.csv",
        format!("{header}\n\"{}", "x,".repeat(9 << 20)),
        "quote left open",
    );
    refused("nested.jsonl", "{\"a\": {\"b\": 1}}\n", "a.b");
    refused("deep.jsonl", "{\"a\":".repeat(100_000), "too deep");
    refused(
        "array.jsonl",
        format!("{{\"a\":{}", "[".repeat(100_000)),
        "EOF while parsing a list",
    );
    refused(
        "long.jsonl",
        format!("{{\"a\":\"{}", "x".repeat(20 << 20)),
        "does not end",
    );
    refused("cut.csv.gz", &gzip(&good)[..400], "cut short");
    refused("no.parquet", "PAR1PAR1", "Parquet");
}

fn bytes_replaced(text: &str, from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text.as_bytes();
    while let Some(at) = rest.windows(from.len()).position(|w| w == from) {
        bytes.extend_from_slice(&rest[..at]);
        bytes.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    [&bytes, rest].concat()
}

fn gzip(text: &str) -> Vec<u8> {
    use std::io::Write as _;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

#[test]
fn text_that_grows_without_measure_out_of_gzip_is_refused() {
    let good = small_csv(1);
    let (header, row) = good.split_once('\n').unwrap();
    let bomb = gzip(&format!("{header}\n{}", row.repeat(1_500_000)));
    assert!(bomb.len() < 500_000, "{} bytes", bomb.len());
    refused("bomb.csv.gz", bomb, "unpack it first");
}

#[test]
fn a_constant_column_and_one_that_is_missing_throughout_are_learned_around() {
    let place = Workplace::new();
    place.write_tiny(300);
    let constant = |row: &str| format!("1,{}\n", row.split_once(',').unwrap().1);
    let missing = |row: &str| {
        let cells: Vec<&str> = row.split(',').collect();
        format!("{},,{}\n", cells[0], cells[2])
    };
    let rows = tiny_csv(300);
    let (header, rows) = rows.split_once('\n').unwrap();
    let changed: [String; 2] = [
        rows.lines().map(constant).collect(),
        rows.lines().map(missing).collect(),
    ];
    for rows in changed {
        for family in [
            "logistic_regression",
            "decision_tree",
            "random_forest",
            "gradient_boosting",
        ] {
            place.write("tiny.csv", format!("{header}\n{rows}"));
            let families = format!("training.families=[{family}]");
            let search = format!("training.search.{family}={{}}");
            place.run_tiny(&["--set", &families, "--set", &search]);
        }
    }
}

#[test]
fn missing_cells_that_nothing_fills_are_refused_where_the_model_cannot_take_them() {
    let place = Workplace::new();
    place.write_tiny(300);
    place.write("tiny.csv", tiny_csv(300).replace(",53,", ",,"));
    let run = [&["run", "--source", "tiny.csv"], &TINY[..]].concat();
    for (section, taker) in [
        ("linear", "training.families=[logistic_regression]"),
        ("baselines", "training.baseline_rows=100"),
    ] {
        let imputer = format!("transformation.preprocessing.{section}.imputer=none");
        let called = place.call(&[&run[..], &["--set", taker, "--set", &imputer]].concat());
        assert_eq!(called.code, 78, "{}", called.err);
        let said = format!("{section}.imputer is `none`");
        assert!(called.err.contains(&said), "{}", called.err);
    }
}

#[test]
fn a_target_is_the_number_that_it_is_however_it_is_written() {
    let place = Workplace::new();
    place.write_tiny(300);
    let whole = tiny_csv(300);
    let rows = whole.replace(",0\n", ",0.0\n").replace(",1\n", ",1.0\n");
    assert_ne!(rows, whole);
    place.write("tiny.csv", rows);
    let run = place.run_tiny(&[]);
    assert_eq!(run["rows"]["quarantined"], 0);
}

#[test]
fn ten_thousand_columns_take_neither_minutes_nor_gigabytes() {
    let place = Workplace::new();
    let n = 10_000;
    let columns: String = (0..n)
        .map(|i| format!("- {{name: c{i}, type: integer}}\n"))
        .collect();
    place.write(
        "tiny.yaml",
        format!("name: wide\ncolumns:\n{columns}target: {{column: y, benign: {{ok: ['0']}}, threats: {{bad: ['1']}}}}\n"),
    );
    let names: Vec<String> = (0..n).map(|i| format!("c{i}")).collect();
    let row = |row: usize| {
        let cells = (0..n).map(|i| ((row * 7 + i * 13) % 5).to_string());
        format!("{},{}\n", cells.collect::<Vec<_>>().join(","), row % 2)
    };
    let rows: String = (0..100).map(row).collect();
    place.write("tiny.csv", format!("{},y\n{rows}", names.join(",")));
    let since = std::time::Instant::now();
    place.run_tiny(&[]);
    assert!(
        since.elapsed().as_secs() < 60,
        "it took {:?}",
        since.elapsed()
    );
}

#[test]
fn a_damaged_parquet_file_gives_one_clear_error() {
    let place = Workplace::new();
    place.write_tiny(300);
    let run = place.run_tiny(&[]);
    let parquet = place.path(run["partitions"]["train"].as_str().unwrap());
    let whole = fs::read(parquet).unwrap();
    let mut n_refused = 0;
    for at in (4..whole.len()).step_by(whole.len() / 60) {
        for change in [0x01, 0x80, 0xff] {
            let mut bytes = whole.clone();
            bytes[at] ^= change;
            let input = place.write("damaged.parquet", bytes);
            let arguments = [
                "predict", "--model", "tiny", "--input", &input, "--output", "o.csv",
            ];
            let called = place.call(&arguments);
            // Some bytes are values, and any value is as good as another.
            assert!(
                [0, 64, 65].contains(&called.code),
                "byte {at}: {}",
                called.err
            );
            n_refused += usize::from(called.err.contains("damaged.parquet"));
        }
    }
    assert!(n_refused > 30, "{n_refused} refused");
    let cut = place.write("cut.parquet", &whole[..whole.len() / 2]);
    let called = place.call(&["run", "--dataset", "tiny.yaml", "--source", &cut]);
    assert_eq!(called.code, 65, "{}", called.err);
}

#[test]
fn a_prediction_answers_every_row_of_a_bad_file_or_refuses_it_whole() {
    let place = Workplace::new();
    place.write_tiny(300);
    place.run_tiny(&[]);
    let predict = |name: &str, content: &[u8], output: &str| {
        let input = place.write(name, content);
        place.call(&[
            "predict", "--model", "tiny", "--input", &input, "--output", output,
        ])
    };
    let rows = b"a,b\n1,2\n1e308,-0.0\nNaN,3\ninf,3\n,\nx,1\n1\n\"1\n\",\n\xff,1\n";
    let called = predict("rows.csv", rows, "out.csv");
    assert_eq!(called.code, 0, "{}", called.err);
    assert!(called.out.contains("9 rows: 3 scored"), "{}", called.out);
    let out = fs::read_to_string(place.path("out.csv")).unwrap();
    let read = out.matches("\n").count();
    assert_eq!(read, 11, "one row each, and a quoted end of line: {out}");
    for (name, content, code, word) in [
        ("empty.csv", &b""[..], 65, "empty"),
        ("names.csv", b"a,b\n", 65, ""),
        ("none.csv", b"a,b\nx,y\n", 65, ""),
        ("cut.csv.gz", &gzip(&tiny_csv(300))[..200], 65, "cut short"),
        ("file.xyz", b"a,b\n1,2\n", 64, "format"),
    ] {
        let _ = fs::remove_file(place.path("none.out.csv"));
        let called = predict(name, content, "none.out.csv");
        assert_eq!(called.code, code, "{name}: {}", called.err);
        assert!(called.err.contains(word), "{name}: {}", called.err);
        if called.err.contains("error") {
            assert!(!place.path("none.out.csv").exists(), "{name} left a file");
        }
    }
    fs::create_dir(place.path("folder.csv")).unwrap();
    for (output, code, word) in [
        ("no/such/folder.csv", 69, "No such file"),
        ("folder.csv", 69, "directory"),
        ("out.xyz", 64, "format"),
    ] {
        let called = predict("rows.csv", rows, output);
        assert_eq!(called.code, code, "{output}: {}", called.err);
        assert!(called.err.contains(word), "{output}: {}", called.err);
    }
}

#[cfg(unix)]
#[test]
fn a_pipe_is_read_as_a_file_is() {
    let place = Workplace::new();
    place.write_tiny(300);
    let fifo = place.path("pipe.csv");
    let made = std::process::Command::new("mkfifo")
        .arg(&fifo)
        .status()
        .unwrap();
    assert!(made.success());
    let content = tiny_csv(300);
    let writer = std::thread::spawn({
        let fifo = fifo.clone();
        move || fs::write(fifo, content).unwrap()
    });
    let source = fifo.display().to_string();
    let called = place.call(&[&["run", "--source", &source], &TINY[..]].concat());
    assert_eq!(called.code, 0, "{}", called.err);
    writer.join().unwrap();
}

#[test]
fn harmless_oddities_of_text_files_are_taken() {
    let good = small_csv(1200);
    for (name, content) in [
        ("bom.csv", format!("\u{feff}{good}")),
        ("crlf.csv", good.replace('\n', "\r\n")),
        ("quoted.csv", good.replace("\n1,", "\n\" 1 \n\",")),
        ("floats.csv", good.replace("\n1,", "\n1.0,")),
        ("without_end.csv", good.trim_end().to_owned()),
        ("empty_lines.csv", good.replace('\n', "\n\n")),
    ] {
        let (code, message) = check(name, content);
        assert_eq!(code, 0, "{name}: {message}");
    }
}

#[test]
fn a_few_bad_rows_are_quarantined_with_their_numbers() {
    let place = Workplace::new();
    let mut csv = small_csv(1200);
    csv += "1,2,3\n";
    let source = place.write("ragged.csv", csv);
    let run = place.run(&["--source", &source]);
    assert_eq!(run["rows"]["quarantined"], 1);
    let file = place
        .path(run["run"].as_str().unwrap())
        .join("02-validation/quarantine.csv");
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.lines().nth(1).unwrap().starts_with("1201,"), "{text}");
}

#[test]
fn what_is_no_file_and_what_is_no_option_have_their_own_exit_codes() {
    let place = Workplace::new();
    let code = |arguments: &[&str]| place.call(arguments).code;
    assert_eq!(code(&["run", "--source", "missing.csv"]), 69);
    std::fs::create_dir(place.path("folder.csv")).unwrap();
    assert_eq!(code(&["run", "--source", "folder.csv"]), 69);
    assert_eq!(code(&["run", "--source", "gopher://x"]), 64);
    assert_eq!(code(&["run", "--source", "synth://nothing"]), 64);
    assert_eq!(code(&["run", "--no-such-flag"]), 64);
    assert_eq!(code(&["run", "--dataset", "no_such_set"]), 64);
    assert_eq!(code(&["show", "no_such_run"]), 64);
    let unknown = place.call(&["run", "--set", "training.fold=3"]);
    assert_eq!(unknown.code, 78);
    assert!(
        unknown.err.contains("did you mean `folds`"),
        "{}",
        unknown.err
    );
}

#[test]
fn help_is_no_error() {
    let called = Workplace::new().call(&["--help"]);
    assert_eq!(called.code, 0);
    assert!(
        called.out.contains("simulated phishing sample"),
        "{}",
        called.out
    );
}

#[test]
fn a_file_of_another_host_is_refused_and_one_of_this_host_is_read() {
    let place = Workplace::new();
    place.write_tiny(200);
    let run = |source: &str| {
        let called = place.call(&[&["run", "--source", source][..], &TINY].concat());
        (called.code, called.err)
    };
    for source in ["file://host/tiny.csv", "file://tiny.csv"] {
        let (code, message) = run(source);
        assert_eq!(code, 64, "{message}");
        assert!(message.contains("names a host"), "{message}");
    }
    let path = place.path("tiny.csv").display().to_string();
    let (code, message) = run(&format!("file://localhost{path}"));
    assert_eq!(code, 0, "{message}");
}

#[test]
fn what_is_wrong_with_a_holdout_is_said_of_the_holdout() {
    let place = Workplace::new();
    place.write_tiny(300);
    place.write("columns.csv", "x,z,y\n1,2,0\n");
    place.write("target.csv", "a,b\n1,2\n");
    place.write("empty.csv", "");
    let check = |holdout: &str, code: i32, words: &str| {
        let run = ["run", "--source", "tiny.csv", "--holdout", holdout];
        let called = place.call(&[&run[..], &TINY].concat());
        assert_eq!(called.code, code, "{holdout}: {}", called.err);
        let start = format!("error: holdout {holdout}: ");
        assert!(called.err.starts_with(&start), "{holdout}: {}", called.err);
        assert!(called.err.contains(words), "{holdout}: {}", called.err);
    };
    check("synth://phishing?rows=500", 64, "it is simulated");
    check("none.csv", 69, "No such file");
    check(".", 69, "it is a directory");
    check("empty.csv", 65, "it is empty");
    check("file://host/x.csv", 64, "names a host");
    check("gs://bucket/x.csv", 64, "not supported");
    assert!(!place.path("artifacts").exists(), "rows were read before");
    check("columns.csv", 65, "1 columns are missing: a");
    check("target.csv", 65, "1 columns are missing: y");
}

#[test]
fn a_data_set_without_a_source_of_its_own_is_not_tried_on_the_default_one() {
    let place = Workplace::new();
    place.write_tiny(10);
    for (dataset, words) in [
        (
            "tiny.yaml",
            "lacks 2 columns of `tiny`, `a` first; give --source",
        ),
        ("nsl_kdd", "lacks 42 columns of `nsl_kdd`, `duration` first"),
    ] {
        let called = place.call(&["run", "--dataset", dataset]);
        assert_eq!(called.code, 64, "{}", called.err);
        assert!(called.err.contains(words), "{}", called.err);
        assert!(!place.path("artifacts").exists());
    }
}
