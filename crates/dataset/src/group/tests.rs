use super::*;
use crate::TableColumn;

/// Returns the keys of rows with these codes under these levels.
fn check(levels: &str, codes: &[f64]) -> Vec<GroupKey> {
    let text = format!(
        "name: sample
columns: [{{name: service, type: text, levels: {levels}, unknown_levels: accept, may_be_missing: true}}]
target: {{column: label, benign: {{normal: [normal]}}, threats: {{dos: [smurf]}}}}
"
    );
    let schema = Schema::parse(&text, "test").unwrap();
    let column = TableColumn {
        name: "service".to_owned(),
        values: codes.to_vec(),
    };
    GroupKey::of_rows(&schema, &Table::new(codes.len(), vec![column]))
}

#[test]
fn a_text_keeps_its_key_when_levels_are_added() {
    let before = check("[dns, http]", &[0.0, 1.0, 2.0, f64::NAN]);
    let after = check("[aol, dns, ftp, http]", &[1.0, 3.0, 4.0, f64::NAN]);
    assert_eq!(before, after);
    let mut distinct = before.clone();
    distinct.sort_unstable();
    distinct.dedup();
    assert_eq!(distinct.len(), before.len());
}
