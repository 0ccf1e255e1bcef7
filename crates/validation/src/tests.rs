use artifact::ErrorKind;
use dataset::{Cells, IngestedColumn, MISSING_CODE};

use super::*;

const SCHEMA: &str = "
name: sample
columns:
  - {name: flag, type: integer, values: [-1, 1]}
  - {name: load, type: number, min: 0, may_be_missing: true}
  - {name: proto, type: text}
target: {column: label, benign: {ok: [fine]}, threats: {bad: [evil]}}
quality: {max_bad_share: 0.5}
";

/// Six rows of which `edit` may spoil some; returns the stage's result and its report.
fn check(
    config: ValidationConfig,
    edit: impl FnOnce(&mut RawDataset),
) -> (
    Result<ValidatedDataset, ValidationError>,
    ValidationReport,
    Option<String>,
) {
    let numbers = |values: Vec<f64>| Cells::Numbers {
        values,
        unparsed: Vec::new(),
    };
    let texts = |dictionary: &[&str], codes: Vec<u32>| Cells::Texts {
        dictionary: dictionary.iter().map(|t| (*t).to_owned()).collect(),
        codes,
    };
    let column = |name: &str, cells| IngestedColumn {
        name: name.to_owned(),
        cells,
    };
    let mut raw = RawDataset {
        schema: Schema::parse(SCHEMA, "test").unwrap(),
        n_rows: 6,
        columns: vec![
            column("flag", numbers(vec![1.0, 1.0, -1.0, -1.0, 1.0, -1.0])),
            column("load", numbers(vec![0.5, 0.5, 2.0, f64::NAN, 3.0, 4.0])),
            column("proto", texts(&["tcp", "udp"], vec![0, 0, 1, 1, 0, 1])),
            column("label", texts(&["evil", "fine"], vec![0, 1, 0, 0, 1, 1])),
        ],
        absent: Vec::new(),
        defects: Vec::new(),
        simulated: false,
    };
    edit(&mut raw);
    let provenance = Provenance {
        source: "test".to_owned(),
        names_found: raw.columns.iter().map(|c| c.name.clone()).collect(),
        unknown_names: Vec::new(),
        reordered: false,
        row_numbers: vec![60, 50, 40, 30, 20, 10],
    };
    let reference = ReferenceProfile {
        version: None,
        profile: None,
    };
    let silent = |_: &str, _: u64, _: u64| {};
    let mut context = Context::new(42, &silent);
    let result = Validation::new(config).run((raw, provenance, reference), &mut context);
    let report = serde_json::from_slice(context.attached("validation.json").unwrap()).unwrap();
    let quarantine = context
        .attached("quarantine.csv")
        .map(|b| String::from_utf8(b.to_vec()).unwrap());
    (result.map(|(validated,)| validated), report, quarantine)
}

fn spoil(raw: &mut RawDataset, column: usize, row: usize, value: f64) {
    if let Cells::Numbers { values, .. } = &mut raw.columns[column].cells {
        values[row] = value;
    }
}

#[test]
fn clean_rows_pass_and_duplicates_and_conflicts_are_counted() {
    let (result, report, quarantine) = check(ValidationConfig::default(), |_| {});
    let validated = result.unwrap();
    assert_eq!(validated.records.n_rows(), 6);
    // Rows 0 and 1 have one feature vector and two labels.
    assert_eq!(
        (
            report.rows.conflicting,
            report.rows.duplicates,
            report.rows.groups
        ),
        (2, 0, 5)
    );
    assert!(quarantine.is_none());
    assert_eq!(
        validated.schema.column("proto").unwrap().levels().unwrap(),
        ["tcp", "udp"]
    );
}

#[test]
fn every_problem_of_every_row_is_collected_and_rows_keep_their_numbers() {
    let (result, report, quarantine) = check(ValidationConfig::default(), |raw| {
        spoil(raw, 0, 2, 7.0);
        spoil(raw, 1, 2, -1.0);
        if let Cells::Texts { codes, .. } = &mut raw.columns[3].cells {
            codes[5] = MISSING_CODE;
        }
    });
    assert_eq!(result.unwrap().records.n_rows(), 4);
    assert_eq!(report.rows.quarantined, 2);
    let quarantine = quarantine.unwrap();
    let lines: Vec<&str> = quarantine.lines().collect();
    assert!(
        lines[1].starts_with("10,label: missing target"),
        "{quarantine}"
    );
    assert!(lines[2].contains("flag: `7` is not one of -1, 1; load: -1 is not at least 0"));
}

#[test]
fn a_refusal_names_every_reason_and_still_leaves_its_report() {
    let config = ValidationConfig {
        max_bad_share: Some(0.1),
        ..ValidationConfig::default()
    };
    let (result, report, _) = check(config, |raw| {
        spoil(raw, 0, 2, 7.0);
        raw.columns.remove(2);
        raw.absent.push("proto".to_owned());
    });
    let error = result.unwrap_err();
    assert_eq!(artifact::Classified::kind(&error), ErrorKind::Rejected);
    let message = error.to_string();
    assert!(message.contains("missing: proto"), "{message}");
    assert!(
        message.contains("1 of 6 rows quarantined, at most 0 allowed"),
        "{message}"
    );
    assert!(!report.passed && report.reasons.len() == 2);
}

#[test]
fn rows_without_a_target_are_not_called_benign() {
    let (result, ..) = check(ValidationConfig::default(), |raw| {
        raw.columns.remove(3);
        raw.absent.push("label".to_owned());
    });
    let message = result.unwrap_err().to_string();
    assert!(message.contains("columns are missing: label"), "{message}");
    assert!(!message.contains("benign"), "{message}");
}

#[test]
fn one_class_alone_is_refused() {
    let (result, ..) = check(ValidationConfig::default(), |raw| {
        if let Cells::Texts { codes, .. } = &mut raw.columns[3].cells {
            codes.fill(0);
        }
    });
    assert!(
        result
            .unwrap_err()
            .to_string()
            .contains("learning needs both classes")
    );
}
