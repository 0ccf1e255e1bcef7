use super::*;

fn sample() -> Vec<u8> {
    let columns = [
        ("d", ParquetColumn::Double(vec![0.5, f64::NAN, -1e308])),
        ("i", ParquetColumn::Int64(vec![Some(1), None, Some(-7)])),
        (
            "t",
            ParquetColumn::Text(vec![Some("x".to_owned()), Some(String::new()), None]),
        ),
        (
            "b",
            ParquetColumn::Boolean(vec![None, Some(true), Some(false)]),
        ),
    ];
    parquet_bytes(&columns).unwrap()
}

fn parquet(bytes: &[u8]) -> String {
    check(bytes, &FileFormat::Parquet)
}

#[test]
fn all_types_and_nulls_survive_the_round_trip_in_equal_bytes() {
    assert_eq!(
        parquet(&sample()),
        "d# i# t$ b$ \n1: 0.5 1.0 \"x\" ~\n2: ~ ~ \"\" \"true\"\n3: -1e308 -7.0 ~ \"false\"\n"
    );
    assert_eq!(sample(), sample());
}

#[test]
fn whole_numbers_that_no_double_holds_are_text() {
    let cells = vec![Some(1), None, Some(i64::MAX)];
    let bytes = parquet_bytes(&[("id", ParquetColumn::Int64(cells))]).unwrap();
    assert_eq!(
        parquet(&bytes),
        "id$ \n1: \"1\"\n2: ~\n3: \"9223372036854775807\"\n"
    );
}

#[test]
fn borrowed_columns_are_written_as_owned_ones() {
    let dictionary = ["a".to_owned(), "b".to_owned()];
    let columns = [
        ("d", ParquetColumn::DoubleSlice(&[0.5, f64::NAN])),
        ("i", ParquetColumn::WholeSlice(&[-3.0, f64::NAN])),
        (
            "t",
            ParquetColumn::Coded {
                dictionary: &dictionary,
                codes: &[1, u32::MAX],
            },
        ),
    ];
    let owned = [
        ("d", ParquetColumn::Double(vec![0.5, f64::NAN])),
        ("i", ParquetColumn::Int64(vec![Some(-3), None])),
        ("t", ParquetColumn::Text(vec![Some("b".to_owned()), None])),
    ];
    assert_eq!(
        parquet_bytes(&columns).unwrap(),
        parquet_bytes(&owned).unwrap()
    );
}

#[test]
fn several_row_groups_are_read_in_order() {
    let n = 300_000;
    let numbers: Vec<f64> = (0..n).map(f64::from).collect();
    let labels: Vec<String> = (0..n).map(|i| format!("v{}", i % 1000)).collect();
    let texts = labels.iter().cloned().map(Some).collect();
    let columns = [
        ("n", ParquetColumn::DoubleSlice(&numbers)),
        ("t", ParquetColumn::Text(texts)),
    ];
    let bytes = parquet_bytes(&columns).unwrap();
    let reader = Box::new(std::io::Cursor::new(bytes));
    let mut source = read(reader, "t".to_owned(), &FileFormat::Parquet).unwrap();
    let mut next = 0;
    for batch in drain(source.as_mut()).unwrap() {
        let (RawColumn::Number(n), RawColumn::Text(t)) = (&batch.columns[0], &batch.columns[1])
        else {
            panic!("types changed");
        };
        for (row, number) in n.iter().enumerate() {
            assert_eq!(*number, next as f64);
            assert_eq!(t.get(row), Some(labels[next].as_str()));
            assert_eq!(batch.row_numbers[row], next as u64 + 1);
            next += 1;
        }
    }
    assert_eq!(next, n as usize);
}

#[test]
fn columns_without_rows_still_say_their_names() {
    let columns = [("a", ParquetColumn::Double(vec![]))];
    assert_eq!(parquet(&parquet_bytes(&columns).unwrap()), "a# \n");
}

#[test]
fn every_flipped_byte_and_every_truncation_is_an_answer_and_not_a_crash() {
    let whole = sample();
    for at in 0..whole.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut damaged = whole.clone();
            damaged[at] ^= flip;
            parquet(&damaged);
        }
        assert!(parquet(&whole[..at]).starts_with("input: "), "{at} bytes");
    }
}

/// Files that pyarrow wrote (crates/bench/peers/parity/parquet_types.py), so that both sides are not ours.
fn fixture(name: &str) -> Vec<u8> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("tests/fixtures")
        .join(name);
    std::fs::read(path).unwrap()
}

