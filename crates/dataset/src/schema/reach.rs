//! What a schema declares that no cell can ever reach: refused where somebody writes a schema, but not in
//! artifacts, which former programs have made without these checks.

use super::{Column, ColumnType, Domain, Schema, TargetSpec, UnknownLevels, name_problem};
use crate::{
    cell::{CellProblem, read_boolean, value_problem},
    format_number,
};

/// Returns the first declaration that no cell can reach or that says nothing.
pub(super) fn problem(schema: &Schema) -> Option<String> {
    let of_column = |c: &Column| {
        Some(format!(
            "column `{}`: {}",
            c.name,
            column_problem(c, schema)?
        ))
    };
    reading_problem(schema)
        .or_else(|| target_name_problem(schema))
        .or_else(|| schema.columns.iter().find_map(of_column))
        .or_else(|| target_problem(&schema.target, schema))
}

fn reading_problem(schema: &Schema) -> Option<String> {
    let delimiter = schema.file.delimiter;
    if delimiter.is_ascii_alphanumeric() || "+-.".contains(delimiter) {
        return Some(format!(
            "delimiter {delimiter:?}: use a character that does not stand in numbers and words"
        ));
    }
    let token = schema.missing_tokens.iter().find(|t| t.trim() != **t)?;
    Some(format!(
        "missing_tokens: no cell is {token:?}: spaces around a text are taken off before it is compared"
    ))
}

fn target_name_problem(schema: &Schema) -> Option<String> {
    let target = schema.target.column.as_str();
    if let Some(problem) = name_problem(target) {
        return Some(format!("target: {problem}"));
    }
    let is_derived = schema.derived.iter().any(|d| d.name == target);
    is_derived.then(|| format!("derived column `{target}` is called like the target"))
}

fn column_problem(column: &Column, schema: &Schema) -> Option<String> {
    if column.kind != ColumnType::Text && column.unknown_levels != UnknownLevels::Reject {
        return Some("only text takes `unknown_levels`".to_owned());
    }
    match &column.domain {
        Domain::Any => None,
        Domain::Levels(levels) => levels_problem(levels, schema),
        Domain::Values(values) => values_problem(column, values, schema),
        Domain::Range { .. } if column.kind == ColumnType::Boolean => {
            Some("a boolean is true or false: leave `min` and `max` out".to_owned())
        }
        Domain::Range { min, max } => {
            let (min, max) = min.zip(*max)?;
            let has_none = column.kind == ColumnType::Integer && min.ceil() > max;
            has_none.then(|| format!("no whole number is between {min} and {max}"))
        }
    }
}

fn levels_problem(levels: &[String], schema: &Schema) -> Option<String> {
    if let Some(level) = levels.iter().find(|level| level.trim() != **level) {
        return Some(format!(
            "no cell is {level:?}: spaces around a text are taken off before it is compared"
        ));
    }
    let level = levels.iter().find(|level| schema.is_missing_token(level))?;
    Some(missing(level))
}

fn values_problem(column: &Column, values: &[f64], schema: &Schema) -> Option<String> {
    let is_of_another_type = |value: &&f64| value_problem(column, **value).is_some();
    if let Some(value) = values.iter().find(is_of_another_type) {
        let value = format_number(*value);
        let problem = CellProblem::WrongType.describe(column, &value);
        return Some(format!("its domain lists {value}: {problem}"));
    }
    // A boolean is read before anybody asks whether its text means that there is no value.
    let is_number = column.kind != ColumnType::Boolean;
    let texts = values.iter().map(|value| format_number(*value));
    texts
        .filter(|_| is_number)
        .find(|text| schema.is_missing_token(text))
        .map(|text| missing(&text))
}

fn missing(value: &str) -> String {
    format!("its domain lists `{value}`, which `missing_tokens` takes for no value")
}

fn target_problem(target: &TargetSpec, schema: &Schema) -> Option<String> {
    let mut labels = target.benign.keys().chain(target.threats.keys());
    let is_bad = |label: &&String| {
        label.trim() != **label || label.is_empty() || label.contains(char::is_control)
    };
    if let Some(label) = labels.find(is_bad) {
        return Some(format!(
            "target: label {label:?} is empty, begins or ends with spaces, or holds control characters"
        ));
    }
    let mut values = target.benign.values().chain(target.threats.values());
    values.find_map(|values| {
        values
            .iter()
            .find_map(|v| value_of_target_problem(v, schema))
    })
}

/// Returns why no cell can ever hold a value of the target.
fn value_of_target_problem(value: &str, schema: &Schema) -> Option<String> {
    let name = &schema.target.column;
    if value.trim() != value {
        return Some(format!(
            "target: no cell is {value:?}: spaces around a text are taken off before it is compared"
        ));
    }
    if schema.is_missing_token(value) {
        return Some(format!(
            "target: `{value}` is a value of `{name}`, and `missing_tokens` takes it for no value"
        ));
    }
    let column = schema.column(name)?;
    (!lists(column, value)).then(|| {
        format!(
            "target: `{value}` lies outside the domain of column `{name}`: {}",
            column.domain
        )
    })
}

/// Returns whether a column may hold a text of the target, by what the text is read as.
fn lists(column: &Column, text: &str) -> bool {
    let number = match column.kind {
        ColumnType::Boolean => read_boolean(text).map(|truth| f64::from(u8::from(truth))),
        _ => text.parse().ok(),
    };
    match &column.domain {
        Domain::Any => true,
        Domain::Levels(levels) => levels.iter().any(|level| level == text),
        domain => number.is_some_and(|number| domain.contains(number)),
    }
}
