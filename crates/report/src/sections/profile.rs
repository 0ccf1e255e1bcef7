//! Every column of the accepted rows, with its distribution.

use dataset::profile::{ColumnProfile, LevelCount, Values};
use validation::ValidationReport;

use super::paragraph;
use crate::{
    bars, figures,
    markup::{Markup, tag},
};

/// Columns that are drawn; wider data sets are told by their numbers elsewhere.
const N_SHOWN: usize = 300;

pub fn body(validation: &ValidationReport) -> Markup {
    let profile = &validation.profile;
    let cards: Markup = profile.columns.iter().take(N_SHOWN).map(card).collect();
    let more = profile.columns.len().saturating_sub(N_SHOWN);
    let more = (more > 0).then(|| {
        let columns = figures::counted(more, "further column");
        paragraph(format!(
            "{columns} not shown; validation.json has them all."
        ))
    });
    let intro = format!(
        "{} of {}; the outermost bars of numbers reach to the extremes.",
        figures::counted(profile.columns.len(), "column"),
        figures::counted(profile.n_rows as usize, "accepted row"),
    );
    Markup::from([
        paragraph(intro),
        tag("ul", &[("class", "cards")], cards),
        more.into(),
    ])
}

fn card(column: &ColumnProfile) -> Markup {
    let missing = (column.n_missing > 0).then(|| {
        let share = figures::percent(column.missing_share());
        tag("p", &[("class", "note")], format!("{share} missing"))
    });
    tag(
        "li",
        &[],
        [
            tag("h3", &[], &column.name),
            bars::distribution(column, None),
            tag("p", &[], in_words(column)),
            missing.into(),
        ],
    )
}

fn in_words(column: &ColumnProfile) -> String {
    let distinct = figures::counted(column.n_distinct as usize, "value");
    if let Values::Levels(levels) = &column.values {
        let most = levels.iter().max_by_key(|level| level.count);
        return most.map_or("no values".to_owned(), |most| {
            most_often(&distinct, most, column)
        });
    }
    match column.moments() {
        Some(moments) => format!(
            "{distinct}, mean {} ± {}",
            figures::number(moments.mean),
            figures::number(moments.std)
        ),
        None => distinct,
    }
}

fn most_often(distinct: &str, most: &LevelCount, column: &ColumnProfile) -> String {
    let share = figures::percent(most.count as f64 / column.n_present().max(1) as f64);
    format!("{distinct}, most often {} ({share})", most.text)
}
