//! A bounded summary of a table, column by column: the reference that later data is compared with.

pub(crate) mod levels;
mod sketch;

use std::{borrow::Cow, collections::BTreeSet};

use serde::{Deserialize, Serialize};
use thiserror::Error;

pub use levels::{LevelCount, MAX_LEVELS, N_BUCKETS};
pub use sketch::{MAX_POINTS, Moments, QuantileSketch, SketchPoint};

use crate::{ColumnType, Schema, Table, TableColumn};

/// Columns of open domain with at most this many distinct values are counted value by value.
pub const FEW_VALUES: usize = 32;

/// What a table held: the columns' counts, levels and quantiles, at most a few kilobytes a column.
///
/// It needs no schema to be read: text levels carry their texts, so that profiles made under schemas
/// whose levels were filled in from different rows still compare.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Profile {
    /// Number of rows.
    pub n_rows: u64,
    /// One profile a column of the table, in its order, derived columns included.
    pub columns: Vec<ColumnProfile>,
}

/// What one column held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnProfile {
    /// Name in the table.
    pub name: String,
    /// How its values are to be understood.
    pub scale: Scale,
    /// Number of rows, missing cells included.
    pub n: u64,
    /// Number of missing cells.
    pub n_missing: u64,
    /// Number of distinct values; a lower bound after [`Profile::merge`] of sketched columns.
    pub n_distinct: u64,
    /// The values.
    pub values: Values,
}

/// How the values of a column are to be understood.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scale {
    /// Text: levels without an order.
    Text,
    /// Numbers of which the schema lists every one, or booleans.
    Listed,
    /// Any numbers.
    Open,
}

/// The values of a column.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Values {
    /// Every value that occurs with its count, ascending by value.
    Levels(Vec<LevelCount>),
    /// Counts of the texts of a column with more than [`MAX_LEVELS`] levels, in [`N_BUCKETS`]
    /// buckets by the digest of the text.
    Hashed(Vec<u64>),
    /// Moments and quantiles of numbers.
    Numbers(NumberSummary),
}

/// Summary of a column of many distinct numbers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NumberSummary {
    /// Mean and standard deviation.
    pub moments: Moments,
    /// The distribution; its first and last points are the least and the greatest value.
    pub quantiles: QuantileSketch,
}

/// One bar of [`ColumnProfile::histogram`].
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Bar {
    /// What stands below the bar.
    pub label: String,
    /// What falls into it.
    pub range: BarRange,
    /// Number of rows.
    pub count: u64,
}

/// What falls into a bar.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BarRange {
    /// One level.
    Level,
    /// All levels and buckets without a bar of their own.
    Others,
    /// Numbers above the first and up to the second edge; the lowest bar takes its lower edge too.
    Numbers(f64, f64),
}

/// Why two profiles cannot be merged.
#[derive(Debug, Error, PartialEq, Eq)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum MergeError {
    #[error("profiles of {left} and {right} columns cannot be merged: profile the same table")]
    Columns { left: usize, right: usize },
    #[error("profiles of columns `{left}` and `{right}` cannot be merged: profile the same table")]
    Column { left: String, right: String },
    #[error(
        "column `{column}`: level {value} is `{left}` in one profile and `{right}` in the other"
    )]
    Level {
        column: String,
        value: String,
        left: String,
        right: String,
    },
}

impl artifact::Classified for MergeError {
    fn kind(&self) -> artifact::ErrorKind {
        artifact::ErrorKind::Usage
    }
}

impl Profile {
    /// Profiles every column of a table; columns that the schema does not know are open numbers.
    pub fn of(schema: &Schema, table: &Table) -> Self {
        Self {
            n_rows: table.n_rows() as u64,
            columns: table
                .columns()
                .iter()
                .map(|column| ColumnProfile::of(schema, column))
                .collect(),
        }
    }

    /// Returns the profile of a column.
    pub fn column(&self, name: &str) -> Option<&ColumnProfile> {
        self.columns.iter().find(|c| c.name == name)
    }

