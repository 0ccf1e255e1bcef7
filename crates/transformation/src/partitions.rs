//! The two partitions as Parquet, so that any other tool can be trained on the same split.

use dataset::{ColumnType, Records, Schema, SinkError};
use formats::{ParquetColumn, parquet_bytes};

/// Writes the validated columns and the target as in the source; text columns as their texts.
pub(crate) fn to_parquet(schema: &Schema, records: &Records) -> Result<Vec<u8>, SinkError> {
    let mut columns: Vec<(&str, ParquetColumn<'_>)> = Vec::new();
    for column in schema.features() {
        let values = records.table.column(&column.name).unwrap_or_default();
        let cells = match (column.kind, column.levels()) {
            (ColumnType::Text, Some(levels)) => ParquetColumn::Text(
                values
                    .iter()
                    .map(|v| level_text(levels, *v).map(str::to_owned))
                    .collect(),
            ),
            (ColumnType::Integer, _) => ParquetColumn::Int64(
                values
                    .iter()
                    .map(|v| (!v.is_nan()).then_some(*v as i64))
                    .collect(),
            ),
            _ => ParquetColumn::DoubleSlice(values),
        };
        columns.push((&column.name, cells));
    }
    columns.push((&schema.target.column, target(records)));
    parquet_bytes(&columns)
}

/// Returns the text of a level's code; an unknown level has no text any more.
fn level_text(levels: &[String], code: f64) -> Option<&str> {
    (!code.is_nan()).then(|| {
        levels
            .get(code as usize)
            .map_or("(unknown)", String::as_str)
    })
}

fn target(records: &Records) -> ParquetColumn<'_> {
    let texts = || (0..records.n_rows()).map(|row| records.target.text(row));
    let whole: Option<Vec<Option<i64>>> = texts().map(|t| t.parse().ok().map(Some)).collect();
    whole.map_or_else(
        || ParquetColumn::Text(texts().map(|t| Some(t.to_owned())).collect()),
        ParquetColumn::Int64,
    )
}
