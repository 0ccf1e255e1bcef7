//! Every metric of the holdout with its interval.

use registry::{Evaluation, HoldoutMetrics};

use super::paragraph;
use crate::{
    figures,
    markup::Markup,
    table::{Align, table},
};

pub fn body(e: &Evaluation) -> Markup {
    let intervals = "95 % intervals come from resampling groups of equal records, never single rows; \
                     decisions are at the operating threshold.";
    let baseline = format!(
        "Always naming the majority class would reach an accuracy of {}.",
        figures::metric(e.majority_accuracy)
    );
    Markup::from([
        paragraph(format!("{intervals} {baseline}")),
        overlap(e).map(paragraph).into(),
        metrics(e),
    ])
}

fn overlap(e: &Evaluation) -> Option<String> {
    (e.n_overlapping > 0).then(|| {
        format!(
            "{} of the {} holdout rows also stand in the training data, feature by feature; the last \
             column leaves them out.",
            figures::count(e.n_overlapping),
            figures::count(e.n_rows)
        )
    })
}

fn metrics(e: &Evaluation) -> Markup {
    let mut columns = vec![
        ("Metric", Align::Words),
        ("Value", Align::Figures),
        ("95 % interval", Align::Figures),
    ];
    let without = e.without_overlap.as_ref().map(HoldoutMetrics::named);
    if without.is_some() {
        columns.push(("Without overlap", Align::Figures));
    }
    let rows = e.metrics.named().into_iter().enumerate();
    let rows = rows.map(|(at, (name, interval))| {
        let mut cells = vec![
            Markup::text(title(name)),
            Markup::text(figures::metric(interval.value)),
            Markup::text(figures::bounds(&interval)),
        ];
        cells.extend(without.map(|named| Markup::text(figures::metric(named[at].1.value))));
        cells
    });
    table("Metrics on the holdout", &columns, rows)
}

/// Returns the title of a metric, by its name in reports.
pub fn title(name: &str) -> String {
    let known = match name {
        "accuracy" => "Accuracy",
        "precision" => "Precision",
        "recall" => "Recall",
        "f1" => "F1",
        "fpr" => "False-positive rate",
        "roc_auc" => "ROC AUC",
        "pr_auc" | "average_precision" => "PR AUC",
        "recall_at_fpr_1pct" => "Recall at 1 % false positives",
        "log_loss" => "Log loss",
        "brier" => "Brier score",
        "ece" => "Calibration error",
        other => return figures::words(other),
    };
    known.to_owned()
}
