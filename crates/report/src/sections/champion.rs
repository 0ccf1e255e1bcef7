//! Candidate against champion.

use registry::{Comparison, Evaluation};

use super::paragraph;
use crate::{
    figures,
    markup::Markup,
    table::{Align, table},
};

pub fn body(e: &Evaluation) -> Markup {
    match &e.comparison {
        Comparison::NoChampion => paragraph(
            "There was no champion when the run began: the candidate had to reach the schema's minima only.",
        ),
        Comparison::NotComparable {
            version, reason, ..
        } => paragraph(format!(
            "Not comparable with champion version {version}: {reason}."
        )),
        Comparison::Compared {
            version,
            groups,
            champion_pr_auc,
            candidate_pr_auc,
            difference,
        } => {
            let columns = [
                ("PR AUC", Align::Words),
                ("Value", Align::Figures),
                ("95 % interval", Align::Figures),
            ];
            let row = |name: String, value: String, bounds: String| {
                [name, value, bounds].map(Markup::from).to_vec()
            };
            let champion = format!("Champion, version {version}");
            let [low, high] = [difference.low, difference.high].map(figures::difference);
            let caption = format!(
                "On {} groups of records that neither has trained on",
                figures::count(*groups)
            );
            let rows = [
                row(champion, figures::metric(*champion_pr_auc), String::new()),
                row(
                    "Candidate".to_owned(),
                    figures::metric(*candidate_pr_auc),
                    String::new(),
                ),
                row(
                    "Difference, paired".to_owned(),
                    figures::difference(difference.value),
                    format!("{low} to {high}"),
                ),
            ];
            table(&caption, &columns, rows)
        }
    }
}
