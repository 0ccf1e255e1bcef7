use std::fs;

use serde_json::Value;

use crate::support::{Called, TINY, Workplace, small_csv};

/// A place whose model `phishing` is trained on these rows.
fn trained(csv: &str) -> Workplace {
    let place = Workplace::new();
    let source = place.write("data.csv", csv);
    let run = place.run(&["--source", &source, "--force", "--why", "a test"]);
    assert_eq!(run["version"], 1);
    place
}

fn predict(place: &Workplace, input: &str, output: &str) -> Called {
    place.call(&["predict", "--json", "--input", input, "--output", output])
}

fn counts(called: &Called) -> (u64, u64, u64) {
    let said: Value = serde_json::from_str(&called.out).unwrap();
    let n = |key: &str| said[key].as_u64().unwrap();
    (n("rows"), n("scored"), n("refused"))
}

fn lines(place: &Workplace, file: &str) -> Vec<String> {
    let text = fs::read_to_string(place.path(file)).unwrap();
    text.lines().map(str::to_owned).collect()
}

/// Adds a column in front, and leaves the last one (the target) out.
fn with_id_without_target(csv: &str) -> String {
    let mut text = String::new();
    for (i, line) in csv.lines().enumerate() {
        let id = if i == 0 {
            "id".to_owned()
        } else {
            format!("\"row, {i}\"")
        };
        text += &format!("{id},{}\n", line.rsplit_once(',').unwrap().0);
    }
    text
}

#[test]
fn extra_columns_pass_through_and_the_target_is_not_needed() {
    let csv = small_csv(1500);
    let place = trained(&csv);
    let bare = with_id_without_target(&csv);
    place.write("bare.csv", &bare);
    let (with, without) = (
        predict(&place, "data.csv", "with.csv"),
        predict(&place, "bare.csv", "without.csv"),
    );
    assert_eq!(
        (counts(&with), counts(&without)),
        ((1500, 1500, 0), (1500, 1500, 0))
    );
    let (with, without) = (lines(&place, "with.csv"), lines(&place, "without.csv"));
    for ((with, without), bare) in with.iter().zip(&without).zip(bare.lines()).skip(1) {
        assert!(without.starts_with(bare), "{without}");
        let verdict = |line: &str| {
            line.rsplitn(6, ',')
                .take(5)
                .map(str::to_owned)
                .collect::<Vec<_>>()
        };
        assert_eq!(verdict(with), verdict(without));
    }
}

#[test]
fn every_format_in_gives_the_same_verdicts_in_every_format_out() {
    let place = trained(&small_csv(1500));
    let generate = [
        "synth", "generate", "--recipe", "phishing", "--rows", "9000", "--output",
    ];
    for ending in ["csv", "csv.gz", "jsonl", "parquet"] {
        let input = format!("in.{ending}");
        assert_eq!(place.call(&[&generate[..], &[&input]].concat()).code, 0);
    }
    // 9,000 rows are more than one batch.
    let mut seen = Vec::new();
    for (input, output) in [
        ("in.csv", "1.csv"),
        ("in.csv.gz", "2.csv"),
        ("in.jsonl", "3.csv"),
        ("in.parquet", "4.csv"),
        ("in.csv", "5.parquet"),
        ("in.parquet", "6.jsonl.gz"),
    ] {
        let called = predict(&place, input, output);
        assert_eq!(called.code, 0, "{input}: {}", called.err);
        seen.push((counts(&called), called.out));
        if output.ends_with("csv") {
            assert!(lines(&place, output) == lines(&place, "1.csv"), "{input}");
        }
    }
    assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:?}");
    // What was written is read back: as input, where the appended columns are extra ones.
    for (input, output) in [
        ("5.parquet", "7.csv"),
        ("6.jsonl.gz", "8.csv"),
        ("1.csv", "9.csv"),
    ] {
        let called = predict(&place, input, output);
        assert_eq!(called.code, 0, "{}", called.err);
        let said: Value = serde_json::from_str(&called.out).unwrap();
        assert_eq!(said["columns"]["label"], "predicted_label");
        let line = &lines(&place, output)[1];
        let cells: Vec<&str> = line.split(',').collect();
        let (own, ours) = cells[cells.len() - 10..].split_at(5);
        assert_eq!(own, ours, "{input}");
    }
}

