//! What the report says, a file a section.

mod candidates;
mod champion;
mod classes;
mod configuration;
mod curves;
mod decisions;
mod drift;
mod headline;
mod holdout;
mod importance;
mod leak;
mod lineage;
mod profile;
mod rows;

use crate::{
    markup::{Markup, tag},
    run_report::RunReport,
};

pub use headline::headline;

/// A section of the page.
pub struct Section {
    /// What links to it.
    pub id: &'static str,
    /// Its heading.
    pub title: &'static str,
    /// What stands below.
    pub body: Markup,
}

/// Returns the sections that the run came far enough for: the outcome first, then the model, then the
/// data, then where it all came from.
pub fn all(run: &RunReport) -> Vec<Section> {
    let (evaluation, training) = (run.evaluation.as_ref(), run.training.as_ref());
    let (validation, reference) = (run.validation.as_ref(), run.reference.as_ref());
    let section = |id, title, body: Option<Markup>| body.map(|body| Section { id, title, body });
    [
        section("holdout", "Holdout metrics", evaluation.map(holdout::body)),
        section(
            "decisions",
            "Thresholds and decisions",
            evaluation.zip(training).map(|(e, t)| decisions::body(e, t)),
        ),
        section(
            "curves",
            "Curves and calibration",
            evaluation.map(curves::body),
        ),
        section(
            "classes",
            "Classes and attack families",
            evaluation.map(classes::body),
        ),
        section(
            "champion",
            "Against the champion",
            evaluation.map(champion::body),
        ),
        section("candidates", "Candidates", training.map(candidates::body)),
        section(
            "leak",
            "What repeated rows would have pretended",
            training.map(leak::body),
        ),
        section(
            "importance",
            "Feature importance",
            training.map(importance::body),
        ),
        section(
            "rows",
            "Rows and quarantine",
            validation.map(|v| rows::body(v, run.split.as_ref())),
        ),
        section("profile", "Data profile", validation.map(profile::body)),
        section(
            "drift",
            "Drift",
            validation.map(|v| drift::body(v, reference)),
        ),
        section("lineage", "Lineage", Some(lineage::body(run))),
        section(
            "configuration",
            "Configuration",
            Some(configuration::body(run)),
        ),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Makes a paragraph.
fn paragraph(text: impl Into<Markup>) -> Markup {
    tag("p", &[], text)
}

/// Makes a list of reasons; nothing when there are none.
fn list(items: &[String]) -> Markup {
    if items.is_empty() {
        return Markup::default();
    }
    let items: Markup = items.iter().map(|item| tag("li", &[], item)).collect();
    tag("ul", &[], items)
}

/// Makes a word that stands out, in a colour that says good, bad or neither.
fn badge(text: &str, class: &'static str) -> Markup {
    let class = format!("badge {class}");
    tag("span", &[("class", &class)], text)
}
