//! Where a probability becomes a verdict, and what follows.

use model::{metrics::Confusion, threshold::Thresholds};
use registry::{Decision, Evaluation};
use trainer::TrainingReport;

use super::paragraph;
use crate::{
    figures,
    markup::{Markup, tag},
    table::{Align, table},
};

pub fn body(e: &Evaluation, training: &TrainingReport) -> Markup {
    let chosen = "Both thresholds were chosen on out-of-fold probabilities of the training data. The \
                  operating threshold has the highest recall within the allowed false-positive rate, and \
                  is what the model decides by; the other one has the highest F1.";
    let matrices = [
        matrix(e, &e.at_operating, "At the operating threshold"),
        matrix(e, &e.at_f1, "At the F1 threshold"),
    ];
    Markup::from([
        paragraph(chosen),
        figures_at_both(e, &training.thresholds),
        tag("div", &[("class", "pair")], matrices),
    ])
}

/// Writes a threshold.
pub fn threshold(value: f64) -> String {
    if value > 1.0 {
        "none (nothing is flagged)".to_owned()
    } else {
        figures::metric(value)
    }
}

fn figures_at_both(e: &Evaluation, thresholds: &Thresholds) -> Markup {
    let columns = [
        ("Decision", Align::Words),
        ("Threshold", Align::Figures),
        ("Accuracy", Align::Figures),
        ("Precision", Align::Figures),
        ("Recall", Align::Figures),
        ("F1", Align::Figures),
        ("False-positive rate", Align::Figures),
    ];
    let row = |name: &str, at: f64, confusion: &Confusion| {
        let d = Decision::from(confusion);
        let figures = [d.accuracy, d.precision, d.recall, d.f1, d.fpr];
        let cells = figures.map(|value| Markup::text(figures::metric(value)));
        [Markup::text(name), Markup::text(threshold(at))]
            .into_iter()
            .chain(cells)
            .collect()
    };
    table(
        "Decisions on the holdout",
        &columns,
        [
            row("Operating", thresholds.operating, &e.at_operating),
            row("Best F1", thresholds.f1, &e.at_f1),
        ],
    )
}

fn matrix(e: &Evaluation, c: &Confusion, caption: &str) -> Markup {
    let (benign, threat) = match e.class_names.as_slice() {
        [benign, threat] => (benign.as_str(), threat.as_str()),
        _ => ("benign", "threat"),
    };
    let columns = [
        ("Truth", Align::Words),
        ("let pass", Align::Figures),
        ("flagged", Align::Figures),
    ];
    let row = |name: &str, [passed, flagged]: [u64; 2], right: usize| {
        let of = (passed + flagged).max(1) as f64;
        let cell = |at: usize, n: u64| shaded(n, n as f64 / of, at == right);
        vec![Markup::text(name), cell(0, passed), cell(1, flagged)]
    };
    table(
        caption,
        &columns,
        [row(benign, [c.tn, c.fp], 0), row(threat, [c.fn_, c.tp], 1)],
    )
}

/// Makes a cell of a confusion matrix: the count, its share of the row, and a shade by that share.
pub fn shaded(n: u64, share: f64, right: bool) -> Markup {
    let shade = format!("--share:{share:.3}");
    let class = if right { "shade right" } else { "shade wrong" };
    let share = tag("small", &[], figures::percent(share));
    tag(
        "span",
        &[("class", class), ("style", &shade)],
        [Markup::text(figures::count(n)), share],
    )
}
