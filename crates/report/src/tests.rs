use dataset::{
    SourceUri,
    drift::{self, DriftConfig},
    profile::{ColumnProfile, LevelCount, Profile, Scale, Values},
};
use expect_test::{Expect, expect};
use validation::{ColumnFindings, ProblemCount, RowCounts, ValidationReport};

use crate::{RunReport, Settings, html, sections};

const HOSTILE: &str = "<script>alert(\"it's\" & 'that')</script>\u{1}";

/// A run that validation has refused, full of texts that want to be markup.
fn refused() -> RunReport {
    let profile = Profile {
        n_rows: 4,
        columns: vec![ColumnProfile {
            name: HOSTILE.to_owned(),
            scale: Scale::Text,
            n: 4,
            n_missing: 1,
            n_distinct: 1,
            values: Values::Levels(vec![LevelCount {
                value: 0.0,
                text: HOSTILE.to_owned(),
                count: 3,
            }]),
        }],
    };
    let validation = ValidationReport {
        dataset: HOSTILE.to_owned(),
        simulated: true,
        passed: false,
        reasons: vec![HOSTILE.to_owned()],
        rows: RowCounts {
            total: 5,
            accepted: 4,
            quarantined: 1,
            duplicates: 1,
            conflicting: 2,
            groups: 2,
        },
        columns: ColumnFindings {
            unknown: vec![HOSTILE.to_owned()],
            ..ColumnFindings::default()
        },
        problems: vec![ProblemCount {
            column: HOSTILE.to_owned(),
            problem: "wrong_type".to_owned(),
            rows: 1,
            example: format!("row 3: {HOSTILE}"),
        }],
        classes: [(HOSTILE.to_owned(), 3), ("benign".to_owned(), 1)].into(),
        threat_share: 0.75,
        drift: drift::compare(None, &profile, &DriftConfig::default()),
        profile,
    };
    RunReport {
        name: "20260203T101112Z-1f9c04ab".to_owned(),
        settings: Settings {
            source: SourceUri::new(format!("postgres://me:secret@host/db?table={HOSTILE}")),
            ..Settings::default()
        },
        configuration: format!("source: postgres://me:secret@host/db\ndataset: {HOSTILE}\n"),
        stages: Vec::new(),
        reference: None,
        validation: Some(validation),
        split: None,
        training: None,
        evaluation: None,
        promotion: None,
        failure: None,
    }
}

fn check_section(run: &RunReport, id: &str, expected: Expect) {
    let sections = sections::all(run);
    let section = sections.iter().find(|section| section.id == id).unwrap();
    // One element a line reads better than one line.
    expected.assert_eq(&section.body.as_str().replace("><", ">\n<"));
}

#[test]
fn text_of_the_data_never_becomes_markup() {
    let page = html(&refused());
    let document = roxmltree::Document::parse_with_options(
        &page,
        roxmltree::ParsingOptions {
            allow_dtd: true,
            ..roxmltree::ParsingOptions::default()
        },
    )
    .unwrap();
    assert!(
        !document
            .descendants()
            .any(|node| node.has_tag_name("script"))
    );
    let shown = HOSTILE.replace('\u{1}', "\u{fffd}");
    let heading = document
        .descendants()
        .find(|node| node.has_tag_name("h3"))
        .unwrap();
    assert_eq!(heading.text(), Some(shown.as_str()));
}

#[test]
fn passwords_are_not_passed_on() {
    let page = html(&refused());
    assert!(!page.contains("secret"));
    assert_eq!(page.matches("postgres://me:***@host/db").count(), 2);
}

#[test]
fn a_refused_run_shows_what_validation_found_and_no_model() {
    let ids: Vec<&str> = sections::all(&refused()).iter().map(|s| s.id).collect();
    assert_eq!(
        ids,
        ["rows", "profile", "drift", "lineage", "configuration"]
    );
    let head = sections::headline(&refused());
    assert!(head.as_str().contains("Rejected by validation"), "{head:?}");
    assert!(head.as_str().contains("simulated data"), "{head:?}");
}

#[test]
fn a_run_that_broke_off_says_why() {
    let run = RunReport {
        validation: None,
        failure: Some("the disk is full".to_owned()),
        ..refused()
    };
    let head = sections::headline(&run);
    assert!(head.as_str().contains("Not finished"), "{head:?}");
    assert!(
        head.as_str().contains("<li>the disk is full</li>"),
        "{head:?}"
    );
}