#[test]
fn a_missing_column_is_said_in_every_row_and_ends_with_65() {
    let csv = small_csv(1500);
    let place = trained(&csv);
    place.write("lacks.csv", csv.replacen("Redirect", "Redirected", 1));
    let called = predict(&place, "lacks.csv", "out.csv");
    assert_eq!((called.code, counts(&called)), (65, (1500, 0, 1500)));
    let said: Value = serde_json::from_str(&called.out).unwrap();
    assert_eq!(
        said["problems"][0]["problem"],
        "Redirect: column is missing"
    );
    let out = lines(&place, "out.csv");
    assert_eq!(out.len(), 1501);
    assert!(
        out[1].ends_with(",,,1,Redirect: column is missing,"),
        "{}",
        out[1]
    );
    let header = csv.lines().next().unwrap();
    place.write("none.csv", format!("{header}\n"));
    let called = predict(&place, "none.csv", "none_out.csv");
    assert_eq!((called.code, counts(&called)), (65, (0, 0, 0)));
    assert_eq!(lines(&place, "none_out.csv").len(), 1);
}

#[test]
fn ragged_and_unreadable_rows_keep_their_place() {
    let csv = small_csv(1500);
    let place = trained(&csv);
    let mut rows: Vec<&str> = csv.lines().take(5).collect();
    rows[2] = "1,2,3";
    let broken = rows.join("\n").into_bytes();
    let mut broken = [broken, b"\n\xff,1".to_vec()].concat();
    broken.extend(vec![b','; 29]);
    place.write("broken.csv", broken);
    let called = predict(&place, "broken.csv", "out.csv");
    assert_eq!((called.code, counts(&called)), (0, (5, 3, 2)));
    let out = lines(&place, "out.csv");
    assert!(out[1].starts_with(rows[1]) && out[3].starts_with(rows[3]));
    assert!(out[2].starts_with("1,2,3,,,"), "{}", out[2]);
    assert!(out[2].ends_with(",,,1,3 cells for 31 names,"), "{}", out[2]);
    let unread = ",1,having_IP_Address: the cell is not UTF-8; ";
    assert!(out[5].starts_with(",1,,,"), "{}", out[5]);
    assert!(out[5].contains(unread), "{}", out[5]);
}

#[test]
fn a_column_of_the_model_that_stands_twice_is_refused() {
    let csv = small_csv(1500);
    let place = trained(&csv);
    let doubled = |name: &str| {
        let rows = csv.lines().enumerate();
        let rows = rows.map(|(i, row)| format!("{row},{}\n", if i == 0 { name } else { "7" }));
        rows.collect::<String>()
    };
    place.write("twice.csv", doubled("Redirect"));
    let called = predict(&place, "twice.csv", "out.csv");
    assert_eq!((called.code, counts(&called)), (65, (1500, 0, 1500)));
    let first = &lines(&place, "out.csv")[1];
    assert!(first.contains(",,1,Redirect: "), "{first}");
    place.write("twice.csv", doubled("note,note").replace(",7\n", ",7,8\n"));
    let called = predict(&place, "twice.csv", "out.csv");
    assert_eq!((called.code, counts(&called)), (0, (1500, 1500, 0)));
    assert!(lines(&place, "out.csv")[1].contains(",7,8,"));
}

#[test]
fn numbers_that_no_double_holds_pass_through_as_they_are_written() {
    let csv = small_csv(1500);
    let place = trained(&csv);
    let names: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    let row = csv.lines().nth(1).unwrap();
    let cells = names.iter().zip(row.split(','));
    let fields: Vec<String> = cells.map(|(n, c)| format!("\"{n}\":{c}")).collect();
    let exact = [
        "12345678901234567890",
        "0.12345678901234567891",
        "-0.0",
        "[1, 2]",
    ];
    let extra = format!(
        "\"id\":{},\"share\":{},\"zero\":{},\"tags\":{}",
        exact[0], exact[1], exact[2], exact[3]
    );
    place.write("ids.jsonl", format!("{{{},{extra}}}\n", fields.join(",")));
    let called = predict(&place, "ids.jsonl", "out.csv");
    assert_eq!(
        (called.code, counts(&called)),
        (0, (1, 1, 0)),
        "{}",
        called.err
    );
    let out = lines(&place, "out.csv");
    let kept = format!(",{},{},{},\"{}\",", exact[0], exact[1], exact[2], exact[3]);
    assert!(out[1].contains(&kept), "{kept} in {}", out[1]);
}

