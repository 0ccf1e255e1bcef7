//! What the columns of a schema are kept as in a table.

use dataset::{ColumnType, Schema};

/// Returns what a column is kept as: a target whose classes are whole numbers is one.
pub(super) fn kind_of(schema: &Schema, name: &str) -> ColumnType {
    match schema.column(name) {
        _ if name == schema.target.column => kind_of_target(schema),
        Some(column) => column.kind,
        None => ColumnType::Text,
    }
}

fn kind_of_target(schema: &Schema) -> ColumnType {
    let families = schema.target.benign.iter().chain(&schema.target.threats);
    let mut texts = families.flat_map(|(_, values)| values);
    match texts.all(|text| whole(text).is_some()) {
        true => ColumnType::Integer,
        false => ColumnType::Text,
    }
}

/// Reads a whole number that is written in the one way that it is read back in.
pub(super) fn whole(text: &str) -> Option<i64> {
    let number: i64 = text.parse().ok()?;
    let is_exact = number.unsigned_abs() <= 1 << 53;
    (is_exact && number.to_string() == text).then_some(number)
}
