use std::io::Write as _;

use dataset::{RawBatch, RawColumn};
use flate2::{Compression, write::GzEncoder};
use proptest::prelude::*;

use super::*;

mod arff;
mod columnar;
mod delimited;
mod extension;
mod json_lines;
mod writers;

const CSV: FileFormat = FileFormat::Csv {
    delimiter: b',',
    header: None,
};

/// Reads bytes and shows names, rows and defects, or the error.
fn check(bytes: &[u8], format: &FileFormat) -> String {
    let reader = Box::new(std::io::Cursor::new(bytes.to_vec()));
    match read(reader, "input".to_owned(), format).and_then(|mut source| drain(source.as_mut())) {
        Ok(batches) => batches.iter().map(show).collect(),
        Err(error) => error.to_string(),
    }
}

fn drain(source: &mut dyn Source) -> Result<Vec<RawBatch>, SourceError> {
    let mut batches = Vec::new();
    while let Some(batch) = source.next_batch()? {
        batches.push(batch);
    }
    Ok(batches)
}

/// Returns the rows of the first batch, counted from 0, in which there is an object under a name.
fn objects(bytes: &[u8], format: &FileFormat, name: &str) -> Vec<usize> {
    let reader = Box::new(std::io::Cursor::new(bytes.to_vec()));
    let mut source = read(reader, "t".to_owned(), format).unwrap();
    let batch = source.next_batch().unwrap().unwrap();
    batch
        .row_problems(|used| used == name)
        .into_keys()
        .collect()
}

/// One line of names (`#` numbers, `$` text), one a row; `~` is a missing cell.
fn show(batch: &RawBatch) -> String {
    let mut text = String::new();
    for (name, column) in batch.names.iter().zip(&batch.columns) {
        let mark = if matches!(column, RawColumn::Text(_)) {
            '$'
        } else {
            '#'
        };
        text += &format!("{name}{mark} ");
    }
    for (at, reason) in batch.unread_columns() {
        text += &format!("! {}: {reason} ", batch.names[at]);
    }
    let problems = batch.row_problems(|name| batch.position(name).is_some());
    for row in 0..batch.n_rows() {
        text += &format!("\n{}:", batch.row_numbers[row]);
        for column in &batch.columns {
            text += &match column {
                RawColumn::Text(texts) => texts
                    .get(row)
                    .map_or(" ~".to_owned(), |t| format!(" {t:?}")),
                RawColumn::Number(n) if n[row].is_nan() => " ~".to_owned(),
                RawColumn::Number(n) => format!(" {:?}", n[row]),
            };
        }
        for reason in problems.get(&row).into_iter().flatten() {
            text += &format!(" ! {reason}");
        }
    }
    text + "\n"
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

fn format_of(name: &str) -> String {
    match FileFormat::of_path(Path::new(name), &Layout::default()) {
        Ok(FileFormat::Csv { delimiter, .. }) => format!("csv {:?}", char::from(delimiter)),
        Ok(other) => format!("{other:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_name_tells_the_format() {
    assert_eq!(format_of("a/b.csv"), "csv ','");
    assert_eq!(format_of("KDDTrain+.TXT"), "csv ','");
    assert_eq!(format_of("x.tsv.gz"), "csv '\\t'");
    assert_eq!(format_of("x.ndjson.gz"), "JsonLines");
    assert_eq!(format_of("x.parquet"), "Parquet");
    for unknown in ["x.json", "x", "x.parquet.gz", "csv"] {
        assert!(format_of(unknown).contains("known are .csv"), "{unknown}");
    }
}

#[test]
fn a_directory_and_an_absent_file_are_unavailable() {
    let directory = tempfile::tempdir().unwrap();
    let message = |path: &Path| match open(path, &CSV) {
        Err(error @ SourceError::Unavailable { .. }) => error.to_string(),
        _ => panic!("opened, or another error"),
    };
    assert!(message(directory.path()).contains("it is a directory"));
    assert!(message(&directory.path().join("none.csv")).contains("No such file"));
}

#[test]
fn other_formats_under_a_text_name_are_named() {
    assert!(check(b"PAR1....", &CSV).contains("Parquet"));
    assert!(check(b"PK\x03\x04....", &CSV).contains("ZIP"));
    assert!(check(b"\xff\xfea\0,\0", &CSV).contains("UTF-16"));
    for page in [
        "<!DOCTYPE html>\n<p>log in",
        "\u{feff} \n<HTML lang=en>",
        "<html>",
    ] {
        assert!(
            check(page.as_bytes(), &CSV).contains("a web page (HTML)"),
            "{page}"
        );
    }
    assert!(check(&gzip(b"PAR1...."), &FileFormat::JsonLines).contains("Parquet"));
}

#[test]
fn a_name_of_gzip_is_of_gzip_alone() {
    let directory = tempfile::tempdir().unwrap();
    let check = |name: &str, bytes: &[u8], expected: &str| {
        let path = directory.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        let said = open(&path, &CSV).err().map(|error| error.to_string());
        let said = said.unwrap_or_default();
        assert!(said.contains(expected), "{name}: {said}");
        assert_eq!(said.is_empty(), expected.is_empty(), "{name}: {said}");
    };
    let no_gzip = "it is to be gzip, as .gz says, but is none";
    check("a.csv.gz", b"a,b\n1,2\n", no_gzip);
    check("A.CSV.GZ", b"1,2", no_gzip);
    check("a.csv.gz", b"<html>not found</html>", "a web page (HTML)");
    check("a.csv.gz", b"PK\x03\x04....", "ZIP");
    check("a.csv.gz", b"", "it is empty");
    check("a.csv.gz", &gzip(b"a,b\n1,2\n"), "");
    check("a.csv", &gzip(b"a,b\n1,2\n"), "");
}

#[test]
fn what_is_no_whole_parquet_file_is_told_by_its_ends() {
    let check = |bytes: &[u8], said: &str| {
        let expected = format!("input: not a whole Parquet file: {said}");
        assert_eq!(check(bytes, &FileFormat::Parquet), expected);
    };
    check(b"a,b\n1,2\n", "it does not begin with PAR1");
    check(b"PAR", "it does not begin with PAR1");
    check(b"PAR1....", "it is cut short, as it does not end with PAR1");
    check(
        b"PAR1....PARE",
        "it is encrypted: write it without encryption",
    );
    check(b"PAR1\xff\xff\xff\x7fPAR1", "its footer cannot be read");
}

#[test]
fn empty_input_is_an_error_in_every_format() {
    for format in [CSV, FileFormat::JsonLines, FileFormat::Parquet] {
        assert_eq!(check(b"", &format), "input: it is empty");
    }
    assert_eq!(check(b"\xef\xbb\xbf", &CSV), "input: it is empty");
    assert_eq!(check(&gzip(b""), &CSV), "input: it is empty");
    assert!(check(b"\n\r\n", &CSV).contains("only empty lines"));
    assert!(check(b"\n \n", &FileFormat::JsonLines).contains("only empty lines"));
}
