//! Explanations: why a row scored as it did, in terms of the columns that it came with.
//!
//! Contributions are those to the raw score, before calibration, and positive ones speak for the
//! threat. Calibration never falls where the raw score rises, so their signs and their order hold for
//! the calibrated probability too; their sizes do not.

use std::fmt;

use dataset::{ColumnType, Domain, Label, Schema, Table, format_number};
use ndarray::{Array2, ArrayView1, ArrayView2, Axis};
use serde::Serialize;

use crate::{ModelBundle, bundle::ScoringError};

/// What a model's features contribute to the raw scores of some rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Contributions {
    /// The raw score of each output without any contribution: its expectation.
    pub base: Vec<f64>,
    /// Rows × (outputs · features), output by output: what each feature adds to the base.
    pub values: Array2<f64>,
}

/// What contributions add up to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Space {
    /// The natural logarithm of the odds of a threat class against benign, before calibration: for
    /// boosting and linear models.
    LogOdds,
    /// The probability that the row is a threat, before calibration: for forests and single trees.
    Probability,
}

/// Explanations of some rows, column by column.
#[derive(Debug, Clone)]
pub struct Explanations<'a> {
    bundle: &'a ModelBundle,
    /// The raw cells, derived columns included.
    table: Table,
    /// Rows × raw columns.
    contributions: Array2<f64>,
    /// For each row, the threat class whose score is explained, and that score's expectation.
    explained: Vec<(Label, f64)>,
}

/// The explanation of one row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    /// What the numbers are.
    pub space: Space,
    /// The threat class whose raw score is explained: the likeliest one.
    pub threat: String,
    /// The expected raw score over the training rows.
    pub base: f64,
    /// The raw score: the base and all contributions.
    pub score: f64,
    /// Every column's part, the largest magnitude first; equal ones in the order of the columns.
    pub reasons: Vec<Reason>,
}

/// What one column of a row contributes to its score.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reason {
    /// Name of the column.
    pub column: String,
    /// How it is computed from others, if it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub derived_from: Option<String>,
    /// The raw value, as the row had it: a number, a level, `missing`, or `unknown level`.
    pub value: String,
    /// What it adds to the score; above 0 it speaks for the threat.
    pub contribution: f64,
}

impl ModelBundle {
    /// Explains the raw scores of rows of typed feature columns (derived columns are computed here).
    ///
    /// Trees: exact path-dependent Shapley values ([`crate::trees::TreeEnsemble::contributions`]).
    /// Linear models: their terms, against the means of the training rows
    /// ([`crate::linear::LinearClassifier::contributions`]). The features of one raw column, such as
    /// its one-hot levels, are summed. With several threat classes, boosting and linear models explain
    /// the log-odds of the likeliest one against benign, forests the probability of any threat.
    ///
    /// # Errors
    /// When the table lacks a column that the preprocessor needs.
    pub fn explain(&self, table: &Table) -> Result<Explanations<'_>, ScoringError> {
        let table = self.complete(table);
        let features = self.preprocessor.transform(&table)?;
        let parts = self.classifier.contributions(&features);
        let sources = self.preprocessor.source_columns();
        let n_columns = self.preprocessor.input_columns().len();
        let mut contributions = Array2::zeros((features.n_rows(), n_columns));
        let mut explained = Vec::with_capacity(features.n_rows());
        let rows = parts.values.rows().into_iter();
        for (values, mut columns) in rows.zip(contributions.rows_mut()) {
            let outputs = Outputs::of(&parts.base, values);
            let direction = outputs.direction(self.classifier.space());
            for (output, sign) in direction.signs {
                for (&value, &source) in outputs.contributions(output).iter().zip(&sources) {
                    columns[source] += sign * value;
                }
            }
            explained.push((direction.threat, direction.base));
        }
        Ok(Explanations {
            bundle: self,
            table: table.into_owned(),
            contributions,
            explained,
        })
    }
}

/// The raw scores of one row and their parts.
struct Outputs<'a> {
    base: &'a [f64],
    values: ArrayView1<'a, f64>,
}

/// Which combination of raw scores says how much of a threat a row is.
struct Direction {
    threat: Label,
    base: f64,
    /// Outputs, each with the factor of its contributions; two of them at most.
    signs: [(usize, f64); 2],
}

impl<'a> Outputs<'a> {
    fn of(base: &'a [f64], values: ArrayView1<'a, f64>) -> Self {
        Self { base, values }
    }

