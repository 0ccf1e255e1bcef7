//! From inputs to one table of doubles: numbers, codes of texts, derived columns; NaN is missing.

use std::collections::BTreeMap;

use dataset::{Column, ColumnType, Schema, schema::UnknownLevels};
use model::{ModelBundle, preprocessor::FittedColumn};

use crate::{
    CellType, ExportError, Inputs, derived,
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
    inputs: Inputs,
) -> Result<Columns<'a>, ExportError> {
    graph.section("columns");
    let mut cells = BTreeMap::new();
    for column in bundle.schema.features() {
        let raw = match inputs {
            Inputs::Columns => graph.input(
                &column.name,
                match column.kind {
                    ColumnType::Text => Element::Text,
                    _ => Element::Double,
                },
                Some(1),
                describe(column),
            )?,
            Inputs::Frame => from_frame(graph, &bundle.schema, column)?,
        };
        let value = match column.kind {
            ColumnType::Text => code(graph, raw, &bundle.schema, column)?,
            _ => raw,
        };
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

/// Adds an input as a column of a data frame comes: of the type that data frames give it, and as a vector,
/// except where it is the only one.
fn from_frame(graph: &mut Graph, schema: &Schema, column: &Column) -> Result<Value, ExportError> {
    let (element, is_whole) = match CellType::of(column) {
        CellType::Long => (Element::Int64, true),
        CellType::Double => (Element::Double, false),
        CellType::Text => (Element::Text, false),
    };
    let width = (schema.features().count() == 1).then_some(1);
    let mut value = graph.input(&column.name, element, width, describe(column))?;
    if width.is_none() {
        value = graph.column(value);
    }
    match is_whole {
        true => Ok(graph.cast(value, Element::Double)),
        false => Ok(value),
    }
}

/// Turns texts into the codes of their levels; a missing token is missing, be it a level or not.
fn code(
    graph: &mut Graph,
    texts: Value,
    schema: &Schema,
    column: &Column,
) -> Result<Value, ExportError> {
    let levels = column.levels().ok_or_else(|| ExportError::NoLevels {
        column: column.name.clone(),
    })?;
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
    Ok(graph.call("Where", &[missing, nan, codes]))
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