    /// Returns the profile of both tables' rows together.
    ///
    /// Level counts merge exactly. Each merge of sketches adds to
    /// [`QuantileSketch::rank_error`], which stays known: merge windows in a tree, not in a chain.
    ///
    /// # Errors
    /// [`MergeError`] when the profiles are not of the same columns under the same levels.
    pub fn merge(&self, other: &Self) -> Result<Self, MergeError> {
        if self.columns.len() != other.columns.len() {
            return Err(MergeError::Columns {
                left: self.columns.len(),
                right: other.columns.len(),
            });
        }
        let columns = self.columns.iter().zip(&other.columns);
        Ok(Self {
            n_rows: self.n_rows + other.n_rows,
            columns: columns
                .map(|(left, right)| left.merge(right))
                .collect::<Result<_, _>>()?,
        })
    }

    /// Checks what the types cannot say; used after decoding.
    ///
    /// # Errors
    /// A sentence that names the column.
    pub fn check(&self) -> Result<(), String> {
        if self.n_rows > 1 << 53 {
            return Err(format!("profile: {} rows, at most 2^53", self.n_rows));
        }
        let mut seen = BTreeSet::new();
        for column in &self.columns {
            let fail = |problem: String| Err(format!("profile of `{}`: {problem}", column.name));
            if !seen.insert(column.name.as_str()) {
                return fail("the column is there twice".to_owned());
            }
            if column.n != self.n_rows {
                return fail(format!("{} of {} rows", column.n, self.n_rows));
            }
            if let Some(problem) = column.problem() {
                return fail(problem);
            }
        }
        Ok(())
    }
}

impl ColumnProfile {
    fn of(schema: &Schema, column: &TableColumn) -> Self {
        let declared = schema.column(&column.name);
        let scale = match declared {
            Some(c) if c.kind == ColumnType::Text => Scale::Text,
            Some(c) if c.n_levels().is_some_and(|n| n <= MAX_LEVELS) => Scale::Listed,
            _ => Scale::Open,
        };
        let exact = QuantileSketch::exact(&column.values);
        let levels = |column| levels::of_points(exact.points(), column);
        let values = match scale {
            Scale::Text => levels::bounded(levels(declared)),
            Scale::Listed => Values::Levels(levels(None)),
            Scale::Open if exact.points().len() <= FEW_VALUES => Values::Levels(levels(None)),
            Scale::Open => Values::Numbers(NumberSummary {
                moments: Moments::of(&column.values),
                quantiles: exact.compressed(),
            }),
        };
        Self {
            name: column.name.clone(),
            scale,
            n: column.values.len() as u64,
            n_missing: column.values.len() as u64 - exact.n(),
            n_distinct: exact.points().len() as u64,
            values,
        }
    }

    /// Returns the number of cells that hold a value.
    pub fn n_present(&self) -> u64 {
        self.n - self.n_missing
    }

    /// Returns the share of missing cells, in [0, 1]; 0 without rows.
    pub fn missing_share(&self) -> f64 {
        self.n_missing as f64 / self.n.max(1) as f64
    }

