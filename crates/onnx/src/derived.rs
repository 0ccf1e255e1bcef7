//! Derived columns, as `dataset::derived` computes them.

use std::collections::BTreeMap;

use dataset::derived::{Bins, Formula};

use crate::{
    ExportError, columns,
    graph::{Graph, Value},
    messages::Element,
};

/// Computes a column from those that it is made of; rows × 1, NaN where it is missing.
pub(crate) fn compute(
    graph: &mut Graph,
    formula: &Formula,
    cells: &BTreeMap<&str, Value>,
) -> Result<Value, ExportError> {
    let find = |name: &String| columns::find(cells, name);
    let pair = |[a, b]: &[String; 2]| Ok::<_, ExportError>([find(a)?, find(b)?]);
    let value = match formula {
        Formula::Log1p(x) => signed_log1p(graph, find(x)?),
        Formula::Ratio(operands) => graph.call("Div", &pair(operands)?),
        Formula::Difference(operands) => graph.call("Sub", &pair(operands)?),
        Formula::Product(operands) => graph.call("Mul", &pair(operands)?),
        Formula::Bins(Bins { of, edges }) => return Ok(bins(graph, find(of)?, edges)),
    };
    let infinite = graph.call("IsInf", &[value]);
    let nan = graph.number(f64::NAN);
    Ok(graph.call("Where", &[infinite, nan, value]))
}

/// Computes `sign(x) · ln(1 + |x|)` to the last digits, for small numbers too: where `u = 1 + x` has
/// lost some of x, `ln(u) · x / (u - 1)` has not (Higham 2002, section 1.14.1).
fn signed_log1p(graph: &mut Graph, x: Value) -> Value {
    let one = graph.number(1.0);
    let size = graph.call("Abs", &[x]);
    let shifted = graph.call("Add", &[size, one]);
    let kept = graph.call("Sub", &[shifted, one]);
    let log = graph.call("Log", &[shifted]);
    let correction = graph.call("Div", &[size, kept]);
    let corrected = graph.call("Mul", &[log, correction]);
    let zero = graph.number(0.0);
    let tiny = graph.call("Equal", &[kept, zero]);
    let log = graph.call("Where", &[tiny, size, corrected]);
    let sign = graph.call("Sign", &[x]);
    graph.call("Mul", &[log, sign])
}

fn bins(graph: &mut Graph, x: Value, edges: &[f64]) -> Value {
    let missing = graph.call("IsNaN", &[x]);
    let edges = graph.numbers(edges.iter().copied());
    let passed = graph.call("GreaterOrEqual", &[x, edges]);
    let passed = graph.cast(passed, Element::Double);
    let count = graph.row_sum(passed);
    let nan = graph.number(f64::NAN);
    graph.call("Where", &[missing, nan, count])
}
