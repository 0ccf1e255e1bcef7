//! Which stage made what from what.

use artifact::{ArtifactRecord, Manifest};

use super::paragraph;
use crate::{
    figures,
    markup::{Markup, tag},
    run_report::RunReport,
    table::{Align, table},
};

pub fn body(run: &RunReport) -> Markup {
    if run.stages.is_empty() {
        return paragraph("No stage was completed.");
    }
    let total = run.stages.iter().map(|stage| stage.seconds).sum();
    Markup::from([
        paragraph([
            Markup::text(
                "Every artifact is named by the digest of its bytes (the first digits are shown), and \
                 was read back from them by the stages that took it. The stages took ",
            ),
            figures::seconds(total),
            Markup::text(" in all."),
        ]),
        stages(&run.stages),
    ])
}

fn stages(stages: &[Manifest]) -> Markup {
    let columns = [
        ("Stage", Align::Words),
        ("From", Align::Words),
        ("Made", Align::Words),
        ("Counts", Align::Words),
        ("Time", Align::Figures),
    ];
    let rows = stages.iter().map(|stage| {
        let counts = stage
            .counts
            .iter()
            .map(|(name, n)| format!("{} {}", figures::words(name), figures::count(*n)));
        vec![
            Markup::text(figures::words(&stage.stage)),
            artifacts(&stage.inputs),
            artifacts(&stage.outputs),
            Markup::text(counts.collect::<Vec<_>>().join(", ")),
            figures::seconds(stage.seconds),
        ]
    });
    table("Completed stages, in order", &columns, rows)
}

fn artifacts(records: &[ArtifactRecord]) -> Markup {
    let items: Markup = records
        .iter()
        .map(|record| {
            let digest = record.digest.to_string();
            let short = tag("code", &[("title", &digest)], record.digest.short());
            tag(
                "li",
                &[],
                [Markup::text(format!("{} ", record.kind)), short],
            )
        })
        .collect();
    if items.is_empty() {
        return items;
    }
    tag("ul", &[("class", "bare")], items)
}
