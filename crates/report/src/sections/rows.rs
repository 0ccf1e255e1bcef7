//! How many rows of which kind, and what is wrong with those set aside.

use transformation::SplitReport;
use validation::{ColumnFindings, ProblemCount, ValidationReport};

use super::{list, paragraph};
use crate::{
    bars, figures,
    markup::{Markup, tag},
    table::{Align, table},
};

/// Kinds of problems that are listed; a broken file may have thousands.
const N_PROBLEMS: usize = 30;

pub fn body(validation: &ValidationReport, split: Option<&SplitReport>) -> Markup {
    Markup::from([
        counts(validation),
        split.map(sides).into(),
        classes(validation),
        list(&oddities(&validation.columns)),
        quarantine(&validation.problems),
    ])
}

fn counts(validation: &ValidationReport) -> Markup {
    let r = &validation.rows;
    let rows = [
        ("In the source", r.total),
        ("Accepted", r.accepted),
        ("Quarantined", r.quarantined),
        ("Repeated (accepted rows less distinct rows)", r.duplicates),
        (
            "Conflicting (same features, both threat and benign)",
            r.conflicting,
        ),
        ("Distinct feature vectors", r.groups),
    ];
    let of = r.total.max(1) as f64;
    let rows = rows.map(|(name, n)| {
        let share = Markup::text(figures::percent(n as f64 / of));
        vec![
            Markup::text(name),
            Markup::text(figures::count(n as u64)),
            share,
        ]
    });
    let columns = [
        ("Rows", Align::Words),
        ("Count", Align::Figures),
        ("Of all", Align::Figures),
    ];
    table("Rows by kind", &columns, rows)
}

fn sides(split: &SplitReport) -> Markup {
    let columns = [
        ("Side", Align::Words),
        ("Rows", Align::Figures),
        ("Distinct", Align::Figures),
        ("Threats", Align::Figures),
        ("Share of threats", Align::Figures),
    ];
    let holdout = if split.given {
        "Holdout, as given"
    } else {
        "Holdout"
    };
    let rows = [("Training", &split.train), (holdout, &split.holdout)].map(|(name, side)| {
        let share = side.threats as f64 / side.rows.max(1) as f64;
        let counts = [side.rows, side.groups, side.threats];
        let counts = counts.map(|n| Markup::text(figures::count(n as u64)));
        let cells = [Markup::text(name)].into_iter().chain(counts);
        cells
            .chain([Markup::text(figures::percent(share))])
            .collect()
    });
    table(
        "What was learned from and what was held out",
        &columns,
        rows,
    )
}

fn classes(validation: &ValidationReport) -> Markup {
    let total = validation.classes.values().sum::<usize>().max(1) as f64;
    let columns = [
        ("Target", Align::Words),
        ("Rows", Align::Figures),
        ("Bar", Align::Picture),
        ("Share", Align::Figures),
    ];
    let mut classes: Vec<_> = validation.classes.iter().collect();
    classes.sort_by_key(|(_, n)| std::cmp::Reverse(**n));
    let rows = classes.into_iter().map(|(name, n)| {
        let share = *n as f64 / total;
        vec![
            Markup::text(name),
            Markup::text(figures::count(*n as u64)),
            bars::share(share, "fill"),
            Markup::text(figures::percent(share)),
        ]
    });
    let caption = format!(
        "Target values among the accepted rows; {} are threats",
        figures::percent(validation.threat_share)
    );
    table(&caption, &columns, rows)
}

fn oddities(columns: &ColumnFindings) -> Vec<String> {
    let named = |what: &str, names: &[String]| {
        (!names.is_empty()).then(|| format!("{what}: {}", names.join(", ")))
    };
    let reordered = "Columns stand in another order than in the schema.".to_owned();
    [
        named("Columns missing from the source", &columns.missing),
        named("Columns that the schema does not know", &columns.unknown),
        named("Columns that are there twice", &columns.duplicated),
        columns.reordered.then_some(reordered),
        named("Columns with one value only", &columns.constant),
    ]
    .into_iter()
    .flatten()
    .collect()
}

fn quarantine(problems: &[ProblemCount]) -> Markup {
    if problems.is_empty() {
        return paragraph("No row was quarantined.");
    }
    let columns = [
        ("Column", Align::Words),
        ("Problem", Align::Words),
        ("Rows", Align::Figures),
        ("First", Align::Words),
    ];
    let rows = problems.iter().take(N_PROBLEMS).map(|p| {
        let column = if p.column.is_empty() {
            "(whole row)"
        } else {
            &p.column
        };
        vec![
            Markup::text(column),
            Markup::text(figures::words(&p.problem)),
            Markup::text(figures::count(p.rows as u64)),
            Markup::text(&p.example),
        ]
    });
    let file = tag("code", &[], "02-validation/quarantine.csv");
    let more = problems.len().saturating_sub(N_PROBLEMS);
    let more =
        (more > 0).then(|| format!(" {} not shown.", figures::counted(more, "further kind")));
    Markup::from([
        table(
            "Why rows were quarantined, the most frequent first",
            &columns,
            rows,
        ),
        paragraph([
            Markup::text("Every quarantined row, with its number and its reasons, stands in "),
            file,
            Markup::text(" of the run directory."),
            more.map(Markup::from).into(),
        ]),
    ])
}
