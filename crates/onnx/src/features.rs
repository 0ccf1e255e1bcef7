//! From cells to features: imputed, encoded, scaled in doubles, and rounded to floats as the bundle does.

use model::{
    ModelBundle,
    preprocessor::{FittedColumn, FittedEncoding},
};

use crate::{
    columns::Columns,
    graph::{Graph, Value},
    messages::Element,
};

/// One feature: the column that it is made of, and how.
struct Feature {
    column: usize,
    made: Made,
}

#[derive(Clone, Copy)]
enum Made {
    Scaled { centre: f64, scale: f64 },
    OneHot(f64),
}

/// Returns the features, rows × features: doubles that are floats.
pub(crate) fn encode(graph: &mut Graph, columns: &Columns, bundle: &ModelBundle) -> Value {
    graph.section("features");
    let features = features(&columns.fitted);
    debug_assert_eq!(features.len(), bundle.preprocessor.n_features());
    let cells = impute(graph, columns);
    let expanded = features.len() != columns.fitted.len()
        || features.iter().any(|f| matches!(f.made, Made::OneHot(_)));
    let values = if expanded {
        let cells = graph.columns(cells, features.iter().map(|f| f.column));
        one_hot(graph, cells, &features)
    } else {
        scale(graph, cells, &features)
    };
    round(graph, values)
}

fn features(fitted: &[FittedColumn]) -> Vec<Feature> {
    let of_column = |(column, fitted): (usize, &FittedColumn)| -> Vec<Feature> {
        let made = match &fitted.encoding {
            FittedEncoding::Scaled { centre, scale } => vec![Made::Scaled {
                centre: *centre,
                scale: *scale,
            }],
            FittedEncoding::LevelOf(levels) => {
                (0..*levels).map(|code| Made::OneHot(code as f64)).collect()
            }
            FittedEncoding::ValueOf(values) => values.iter().copied().map(Made::OneHot).collect(),
        };
        let feature = |made| Feature { column, made };
        made.into_iter().map(feature).collect()
    };
    fitted.iter().enumerate().flat_map(of_column).collect()
}

/// Fills missing cells; under the KNN imputer, rows that need neighbours are refused before.
fn impute(graph: &mut Graph, columns: &Columns) -> Value {
    if columns.fitted.iter().all(|column| column.fill.is_none()) {
        return columns.table;
    }
    let fills = columns.fitted.iter().map(|c| c.fill.unwrap_or(f64::NAN));
    let fills = graph.numbers(fills);
    graph.call("Where", &[columns.missing, fills, columns.table])
}

fn one_hot(graph: &mut Graph, cells: Value, features: &[Feature]) -> Value {
    let hot_at = |f: &Feature| match f.made {
        Made::OneHot(value) => value,
        Made::Scaled { .. } => 0.0,
    };
    let hot_at = graph.numbers(features.iter().map(hot_at));
    let hot = graph.call("Equal", &[cells, hot_at]);
    let hot = graph.cast(hot, Element::Double);
    let scaled = scale(graph, cells, features);
    let is_hot = graph.truths(features.iter().map(|f| matches!(f.made, Made::OneHot(_))));
    graph.call("Where", &[is_hot, hot, scaled])
}

fn scale(graph: &mut Graph, cells: Value, features: &[Feature]) -> Value {
    let scales = features.iter().map(|f| match f.made {
        Made::Scaled { centre, scale } => (centre, scale),
        Made::OneHot(_) => (0.0, 1.0),
    });
    let (centres, scales): (Vec<f64>, Vec<f64>) = scales.unzip();
    if centres.iter().all(|c| *c == 0.0) && scales.iter().all(|s| *s == 1.0) {
        return cells;
    }
    let centres = graph.numbers(centres);
    let centred = graph.call("Sub", &[cells, centres]);
    let scales = graph.numbers(scales);
    graph.call("Div", &[centred, scales])
}

/// Rounds to floats, saturated at their range, and widens them again: trees and weighted sums then
/// see the very numbers that they see in the bundle, and add up in doubles as there.
fn round(graph: &mut Graph, values: Value) -> Value {
    let most = graph.number(f64::from(f32::MAX));
    let least = graph.number(f64::from(f32::MIN));
    // Chosen rather than clipped: what `Clip` makes of NaN is left open.
    let above = graph.call("Greater", &[values, most]);
    let values = graph.call("Where", &[above, most, values]);
    let below = graph.call("Less", &[values, least]);
    let values = graph.call("Where", &[below, least, values]);
    let floats = graph.cast(values, Element::Float);
    graph.cast(floats, Element::Double)
}
