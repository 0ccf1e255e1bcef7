use dataset::Schema;
use mongodb::bson::{Bson, Document, doc, oid::ObjectId, rawdoc};

use super::*;

fn schema(columns: &str) -> Schema {
    let text = format!(
        "name: s\ncolumns: [{columns}]\ntarget: {{column: y, benign: {{ok: ['0']}}, threats: {{bad: ['1']}}}}\n"
    );
    Schema::parse(&text, "test").unwrap()
}

/// Flattens documents and writes each row as `name=text`, a defect as its reason.
fn check(documents: &[Document], expected: &[&str]) {
    let mut flattener = Flattener::new(&schema("{name: a, type: number}, {name: t, type: text}"));
    let mut columns = FieldColumns::default();
    let mut defects = vec![None; documents.len()];
    for (row, document) in documents.iter().enumerate() {
        let raw = RawDocumentBuf::try_from(document).unwrap();
        match flattener.flatten(&raw, &mut columns) {
            Ok(cells) => columns.push_row(row, cells),
            Err(reason) => defects[row] = Some(reason),
        }
    }
    let (names, cells) = columns.take(documents.len());
    let row = |row: usize| {
        let shown = names.iter().zip(&cells).filter_map(|(name, column)| {
            let text = column.text(row)?;
            Some(format!("{name}={text}"))
        });
        defects[row]
            .clone()
            .unwrap_or_else(|| shown.collect::<Vec<_>>().join(" "))
    };
    let found: Vec<String> = (0..documents.len()).map(row).collect();
    assert_eq!(found, expected);
}

#[test]
fn nested_documents_are_flattened_and_the_id_is_left_out() {
    check(
        &[
            doc! {"_id": 7, "a": 1, "net": {"in": {"kB": 2.5}, "out": null}, "_id2": 3},
            doc! {"net": {"in": {"kB": 3_i64}}, " a ": "x"},
        ],
        &["a=1 net.in.kB=2.5 _id2=3", "a=x net.in.kB=3"],
    );
}

#[test]
fn types_have_one_text_each() {
    let id = ObjectId::parse_str("5f0000000000000000000001").unwrap();
    check(
        &[
            doc! {"b": true, "big": 9_007_199_254_740_993_i64, "small": 9_007_199_254_740_992_i64},
            doc! {"id": id, "at": mongodb::bson::DateTime::from_millis(0), "s": Bson::Symbol("q".into())},
            doc! {"d": Bson::Decimal128("1.50".parse().unwrap()), "u": Bson::Undefined},
        ],
        &[
            "b=true big=9007199254740993 small=9007199254740992",
            "id=5f0000000000000000000001 at=1970-01-01T00:00:00Z s=q",
            "d=1.50",
        ],
    );
}

#[test]
fn a_type_that_no_column_takes_spoils_the_row_only_where_the_schema_asks_for_it() {
    check(
        &[
            doc! {"a": 1, "tags": ["x"], "raw": Bson::MaxKey},
            doc! {"a": [1]},
            doc! {"t": Bson::Timestamp(mongodb::bson::Timestamp { time: 1, increment: 1 }), "new": 1},
            doc! {"a": 2},
        ],
        &[
            "a=1",
            "field `a` holds an array, which no column takes",
            "field `t` holds a timestamp, which no column takes",
            "a=2",
        ],
    );
}

#[test]
fn two_fields_of_one_name_spoil_the_row() {
    check(
        &[doc! {"n": {"x": 1}, "n.x": 2}, doc! {"n.x": 3}],
        &["two fields have one name", "n.x=3"],
    );
}

#[test]
fn cells_are_written_in_the_type_of_their_column() {
    let schema = schema(
        "{name: i, type: integer}, {name: f, type: number}, {name: b, type: boolean}, {name: t, type: text}",
    );
    let text = |cells: &[Option<&str>]| RawColumn::Text(cells.iter().copied().collect());
    let batch = RawBatch {
        names: ["i", "f", "b", "t", "y"].map(str::to_owned).to_vec(),
        columns: vec![
            RawColumn::Number(vec![3.0, 3e9]),
            RawColumn::Number(vec![2.0, f64::NAN]),
            text(&[Some("true"), None]),
            text(&[Some("1"), Some("true")]),
            text(&[Some("-1"), Some("01")]),
        ],
        row_numbers: vec![1, 2],
        defects: Vec::new(),
    };
    let writer = Writer::new(schema);
    let document = |row| {
        writer
            .document(&batch, row, (row == 0).then_some("l-1"))
            .unwrap()
    };
    let first = rawdoc! {"_id": "l-1", "i": 3, "f": 2.0, "b": true, "t": "1", "y": -1};
    assert_eq!(document(0), first);
    let second = rawdoc! {"i": 3_000_000_000_i64, "f": null, "b": null, "t": "true", "y": "01"};
    assert_eq!(document(1), second);
}