    /// Returns the distribution of the values, for text that of the levels' codes; `None` when they
    /// are hashed.
    pub fn distribution(&self) -> Option<Cow<'_, QuantileSketch>> {
        match &self.values {
            Values::Levels(levels) => Some(Cow::Owned(QuantileSketch::of_counts(
                levels.iter().map(|l| (l.value, l.count)),
            ))),
            Values::Hashed(_) => None,
            Values::Numbers(numbers) => Some(Cow::Borrowed(&numbers.quantiles)),
        }
    }

    /// Returns mean and standard deviation of a column of numbers; `None` for text and without values.
    pub fn moments(&self) -> Option<Moments> {
        match &self.values {
            _ if self.scale == Scale::Text || self.n_present() == 0 => None,
            Values::Levels(levels) => Some(Moments::of_counts(
                levels.iter().map(|l| (l.value, l.count)),
            )),
            Values::Hashed(_) => None,
            Values::Numbers(numbers) => Some(numbers.moments),
        }
    }

    /// Returns at most `n_bars` bars whose counts add up to the cells that hold a value.
    ///
    /// Levels have a bar each, the rarest ones share the last. Numbers are cut evenly between their
    /// 1 % and 99 % quantiles, and the outer bars reach to the extremes, so that a heavy tail does
    /// not press everything else into one bar.
    pub fn histogram(&self, n_bars: usize) -> Vec<Bar> {
        let n_bars = n_bars.max(2);
        let mut bars = match &self.values {
            Values::Levels(levels) => levels::bars(levels, n_bars),
            Values::Hashed(_) => vec![levels::others()],
            Values::Numbers(numbers) => sketch::bars(&numbers.quantiles, n_bars),
        };
        let counts = self.counts_in(&bars);
        bars.iter_mut()
            .zip(counts)
            .for_each(|(bar, n)| bar.count = n);
        bars
    }

    /// Counts this column's cells in the bars of another profile's histogram, for two drawn side by
    /// side. Numbers outside the bars count in the outer ones, and everything else that has no bar in
    /// `Others`.
    pub fn counts_in(&self, bars: &[Bar]) -> Vec<u64> {
        match (&self.values, self.distribution()) {
            (_, Some(numbers))
                if bars
                    .iter()
                    .all(|b| matches!(b.range, BarRange::Numbers(..))) =>
            {
                sketch::counts_in(&numbers, bars)
            }
            (Values::Levels(levels), _) => levels::counts_in(levels, bars),
            _ => levels::all_in_others(self.n_present(), bars),
        }
    }

    fn merge(&self, other: &Self) -> Result<Self, MergeError> {
        if self.name != other.name || self.scale != other.scale {
            return Err(MergeError::Column {
                left: self.name.clone(),
                right: other.name.clone(),
            });
        }
        let values = self.merge_values(other)?;
        let n_distinct = match &values {
            Values::Levels(levels) => levels.len() as u64,
            _ => self.n_distinct.max(other.n_distinct),
        };
        Ok(Self {
            name: self.name.clone(),
            scale: self.scale,
            n: self.n + other.n,
            n_missing: self.n_missing + other.n_missing,
            n_distinct,
            values,
        })
    }

    fn merge_values(&self, other: &Self) -> Result<Values, MergeError> {
        if let (Values::Levels(left), Values::Levels(right)) = (&self.values, &other.values) {
            let merged = levels::merge(&self.name, left, right)?;
            return Ok(match self.scale {
                Scale::Text => levels::bounded(merged),
                Scale::Open if merged.len() > FEW_VALUES => self.merge_numbers(other),
                _ => Values::Levels(merged),
            });
        }
        Ok(
            match (levels::hashed(&self.values), levels::hashed(&other.values)) {
                (Some(left), Some(right)) if self.scale == Scale::Text => {
                    Values::Hashed(left.iter().zip(&*right).map(|(l, r)| l + r).collect())
                }
                _ => self.merge_numbers(other),
            },
        )
    }

    /// Merges two columns of numbers, of which neither is hashed.
    fn merge_numbers(&self, other: &Self) -> Values {
        let of = |c: &Self| {
            let numbers = c.distribution().unwrap_or_default().into_owned();
            (numbers, c.moments().unwrap_or_default())
        };
        let ((left, left_moments), (right, right_moments)) = (of(self), of(other));
        Values::Numbers(NumberSummary {
            moments: left_moments.merge(left.n(), right_moments, right.n()),
            quantiles: left.merge(&right),
        })
    }

    fn problem(&self) -> Option<String> {
        let Some(present) = self.n.checked_sub(self.n_missing) else {
            return Some(format!("{} of {} cells missing", self.n_missing, self.n));
        };
        let (counted, problem) = match &self.values {
            Values::Levels(levels) if self.n_distinct != levels.len() as u64 => {
                return Some(format!("{} of {} levels", levels.len(), self.n_distinct));
            }
            Values::Levels(levels) => levels::problem(levels),
            Values::Hashed(buckets) => levels::buckets_problem(buckets, self.scale),
            Values::Numbers(_) if self.scale == Scale::Text => (0, Some("text as numbers".into())),
            Values::Numbers(n) => (
                n.quantiles.n(),
                n.moments.problem().or(n.quantiles.problem()),
            ),
        };
        problem.or_else(|| {
            (counted != present).then(|| format!("{counted} of {present} values are counted"))
        })
    }
}

#[cfg(test)]
mod tests;
