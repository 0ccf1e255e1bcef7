//! Fits a recipe to validated rows, without any randomness.

mod coding;
mod mixture;
mod pool;
mod tree;

use std::collections::BTreeMap;

use dataset::{GroupKey, Label, Records, Schema};

use self::coding::Coding;
use self::mixture::Sample;
use self::pool::PooledRows;
use crate::SynthError;
use crate::recipe::{Component, Conflicts, Link, Pool, Recipe, Repeats, Weights};

/// Pseudo-rows of Laplace smoothing of each distribution.
const SMOOTHING: f64 = 1.0;
/// Fewest rows on which a conditional distribution may rest, so that none gives a single row away.
const MIN_SUPPORT: u32 = 10;
/// Fewest rows of a pool of target values.
const MIN_POOL: usize = 50;

/// How fine a recipe is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FitOptions {
    /// Most trees in the mixture of a pool; each has at least 200 rows.
    pub components: usize,
    /// Intervals that an open numeric column is cut to.
    pub bins: usize,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self {
            components: 8,
            bins: 8,
        }
    }
}

impl Recipe {
    /// Fits a recipe to rows of a schema whose text columns have levels.
    ///
    /// Numeric columns of at most 16 distinct values keep them; others are cut to quantile intervals.
    /// Target values of fewer than 50 rows are pooled with their family, then with their class. Each
    /// pool gets a mixture of Chow-Liu trees by expectation maximization from a start along the first
    /// principal component. The same rows in another order give the same recipe.
    ///
    /// # Errors
    /// [`SynthError::TooFewRows`] for a class of fewer than 50 rows, [`SynthError::OpenText`],
    /// [`SynthError::AbsentColumn`].
    pub fn fit(
        schema: &Schema,
        records: &Records,
        options: &FitOptions,
    ) -> Result<Self, SynthError> {
        let coding = Coding::of(schema, records, options.bins)?;
        let labels = records.labels(schema);
        let conflicting = Conflicting::find(records, &labels);
        let pools = pool::pool(schema, records)?;
        let recipe = Self {
            schema: schema.name.clone(),
            target: schema.target.column.clone(),
            file: schema.file.clone(),
            file_columns: match schema.file.header {
                true => Vec::new(),
                false => schema.file_columns(),
            },
            smoothing: SMOOTHING,
            min_support: MIN_SUPPORT,
            conflicts: fit_conflicts(&conflicting, records, &coding, options),
            pools: pools
                .into_iter()
                .map(|rows| fit_pool(rows, records, &coding, &conflicting, options))
                .collect(),
            columns: coding.columns,
        };
        recipe.check().map_err(|problem| SynthError::Recipe {
            origin: format!("`{}`, just fitted", schema.name),
            problem,
        })?;
        Ok(recipe)
    }
}

fn fit_conflicts(
    conflicting: &Conflicting,
    records: &Records,
    coding: &Coding,
    options: &FitOptions,
) -> Conflicts {
    let rows: Vec<usize> = (0..records.n_rows())
        .filter(|&row| conflicting.0.contains_key(&records.groups[row]))
        .collect();
    if rows.len() < MIN_POOL {
        return Conflicts::default();
    }
    let rows_of = |classes: &BTreeMap<Label, u32>| classes.values().sum::<u32>();
    let most = |classes: &BTreeMap<Label, u32>| classes.values().copied().max().unwrap_or(0);
    let vectors = conflicting.0.values();
    Conflicts {
        minority_rows: vectors.clone().map(|c| rows_of(c) - most(c)).sum(),
        repeats: Repeats::count(vectors.map(rows_of)),
        components: fit_components(&rows, coding, options),
    }
}

fn fit_pool(
    pooled: PooledRows,
    records: &Records,
    coding: &Coding,
    conflicting: &Conflicting,
    options: &FitOptions,
) -> Pool {
    let pure: Vec<usize> = conflicting.pure_rows(&pooled.rows, records);
    // A pool whose vectors are nearly all under other classes too is described by all of its rows.
    let rows = if pure.len() < MIN_POOL {
        pooled.rows
    } else {
        pure
    };
    let mut repeats: BTreeMap<GroupKey, u32> = BTreeMap::new();
    for &row in &rows {
        *repeats.entry(records.groups[row]).or_insert(0) += 1;
    }
    Pool {
        class: pooled.class,
        values: pooled.values,
        repeats: Repeats::count(repeats.into_values()),
        components: fit_components(&rows, coding, options),
    }
}

fn fit_components(rows: &[usize], coding: &Coding, options: &FitOptions) -> Vec<Component> {
    let mixture = mixture::fit(&Sample::of(coding, rows), options.components);
    let components = mixture.iter();
    components
        .map(|component| component_of(component, coding))
        .collect()
}

fn component_of(component: &mixture::Fitted, coding: &Coding) -> Component {
    let name = |column: usize| coding.columns[column].name.clone();
    let links = component.tree.links.iter();
    Component {
        rows: component.weight.round() as u32,
        links: links
            .map(|link| Link {
                column: name(link.column),
                parent: link.parent.map(name),
                marginal: Weights::round(&link.marginal),
                given: link
                    .given
                    .iter()
                    .map(|given| given.as_deref().map(Weights::round))
                    .collect(),
            })
            .collect(),
    }
}

/// Groups of rows that bear several classes, with the rows of each class.
struct Conflicting(BTreeMap<GroupKey, BTreeMap<Label, u32>>);

impl Conflicting {
    fn find(records: &Records, labels: &[Label]) -> Self {
        let mut groups: BTreeMap<_, BTreeMap<Label, u32>> = BTreeMap::new();
        for (&group, &label) in records.groups.iter().zip(labels) {
            *groups.entry(group).or_default().entry(label).or_insert(0) += 1;
        }
        groups.retain(|_, classes| classes.len() > 1);
        Self(groups)
    }

    /// Returns the rows whose vectors are under one class alone.
    fn pure_rows(&self, rows: &[usize], records: &Records) -> Vec<usize> {
        let is_pure = |row: &&usize| !self.0.contains_key(&records.groups[**row]);
        rows.iter().filter(is_pure).copied().collect()
    }
}

#[cfg(test)]
mod tests;
