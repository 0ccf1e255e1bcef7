//! What was tried, and how it scored in cross-validation.

use trainer::{CandidateReport, TrainingReport};

use super::{badge, holdout::title, paragraph};
use crate::{
    bars, figures,
    markup::{Markup, tag},
    table::{Align, table},
};

/// Metrics that every candidate is shown with, after the one that decides.
const SHOWN: [&str; 3] = ["roc_auc", "f1", "recall_at_fpr_1pct"];

pub fn body(training: &TrainingReport) -> Markup {
    Markup::from([
        paragraph(how(training)),
        candidates(training),
        baselines(training),
    ])
}

fn how(training: &TrainingReport) -> String {
    format!(
        "{} under {} grouped, stratified folds of the training data; the highest mean {} was chosen. \
         ± is one standard deviation over the folds. Fits were timed on one thread, beside each other.",
        figures::counted(training.candidates.len(), "candidate"),
        training.folds,
        title(&training.selected_by),
    )
}

fn candidates(training: &TrainingReport) -> Markup {
    let ranked = ranked(&training.candidates, &training.selected_by);
    scores("Candidates, the best first", training, &ranked)
}

fn baselines(training: &TrainingReport) -> Markup {
    if training.baselines.is_empty() {
        return Markup::default();
    }
    let rows = figures::counted(training.baseline_rows, "row");
    let caption = format!("Baselines on at most {rows}, for comparison; never promoted");
    scores(
        &caption,
        training,
        &ranked(&training.baselines, &training.selected_by),
    )
}

fn ranked<'a>(candidates: &'a [CandidateReport], by: &str) -> Vec<&'a CandidateReport> {
    let mut ranked: Vec<_> = candidates.iter().collect();
    // Losses are better when lower.
    let sign = if matches!(by, "log_loss" | "brier") {
        1.0
    } else {
        -1.0
    };
    ranked.sort_by(|a, b| (sign * a.cv.mean(by)).total_cmp(&(sign * b.cv.mean(by))));
    ranked
}

fn scores(caption: &str, training: &TrainingReport, ranked: &[&CandidateReport]) -> Markup {
    let decider = training.selected_by.as_str();
    let names: Vec<String> = [title(decider)]
        .into_iter()
        .chain(others(decider).map(title))
        .collect();
    let mut columns = vec![
        ("Candidate", Align::Words),
        (&names[0], Align::Figures),
        ("Spread", Align::Picture),
    ];
    columns.extend(
        names[1..]
            .iter()
            .map(|name| (name.as_str(), Align::Figures)),
    );
    columns.push(("Fit", Align::Figures));
    let ends = ends(ranked, decider);
    let rows = ranked.iter().map(|candidate| {
        let (mean, std) = spread(candidate, decider);
        let mut cells = vec![
            name(candidate, training),
            mean_and_std(mean, std),
            bars::spread(mean, std, ends),
        ];
        cells.extend(others(decider).map(|metric| {
            let (mean, std) = spread(candidate, metric);
            mean_and_std(mean, std)
        }));
        cells.push(figures::seconds(candidate.fit_seconds));
        cells
    });
    table(caption, &columns, rows)
}

fn others(decider: &str) -> impl Iterator<Item = &'static str> {
    SHOWN.into_iter().filter(move |metric| *metric != decider)
}

/// Shows `family(a=1, b=2)` as the family with its parameters below.
fn name(candidate: &CandidateReport, training: &TrainingReport) -> Markup {
    let (family, parameters) = candidate
        .name
        .split_once('(')
        .unwrap_or((&candidate.name, ""));
    let chosen = (candidate.name == training.chosen).then(|| badge("chosen", "good"));
    let parameters = parameters.strip_suffix(')').unwrap_or(parameters);
    Markup::from([
        Markup::text(figures::words(family)),
        chosen.into(),
        tag("small", &[], parameters),
    ])
}

fn mean_and_std(mean: f64, std: f64) -> Markup {
    let std = tag("small", &[], format!("± {}", figures::metric(std)));
    Markup::from([Markup::text(figures::metric(mean)), std])
}

fn spread(candidate: &CandidateReport, metric: &str) -> (f64, f64) {
    let found = candidate.cv.0.get(metric);
    found.map_or((f64::NAN, f64::NAN), |s| (s.mean, s.std))
}

/// Returns the ends that the spreads of the better half fit between: a few bad candidates would press
/// those that matter into one spot.
fn ends(ranked: &[&CandidateReport], metric: &str) -> (f64, f64) {
    let better = &ranked[..ranked.len().div_ceil(2)];
    let spreads = || better.iter().map(|c| spread(c, metric));
    let low = spreads()
        .map(|(mean, std)| mean - std)
        .fold(f64::INFINITY, f64::min);
    let high = spreads()
        .map(|(mean, std)| mean + std)
        .fold(f64::NEG_INFINITY, f64::max);
    (low, high)
}