#[test]
fn the_drift_section_says_when_there_is_no_reference() {
    check_section(
        &refused(),
        "drift",
        expect![[r#"
        <p>
        <span class="badge plain">no reference</span>
        </p>
        <p>There was no champion whose training data these rows could be compared with.</p>"#]],
    );
}

#[test]
fn the_rows_section_counts_and_gives_the_first_reasons() {
    let mut run = refused();
    let validation = run.validation.as_mut().unwrap();
    validation.columns = ColumnFindings::default();
    validation.classes = [("-1".to_owned(), 3), ("1".to_owned(), 1)].into();
    validation.problems[0].column = "port".to_owned();
    validation.problems[0].example = "row 3: `x` is not a number".to_owned();
    check_section(
        &run,
        "rows",
        expect![[r#"
        <div class="scroll" tabindex="0" role="region" aria-label="Rows by kind">
        <table>
        <caption>Rows by kind</caption>
        <thead>
        <tr>
        <th scope="col" class="words">Rows</th>
        <th scope="col" class="figures">Count</th>
        <th scope="col" class="figures">Of all</th>
        </tr>
        </thead>
        <tbody>
        <tr>
        <th scope="row" class="words">In the source</th>
        <td class="figures">5</td>
        <td class="figures">100.0 %</td>
        </tr>
        <tr>
        <th scope="row" class="words">Accepted</th>
        <td class="figures">4</td>
        <td class="figures">80.0 %</td>
        </tr>
        <tr>
        <th scope="row" class="words">Quarantined</th>
        <td class="figures">1</td>
        <td class="figures">20.0 %</td>
        </tr>
        <tr>
        <th scope="row" class="words">Repeated (accepted rows less distinct rows)</th>
        <td class="figures">1</td>
        <td class="figures">20.0 %</td>
        </tr>
        <tr>
        <th scope="row" class="words">Conflicting (same features, both threat and benign)</th>
        <td class="figures">2</td>
        <td class="figures">40.0 %</td>
        </tr>
        <tr>
        <th scope="row" class="words">Distinct feature vectors</th>
        <td class="figures">2</td>
        <td class="figures">40.0 %</td>
        </tr>
        </tbody>
        </table>
        </div>
        <div class="scroll" tabindex="0" role="region" aria-label="Target values among the accepted rows; 75.0 % are threats">
        <table>
        <caption>Target values among the accepted rows; 75.0 % are threats</caption>
        <thead>
        <tr>
        <th scope="col" class="words">Target</th>
        <th scope="col" class="figures">Rows</th>
        <th scope="col" class="picture">Bar</th>
        <th scope="col" class="figures">Share</th>
        </tr>
        </thead>
        <tbody>
        <tr>
        <th scope="row" class="words">-1</th>
        <td class="figures">3</td>
        <td class="picture">
        <svg class="share" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
        <rect class="fill" width="75" height="10"/>
        </svg>
        </td>
        <td class="figures">75.0 %</td>
        </tr>
        <tr>
        <th scope="row" class="words">1</th>
        <td class="figures">1</td>
        <td class="picture">
        <svg class="share" viewBox="0 0 100 10" preserveAspectRatio="none" aria-hidden="true">
        <rect class="fill" width="25" height="10"/>
        </svg>
        </td>
        <td class="figures">25.0 %</td>
        </tr>
        </tbody>
        </table>
        </div>
        <div class="scroll" tabindex="0" role="region" aria-label="Why rows were quarantined, the most frequent first">
        <table>
        <caption>Why rows were quarantined, the most frequent first</caption>
        <thead>
        <tr>
        <th scope="col" class="words">Column</th>
        <th scope="col" class="words">Problem</th>
        <th scope="col" class="figures">Rows</th>
        <th scope="col" class="words">First</th>
        </tr>
        </thead>
        <tbody>
        <tr>
        <th scope="row" class="words">port</th>
        <td class="words">wrong type</td>
        <td class="figures">1</td>
        <td class="words">row 3: `x` is not a number</td>
        </tr>
        </tbody>
        </table>
        </div>
        <p>Every quarantined row, with its number and its reasons, stands in <code>02-validation/quarantine.csv</code> of the run directory.</p>"#]],
    );
}

/// Makes a run whose rows have so many columns, compared with rows like them.
fn wide(n_columns: usize) -> RunReport {
    let mut run = refused();
    let validation = run.validation.as_mut().unwrap();
    let like = validation.profile.columns[0].clone();
    let column = |i| ColumnProfile {
        name: format!("column {i}"),
        ..like.clone()
    };
    let profile = Profile {
        n_rows: validation.profile.n_rows,
        columns: (0..n_columns).map(column).collect(),
    };
    validation.drift = drift::compare(Some(&profile), &profile, &DriftConfig::default());
    validation.profile = profile;
    run
}

#[test]
fn of_many_columns_some_are_shown_with_how_many_are_not() {
    let drift = |n_columns| {
        let sections = sections::all(&wide(n_columns));
        let section = sections.into_iter().find(|s| s.id == "drift").unwrap();
        section.body.as_str().to_owned()
    };
    let all = drift(100);
    assert_eq!(all.matches("<tr>").count(), 101);
    assert!(!all.contains("not shown"), "{all}");
    let some = drift(10_000);
    assert_eq!(some.matches("<tr>").count(), 101);
    let words =
        "9,900 further columns not shown, none of them drifted; validation.json has them all.";
    assert!(some.contains(words), "{words}");
}