    fn contributions(&self, output: usize) -> ArrayView1<'_, f64> {
        let n_features = self.values.len() / self.base.len();
        let first = output * n_features;
        self.values
            .slice_axis(Axis(0), (first..first + n_features).into())
    }

    fn score(&self, output: usize) -> f64 {
        self.base[output] + self.contributions(output).sum()
    }

    fn direction(&self, space: Space) -> Direction {
        const NONE: (usize, f64) = (0, 0.0);
        if self.base.len() == 1 {
            return Direction {
                threat: Label::from_class(1),
                base: self.base[0],
                signs: [(0, 1.0), NONE],
            };
        }
        let threat = (2..self.base.len()).fold(1, |best, class| {
            if self.score(class) > self.score(best) {
                class
            } else {
                best
            }
        });
        let (base, signs) = match space {
            Space::LogOdds => (self.base[threat] - self.base[0], [(threat, 1.0), (0, -1.0)]),
            Space::Probability => (1.0 - self.base[0], [(0, -1.0), NONE]),
        };
        Direction {
            threat: Label::from_class(threat),
            base,
            signs,
        }
    }
}

impl Explanations<'_> {
    /// Returns what the numbers are.
    pub fn space(&self) -> Space {
        self.bundle.classifier.space()
    }

    /// Returns what each raw column contributes: rows × [`Self::columns`].
    pub fn contributions(&self) -> ArrayView2<'_, f64> {
        self.contributions.view()
    }

    /// Returns the names of the raw columns, derived ones last.
    pub fn columns(&self) -> impl ExactSizeIterator<Item = &str> {
        self.bundle.preprocessor.input_columns()
    }

    /// Returns the expected raw score with which a row is compared.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn base(&self, row: usize) -> f64 {
        self.explained[row].1
    }

    /// Returns the raw score of a row: its base and all its contributions; of a probability not more than one, which
    /// the rounding of a sum may exceed.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn score(&self, row: usize) -> f64 {
        let sum = self.base(row) + self.contributions.row(row).sum();
        match self.space() {
            Space::LogOdds => sum,
            Space::Probability => sum.clamp(0.0, 1.0),
        }
    }

    /// Returns the whole explanation of a row.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, row: usize) -> Explanation {
        Explanation {
            space: self.space(),
            threat: self
                .bundle
                .class_names()
                .name(self.explained[row].0)
                .to_owned(),
            base: self.base(row),
            score: self.score(row),
            reasons: self.reasons(row, usize::MAX),
        }
    }

    /// Returns the `k` columns that contribute most to a row's score, in either direction: the largest
    /// magnitude first, equal ones in the order of the columns.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn reasons(&self, row: usize, k: usize) -> Vec<Reason> {
        let contributions = self.contributions.row(row);
        let mut order: Vec<usize> = (0..contributions.len()).collect();
        // Stable, so that equal ones keep their order.
        order.sort_by(|&a, &b| contributions[b].abs().total_cmp(&contributions[a].abs()));
        order.truncate(k);
        let names: Vec<&str> = self.columns().collect();
        let reason = |column: usize| self.reason(names[column], row, contributions[column]);
        order.into_iter().map(reason).collect()
    }

    fn reason(&self, column: &str, row: usize, contribution: f64) -> Reason {
        let schema = &self.bundle.schema;
        let derived = schema.derived.iter().find(|d| d.name == column);
        let cell = self.table.column(column).map_or(f64::NAN, |c| c[row]);
        Reason {
            column: column.to_owned(),
            derived_from: derived.map(|d| d.formula.to_string()),
            value: cell_text(schema, column, cell),
            contribution,
        }
    }
}

/// Writes a cell as its sender would know it.
fn cell_text(schema: &Schema, column: &str, cell: f64) -> String {
    if cell.is_nan() {
        return "missing".to_owned();
    }
    let declared = schema.features().find(|c| c.name == column);
    match declared.map(|c| (&c.kind, &c.domain)) {
        Some((ColumnType::Text, Domain::Levels(levels))) => levels
            .get(cell as usize)
            .map_or("unknown level", String::as_str)
            .to_owned(),
        Some((ColumnType::Boolean, _)) => (cell != 0.0).to_string(),
        _ => format_number(cell),
    }
}

impl fmt::Display for Reason {
    /// Writes `column=value (+0.123)`; a derived column says what it is computed from.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.column)?;
        if let Some(formula) = &self.derived_from {
            write!(f, " [{formula}]")?;
        }
        write!(f, "={} ({:+.3})", self.value, self.contribution)
    }
}

#[cfg(test)]
mod tests;