#[test]
fn the_input_is_never_replaced_and_a_failure_leaves_no_output() {
    let csv = small_csv(1500);
    let place = trained(&csv);
    let called = predict(&place, "data.csv", "./data.csv");
    assert_eq!(called.code, 64);
    assert!(
        called.err.contains("is the input as well"),
        "{}",
        called.err
    );
    assert_eq!(fs::read_to_string(place.path("data.csv")).unwrap(), csv);
    let called = predict(&place, "data.csv", "out.arff");
    assert_eq!(called.code, 64);
    assert!(
        called.err.contains("tells no format to write it in"),
        "{}",
        called.err
    );
    let generate = [
        "synth", "generate", "--recipe", "phishing", "--rows", "20000",
    ];
    let called = place.call(&[&generate[..], &["--output", "cut.csv.gz"]].concat());
    assert_eq!(called.code, 0, "{}", called.err);
    let whole = fs::read(place.path("cut.csv.gz")).unwrap();
    place.write("cut.csv.gz", &whole[..whole.len() - 100]);
    place.write("out.csv", "older");
    assert_eq!(predict(&place, "cut.csv.gz", "out.csv").code, 65);
    assert_eq!(fs::read_to_string(place.path("out.csv")).unwrap(), "older");
    assert_eq!(predict(&place, "data.csv", "no/such/folder.csv").code, 69);
    let names = fs::read_dir(place.path("")).unwrap();
    let left: Vec<_> = names
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".tmp"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn fields_that_appear_late_in_json_lines_pass_through() {
    let csv = small_csv(1500);
    let place = trained(&csv);
    let names: Vec<&str> = csv.lines().next().unwrap().split(',').collect();
    let row = csv.lines().nth(1).unwrap();
    let object = |extra: &str| {
        let cells = names.iter().zip(row.split(','));
        let fields: Vec<String> = cells
            .map(|(name, cell)| format!("\"{name}\":{cell}"))
            .collect();
        format!("{{{}{extra}}}\n", fields.join(","))
    };
    let text = object(",\"id\":7").repeat(9000) + &object(",\"id\":\"x\",\"note\":\"late\"");
    place.write("late.jsonl", text);
    for output in ["out.jsonl", "out.parquet", "out.csv"] {
        let called = predict(&place, "late.jsonl", output);
        assert_eq!(called.code, 0, "{output}: {}", called.err);
        assert_eq!(counts(&called), (9001, 9001, 0));
    }
    let out = lines(&place, "out.jsonl");
    let last: Value = serde_json::from_str(&out[9000]).unwrap();
    assert_eq!((&last["id"], &last["note"]), (&"x".into(), &"late".into()));
    let first: Value = serde_json::from_str(&out[0]).unwrap();
    assert_eq!((&first["id"], &first["note"]), (&"7".into(), &Value::Null));
}

#[test]
fn files_without_a_line_of_names_may_lack_what_only_training_needs() {
    let place = Workplace::new();
    let generate = ["synth", "generate", "--recipe", "nsl_kdd", "--rows", "3000"];
    assert_eq!(
        place
            .call(&[&generate[..], &["--output", "kdd.txt"]].concat())
            .code,
        0
    );
    let run = [
        "--dataset",
        "nsl_kdd",
        "--source",
        "kdd.txt",
        "--force",
        "--why",
        "a test",
    ];
    place.run(&run);
    let text = fs::read_to_string(place.path("kdd.txt")).unwrap();
    let cut = |columns: usize| {
        let row = |line: &str| line.split(',').take(columns).collect::<Vec<_>>().join(",") + "\n";
        text.lines().map(row).collect::<String>()
    };
    let score = |input: &str| {
        let call = [
            "predict", "--json", "--model", "nsl_kdd", "--output", "out.csv",
        ];
        let called = place.call(&[&call[..], &["--input", input]].concat());
        assert_eq!(
            (called.code, counts(&called)),
            (0, (3000, 3000, 0)),
            "{input}: {}",
            called.err
        );
        let said: Value = serde_json::from_str(&called.out).unwrap();
        let out = lines(&place, "out.csv");
        let at = out[0]
            .split(',')
            .position(|name| *name == said["columns"]["threat_probability"]);
        let cell = |line: &String| line.split(',').nth(at.unwrap()).unwrap().to_owned();
        (
            out[0].clone(),
            out[1..].iter().map(cell).collect::<Vec<_>>(),
        )
    };
    let (header, whole) = score("kdd.txt");
    // The target is called `label` here.
    assert!(
        header.contains(",label,difficulty,predicted_label,threat_probability"),
        "{header}"
    );
    for columns in [42, 41] {
        place.write("cut.txt", cut(columns));
        assert!(score("cut.txt").1 == whole, "{columns} columns");
    }
    let names = header.split(',').take(41).collect::<Vec<_>>().join(",");
    place.write("named.txt", format!("{names}\n{}", cut(41)));
    assert!(score("named.txt").1 == whole, "with a line of names");
}

#[test]
fn rows_without_names_lack_the_target_rather_than_a_column_of_no_use() {
    let place = Workplace::new();
    place.write(
        "ids.yaml",
        "name: ids\nfile: {header: false}\ncolumns:\n- {name: id, type: text, never_use: true}\n\
         - {name: a, type: number}\n- {name: b, type: number}\n\
         target: {column: y, benign: {ok: ['0']}, threats: {bad: ['1']}}\n",
    );
    let row = |i: usize| format!("i{i},{},{},{}\n", i % 97, i % 89, u8::from(i % 97 > 50));
    let rows: String = (0..600).map(row).collect();
    place.write("ids.csv", &rows);
    let dataset = ["--dataset", "ids.yaml", "--source", "ids.csv"];
    let run = [
        &["run", "--force", "--why", "a test"],
        &dataset[..],
        &TINY[2..],
    ]
    .concat();
    assert_eq!(place.call(&run).code, 0);
    let cut = |line: &str| line.rsplit_once(',').unwrap().0.to_owned() + "\n";
    place.write("cut.csv", rows.lines().map(cut).collect::<String>());
    let score = |input: &str| {
        let call = ["predict", "--input", input, "--output", "out.csv"];
        let called = place.call(&call);
        assert_eq!(called.code, 0, "{}", called.err);
        let verdicts = lines(&place, "out.csv").split_off(1);
        let verdict = |line: String| line.rsplitn(5, ',').collect::<Vec<_>>()[..4].join(",");
        (
            verdicts.into_iter().map(verdict).collect::<Vec<_>>(),
            called.err,
        )
    };
    let (cut, said) = score("cut.csv");
    assert!(
        said.contains("rows of 3 cells are taken to lack `y` alone"),
        "{said}"
    );
    assert!(cut == score("ids.csv").0);
}

#[test]
fn the_only_model_is_the_one_that_is_meant_when_none_is_named() {
    let place = Workplace::new();
    place.write_tiny(300);
    let predict = [
        "predict", "--input", "tiny.csv", "--output", "out.csv", "--json",
    ];
    let none = place.call(&predict);
    assert_eq!(none.code, 64, "{}", none.err);
    assert!(none.err.contains("none yet"), "{}", none.err);
    place.run_tiny(&["--model", "first"]);
    let only = place.call(&predict);
    assert_eq!(only.code, 0, "{}", only.err);
    assert!(only.out.contains("\"model\":\"first\""), "{}", only.out);
    place.run_tiny(&["--model", "second"]);
    let several = place.call(&predict);
    assert_eq!(several.code, 64, "{}", several.out);
    assert!(
        several.err.contains("known: first, second"),
        "{}",
        several.err
    );
}

#[test]
fn no_reasons_at_all_are_not_asked_for() {
    let place = Workplace::new();
    let predict = [
        "predict",
        "--input",
        "a.csv",
        "--output",
        "b.csv",
        "--explain",
        "0",
    ];
    let called = place.call(&predict);
    assert_eq!(called.code, 64, "{}", called.err);
    assert!(called.err.contains("--explain"), "{}", called.err);
}

#[test]
fn from_parquet_to_parquet_columns_keep_their_types() {
    use formats::{ParquetColumn, parquet_bytes};
    use parquet::file::{reader::FileReader as _, serialized_reader::SerializedFileReader};

    let place = Workplace::new();
    place.write_tiny(300);
    place.run_tiny(&[]);
    let columns = [
        (
            "id",
            ParquetColumn::Int64(vec![Some(i64::MAX), Some(2), None]),
        ),
        (
            "seen",
            ParquetColumn::Boolean(vec![Some(true), None, Some(false)]),
        ),
        ("a", ParquetColumn::Int64(vec![Some(1), Some(90), Some(3)])),
        ("b", ParquetColumn::Double(vec![0.5, 70.0, f64::NAN])),
        (
            "label",
            ParquetColumn::Text(vec![None, Some("x".to_owned()), None]),
        ),
    ];
    let input = place.write("in.parquet", parquet_bytes(&columns).unwrap());
    let called = place.call(&["predict", "--input", &input, "--output", "out.parquet"]);
    assert_eq!(called.code, 0, "{}", called.err);
    let reader = |name: &str| {
        let file = std::fs::File::open(place.path(name)).unwrap();
        SerializedFileReader::new(file).unwrap()
    };
    let (before, after) = (reader("in.parquet"), reader("out.parquet"));
    let fields = |reader: &SerializedFileReader<std::fs::File>| {
        let schema = reader.metadata().file_metadata().schema();
        schema.get_fields().to_vec()
    };
    let all = fields(&after);
    assert_eq!(fields(&before), all[..5]);
    let added: Vec<&str> = all[5..].iter().map(|field| field.name()).collect();
    let expected = [
        "predicted_label",
        "threat_probability",
        "model_version",
        "problem",
        "imputed",
    ];
    assert_eq!(added, expected);
    let rows = after.get_row_iter(None).unwrap();
    let rows: Vec<String> = rows.map(|row| row.unwrap().to_string()).collect();
    let start =
        "{id: 9223372036854775807, seen: true, a: 1, b: 0.5, label: null, predicted_label: \"ok\"";
    assert!(rows[0].starts_with(start), "{rows:?}");
    assert_eq!(rows.len(), 3);
}
