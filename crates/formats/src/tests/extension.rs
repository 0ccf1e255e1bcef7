use std::{fs, sync::Arc};

use dataset::TextColumn;
use parquet::{
    data_type::{BoolType, ByteArray, ByteArrayType, Int32Type, Int64Type},
    file::{
        metadata::{KeyValue, ParquetMetaData, ParquetMetaDataWriter},
        properties::WriterProperties,
        reader::FileReader as _,
        serialized_reader::SerializedFileReader,
        writer::SerializedFileWriter,
    },
    schema::parser::parse_message_type,
};

use super::*;
use crate::{ParquetColumn, ParquetExtension, ParquetGroups};

const SCHEMA: &str = "message m {
    required int64 id;
    optional int64 at (TIMESTAMP(MICROS,true));
    optional boolean flag;
    optional int32 day (DATE);
    optional int64 price (DECIMAL(10,2));
    optional group g { optional int32 small (INTEGER(8,false)); }
    optional binary text (STRING);
}";

/// Writes row groups of so many rows.
fn sample(path: &Path, groups: &[i64]) {
    let schema = Arc::new(parse_message_type(SCHEMA).unwrap());
    let file = fs::File::create(path).unwrap();
    let words = [("pandas", "{}"), ("ARROW:schema", "of seven columns")];
    let words = words.map(|(key, value)| KeyValue::new(key.to_owned(), value.to_owned()));
    let properties = WriterProperties::builder().set_key_value_metadata(Some(words.to_vec()));
    let properties = Arc::new(properties.build());
    let mut writer = SerializedFileWriter::new(file, schema, properties).unwrap();
    for &n in groups {
        let mut group = writer.next_row_group().unwrap();
        let levels = vec![1; n as usize];
        let inner = vec![2; n as usize];
        macro_rules! column {
            ($kind:ty, $cell:expr, $levels:expr) => {{
                let cells: Vec<_> = (0..n).map($cell).collect();
                let mut column = group.next_column().unwrap().unwrap();
                column
                    .typed::<$kind>()
                    .write_batch(&cells, $levels, None)
                    .unwrap();
                column.close().unwrap();
            }};
        }
        column!(Int64Type, |i| i64::MAX - i, None);
        column!(Int64Type, |i| i * 1_000_001, Some(&levels));
        column!(BoolType, |i| i % 2 == 0, Some(&levels));
        column!(Int32Type, |i| i as i32, Some(&levels));
        column!(Int64Type, |i| i * 7, Some(&levels));
        column!(Int32Type, |i| i as i32 % 100, Some(&inner));
        column!(
            ByteArrayType,
            |i| ByteArray::from(format!("t{i}").as_str()),
            Some(&levels)
        );
        group.close().unwrap();
    }
    writer.close().unwrap();
}

/// Adds a verdict and a score to every row of a file.
fn extend(input: &Path, output: &Path) -> Result<(), SinkError> {
    let mut source = open(input, &FileFormat::Parquet).unwrap();
    let mut sink = Box::new(ParquetExtension::create(output, input)?);
    while let Some(mut batch) = source.next_batch().unwrap() {
        let n = batch.n_rows();
        let verdicts: TextColumn = (0..n).map(|i| (i % 3 > 0).then_some("v")).collect();
        batch.names.extend(["verdict", "score"].map(str::to_owned));
        batch.columns.push(RawColumn::Text(verdicts));
        batch.columns.push(RawColumn::Number(vec![0.5; n]));
        sink.write(&batch)?;
    }
    sink.finish()
}

fn rows(path: &Path) -> Vec<String> {
    let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let rows = reader.get_row_iter(None).unwrap();
    rows.map(|row| row.unwrap().to_string()).collect()
}

/// Extends a file of row groups, and compares schema and rows with the file's own.
fn check_groups(groups: &[i64]) {
    let place = tempfile::tempdir().unwrap();
    let (input, output) = (
        place.path().join("in.parquet"),
        place.path().join("out.parquet"),
    );
    sample(&input, groups);
    extend(&input, &output).unwrap();
    let reader = |path: &Path| SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let fields = |path: &Path| {
        let reader = reader(path);
        let schema = reader.metadata().file_metadata().schema();
        schema.get_fields().to_vec()
    };
    let words = reader(&output)
        .metadata()
        .file_metadata()
        .key_value_metadata()
        .cloned();
    let pandas = KeyValue::new("pandas".to_owned(), "{}".to_owned());
    assert_eq!(words, Some(vec![pandas]));
    let (own, all) = (fields(&input), fields(&output));
    assert_eq!(own, all[..own.len()]);
    assert_eq!([all[7].name(), all[8].name()], ["verdict", "score"]);
    let (before, after) = (rows(&input), rows(&output));
    assert_eq!(before.len() as i64, groups.iter().sum::<i64>());
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(&after) {
        let own = before.trim_end_matches('}');
        assert!(after.starts_with(own), "{after} begins with {own}");
        assert!(after.contains("score: 0.5"), "{after}");
    }
}

