//! A model that serves: a bundle of the registry, made ready to answer.

use std::{cell::RefCell, collections::BTreeMap};

use dataset::{Column, Table, TableColumn};
use model::{ModelBundle, RowScore, RowScorer, RowScratch, ScoringError};
use registry::{Entry, Evaluation, Registry, RegistryError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::answer::Parts;

/// Up to so many rows are scored one by one: a table of them would take longer to build.
const FEW_ROWS: usize = 8;

thread_local! {
    /// Memory for rows, used again by every request of a thread.
    static SCRATCH: RefCell<RowScratch> = RefCell::default();
}

/// A loaded version of a model.
#[derive(Debug)]
pub struct Detector {
    /// Name under which it is registered.
    pub name: String,
    /// The history's entry that made it the champion.
    pub entry: Entry,
    /// The bundle.
    pub bundle: ModelBundle,
    /// How it did on the holdout.
    pub evaluation: Evaluation,
    /// Who answers.
    pub reference: ModelRef,
    /// What its answers have in common.
    pub parts: Parts,
    scorer: RowScorer,
    columns: Vec<Column>,
    fields: BTreeMap<String, Field>,
}

/// Which model has answered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ModelRef {
    /// Name under which it is registered.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// SHA-256 digest of the bundle.
    pub digest: String,
    /// Whether it has learned from generated rows, not from real traffic.
    pub simulated: bool,
}

/// What a name in a record stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// A feature column, by its position.
    Feature(usize),
    /// The target or a column that is never used: known, but not looked at.
    PassedOver,
}

impl Detector {
    /// Loads a version and asks it for predictions that are known.
    ///
    /// # Errors
    /// What reading fails with, [`RegistryError::Canary`] when it answers otherwise than it should.
    pub fn load(registry: &Registry, name: &str, entry: &Entry) -> Result<Self, RegistryError> {
        let bundle = registry.bundle(name, entry)?;
        let evaluation = registry.evaluation(name, entry)?;
        let columns: Vec<Column> = bundle.schema.features().cloned().collect();
        let features = columns.iter().enumerate();
        let mut fields: BTreeMap<String, Field> = bundle
            .schema
            .file_columns()
            .into_iter()
            .map(|name| (name, Field::PassedOver))
            .collect();
        fields.extend(features.map(|(at, c)| (c.name.clone(), Field::Feature(at))));
        let reference = ModelRef {
            name: name.to_owned(),
            version: entry.version,
            digest: entry.bundle.to_string(),
            simulated: bundle.simulated,
        };
        let detector = Self {
            name: name.to_owned(),
            parts: Parts::of(&reference, &bundle),
            reference,
            entry: entry.clone(),
            scorer: RowScorer::new(&bundle)?,
            bundle,
            evaluation,
            columns,
            fields,
        };
        detector.answer_canary()?;
        Ok(detector)
    }

    /// Returns the feature columns, in the order of a row's cells.
    pub fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Returns what a name stands for; columns mostly come in their order, so that one is tried first.
    pub fn field(&self, name: &str, expected: usize) -> Option<Field> {
        match self.columns.get(expected) {
            Some(column) if column.name == name => Some(Field::Feature(expected)),
            _ => self.fields.get(name).copied(),
        }
    }

    /// Returns every name that a record may have, with what it stands for.
    pub fn fields(&self) -> &BTreeMap<String, Field> {
        &self.fields
    }

    /// Returns the known column whose name is nearest to another.
    pub fn nearest(&self, name: &str) -> Option<&str> {
        artifact::yaml::nearest(name, self.columns.iter().map(|c| c.name.as_str()))
    }

    /// Scores rows of cells, row after row, each of as many cells as there are columns.
    ///
    /// # Errors
    /// When the bundle does not fit together.
    pub fn score(&self, cells: &[f64]) -> Result<Vec<RowScore>, ScoringError> {
        let n_rows = cells.len() / self.columns.len();
        if n_rows > FEW_ROWS {
            return self.score_table(cells, n_rows);
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let rows = cells.chunks_exact(self.columns.len());
            rows.map(|row| self.scorer.score(&self.bundle, row, scratch))
                .collect()
        })
    }

    /// Makes a table of rows of cells.
    pub fn table(&self, cells: &[f64]) -> Table {
        let width = self.columns.len();
        let column = |(at, column): (usize, &Column)| TableColumn {
            name: column.name.clone(),
            values: cells.iter().skip(at).step_by(width).copied().collect(),
        };
        let columns = self.columns.iter().enumerate().map(column);
        Table::new(cells.len() / width, columns.collect())
    }

    fn score_table(&self, cells: &[f64], n_rows: usize) -> Result<Vec<RowScore>, ScoringError> {
        let scores = self.bundle.score(&self.table(cells))?;
        let score = |row| RowScore {
            label: self.bundle.verdict(&scores, row),
            threat: scores.threat[row],
        };
        Ok((0..n_rows).map(score).collect())
    }

    /// Asks for the evaluation's canary rows by both ways that requests go.
    fn answer_canary(&self) -> Result<(), RegistryError> {
        let wrong = |reason: String| RegistryError::Canary {
            name: self.name.clone(),
            version: self.entry.version,
            reason,
        };
        let canary = &self.evaluation.canary;
        canary.query(&self.bundle).map_err(wrong)?;
        let mut scratch = RowScratch::default();
        for (row, expected) in canary.threat.iter().enumerate() {
            let column = |c: &Column| canary.table.column(&c.name).map_or(f64::NAN, |v| v[row]);
            let cells: Vec<f64> = self.columns.iter().map(column).collect();
            let got = self
                .scorer
                .score(&self.bundle, &cells, &mut scratch)?
                .threat;
            if got.to_bits() != expected.to_bits() {
                return Err(wrong(format!(
                    "row {row} scores {got} instead of {expected}"
                )));
            }
        }
        Ok(())
    }
}
