//! Which rows are refused, as `dataset::cell` and `model::scoring` refuse them.

use dataset::{Column, ColumnType, Domain, schema::UnknownLevels};
use model::{ModelBundle, preprocessor::FittedColumn};

use crate::{
    graph::{Graph, Value},
    messages::{Attribute, Element, Tensor},
};

/// What a column's cells may be.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Limits {
    required: bool,
    whole: bool,
    min: f64,
    max: f64,
    /// What cells are among, where the rest does not say it already.
    listed: Vec<f64>,
}

impl Limits {
    /// Any number, or none; infinities are none.
    const OPEN: Self = Self {
        required: false,
        whole: false,
        min: f64::MIN,
        max: f64::MAX,
        listed: Vec::new(),
    };

    /// Returns the limits of a column of the preprocessor; derived ones have none.
    ///
    /// A graph does not search neighbours: what only they could fill is required, derived or not.
    pub(crate) fn of(bundle: &ModelBundle, fitted: &FittedColumn) -> Self {
        let by_neighbours = bundle.preprocessor.carries_training_rows() && !fitted.is_text;
        let declared = bundle.schema.column(fitted.name);
        let limits = declared.map_or(Self::OPEN, Self::declared);
        Self {
            required: limits.required || by_neighbours,
            ..limits
        }
    }

    fn declared(column: &Column) -> Self {
        let open = Self {
            required: !column.may_be_missing,
            whole: column.kind == ColumnType::Integer,
            ..Self::OPEN
        };
        match (&column.kind, &column.domain) {
            (ColumnType::Text, _) => {
                let unknown = usize::from(column.unknown_levels == UnknownLevels::Accept);
                let codes = column.levels().map_or(0, <[_]>::len) + unknown;
                open.between(0.0, codes as f64 - 1.0)
            }
            (_, Domain::Values(values)) => open.among(values),
            (_, Domain::Range { min, max }) => {
                open.between(min.unwrap_or(f64::MIN), max.unwrap_or(f64::MAX))
            }
            (ColumnType::Boolean, _) => open.among(&[0.0, 1.0]),
            _ => open,
        }
    }

    fn between(self, min: f64, max: f64) -> Self {
        Self { min, max, ..self }
    }

    fn among(self, values: &[f64]) -> Self {
        let (Some(&min), Some(&max)) = (values.first(), values.last()) else {
            return self;
        };
        let is_run = min == min.trunc() && values.windows(2).all(|pair| pair[1] - pair[0] == 1.0);
        let listed = if is_run { Vec::new() } else { values.to_vec() };
        Self {
            whole: self.whole || is_run,
            listed,
            ..self.between(min, max)
        }
    }
}

/// Returns whether each row has a cell outside its column's limits: rows × 1.
pub(crate) fn refused(graph: &mut Graph, table: Value, missing: Value, limits: &[Limits]) -> Value {
    graph.section("limits");
    let mut wrong = beyond_range(graph, table, limits);
    if limits.iter().any(|l| l.required) {
        let required = graph.truths(limits.iter().map(|l| l.required));
        let lacking = graph.call("And", &[missing, required]);
        wrong = graph.call("Or", &[wrong, lacking]);
    }
    if limits.iter().any(|l| l.whole) {
        let broken = broken(graph, table, limits);
        wrong = graph.call("Or", &[wrong, broken]);
    }
    let mut refused = graph.row_any(wrong);
    for (values, columns) in lists(limits) {
        let unlisted = unlisted(graph, table, missing, values, &columns);
        let unlisted = graph.row_any(unlisted);
        refused = graph.call("Or", &[refused, unlisted]);
    }
    refused
}

fn beyond_range(graph: &mut Graph, table: Value, limits: &[Limits]) -> Value {
    let min = graph.numbers(limits.iter().map(|l| l.min));
    let max = graph.numbers(limits.iter().map(|l| l.max));
    let below = graph.call("Less", &[table, min]);
    let above = graph.call("Greater", &[table, max]);
    graph.call("Or", &[below, above])
}

/// Returns which cells have a fraction where they may have none.
fn broken(graph: &mut Graph, table: Value, limits: &[Limits]) -> Value {
    let floor = graph.call("Floor", &[table]);
    let fraction = graph.call("Sub", &[table, floor]);
    // No fraction reaches 1.
    let allowed = graph.numbers(limits.iter().map(|l| if l.whole { 0.0 } else { 1.0 }));
    graph.call("Greater", &[fraction, allowed])
}

/// Returns the distinct lists of values, each with its columns.
fn lists(limits: &[Limits]) -> Vec<(&[f64], Vec<usize>)> {
    let mut lists: Vec<(&[f64], Vec<usize>)> = Vec::new();
    for (at, limits) in limits.iter().enumerate() {
        match lists
            .iter_mut()
            .find(|(values, _)| *values == limits.listed)
        {
            _ if limits.listed.is_empty() => {}
            Some((_, columns)) => columns.push(at),
            None => lists.push((&limits.listed, vec![at])),
        }
    }
    lists
}

/// Returns which cells of the columns are neither missing nor among the values.
fn unlisted(
    graph: &mut Graph,
    table: Value,
    missing: Value,
    values: &[f64],
    columns: &[usize],
) -> Value {
    let cells = graph.columns(table, columns.iter().copied());
    let missing = graph.columns(missing, columns.iter().copied());
    let last = graph.constant(Tensor::ints(&[1], [2]));
    let cells = graph.call("Unsqueeze", &[cells, last]);
    let values = graph.numbers(values.iter().copied());
    let equal = graph.call("Equal", &[cells, values]);
    let equal = graph.cast(equal, Element::Float);
    let axes = vec![
        Attribute::ints("axes", vec![2]),
        Attribute::int("keepdims", 0),
    ];
    let found = graph.call_with("ReduceMax", &[equal], axes);
    let found = graph.cast(found, Element::Bool);
    let good = graph.call("Or", &[found, missing]);
    graph.call("Not", &[good])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(values: &[f64], whole: bool, listed: &[f64]) {
        let limits = Limits::OPEN.among(values);
        assert_eq!((limits.whole, &limits.listed[..]), (whole, listed));
        let ends = (values[0], values[values.len() - 1]);
        assert_eq!((limits.min, limits.max), ends);
    }

    #[test]
    fn a_run_of_whole_numbers_needs_no_list() {
        check(&[-1.0, 0.0, 1.0], true, &[]);
        check(&[4.0], true, &[]);
        check(&[-1.0, 1.0], false, &[-1.0, 1.0]);
        check(&[0.5, 1.5], false, &[0.5, 1.5]);
    }

    #[test]
    fn columns_of_one_list_are_checked_together() {
        let among = |values: &[f64]| Limits::OPEN.among(values);
        let limits = [
            among(&[-1.0, 1.0]),
            Limits::OPEN,
            among(&[2.0, 4.0]),
            among(&[-1.0, 1.0]),
        ];
        let expected: [(&[f64], Vec<usize>); 2] =
            [(&[-1.0, 1.0], vec![0, 3]), (&[2.0, 4.0], vec![2])];
        assert_eq!(lists(&limits), expected);
    }
}
