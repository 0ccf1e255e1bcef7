//! What the model goes by.

use trainer::TrainingReport;

use super::paragraph;
use crate::{
    bars, figures,
    markup::Markup,
    table::{Align, table},
};

const N_SHOWN: usize = 20;

pub fn body(training: &TrainingReport) -> Markup {
    let importance = &training.importance;
    if importance.is_empty() {
        return paragraph("This model gives no importance of its features.");
    }
    let (shown, rest) = importance.split_at(importance.len().min(N_SHOWN));
    let most = shown
        .first()
        .map_or(1.0, |(_, share)| *share)
        .max(f64::MIN_POSITIVE);
    let columns = [
        ("Feature", Align::Words),
        ("Bar", Align::Picture),
        ("Share", Align::Figures),
    ];
    let rows = shown.iter().map(|(name, share)| {
        vec![
            Markup::text(name),
            bars::share(share / most, "fill"),
            Markup::text(figures::percent(*share)),
        ]
    });
    let caption = "Share of the importance, the most important first";
    Markup::from([
        table(caption, &columns, rows),
        others(rest).map(paragraph).into(),
    ])
}

fn others(rest: &[(String, f64)]) -> Option<String> {
    let share: f64 = rest.iter().map(|(_, share)| share).sum();
    (!rest.is_empty()).then(|| {
        format!(
            "{} not shown, together {}.",
            figures::counted(rest.len(), "further feature"),
            figures::percent(share)
        )
    })
}