#[test]
fn what_pyarrow_writes_is_read_whatever_its_encoding() {
    let expected = "flag$ i8# u32# big$ f32# text$ day$ at$ price$ nest.x# nest.y$ none# \n\
        1: \"true\" -8.0 4000000000.0 \"18446744073709551615\" 0.5 \"naïve\" \"2026-02-03\" \"2026-02-03T10:11:12.345Z\" \"1.50\" 1.0 \"a\" ~\n\
        2: ~ ~ ~ ~ ~ ~ ~ ~ ~ ~ ~ ~\n\
        3: \"false\" 7.0 0.0 \"3\" -1.25 \"\" \"1969-12-31\" \"1969-12-31T23:59:59.999Z\" \"-0.05\" ~ \"b\" ~\n";
    for name in [
        "types_snappy.parquet",
        "types_gzip_v2.parquet",
        "types_plain.parquet",
    ] {
        assert_eq!(parquet(&fixture(name)), expected, "{name}");
        // A structure that is missing is none.
        let nested = objects(&fixture(name), &FileFormat::Parquet, "nest");
        assert_eq!(nested, [0, 2], "{name}");
    }
}

#[test]
fn what_cannot_be_read_is_named_with_its_column_and_leaves_the_others() {
    let names = ["list", "zstd", "time", "fixed"];
    let read = names.map(|name| parquet(&fixture(&format!("{name}.parquet"))));
    let expected = [
        "tags.list.element$ ! tags.list.element: a list or a map is not read: write its values as columns \n1: ~\n2: ~\n",
        "a# \n1: 1.0\n2: 2.0\n",
        "t$ \n1: \"01:02:03.000\"\n",
        "f$ \n1: \"ab\"\n",
    ];
    assert_eq!(read, expected);
    let bytes = parquet(&fixture("binary.parquet"));
    assert_eq!(
        bytes,
        "a# raw$ \n1: 1.0 \"ok\"\n2: 2.0 ~ ! raw: the cell is not UTF-8\n"
    );
}

/// Reads columns that all have the same text in each of so many rows; gives the most bytes of a batch, and the rows.
fn read_repeated(
    n_columns: usize,
    text: &str,
    n_rows: usize,
) -> Result<(usize, usize), SourceError> {
    let dictionary = [text.to_owned()];
    let codes = vec![0; n_rows];
    let names: Vec<String> = (0..n_columns).map(|at| format!("t{at}")).collect();
    let column = || ParquetColumn::Coded {
        dictionary: &dictionary,
        codes: &codes,
    };
    let columns: Vec<_> = names.iter().map(|name| (name, column())).collect();
    let bytes = parquet_bytes(&columns).unwrap();
    assert!(bytes.len() < 8 << 20, "{} bytes stand for all", bytes.len());
    let reader = Box::new(std::io::Cursor::new(bytes));
    let mut source = read(reader, "t".to_owned(), &FileFormat::Parquet)?;
    let (mut most, mut rows) = (0, 0);
    while let Some(batch) = source.next_batch()? {
        let sizes = batch.columns.iter().map(|column| match column {
            RawColumn::Text(texts) => {
                assert!(texts.iter().all(|cell| cell == Some(text)));
                texts.n_bytes()
            }
            RawColumn::Number(_) => panic!("texts were written"),
        });
        most = most.max(sizes.sum());
        rows += batch.n_rows();
    }
    Ok((most, rows))
}

#[test]
fn a_text_that_a_file_repeats_does_not_fill_the_memory() {
    let (most, rows) = read_repeated(3, &"x".repeat(100_000), 2000).unwrap();
    assert_eq!(rows, 2000);
    assert!((32 << 20..80 << 20).contains(&most), "{most} bytes a batch");
}

#[test]
fn a_text_or_a_row_that_is_too_long_is_refused() {
    let refused = |n_columns, n_mebibytes: usize| {
        let text = "x".repeat(n_mebibytes << 20);
        read_repeated(n_columns, &text, 1).unwrap_err().to_string()
    };
    let long = "t: `t0`: a text of 17825792 bytes, at most 16777216 are read";
    assert_eq!(refused(1, 17), long);
    let wide = "t: the texts of record 1 take more than 16 MiB";
    assert_eq!(refused(6, 15), wide);
}

#[test]
fn long_texts_in_different_rows_are_read() {
    let (n, long) = (8, "x".repeat(15 << 20));
    let column = |at: usize| {
        let cell = |row: usize| Some(if row == (at + n - 1) % n { &*long } else { "a" });
        ParquetColumn::Text((0..n).map(|row| cell(row).map(str::to_owned)).collect())
    };
    let names: Vec<String> = (0..n).map(|at| format!("t{at}")).collect();
    let columns: Vec<_> = names
        .iter()
        .enumerate()
        .map(|(at, name)| (name, column(at)))
        .collect();
    let bytes = parquet_bytes(&columns).unwrap();
    let reader = Box::new(std::io::Cursor::new(bytes));
    let mut source = read(reader, "t".to_owned(), &FileFormat::Parquet).unwrap();
    let mut row = 0;
    while let Some(batch) = source.next_batch().unwrap() {
        for at in 0..batch.n_rows() {
            for (column, cells) in batch.columns.iter().enumerate() {
                let RawColumn::Text(texts) = cells else {
                    panic!("texts were written")
                };
                let is_long = row == (column + n - 1) % n;
                let length = texts.get(at).map_or(0, str::len);
                assert_eq!(
                    length,
                    if is_long { long.len() } else { 1 },
                    "{row} {column}"
                );
            }
            row += 1;
        }
    }
    assert_eq!(row, n);
}
