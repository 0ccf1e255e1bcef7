//! The gate: which findings refuse the data.

use artifact::printable;
use dataset::{Schema, drift::DriftVerdict};

use crate::{OnDrift, ValidationConfig, ValidationReport};

/// Returns every reason to refuse the data; none means that it passes.
pub(crate) fn reasons(
    config: &ValidationConfig,
    schema: &Schema,
    report: &ValidationReport,
) -> Vec<String> {
    let mut reasons = column_reasons(schema, report);
    reasons.extend(row_reasons(config, schema, report));
    if report.drift.verdict == DriftVerdict::Drifted && config.on_drift == OnDrift::Reject {
        let names: Vec<&str> = report
            .drift
            .columns
            .iter()
            .filter(|c| c.drifted)
            .map(|c| c.name.as_str())
            .collect();
        reasons.push(format!(
            "the data has drifted from the champion's in {}",
            names.join(", ")
        ));
    }
    reasons
}

fn column_reasons(schema: &Schema, report: &ValidationReport) -> Vec<String> {
    let mut reasons = Vec::new();
    let target = &schema.target.column;
    let missing: Vec<&str> = report
        .columns
        .missing
        .iter()
        .filter(|n| schema.needs(n))
        .map(String::as_str)
        .collect();
    if !missing.is_empty() {
        let (n, hint) = (missing.len(), unknown_hint(report));
        reasons.push(format!(
            "{n} columns are missing: {}{hint}",
            shorten(&missing)
        ));
    }
    let twice: Vec<&str> = report
        .columns
        .duplicated
        .iter()
        .filter(|n| *n == target || schema.column(n).is_some())
        .map(String::as_str)
        .collect();
    if !twice.is_empty() {
        reasons.push(format!("columns are named twice: {}", shorten(&twice)));
    }
    reasons
}

fn row_reasons(
    config: &ValidationConfig,
    schema: &Schema,
    report: &ValidationReport,
) -> Vec<String> {
    let rows = &report.rows;
    if rows.total == 0 {
        return vec!["there are no rows".to_owned()];
    }
    let mut reasons = Vec::new();
    let share = config.max_bad_share.unwrap_or(schema.quality.max_bad_share);
    let allowed = (share * rows.total as f64).floor() as usize;
    if rows.quarantined > allowed {
        let most = report.problems.first().map_or(String::new(), |p| {
            format!(" (most often: {})", printable(&p.example))
        });
        reasons.push(format!(
            "{} of {} rows quarantined, at most {allowed} allowed{most}",
            rows.quarantined, rows.total
        ));
    }
    let has_target = !report.columns.missing.contains(&schema.target.column);
    if has_target && rows.accepted > 0 && !(report.threat_share > 0.0 && report.threat_share < 1.0)
    {
        let side = if report.threat_share > 0.0 {
            "a threat"
        } else {
            "benign"
        };
        reasons.push(format!(
            "all {} accepted rows are {side}: learning needs both classes",
            rows.accepted
        ));
    }
    reasons
}

fn unknown_hint(report: &ValidationReport) -> String {
    let unknown: Vec<&str> = report.columns.unknown.iter().map(String::as_str).collect();
    if unknown.is_empty() {
        String::new()
    } else {
        format!(" (the source has instead: {})", shorten(&unknown))
    }
}

fn shorten(names: &[&str]) -> String {
    let shown = names.iter().take(8).map(|name| printable(name));
    let shown = shown.collect::<Vec<_>>().join(", ");
    match names.len() {
        0..=8 => shown,
        n => format!("{shown} and {} more", n - 8),
    }
}