#[test]
fn columns_of_every_type_are_copied_as_they_are() {
    check_groups(&[20]);
    check_groups(&[3, 9_000, 1]);
    check_groups(&[0]);
    check_groups(&[]);
}

#[test]
fn a_file_whose_rows_have_not_all_come_is_not_written() {
    let place = tempfile::tempdir().unwrap();
    let (input, output) = (
        place.path().join("in.parquet"),
        place.path().join("out.parquet"),
    );
    sample(&input, &[3, 4]);
    let mut source = open(&input, &FileFormat::Parquet).unwrap();
    let mut sink = Box::new(ParquetExtension::create(&output, &input).unwrap());
    sink.write(&source.next_batch().unwrap().unwrap()).unwrap();
    assert!(sink.finish().is_err());
    assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
}

/// Makes a file of one row group, whose rows are all the same.
fn one_group(path: &Path, n_rows: usize) {
    let column = ParquetColumn::Double(vec![5.0; n_rows]);
    let groups = ParquetGroups::create(path, &[("duration", column)]).unwrap();
    groups.finish().unwrap();
}

#[test]
fn a_row_group_of_more_rows_than_can_wait_is_refused_before_any_of_it_is_read() {
    let place = tempfile::tempdir().unwrap();
    let (input, output) = (place.path().join("in"), place.path().join("out"));
    one_group(&input, 4_194_305);
    let n_bytes = fs::metadata(&input).unwrap().len();
    assert!(n_bytes < 100_000, "{n_bytes} bytes stand for all of them");
    let refused = ParquetExtension::create(&output, &input).err();
    let reason = "row group 0 of the input has 4194305 rows, columns are added to at most 4194304: write smaller row \
         groups, in polars and pandas `row_group_size=100_000`";
    let expected = format!("{}: {reason}", output.display());
    assert_eq!(refused.map(|error| error.to_string()), Some(expected));
    one_group(&input, 4_194_304);
    assert!(ParquetExtension::create(&output, &input).is_ok());
}

#[test]
fn what_awaits_the_end_of_a_row_group_is_bounded_and_what_follows_it_counts_anew() {
    let place = tempfile::tempdir().unwrap();
    let (input, output) = (place.path().join("in"), place.path().join("out"));
    let extend = |groups: &[i64]| {
        sample(&input, groups);
        let mut source = open(&input, &FileFormat::Parquet).unwrap();
        let mut sink = Box::new(ParquetExtension::create(&output, &input).unwrap());
        sink.most_bytes = 1_500_000;
        while let Some(mut batch) = source.next_batch().unwrap() {
            let texts = (0..batch.n_rows()).map(|_| Some("a hundred bytes ".repeat(6)));
            let texts: Vec<Option<String>> = texts.collect();
            batch.names.push("problem".to_owned());
            let column = texts.iter().map(Option::as_deref).collect();
            batch.columns.push(RawColumn::Text(column));
            sink.write(&batch).map_err(|error| error.to_string())?;
        }
        sink.finish().map_err(|error| error.to_string())
    };
    let refused = extend(&[3, 20_000]).unwrap_err();
    let begins = "what is added to the first 16384 of 20000 rows of row group 1 takes 16";
    assert!(refused.contains(begins), "{refused}");
    let ends = " bytes, at most 1500000 are kept: write smaller row groups, in polars and pandas \
         `row_group_size=100_000`";
    assert!(refused.ends_with(ends), "{refused}");
    assert_eq!(extend(&[10_000, 10_000, 10_000]), Ok(()));
}

#[test]
fn row_groups_that_claim_to_lie_in_one_place_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let (input, output) = (place.path().join("in"), place.path().join("out"));
    sample(&input, &[9_000]);
    let mut bytes = fs::read(&input).unwrap();
    let reader = SerializedFileReader::new(fs::File::open(&input).unwrap()).unwrap();
    let metadata = reader.metadata();
    let groups = vec![metadata.row_group(0).clone(); 3];
    let claim = ParquetMetaData::new(metadata.file_metadata().clone(), groups);
    let writer = ParquetMetaDataWriter::new(&mut bytes, &claim);
    writer.finish().unwrap();
    fs::write(&input, bytes).unwrap();
    let refused = extend(&input, &output).unwrap_err().to_string();
    let said = "damaged: the columns of the input claim ";
    assert!(refused.contains(said), "{refused}");
}
