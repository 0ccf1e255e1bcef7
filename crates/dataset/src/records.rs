//! Validated rows with their target and groups, and the artifacts that carry them.

use std::collections::BTreeMap;

use artifact::Artifact;
use serde::{Deserialize, Serialize};

use crate::{GroupKey, Label, Preprocessing, Schema, Table};

/// Validated rows: features, target as in the source, groups.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Records {
    /// Feature columns.
    pub table: Table,
    /// Target of each row.
    pub target: Target,
    /// Group of each row.
    pub groups: Vec<GroupKey>,
}

/// The target as in the source: distinct values, ascending, and one code a row.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Target {
    /// Distinct values as text, ascending.
    pub values: Vec<String>,
    /// Index into `values` of each row.
    pub codes: Vec<u16>,
}

impl Target {
    /// Returns the text of a row.
    pub fn text(&self, row: usize) -> &str {
        &self.values[usize::from(self.codes[row])]
    }
}

impl Records {
    /// Returns the number of rows.
    pub fn n_rows(&self) -> usize {
        self.table.n_rows()
    }

    /// Returns the rows of these indices, in their order.
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            table: self.table.select(rows),
            target: Target {
                values: self.target.values.clone(),
                codes: rows.iter().map(|&row| self.target.codes[row]).collect(),
            },
            groups: rows.iter().map(|&row| self.groups[row]).collect(),
        }
    }

    /// Returns the class of each row, as learned under this schema.
    pub fn labels(&self, schema: &Schema) -> Vec<Label> {
        self.map_target(|value| schema.target.label_of(value))
    }

    /// Returns the threat family of each row, whatever is learned.
    pub fn families(&self, schema: &Schema) -> Vec<Label> {
        self.map_target(|value| schema.target.family_of(value))
    }

    fn map_target(&self, label: impl Fn(&str) -> Option<Label>) -> Vec<Label> {
        let labels: Vec<Label> = self
            .target
            .values
            .iter()
            .map(|v| label(v).expect("validation lets only listed target values pass"))
            .collect();
        self.target
            .codes
            .iter()
            .map(|&code| labels[usize::from(code)])
            .collect()
    }

    /// Returns how many rows bear each value of the target.
    pub fn target_counts(&self) -> BTreeMap<&str, usize> {
        let mut counts = BTreeMap::new();
        for &code in &self.target.codes {
            *counts
                .entry(self.target.values[usize::from(code)].as_str())
                .or_insert(0) += 1;
        }
        counts
    }

    /// Checks that all parts have as many rows and every code its value; used after decoding.
    ///
    /// # Errors
    /// A sentence with the numbers.
    pub fn check(&self, schema: &Schema) -> Result<(), String> {
        self.table.check()?;
        let n = self.n_rows();
        if self.target.codes.len() != n || self.groups.len() != n {
            let (targets, groups) = (self.target.codes.len(), self.groups.len());
            return Err(format!(
                "{n} rows, but {targets} targets and {groups} groups"
            ));
        }
        if let Some(code) = self
            .target
            .codes
            .iter()
            .find(|&&c| usize::from(c) >= self.target.values.len())
        {
            return Err(format!(
                "target code {code} of {} values",
                self.target.values.len()
            ));
        }
        match self
            .target
            .values
            .iter()
            .find(|v| schema.target.family_of(v).is_none())
        {
            Some(value) => Err(format!("target value `{value}` is not in the schema")),
            None => Ok(()),
        }
    }
}

/// Rows that passed the validation gate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ValidatedDataset {
    /// The schema with the levels of open text columns filled in from these rows.
    #[serde(with = "crate::schema::as_yaml")]
    pub schema: Schema,
    /// The rows, in canonical order.
    pub records: Records,
    /// Whether the rows were generated rather than observed.
    pub simulated: bool,
}

impl ValidatedDataset {
    /// Makes the proof that rows passed the gate; called by the validation stage alone.
    pub fn passed_gate(schema: Schema, records: Records, simulated: bool) -> Self {
        Self {
            schema,
            records,
            simulated,
        }
    }
}

impl Artifact for ValidatedDataset {
    const KIND: &'static str = "validated-dataset";
    const LAYOUT: u16 = 1;
    artifact::payload!();

    fn check(&self) -> Result<(), String> {
        self.records.check(&self.schema)
    }
}

/// Rows to learn from, with the specification of what is to be fitted on them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TrainingSet {
    /// The schema, resolved.
    #[serde(with = "crate::schema::as_yaml")]
    pub schema: Schema,
    /// The rows, derived columns included.
    pub records: Records,
    /// How each model family's preprocessor is to be made.
    pub preprocessing: Preprocessing,
    /// Whether the rows were generated rather than observed.
    pub simulated: bool,
}

impl TrainingSet {
    /// Makes the set of rows that are left once the holdout is split off; called by the
    /// transformation stage alone.
    pub fn without_holdout(
        schema: Schema,
        records: Records,
        preprocessing: Preprocessing,
        simulated: bool,
    ) -> Self {
        Self {
            schema,
            records,
            preprocessing,
            simulated,
        }
    }
}

impl Artifact for TrainingSet {
    const KIND: &'static str = "training-set";
    const LAYOUT: u16 = 1;
    artifact::payload!();

    fn check(&self) -> Result<(), String> {
        self.records.check(&self.schema)
    }
}
