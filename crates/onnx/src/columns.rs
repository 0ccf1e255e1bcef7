//! From inputs to one table of doubles: numbers, codes of texts, derived columns; NaN is missing.

use std::collections::BTreeMap;

use dataset::{Column, ColumnType, Schema, schema::UnknownLevels};
use model::{ModelBundle, preprocessor::FittedColumn};

use crate::{
    ExportError, derived,
    graph::{Graph, Value},
    limits::{self, Limits},
    messages::{Attribute, Element},
};

/// The code of a missing text.
const MISSING: i64 = -1;
/// The code of a text that a column does not accept; outside its limits.
const UNACCEPTED: i64 = -2;

/// The columns that the preprocessor takes.
pub(crate) struct Columns<'a> {
    /// How each is fitted.
    pub(crate) fitted: Vec<FittedColumn<'a>>,
    /// Their cells, rows × columns.
    pub(crate) table: Value,
    /// Whether each cell is missing, rows × columns.
    pub(crate) missing: Value,
    /// Whether each row is refused, rows × 1.
    pub(crate) refused: Value,
}

/// Adds an input for each feature column, and the columns that follow from them.
pub(crate) fn read<'a>(
    graph: &mut Graph,
    bundle: &'a ModelBundle,
) -> Result<Columns<'a>, ExportError> {
    graph.section("columns");
    let mut cells = BTreeMap::new();
    for column in bundle.schema.features() {
        let value = input(graph, &bundle.schema, column)?;
        cells.insert(column.name.as_str(), value);
    }
    graph.section("derived");
    for column in &bundle.schema.derived {
        let value = derived::compute(graph, &column.formula, &cells)?;
        cells.insert(&column.name, value);
    }
    let fitted = bundle.preprocessor.fitted_columns();
    let find = |column: &FittedColumn| find(&cells, column.name);
    let ordered = fitted.iter().map(find).collect::<Result<Vec<_>, _>>()?;
    let limits: Vec<Limits> = fitted.iter().map(|c| Limits::of(bundle, c)).collect();

    graph.section("columns");
    let table = graph.concat(&ordered);
    let missing = graph.call("IsNaN", &[table]);
    Ok(Columns {
        refused: limits::refused(graph, table, missing, &limits),
        fitted,
        table,
        missing,
    })
}

/// Returns the value of a column by its name.
pub(crate) fn find(cells: &BTreeMap<&str, Value>, name: &str) -> Result<Value, ExportError> {
    cells
        .get(name)
        .copied()
        .ok_or_else(|| ExportError::UnknownColumn {
            column: name.to_owned(),
        })
}

fn input(graph: &mut Graph, schema: &Schema, column: &Column) -> Result<Value, ExportError> {
    let about = describe(column);
    if column.kind != ColumnType::Text {
        return graph.input(&column.name, Element::Double, about);
    }
    let levels = column.levels().ok_or_else(|| ExportError::NoLevels {
        column: column.name.clone(),
    })?;
    let texts = graph.input(&column.name, Element::Text, about)?;
    Ok(code(graph, texts, schema, column, levels))
}

/// Turns texts into the codes of their levels; a missing token is missing, be it a level or not.
fn code(
    graph: &mut Graph,
    texts: Value,
    schema: &Schema,
    column: &Column,
    levels: &[String],
) -> Value {
    let known = (0..).zip(levels).map(|(code, level)| (level, code));
    let missing = schema.missing_tokens.iter().map(|token| (token, MISSING));
    let codes: BTreeMap<&String, i64> = known.chain(missing).collect();
    let unknown = match column.unknown_levels {
        UnknownLevels::Accept => levels.len() as i64,
        UnknownLevels::Reject => UNACCEPTED,
    };
    let attributes = vec![
        Attribute::int("default_int64", unknown),
        Attribute::texts("keys_strings", codes.keys().copied().cloned().collect()),
        Attribute::ints("values_int64s", codes.into_values().collect()),
    ];
    let codes = graph.call_ml("LabelEncoder", texts, attributes);
    let codes = graph.cast(codes, Element::Double);
    let missing = graph.number(MISSING as f64);
    let missing = graph.call("Equal", &[codes, missing]);
    let nan = graph.number(f64::NAN);
    graph.call("Where", &[missing, nan, codes])
}

fn describe(column: &Column) -> String {
    let missing = match column.may_be_missing {
        true => "; may be missing",
        false => "",
    };
    let domain = format!("{}{missing}", column.domain);
    match column.description.as_str() {
        "" => domain,
        description => format!("{description} ({domain})"),
    }
}
