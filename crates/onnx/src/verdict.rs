//! Outputs: probability, label and classes, or nothing for a refused row.

use dataset::Label;
use model::ModelBundle;

use crate::{
    Inputs, calibration,
    classifier::Scores,
    graph::{Graph, Value},
    messages::{Attribute, Element},
};

const PROBABILITY: &str = "threat_probability";
const LABEL: &str = "label";
const CLASSES: &str = "probabilities";
/// The names of all outputs that a graph may have.
pub(crate) const OUTPUTS: [&str; 3] = [PROBABILITY, LABEL, CLASSES];

/// The class of a row that has none.
const NO_CLASS: f64 = -1.0;

/// Adds calibration, the decision at the operating threshold, and the outputs.
pub(crate) fn decide(
    graph: &mut Graph,
    scores: &Scores,
    refused: Value,
    bundle: &ModelBundle,
    inputs: Inputs,
) {
    let calibrated = calibration::apply(graph, scores, &bundle.calibration);
    graph.section("verdict");
    let nan = graph.number(f64::NAN);
    // Isotonic calibration would make a number of NaN.
    let unscored = graph.call("IsNaN", &[scores.threat]);
    let unscored = graph.call("Or", &[refused, unscored]);
    let threat = graph.call("Where", &[unscored, nan, calibrated]);
    let threats = scores
        .threats
        .map(|threats| rescale(graph, threats, scores.threat, threat));
    let class = class(graph, threat, threats, bundle);
    let none = graph.number(NO_CLASS);
    let class = graph.call("Where", &[unscored, none, class]);

    graph.output_vector(PROBABILITY, threat, Element::Double);
    let label = name(graph, class, bundle);
    graph.output_vector(LABEL, label, Element::Text);
    // A column of a data frame holds one number a row.
    if let (Some(threats), Inputs::Columns) = (threats, inputs) {
        let one = graph.number(1.0);
        let benign = graph.call("Sub", &[one, threat]);
        let classes = graph.concat(&[benign, threats]);
        let n_classes = bundle.class_names().len();
        graph.output(CLASSES, classes, Element::Double, Some(n_classes));
    }
}

/// Brings the probabilities of the threat classes to their calibrated sum; where all are 0, they stay so.
fn rescale(graph: &mut Graph, threats: Value, total: Value, calibrated: Value) -> Value {
    let zero = graph.number(0.0);
    let shares = graph.call("Div", &[threats, total]);
    let none = graph.call("Equal", &[total, zero]);
    let shares = graph.call("Where", &[none, zero, shares]);
    graph.call("Mul", &[shares, calibrated])
}

/// Returns the class of each row as a number, rows × 1: benign below the operating threshold, else
/// the likeliest threat.
fn class(graph: &mut Graph, threat: Value, threats: Option<Value>, bundle: &ModelBundle) -> Value {
    let threshold = graph.number(bundle.thresholds.operating);
    let is_benign = graph.call("Less", &[threat, threshold]);
    let benign = graph.number(Label::BENIGN.class() as f64);
    let first = graph.number(Label::threat(0).class() as f64);
    let likeliest = match threats {
        None => first,
        Some(threats) => {
            let axis = vec![Attribute::int("axis", 1)];
            let family = graph.call_with("ArgMax", &[threats], axis);
            let family = graph.cast(family, Element::Double);
            graph.call("Add", &[family, first])
        }
    };
    graph.call("Where", &[is_benign, benign, likeliest])
}

fn name(graph: &mut Graph, class: Value, bundle: &ModelBundle) -> Value {
    let names = bundle.class_names();
    let attributes = vec![
        Attribute::text("default_string", ""),
        Attribute::ints("keys_int64s", (0..names.len() as i64).collect()),
        Attribute::texts("values_strings", names.iter().map(str::to_owned).collect()),
    ];
    let class = graph.cast(class, Element::Int64);
    graph.call_ml("LabelEncoder", class, attributes)
}
