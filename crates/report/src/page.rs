//! The page around the sections.

use crate::{
    markup::{Markup, tag},
    run_report::RunReport,
    sections::{self, Section},
};

const STYLE: &str = include_str!("style.css");

/// Writes the report as one HTML document, which is well-formed XML as well.
///
/// The same run gives the same document but for what stands in `time` elements and the run's name.
pub fn html(run: &RunReport) -> String {
    let sections = sections::all(run);
    let body = [
        tag(
            "a",
            &[("class", "skip"), ("href", "#content")],
            "Skip to the content",
        ),
        sections::headline(run),
        contents(&sections),
        tag(
            "main",
            &[("id", "content")],
            sections.into_iter().map(section).collect::<Markup>(),
        ),
    ];
    let document = [head(run), tag("body", &[], body)];
    let document = tag("html", &[("lang", "en")], document);
    format!("<!DOCTYPE html>\n{}\n", document.as_str())
}

fn head(run: &RunReport) -> Markup {
    let meta = |name: &str, content: &str| tag("meta", &[("name", name), ("content", content)], "");
    let title = format!("{} · {}", run.dataset(), run.name);
    tag(
        "head",
        &[],
        [
            tag("meta", &[("charset", "utf-8")], ""),
            meta("viewport", "width=device-width, initial-scale=1"),
            meta("color-scheme", "light dark"),
            meta("generator", "netsec"),
            // Whatever a page may hold, a browser is told to load nothing from anywhere.
            tag(
                "meta",
                &[
                    ("http-equiv", "Content-Security-Policy"),
                    ("content", POLICY),
                ],
                "",
            ),
            tag("title", &[], title),
            tag("style", &[], Markup::literal(STYLE)),
        ],
    )
}

const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'";

fn contents(sections: &[Section]) -> Markup {
    let links = sections.iter().map(|section| {
        let target = format!("#{}", section.id);
        tag("li", &[], tag("a", &[("href", &target)], section.id))
    });
    tag(
        "nav",
        &[("aria-label", "Contents")],
        tag("ul", &[], links.collect::<Markup>()),
    )
}

fn section(section: Section) -> Markup {
    let heading = format!("{}-title", section.id);
    tag(
        "section",
        &[("id", section.id), ("aria-labelledby", &heading)],
        [tag("h2", &[("id", &heading)], section.title), section.body],
    )
}
