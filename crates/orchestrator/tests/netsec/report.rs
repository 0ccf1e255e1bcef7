use std::{collections::BTreeSet, fs, io::Write as _, time::Instant};

use flate2::{Compression, write::GzEncoder};
use roxmltree::{Document, Node, ParsingOptions};
use serde_json::Value;

use crate::support::{Workplace, small_csv};

/// Parses a report strictly.
fn parse(page: &str) -> Document<'_> {
    let options = ParsingOptions {
        allow_dtd: true,
        ..ParsingOptions::default()
    };
    Document::parse_with_options(page, options).unwrap()
}

fn ids<'a>(document: &'a Document<'_>) -> Vec<&'a str> {
    let sections = document.descendants().filter(|n| n.has_tag_name("section"));
    sections.filter_map(|n| n.attribute("id")).collect()
}

fn page_of(place: &Workplace, run: &Value) -> String {
    fs::read_to_string(place.path(run["report"].as_str().unwrap())).unwrap()
}

/// Takes out what differs between two runs of the same: clock times and the run's name.
fn without_clock(page: &str, run: &Value) -> String {
    let directory = run["run"].as_str().unwrap();
    let name = directory.rsplit('/').next().unwrap();
    let mut text = String::new();
    for (at, part) in page.replace(name, "RUN").split("<time ").enumerate() {
        let end = if at == 0 {
            0
        } else {
            part.find("</time>").unwrap()
        };
        text += &part[end..];
    }
    text
}

#[test]
fn every_run_leaves_a_report_that_is_whole_and_loads_nothing() {
    let place = Workplace::new();
    let run = place.run(&["--source", "synth://phishing?rows=3000"]);
    let page = page_of(&place, &run);
    assert!(page.len() < 2_000_000, "{} bytes", page.len());
    let document = parse(&page);
    let sections = [
        "holdout",
        "decisions",
        "curves",
        "classes",
        "champion",
        "candidates",
        "leak",
        "importance",
        "rows",
        "profile",
        "drift",
        "lineage",
        "configuration",
    ];
    assert_eq!(ids(&document), sections);
    assert!(page.contains("simulated data"));
    assert!(page.contains("no reference"));
    assert_eq!(page.matches("class=\"plot\"").count(), 4);
    assert_eq!(page.matches("class=\"distribution\"").count(), 30);
    loads_nothing(&page, &document);
    links_lead_somewhere(&document);
    pictures_and_tables_are_named(&document);
}

fn loads_nothing(page: &str, document: &Document<'_>) {
    let loading = ["src", "srcset", "data", "poster", "action"];
    for node in document.descendants().filter(Node::is_element) {
        assert!(!["script", "link", "img", "iframe", "object"].contains(&node.tag_name().name()));
        for attribute in node.attributes() {
            assert!(!loading.contains(&attribute.name()), "{attribute:?}");
            let local = attribute.name() != "href" || attribute.value().starts_with('#');
            assert!(local, "{attribute:?}");
        }
    }
    for outside in ["http://", "https://", "url(", "@import"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

fn links_lead_somewhere(document: &Document<'_>) {
    let attributes = |name| {
        document
            .descendants()
            .filter_map(move |n| n.attribute(name))
    };
    let ids: Vec<&str> = attributes("id").collect();
    let distinct: BTreeSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), distinct.len(), "an id stands twice");
    for target in attributes("href") {
        assert!(distinct.contains(&target[1..]), "{target} leads nowhere");
    }
}

fn pictures_and_tables_are_named(document: &Document<'_>) {
    for svg in document.descendants().filter(|n| n.has_tag_name("svg")) {
        let titled = svg.children().any(|n| n.has_tag_name("title"));
        assert!(titled || svg.attribute("aria-hidden") == Some("true"));
    }
    for table in document.descendants().filter(|n| n.has_tag_name("table")) {
        assert!(table.children().any(|n| n.has_tag_name("caption")));
    }
}

#[test]
fn the_same_run_gives_the_same_report_but_for_the_clock() {
    let run = || {
        let place = Workplace::new();
        let run = place.run(&["--source", "synth://phishing?rows=2000"]);
        let page = page_of(&place, &run);
        (without_clock(&page, &run), page, place, run)
    };
    let ((first, page, place, run), (second, ..)) = (run(), run());
    assert_eq!(first, second);
    let again = place.call(&["report", run["run"].as_str().unwrap()]);
    assert_eq!(
        again.out.trim_end(),
        run["report"].as_str().unwrap(),
        "{}",
        again.err
    );
    assert_eq!(page_of(&place, &run), page);
}

#[test]
fn a_second_run_is_compared_with_the_champion_in_its_report() {
    let place = Workplace::new();
    let source = ["--source", "synth://phishing?rows=3000"];
    let promoted = [&source[..], &["--force", "--why", "a test"]].concat();
    place.run(&promoted);
    let run = place.run(&[&source[..], &["--set", "training.folds=3"]].concat());
    let page = page_of(&place, &run);
    assert!(page.contains("training rows of champion version 1"));
    assert_eq!(page.matches("class=\"distribution\"").count(), 60);
    assert!(!page.contains("no reference"));
}

#[test]
fn a_refused_run_has_a_report_and_its_error_says_where() {
    let place = Workplace::new();
    let bad = small_csv(400).replace("\n1,", "\n<b>,");
    let source = place.write("bad.csv", bad);
    let called = place.call(&["run", "--source", &source]);
    assert_eq!(called.code, 65, "{}", called.err);
    let start = called.err.find("(see ").unwrap() + 5;
    let path = called.err[start..].split(')').next().unwrap();
    assert!(path.ends_with("report.html"), "{}", called.err);
    let page = fs::read_to_string(place.path(path)).unwrap();
    let document = parse(&page);
    assert_eq!(
        ids(&document),
        ["rows", "profile", "drift", "lineage", "configuration"]
    );
    assert!(page.contains("Rejected by validation"));
    assert!(page.contains("&lt;b&gt;") && !page.contains("<b>"));
}

#[test]
fn a_run_that_breaks_off_says_why_in_a_report_of_what_is_there() {
    let place = Workplace::new();
    let source = place.write("data.csv", small_csv(400));
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(small_csv(400).as_bytes()).unwrap();
    let whole = encoder.finish().unwrap();
    place.write("cut.csv.gz", &whole[..whole.len() / 2]);
    let called = place.call(&["run", "--source", &source, "--holdout", "cut.csv.gz"]);
    assert_eq!(called.code, 65, "{}", called.err);
    let name = place.call(&["runs"]).out.trim_end().to_owned();
    let report = place.path("artifacts").join(name).join("report.html");
    let page = fs::read_to_string(report).unwrap();
    let sections = ["rows", "profile", "drift", "lineage", "configuration"];
    assert_eq!(ids(&parse(&page)), sections);
    assert!(page.contains("Not finished"));
    assert!(
        page.contains("<li>holdout cut.csv.gz: damaged or cut short"),
        "{}",
        called.err
    );
}

#[test]
fn a_report_is_written_quickly() {
    let place = Workplace::new();
    let run = place.run(&["--source", "synth://phishing?rows=11055"]);
    let clock = Instant::now();
    let called = place.call(&["report", run["run"].as_str().unwrap()]);
    assert_eq!(called.code, 0, "{}", called.err);
    // Ten times what it may take, for a busy machine and a build without optimisation.
    assert!(clock.elapsed().as_secs_f64() < 1.0, "{:?}", clock.elapsed());
}
