use dataset::RawColumn;

use super::*;

const SCHEMA: &str = "{name: t, columns: [{name: a, type: number}], \
                      target: {column: y, benign: {ok: ['0']}, threats: {bad: ['1']}}}";

/// Brings a push of some numbers so far that only its place lacks.
fn written(path: &Path, numbers: &[f64]) -> FileDestination {
    let schema = Schema::parse(SCHEMA, "t.yaml").unwrap();
    let uri = SourceUri::new(path.display().to_string());
    let opened = FileDestination::open(&uri, path.to_owned(), &schema, &LoadMode::Append);
    let mut destination = opened.unwrap();
    destination.begin("load").unwrap();
    let classes = numbers.iter().map(|_| Some("0"));
    let batch = RawBatch {
        names: vec!["a".to_owned(), "y".to_owned()],
        columns: vec![
            RawColumn::Number(numbers.to_vec()),
            RawColumn::Text(classes.collect()),
        ],
        row_numbers: (1..=numbers.len() as u64).collect(),
        ..RawBatch::default()
    };
    destination.load(&batch).unwrap();
    destination.read_back().unwrap();
    destination
}

#[test]
fn of_equal_additions_at_one_moment_all_end_well_and_another_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("new.csv");
    let mut all = [&[1.0, 2.0][..], &[2.0, 1.0], &[3.0]].map(|numbers| written(&path, numbers));
    let outcomes = all.each_mut().map(Destination::publish);
    assert!(outcomes[0].is_ok() && outcomes[1].is_ok(), "{outcomes:?}");
    let said = outcomes[2].as_ref().unwrap_err().to_string();
    assert!(said.contains("there is another file already"), "{said}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "a,y\n1,0\n2,0\n");
}
