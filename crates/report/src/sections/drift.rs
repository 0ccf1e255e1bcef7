//! Whether the data still looks like what the champion learned from.

use dataset::{
    ReferenceProfile,
    drift::{ColumnDrift, DriftReport, DriftVerdict, Effect, Finding, Test},
    profile::Profile,
};
use validation::ValidationReport;

use super::{badge, paragraph};
use crate::{
    bars, figures,
    markup::{Markup, tag},
    table::{Align, table},
};

/// Columns that are shown; a page of thousands of pictures opens in no browser.
const N_SHOWN: usize = 100;

pub fn body(validation: &ValidationReport, reference: Option<&ReferenceProfile>) -> Markup {
    let drift = &validation.drift;
    if drift.verdict == DriftVerdict::NoReference {
        return Markup::from([
            paragraph(badge("no reference", "plain")),
            paragraph(
                "There was no champion whose training data these rows could be compared with.",
            ),
        ]);
    }
    let profiles = (
        &validation.profile,
        reference.and_then(|r| r.profile.as_ref()),
    );
    let version = reference.and_then(|r| r.version);
    Markup::from([
        verdict(drift),
        paragraph(how(drift, version)),
        columns(drift, profiles),
        not_shown(drift).map(paragraph).into(),
        not_compared(drift).map(paragraph).into(),
    ])
}

fn verdict(drift: &DriftReport) -> Markup {
    let n = drift.drifted().count();
    match n {
        0 => paragraph(badge("stable", "good")),
        n => paragraph(badge(
            &format!("{} drifted", figures::counted(n, "column")),
            "poor",
        )),
    }
}

fn how(drift: &DriftReport, version: Option<u64>) -> String {
    let champion = version.map_or(String::new(), |v| format!(" of champion version {v}"));
    format!(
        "{} compared with the {} training rows{champion}. A column has drifted when its p-value, adjusted \
         for all tests, is at most {} and its effect size reaches the threshold. Ticks mark the champion's \
         training data.",
        figures::counted(drift.rows_fresh as usize, "row"),
        figures::count(drift.rows_reference),
        drift.false_alarm_rate,
    )
}

fn columns(drift: &DriftReport, profiles: (&Profile, Option<&Profile>)) -> Markup {
    let columns = [
        ("Column", Align::Words),
        ("Distribution", Align::Words),
        ("Test", Align::Words),
        ("Adjusted p", Align::Figures),
        ("Effect", Align::Figures),
        ("Drift from", Align::Figures),
        ("Missing, before → now", Align::Figures),
    ];
    let mut ranked: Vec<&ColumnDrift> = drift.columns.iter().collect();
    ranked.sort_by_key(|column| !column.drifted);
    let shown = ranked.into_iter().take(N_SHOWN);
    let rows = shown.map(|column| row(column, profiles));
    table("Columns, the drifted ones first", &columns, rows)
}

fn row(column: &ColumnDrift, (fresh, reference): (&Profile, Option<&Profile>)) -> Vec<Markup> {
    let drifted = column.drifted.then(|| badge("drifted", "poor"));
    let picture = fresh
        .column(&column.name)
        .map(|fresh| bars::distribution(fresh, reference.and_then(|r| r.column(&column.name))));
    let mut cells = vec![
        Markup::from([Markup::text(&column.name), drifted.into()]),
        picture.into(),
    ];
    cells.extend(telling(column).map_or([(); 4].map(|()| Markup::text("–")), finding));
    let before = figures::percent(column.missing_share_reference);
    let now = figures::percent(column.missing_share_fresh);
    cells.push(Markup::text(format!("{before} → {now}")));
    cells
}

/// Returns the finding that is shown: that of the values, unless only the missing cells have drifted.
fn telling(column: &ColumnDrift) -> Option<&Finding> {
    let values = column.values.as_ref();
    let missing = column.missing.as_ref();
    values
        .filter(|finding| finding.drifted)
        .or(missing.filter(|finding| finding.drifted))
        .or(values)
        .or(missing)
}

fn finding(finding: &Finding) -> [Markup; 4] {
    let test = match finding.test {
        Test::ChiSquared => "chi-squared",
        Test::FisherExact => "Fisher's exact",
        Test::KolmogorovSmirnov => "Kolmogorov–Smirnov",
    };
    let effect = match finding.effect_name {
        Effect::JensenShannon => "Jensen–Shannon",
        Effect::WassersteinInStd => "Wasserstein / σ",
        Effect::KolmogorovSmirnov => "Kolmogorov–Smirnov",
    };
    let size = Markup::text(figures::metric(finding.effect));
    [
        Markup::text(test),
        Markup::text(figures::p_value(finding.p_adjusted)),
        Markup::from([size, tag("small", &[], effect)]),
        Markup::text(figures::number(finding.effect_threshold)),
    ]
}

/// Says how many columns are not shown, and whether any of them has drifted.
fn not_shown(drift: &DriftReport) -> Option<String> {
    let more = drift.columns.len().checked_sub(N_SHOWN)?;
    let drifted = drift.drifted().count().saturating_sub(N_SHOWN);
    let which = match drifted {
        0 => "none of them drifted".to_owned(),
        n => format!("{} of them drifted", figures::count(n as u64)),
    };
    let columns = figures::counted(more, "further column");
    (more > 0).then(|| format!("{columns} not shown, {which}; validation.json has them all."))
}

fn not_compared(drift: &DriftReport) -> Option<String> {
    let names = &drift.not_compared;
    let shown = names[..names.len().min(N_SHOWN)].join(", ");
    let more = match names.len().saturating_sub(N_SHOWN) {
        0 => String::new(),
        n => format!(" and {} more", figures::count(n as u64)),
    };
    (!names.is_empty()).then(|| format!("Not compared, on one side only: {shown}{more}."))
}
