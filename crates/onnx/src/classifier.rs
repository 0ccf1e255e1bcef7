//! From features to class probabilities.

use dataset::Label;
use model::{
    Classifier, ModelBundle,
    calibration::Calibration,
    linear::LinearClassifier,
    trees::{Aggregation, TreeEnsemble},
};

use crate::{
    ExportError,
    graph::{Graph, Value},
    messages::{Attribute, Tensor},
    trees,
};

/// Uncalibrated probabilities; `benign` and `threat` sum to 1, and each is good to the last digits also
/// where it is small.
pub(crate) struct Scores {
    /// Rows × 1.
    pub(crate) benign: Value,
    /// Rows × 1.
    pub(crate) threat: Value,
    /// Of each threat class where there are several: rows × (classes - 1).
    pub(crate) threats: Option<Value>,
}

/// Adds the classifier.
pub(crate) fn score(
    graph: &mut Graph,
    features: Value,
    bundle: &ModelBundle,
) -> Result<Scores, ExportError> {
    graph.section("classifier");
    match &bundle.classifier {
        Classifier::Linear(linear) => Ok(score_linear(graph, features, linear)),
        Classifier::Trees(ensemble) => {
            // Between neighbouring steps, isotonic calibration is as steep as it likes.
            let precise = matches!(bundle.calibration, Calibration::Isotonic { .. });
            score_trees(graph, features, ensemble, precise)
        }
    }
}

fn score_linear(graph: &mut Graph, features: Value, linear: &LinearClassifier) -> Scores {
    let (outputs, n_features) = (linear.n_outputs(), linear.n_features);
    let weight = |at: usize| linear.coefficients[at % outputs * n_features + at / outputs];
    let weights = (0..n_features * outputs).map(weight);
    let weights = graph.constant(Tensor::doubles(&[n_features, outputs], weights));
    let sums = graph.call("MatMul", &[features, weights]);
    let intercepts = graph.numbers(linear.intercepts.iter().copied());
    let sums = graph.call("Add", &[sums, intercepts]);
    match outputs {
        1 => from_log_odds(graph, sums),
        n_classes => from_log_weights(graph, sums, n_classes),
    }
}

fn score_trees(
    graph: &mut Graph,
    features: Value,
    ensemble: &TreeEnsemble,
    precise: bool,
) -> Result<Scores, ExportError> {
    let sums = trees::sum(graph, features, ensemble, precise)?;
    Ok(match ensemble.aggregation() {
        Aggregation::Boosting { base } if base.len() == 1 => from_log_odds(graph, sums),
        Aggregation::Boosting { base } => from_log_weights(graph, sums, base.len()),
        Aggregation::Averaging => from_weights(graph, sums, ensemble.n_classes()),
    })
}

fn from_log_odds(graph: &mut Graph, log_odds: Value) -> Scores {
    let opposite = graph.call("Neg", &[log_odds]);
    Scores {
        benign: falling_logistic(graph, log_odds),
        threat: falling_logistic(graph, opposite),
        threats: None,
    }
}

/// Computes `1 / (1 + exp(x))`, spelt out: runtimes approximate `Sigmoid`.
pub(crate) fn falling_logistic(graph: &mut Graph, x: Value) -> Value {
    let one = graph.number(1.0);
    let exponential = graph.call("Exp", &[x]);
    let sum = graph.call("Add", &[one, exponential]);
    graph.call("Div", &[one, sum])
}

fn from_log_weights(graph: &mut Graph, weights: Value, n_classes: usize) -> Scores {
    let axis = vec![Attribute::int("axis", 1)];
    let shares = graph.call_with("Softmax", &[weights], axis);
    from_shares(graph, shares, n_classes)
}

fn from_weights(graph: &mut Graph, weights: Value, n_classes: usize) -> Scores {
    let total = graph.row_sum(weights);
    let shares = graph.call("Div", &[weights, total]);
    from_shares(graph, shares, n_classes)
}

fn from_shares(graph: &mut Graph, shares: Value, n_classes: usize) -> Scores {
    let benign = graph.columns(shares, [Label::BENIGN.class()]);
    let threats = graph.columns(shares, 1..n_classes);
    match n_classes {
        2 => Scores {
            benign,
            threat: threats,
            threats: None,
        },
        _ => Scores {
            benign,
            threat: graph.row_sum(threats),
            threats: Some(threats),
        },
    }
}
