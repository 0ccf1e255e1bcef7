//! What validation found, for people and programs.

use std::collections::{BTreeMap, BTreeSet};

use dataset::{
    Label, Provenance, RawDataset, Records, Schema, drift::DriftReport, profile::Profile,
};
use serde::{Deserialize, Serialize};

use crate::rows::Judged;

/// The report of the validation stage, `validation.json`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct ValidationReport {
    /// Name of the schema.
    pub dataset: String,
    /// Whether the rows were generated rather than observed.
    pub simulated: bool,
    /// Whether the gate let the data pass.
    pub passed: bool,
    /// Every reason why it did not.
    pub reasons: Vec<String>,
    /// How many rows of which kind.
    pub rows: RowCounts,
    /// What is odd about the columns.
    pub columns: ColumnFindings,
    /// Row problems by column and kind, the most frequent first.
    pub problems: Vec<ProblemCount>,
    /// Rows of each target value among the accepted rows.
    pub classes: BTreeMap<String, usize>,
    /// Share of threats among the accepted rows.
    pub threat_share: f64,
    /// Distribution of every feature among the accepted rows.
    pub profile: Profile,
    /// Drift against the champion's training data.
    pub drift: DriftReport,
}

/// How many rows of which kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RowCounts {
    /// Rows in the source.
    pub total: usize,
    /// Rows that passed.
    pub accepted: usize,
    /// Rows set aside.
    pub quarantined: usize,
    /// Accepted rows less distinct rows (features and target).
    pub duplicates: usize,
    /// Accepted rows whose feature vector bears both threat and benign.
    pub conflicting: usize,
    /// Distinct feature vectors among the accepted rows.
    pub groups: usize,
}

/// What is odd about the columns as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnFindings {
    /// In the schema, not in the source.
    pub missing: Vec<String>,
    /// In the source, not in the schema.
    pub unknown: Vec<String>,
    /// More than once in the source.
    pub duplicated: Vec<String>,
    /// In another order than in the schema.
    pub reordered: bool,
    /// One value (or none) in all accepted rows.
    pub constant: Vec<String>,
}

/// How often a kind of problem occurs in a column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemCount {
    /// The column; empty for rows that could not be taken apart.
    pub column: String,
    /// The kind of problem.
    pub problem: String,
    /// How many rows have it.
    pub rows: usize,
    /// The first such row's problem in full, with its number in the source.
    pub example: String,
}

impl ValidationReport {
    pub(crate) fn build(
        schema: &Schema,
        raw: &RawDataset,
        provenance: &Provenance,
        judged: &Judged,
        records: &Records,
        profile: Profile,
        drift: DriftReport,
    ) -> Self {
        let labels = records.labels(schema);
        let threats = labels.iter().filter(|label| label.is_threat()).count();
        Self {
            dataset: schema.name.clone(),
            simulated: raw.simulated,
            passed: false,
            reasons: Vec::new(),
            rows: count_rows(raw, judged, records, &labels),
            columns: column_findings(raw, provenance, records),
            problems: count_problems(judged, provenance),
            classes: records
                .target_counts()
                .into_iter()
                .map(|(v, n)| (v.to_owned(), n))
                .collect(),
            threat_share: threats as f64 / labels.len().max(1) as f64,
            profile,
            drift,
        }
    }

    pub(crate) fn with_verdict(mut self, reasons: Vec<String>) -> Self {
        self.passed = reasons.is_empty();
        self.reasons = reasons;
        self
    }
}

fn count_rows(raw: &RawDataset, judged: &Judged, records: &Records, labels: &[Label]) -> RowCounts {
    let codes = &records.target.codes;
    let distinct: BTreeSet<_> = records.groups.iter().zip(codes).collect();
    let mut sides: BTreeMap<_, (usize, usize)> = BTreeMap::new();
    for (group, label) in records.groups.iter().zip(labels) {
        let (benign, threat) = sides.entry(group).or_default();
        *(if label.is_threat() { threat } else { benign }) += 1;
    }
    let conflicting = sides
        .values()
        .filter(|(b, t)| *b > 0 && *t > 0)
        .map(|(b, t)| b + t)
        .sum();
    RowCounts {
        total: raw.n_rows as usize,
        accepted: records.n_rows(),
        quarantined: judged.bad.len(),
        duplicates: records.n_rows() - distinct.len(),
        conflicting,
        groups: sides.len(),
    }
}

fn column_findings(raw: &RawDataset, provenance: &Provenance, records: &Records) -> ColumnFindings {
    let mut seen = BTreeSet::new();
    let mut duplicated: Vec<String> = provenance
        .names_found
        .iter()
        .filter(|name| !seen.insert(*name))
        .cloned()
        .collect();
    duplicated.dedup();
    ColumnFindings {
        missing: raw.absent.clone(),
        unknown: provenance.unknown_names.clone(),
        duplicated,
        reordered: provenance.reordered,
        constant: constant_columns(records),
    }
}

fn constant_columns(records: &Records) -> Vec<String> {
    let is_constant = |values: &[f64]| {
        let mut present = values.iter().filter(|v| !v.is_nan());
        match present.next() {
            None => true,
            Some(first) => present.all(|v| v == first),
        }
    };
    let columns = records.table.columns().iter();
    columns
        .filter(|c| is_constant(&c.values))
        .map(|c| c.name.clone())
        .collect()
}

fn count_problems(judged: &Judged, provenance: &Provenance) -> Vec<ProblemCount> {
    let mut counts: BTreeMap<(String, &str), ProblemCount> = BTreeMap::new();
    for (row, problems) in &judged.bad {
        for problem in problems {
            let column = problem.column.clone().unwrap_or_default();
            let entry = counts
                .entry((column.clone(), problem.kind))
                .or_insert_with(|| {
                    let number = provenance
                        .row_numbers
                        .get(*row)
                        .copied()
                        .unwrap_or_default();
                    ProblemCount {
                        column,
                        problem: problem.kind.to_owned(),
                        rows: 0,
                        example: format!("row {number}: {}", problem.text),
                    }
                });
            entry.rows += 1;
        }
    }
    let mut counts: Vec<ProblemCount> = counts.into_values().collect();
    counts.sort_by_key(|count| std::cmp::Reverse(count.rows));
    counts
}
