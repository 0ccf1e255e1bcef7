use dataset::Schema;
use mongodb::bson::{Bson, Document, doc, oid::ObjectId, rawdoc};

use super::*;

fn schema(columns: &str) -> Schema {
    let text = format!(
        "name: s\ncolumns: [{columns}]\ntarget: {{column: y, benign: {{ok: ['0']}}, threats: {{bad: ['1']}}}}\n"
    );
    Schema::parse(&text, "test").unwrap()
}

/// Flattens documents and writes each row as `name=text`, followed by what is wrong with it.
fn check(documents: &[Document], expected: &[&str]) {
    let mut flattener = Flattener::new(&schema("{name: a, type: number}, {name: t, type: text}"));
    let mut columns = FieldColumns::default();
    for document in documents {
        let raw = RawDocumentBuf::try_from(document).unwrap();
        match flattener.flatten(&raw, &mut columns) {
            Ok(cells) => columns.push_row(cells),
            Err(reason) => columns.push_defective(flattener.cells(), reason),
        }
    }
    let batch = columns.take(documents.len() as u64);
    let problems = batch.row_problems(|name| batch.position(name).is_some());
    let row = |row: usize| {
        let shown = batch.names.iter().zip(&batch.columns);
        let shown =
            shown.filter_map(|(name, column)| Some(format!("{name}={}", column.text(row)?)));
        let problems = problems.get(&row).into_iter().flatten();
        let problems = problems.map(|problem| format!("! {problem}"));
        shown.chain(problems).collect::<Vec<_>>().join(" ")
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
fn a_type_that_no_column_takes_is_a_defect_of_its_cell() {
    check(
        &[
            doc! {"a": 1, "tags": ["x"], "raw": Bson::MaxKey},
            doc! {"t": Bson::Timestamp(mongodb::bson::Timestamp { time: 1, increment: 1 }), "a": 2},
            doc! {"a": 3},
        ],
        &[
            "a=1 ! tags: an array, not a single value ! raw: a smallest or largest key, not a single value",
            "a=2 ! t: a timestamp, not a single value",
            "a=3",
        ],
    );
}

#[test]
fn a_document_among_single_values_is_a_defect_of_its_cell() {
    check(
        &[doc! {"a": {"b": 1}}, doc! {"a": 2}],
        &["a.b=1 ! a: an object, not a single value", "a=2"],
    );
}

#[test]
fn a_field_that_is_named_twice_has_no_value() {
    check(
        &[doc! {"n": {"x": 1}, "n.x": 2, "a": 5}, doc! {"n.x": 3}],
        &["a=5 ! n.x: a field is named twice", "n.x=3"],
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
        ..RawBatch::default()
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
