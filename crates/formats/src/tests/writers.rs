use parquet::file::reader::{FileReader as _, SerializedFileReader};

use super::*;

fn batch(text: &str) -> RawBatch {
    let reader = Box::new(std::io::Cursor::new(text.as_bytes().to_vec()));
    let mut source = read(reader, "t".to_owned(), &FileFormat::JsonLines).unwrap();
    source.next_batch().unwrap().unwrap()
}

const ROWS: &str =
    "{\"n\":-1,\"t\":\"x, \\\"y\\\"\\nz\"}\n{\"n\":0.5,\"t\":null}\n{\"n\":null,\"t\":\"é\"}\n";

#[test]
fn what_is_written_reads_back_in_every_format() {
    let directory = tempfile::tempdir().unwrap();
    for name in ["a.jsonl", "a.jsonl.gz", "a.parquet"] {
        let path = directory.path().join(name);
        let format = FileFormat::of_path(&path, &Layout::default()).unwrap();
        let mut sink = create(&path, &format).unwrap();
        sink.write(&batch(ROWS)).unwrap();
        assert!(
            !path.exists(),
            "{name} is not visible before it is finished"
        );
        sink.finish().unwrap();
        let bytes = std::fs::read(&path).unwrap();
        assert_eq!(
            check(&bytes, &format),
            check(ROWS.as_bytes(), &FileFormat::JsonLines)
        );
    }
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 3);
}

#[test]
fn a_row_group_of_long_texts_does_not_wait_for_more_rows() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.parquet");
    let mut sink = create(&path, &FileFormat::Parquet).unwrap();
    let long = batch(&format!("{{\"t\":\"{}\"}}\n", "x".repeat(8 << 20)));
    (0..20).for_each(|_| sink.write(&long).unwrap());
    sink.finish().unwrap();
    let file = std::fs::File::open(&path).unwrap();
    let file = SerializedFileReader::new(file).unwrap();
    // Of eight rows, 64 MiB, and of the last four.
    assert_eq!(file.metadata().num_row_groups(), 3);
}

#[test]
fn csv_keeps_quotes_and_leaves_missing_cells_empty() {
    let bytes = csv_bytes(&[batch(ROWS)], b',').unwrap();
    let text = String::from_utf8(bytes.clone()).unwrap();
    assert_eq!(text, "n,t\n-1,\"x, \"\"y\"\"\nz\"\n0.5,\n,é\n");
    assert!(check(&bytes, &CSV).contains("x, \\\"y\\\"\\nz"));
}

#[test]
fn pieces_of_csv_are_the_whole() {
    let (one, two) = (batch(ROWS), batch("{\"t\":\"x\"}\n"));
    let mut pieces = CsvPieces::new(b';');
    let written = [pieces.write(&one).unwrap(), pieces.write(&two).unwrap()].concat();
    assert_eq!(written, csv_bytes(&[one, two], b';').unwrap());
    let more = batch("{\"new\":1}\n");
    assert!(pieces.write(&more).is_err(), "a new column was taken");
}

#[test]
fn json_lines_are_written_as_they_were_read() {
    let bytes = json_lines_bytes(&[batch(ROWS)]).unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), ROWS);
}

#[test]
fn an_abandoned_file_leaves_nothing_behind() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.parquet");
    let mut sink = create(&path, &FileFormat::Parquet).unwrap();
    sink.write(&batch(ROWS)).unwrap();
    drop(sink);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0);
}

#[test]
fn later_batches_may_lack_columns_but_not_bring_new_ones() {
    let (one, less, more) = (
        batch("{\"a\":1,\"b\":2}"),
        batch("{\"b\":3}"),
        batch("{\"c\":1}"),
    );
    let text = csv_bytes(&[one.clone(), less], b';').unwrap();
    assert_eq!(text, b"a;b\n1;2\n;3\n");
    let error = csv_bytes(&[one, more], b';').unwrap_err().to_string();
    assert!(error.contains("column `c` is not among those"), "{error}");
}

