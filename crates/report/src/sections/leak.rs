//! Grouped against row-wise cross-validation of the chosen candidate.

use trainer::TrainingReport;

use super::{holdout::title, paragraph};
use crate::{
    figures,
    markup::Markup,
    table::{Align, table},
};

const SHOWN: [&str; 7] = [
    "accuracy",
    "precision",
    "recall",
    "f1",
    "roc_auc",
    "average_precision",
    "recall_at_fpr_1pct",
];

pub fn body(training: &TrainingReport) -> Markup {
    let why = "Equal records stay on one side of every fold here. Dealing rows out one by one puts copies \
               of a training record among the records it is tested on, and reads better than it is: the \
               difference below, for the chosen candidate on the same training rows.";
    let columns = [
        ("Metric", Align::Words),
        ("Grouped folds", Align::Figures),
        ("Row-wise folds", Align::Figures),
        ("Pretended", Align::Figures),
    ];
    let rows = SHOWN.map(|name| {
        let (honest, leaky) = (
            training.grouped_cv.mean(name),
            training.row_wise_cv.mean(name),
        );
        vec![
            Markup::text(title(name)),
            Markup::text(figures::metric(honest)),
            Markup::text(figures::metric(leaky)),
            Markup::text(figures::difference(leaky - honest)),
        ]
    });
    let caption = "Cross-validation of the chosen candidate, decisions at 0.5";
    Markup::from([paragraph(why), table(caption, &columns, rows)])
}
