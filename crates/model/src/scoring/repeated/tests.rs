use dataset::Schema;
use proptest::prelude::*;

use super::*;

const SCHEMA: &str = "
name: small
missing_tokens: ['', NA, '-9']
columns:
  - {name: whole, type: integer, min: -50, max: 50}
  - {name: number, type: number, may_be_missing: true}
  - {name: truth, type: boolean}
  - {name: text, type: text, levels: [a, b, ' NA', '1'], may_be_missing: true}
target: {column: y, benign: {good: [x]}, threats: {bad: [z]}}
";

proptest! {
    #[test]
    fn a_column_is_read_as_its_cells_are_one_by_one(
        texts in prop::collection::vec("[-+ 0-9a.eNAyé]{0,9}", 0..400),
    ) {
        // A champion of a former program may have a level that no cell reaches.
        let schema = Schema::parse_kept(SCHEMA, "test").unwrap();
        let reader = CellReader::new(&schema);
        for column in schema.features() {
            let mut repeated = ColumnReader::new(reader, column);
            for text in texts.iter().chain(&texts) {
                let cell = RawCell::Text(text);
                let expected = reader.read(column, cell).map(f64::to_bits);
                let known = repeated.known(text.as_bytes());
                let read = known.map_or_else(|| repeated.read(cell), Ok);
                prop_assert_eq!(read.map(f64::to_bits), expected);
            }
        }
    }
}

#[test]
fn no_two_short_texts_are_taken_for_each_other() {
    let texts = [
        "", "\0", "\0\0", "a", "\0a", "a\0", "\u{1}", "\u{1}\0", "1234567",
    ];
    let mut packed: Vec<u64> = texts
        .iter()
        .filter_map(|text| pack(text.as_bytes()))
        .collect();
    packed.push(EMPTY);
    packed.sort_unstable();
    packed.dedup();
    assert_eq!(packed.len(), texts.len() + 1);
    assert_eq!(pack(b"12345678"), None);
}