#[test]
fn nothing_to_write_and_names_that_stand_twice_are_refused() {
    let twice = || ("a", ParquetColumn::Double(vec![1.0]));
    let message = parquet_bytes(&[twice(), twice()]).unwrap_err().to_string();
    assert!(message.contains("two columns are named `a`"), "{message}");
    assert!(
        parquet_bytes::<&str>(&[])
            .unwrap_err()
            .to_string()
            .contains("no columns")
    );
    assert!(
        csv_bytes(&[], b',')
            .unwrap_err()
            .to_string()
            .contains("no columns")
    );
    let uneven = [twice(), ("b", ParquetColumn::Int64(vec![]))];
    assert!(
        parquet_bytes(&uneven)
            .unwrap_err()
            .to_string()
            .contains("0 of 1 rows")
    );
}

#[test]
fn a_text_that_comes_late_into_a_parquet_column_of_numbers_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut sink = create(&directory.path().join("a.parquet"), &FileFormat::Parquet).unwrap();
    let many = "{\"a\":1}\n".repeat(8192);
    (0..16).for_each(|_| sink.write(&batch(&many)).unwrap());
    sink.write(&batch("{\"a\":\"2.5\"}\n")).unwrap();
    sink.write(&batch("{\"a\":\"wrong\"}\n")).unwrap();
    let error = sink.finish().unwrap_err().to_string();
    assert!(
        error.contains("column `a` holds numbers") && error.contains("`wrong`"),
        "{error}"
    );
}

#[test]
fn row_groups_that_come_one_by_one_are_one_file_of_their_types() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.parquet");
    let columns = |at: i64, text: Option<&str>| {
        let text = ParquetColumn::Text(vec![text.map(str::to_owned)]);
        [("at", ParquetColumn::Moment(vec![at])), ("t", text)]
    };
    let mut groups = ParquetGroups::create(&path, &columns(1_500_000, Some("x"))).unwrap();
    groups.write(&columns(-1, None)).unwrap();
    let other = [("at", ParquetColumn::Int64(vec![Some(1)]))];
    assert!(groups.write(&other).is_err(), "other columns were taken");
    assert!(groups.n_bytes() > 8 && !path.exists());
    groups.finish().unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let expected = "at$ t$ \n1: \"1970-01-01T00:00:01.500Z\" \"x\"\nat$ t$ \n2: \"1969-12-31T23:59:59.999999Z\" ~\n";
    assert_eq!(check(&bytes, &FileFormat::Parquet), expected);
}

proptest! {
    #[test]
    fn lines_are_those_of_the_csv_crate(
        rows in prop::collection::vec(prop::collection::vec("[a,;\"\r\n ']{0,4}", 3), 0..20),
        n_columns in 1..4_usize,
        delimiter in prop::sample::select(vec![b',', b';', b'\t', b'a']),
    ) {
        let mut expected = csv::WriterBuilder::new()
            .delimiter(delimiter)
            .from_writer(Vec::new());
        let names: Vec<String> = (0..n_columns).map(|i| format!("n{i}")).collect();
        expected.write_record(&names).unwrap();
        for row in &rows {
            expected.write_record(&row[..n_columns]).unwrap();
        }
        let column = |at: usize| {
            RawColumn::Text(rows.iter().map(|row| Some(row[at].as_str())).collect())
        };
        let batch = RawBatch {
            names,
            columns: (0..n_columns).map(column).collect(),
            row_numbers: (1..=rows.len() as u64).collect(),
            defects: Vec::new(),
..RawBatch::default()
};
        let written = csv_bytes(&[batch], delimiter).unwrap();
        prop_assert_eq!(
            String::from_utf8(written).unwrap(),
            String::from_utf8(expected.into_inner().unwrap()).unwrap()
        );
    }
}
