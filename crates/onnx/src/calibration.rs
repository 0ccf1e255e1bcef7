//! From raw to calibrated threat probability.

use model::calibration::{Calibration, SHRINKAGE};

use crate::{
    classifier::{Scores, falling_logistic},
    graph::{Graph, Value},
    messages::Element,
};

/// Returns the calibrated threat probability, rows × 1.
pub(crate) fn apply(graph: &mut Graph, scores: &Scores, calibration: &Calibration) -> Value {
    graph.section("calibration");
    match calibration {
        Calibration::None => scores.threat,
        Calibration::Platt { a, b } => platt(graph, scores, *a, *b),
        Calibration::Isotonic { points } => interpolate(graph, scores.threat, points),
    }
}

fn platt(graph: &mut Graph, scores: &Scores, a: f64, b: f64) -> Value {
    let threat = log_drawn_in(graph, scores.threat);
    let benign = log_drawn_in(graph, scores.benign);
    let logit = graph.call("Sub", &[threat, benign]);
    let (a, b) = (graph.number(a), graph.number(b));
    let scaled = graph.call("Mul", &[logit, a]);
    let shifted = graph.call("Add", &[scaled, b]);
    falling_logistic(graph, shifted)
}

fn log_drawn_in(graph: &mut Graph, probability: Value) -> Value {
    let breadth = graph.number(1.0 - 2.0 * SHRINKAGE);
    let least = graph.number(SHRINKAGE);
    let scaled = graph.call("Mul", &[probability, breadth]);
    let drawn_in = graph.call("Add", &[scaled, least]);
    graph.call("Log", &[drawn_in])
}

/// A stretch between two points, or beyond the first or the last: `low + rise · (x - start) / width`.
struct Stretch {
    start: f64,
    width: f64,
    low: f64,
    rise: f64,
}

/// Interpolates between points, constant beyond them; they are as a checked calibration has them.
fn interpolate(graph: &mut Graph, x: Value, points: &[(f64, f64)]) -> Value {
    let stretches = stretches(points);
    let starts = graph.numbers(points.iter().map(|point| point.0));
    let passed = graph.call("GreaterOrEqual", &[x, starts]);
    let passed = graph.cast(passed, Element::Double);
    let at = graph.row_sum(passed);
    let at = graph.cast(at, Element::Int64);
    let mut of = |field: fn(&Stretch) -> f64| {
        let table = graph.numbers(stretches.iter().map(field));
        graph.call("Gather", &[table, at])
    };
    let (start, width) = (of(|s| s.start), of(|s| s.width));
    let (low, rise) = (of(|s| s.low), of(|s| s.rise));
    let high = of(|s| s.low + s.rise);
    let beyond = graph.call("Sub", &[x, start]);
    let share = graph.call("Div", &[beyond, width]);
    let risen = graph.call("Mul", &[share, rise]);
    let value = graph.call("Add", &[low, risen]);
    graph.call("Min", &[value, high])
}

/// Returns the stretch for each number of points that are passed: one more than there are points.
fn stretches(points: &[(f64, f64)]) -> Vec<Stretch> {
    let flat = |(x, y): (f64, f64)| Stretch {
        start: x,
        width: 1.0,
        low: y,
        rise: 0.0,
    };
    let between = |pair: &[(f64, f64)]| Stretch {
        start: pair[0].0,
        width: pair[1].0 - pair[0].0,
        low: pair[0].1,
        rise: pair[1].1 - pair[0].1,
    };
    let first = points.first().copied().map(flat);
    let last = points.last().copied().map(flat);
    let inner = points.windows(2).map(between);
    first.into_iter().chain(inner).chain(last).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stretches_give_what_the_calibration_gives() {
        let points = vec![(0.1, 0.0), (0.2, 0.25), (0.2000001, 0.9), (0.7, 0.9)];
        let calibration = Calibration::Isotonic {
            points: points.clone(),
        };
        let stretches = stretches(&points);
        assert_eq!(stretches.len(), points.len() + 1);
        for at in 0..=10_000 {
            let x = f64::from(at) / 10_000.0;
            let passed = points.iter().filter(|point| point.0 <= x).count();
            let s = &stretches[passed];
            let value = s.low + s.rise * ((x - s.start) / s.width);
            let difference = value.min(s.low + s.rise) - calibration.apply(x);
            assert!(difference.abs() <= 1e-15, "{difference} at {x}");
        }
    }
}
