//! What the run is about and how it ended, in one look.

use model::resampling::Interval;
use registry::{Evaluation, PromotionRecord};

use super::{badge, list};
use crate::{
    figures,
    markup::{Markup, tag},
    run_report::RunReport,
};

/// How a run ended.
struct Outcome {
    word: String,
    class: &'static str,
    sentence: String,
    reasons: Vec<String>,
}

/// Makes the head of the page: data set, outcome with its reasons, the figures that matter most.
pub fn headline(run: &RunReport) -> Markup {
    let outcome = outcome(run);
    let banner = format!("outcome {}", outcome.class);
    tag(
        "header",
        &[],
        [
            tag("h1", &[], [Markup::text(run.dataset()), provenance(run)]),
            facts(run),
            tag(
                "div",
                &[("class", &banner)],
                [
                    tag("p", &[("class", "word")], outcome.word),
                    tag("p", &[], outcome.sentence),
                    list(&outcome.reasons),
                ],
            ),
            run.evaluation.as_ref().map(|e| key_figures(run, e)).into(),
        ],
    )
}

fn provenance(run: &RunReport) -> Markup {
    if run.simulated() {
        badge("simulated data, not real traffic", "poor")
    } else {
        badge("real data", "plain")
    }
}

fn facts(run: &RunReport) -> Markup {
    let mut facts: Vec<(&str, Markup)> = vec![
        ("Run", Markup::text(&run.name)),
        ("Source", Markup::text(&run.settings.source)),
    ];
    if let Some(holdout) = &run.settings.holdout {
        facts.push(("Holdout", Markup::text(holdout)));
    }
    if let Some(promotion) = &run.promotion {
        let version = promotion
            .version
            .map_or(String::new(), |v| format!(", version {v}"));
        facts.push((
            "Model",
            Markup::text(format!("{}{version}", promotion.model)),
        ));
    }
    if let Some(training) = &run.training {
        facts.push(("Chosen", Markup::text(&training.chosen)));
    }
    facts.push(("Seed", Markup::text(run.settings.seed)));
    if let Some(first) = run.stages.first() {
        facts.push(("Started", figures::moment(&first.started)));
    }
    let pairs = facts
        .into_iter()
        .map(|(name, value)| tag("div", &[], [tag("dt", &[], name), tag("dd", &[], value)]));
    tag("dl", &[("class", "facts")], pairs.collect::<Markup>())
}

fn outcome(run: &RunReport) -> Outcome {
    if let Some(promotion) = &run.promotion {
        return decided(promotion);
    }
    let rejected = run.validation.as_ref().filter(|v| !v.passed);
    let (word, class, sentence, reasons) = match rejected {
        Some(v) => (
            "Rejected by validation",
            "bad",
            "The data did not pass the gate; nothing was trained.",
            v.reasons.clone(),
        ),
        None => (
            "Not finished",
            "bad",
            "The run ended early; what its stages left is shown below.",
            run.failure.clone().into_iter().collect(),
        ),
    };
    Outcome {
        word: word.to_owned(),
        class,
        sentence: sentence.to_owned(),
        reasons,
    }
}

fn decided(promotion: &PromotionRecord) -> Outcome {
    let version = promotion
        .version
        .map_or(String::new(), |v| format!(" as version {v}"));
    let (word, class) = match (promotion.promoted, promotion.unchanged) {
        (true, _) => (format!("Promoted{version}"), "good"),
        (_, true) => ("Unchanged, no new version".to_owned(), "plain"),
        _ => (format!("Declined{version}"), "poor"),
    };
    let sentence = match promotion.champion {
        Some(champion) if promotion.promoted => format!("Version {champion} is the champion now."),
        Some(champion) => format!("Version {champion} stays the champion."),
        None => "There is no champion yet.".to_owned(),
    };
    Outcome {
        word,
        class,
        sentence,
        reasons: promotion.reasons.clone(),
    }
}

fn key_figures(run: &RunReport, evaluation: &Evaluation) -> Markup {
    let m = &evaluation.metrics;
    let tiles = [
        ("PR AUC", m.pr_auc),
        ("ROC AUC", m.roc_auc),
        ("Recall", m.recall),
        ("False-positive rate", m.fpr),
        ("Precision", m.precision),
        ("F1", m.f1),
    ];
    let threshold = run.training.as_ref().map(|t| t.thresholds.operating);
    Markup::from([
        tag("p", &[("class", "lead")], lead(evaluation, threshold)),
        tag(
            "dl",
            &[("class", "tiles")],
            tiles.map(|(name, interval)| tile(name, &interval)),
        ),
    ])
}

fn lead(e: &Evaluation, threshold: Option<f64>) -> String {
    let at = threshold.map_or(String::new(), |t| {
        format!(" of {}", super::decisions::threshold(t))
    });
    let flagged = figures::percent(e.metrics.recall.value);
    let alarms = figures::percent(e.metrics.fpr.value);
    format!(
        "On {} held-out records ({} distinct, {} threats), at the operating threshold{at}, it catches \
         {flagged} of the threats and raises a false alarm on {alarms} of the benign \
         records. Below each figure stands its 95 % interval.",
        figures::count(e.n_rows),
        figures::count(e.n_groups),
        figures::count(e.n_threats),
    )
}

fn tile(name: &str, interval: &Interval) -> Markup {
    tag(
        "div",
        &[],
        [
            tag("dt", &[], name),
            tag("dd", &[("class", "value")], figures::metric(interval.value)),
            tag("dd", &[("class", "bounds")], figures::bounds(interval)),
        ],
    )
}
