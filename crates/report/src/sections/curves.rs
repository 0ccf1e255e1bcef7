//! ROC, precision and recall, calibration.

use registry::Evaluation;

use super::paragraph;
use crate::{
    figures,
    markup::{Markup, tag},
    plot::Plot,
};

/// Where the enlarged ROC curve ends: detectors work at few false alarms.
const FEW_FALSE_ALARMS: f64 = 0.05;

pub fn body(e: &Evaluation) -> Markup {
    let legend = [
        tag("span", &[("class", "key disc")], "operating threshold"),
        tag("span", &[("class", "key triangle")], "F1 threshold"),
    ];
    let plots = [
        roc(e, 1.0),
        roc(e, FEW_FALSE_ALARMS),
        precision_recall(e),
        calibration(e),
    ];
    Markup::from([
        tag("p", &[("class", "legend")], legend),
        tag("div", &[("class", "plots")], plots),
    ])
}

fn roc(e: &Evaluation, end: f64) -> Markup {
    let whole = end >= 1.0;
    let area = figures::metric(e.metrics.roc_auc.value);
    let (title, caption) = if whole {
        (
            "ROC curve",
            format!("ROC, area {area}; the straight line is chance"),
        )
    } else {
        (
            "ROC curve at few false positives",
            format!("ROC, up to {}", figures::percent(end)),
        )
    };
    let plot = Plot {
        title,
        labels: ("False-positive rate", "Recall"),
        ends: (end, 1.0),
        curve: e.curves.roc.iter().map(|p| (p.fpr, p.recall)).collect(),
        reference: Some([(0.0, 0.0), (end, end)]),
        operating: Some((e.at_operating.fpr(), e.at_operating.recall())),
        best_f1: Some((e.at_f1.fpr(), e.at_f1.recall())),
        ..Plot::default()
    };
    figure(&plot, caption, "It needs threats and benign records, both.")
}

fn precision_recall(e: &Evaluation) -> Markup {
    let threats = e.n_threats as f64 / e.n_rows.max(1) as f64;
    let plot = Plot {
        title: "Precision-recall curve",
        labels: ("Recall", "Precision"),
        ends: (1.0, 1.0),
        curve: e
            .curves
            .pr
            .iter()
            .map(|p| (p.recall, p.precision))
            .collect(),
        reference: Some([(0.0, threats), (1.0, threats)]),
        operating: Some((e.at_operating.recall(), e.at_operating.precision())),
        best_f1: Some((e.at_f1.recall(), e.at_f1.precision())),
        ..Plot::default()
    };
    let area = figures::metric(e.metrics.pr_auc.value);
    let share = figures::percent(threats);
    let caption =
        format!("Precision and recall, area {area}; the line is the share of threats, {share}");
    figure(&plot, caption, "It needs threats.")
}

fn calibration(e: &Evaluation) -> Markup {
    let bins = &e.curves.reliability;
    let most = bins.iter().map(|bin| bin.count).max().unwrap_or(1) as f64;
    let plot = Plot {
        title: "Reliability curve",
        labels: ("Predicted probability", "Share of threats"),
        ends: (1.0, 1.0),
        curve: bins
            .iter()
            .map(|bin| (bin.mean_score, bin.threat_share))
            .collect(),
        dotted: true,
        reference: Some([(0.0, 0.0), (1.0, 1.0)]),
        bars: bins
            .iter()
            .map(|bin| (bin.low, bin.high, 0.25 * bin.count as f64 / most))
            .collect(),
        ..Plot::default()
    };
    let error = figures::metric(e.metrics.ece.value);
    let caption = format!(
        "Calibration, error {error}; on the straight line, probabilities are true. Bars: records"
    );
    figure(&plot, caption, "It needs records.")
}

fn figure(plot: &Plot<'_>, caption: String, undefined: &str) -> Markup {
    let picture = if plot.curve.is_empty() {
        paragraph(format!("This curve is undefined. {undefined}"))
    } else {
        plot.draw()
    };
    tag("figure", &[], [picture, tag("figcaption", &[], caption)])
}
