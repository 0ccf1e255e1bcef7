//! Candidate against champion, on groups that neither has trained on.

use std::collections::BTreeSet;

use dataset::{Column, Schema, Table, TableColumn};
use holdout::HoldoutSet;
use model::{
    ModelBundle, Scores,
    metrics::RankedScores,
    resampling::{GroupBootstrap, Interval},
};
use serde::{Deserialize, Serialize};

use super::{EvaluationConfig, Truth, unseen_rows};
use crate::{Incumbent, RegistryError};

/// What can be said of candidate and champion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Comparison {
    /// There was no champion when the run began.
    NoChampion,
    /// Nothing fair can be said.
    NotComparable {
        /// The champion's version.
        version: u64,
        /// Groups that neither has trained on.
        groups: u64,
        /// Why not.
        reason: String,
    },
    /// Both scored the same rows.
    Compared {
        /// The champion's version.
        version: u64,
        /// Groups that neither has trained on.
        groups: u64,
        /// PR AUC of the champion on them.
        champion_pr_auc: f64,
        /// PR AUC of the candidate on them.
        candidate_pr_auc: f64,
        /// Candidate less champion, paired over resamples of groups.
        difference: Interval,
    },
}

pub(super) fn compare(
    config: &EvaluationConfig,
    candidate: &ModelBundle,
    holdout: &HoldoutSet,
    incumbent: &Incumbent,
    (scores, truth): (&Scores, &Truth),
    seed: u64,
) -> Result<Comparison, RegistryError> {
    let not_comparable = |version: u64, reason: String| Comparison::NotComparable {
        version,
        groups: 0,
        reason,
    };
    let (version, champion, trained_on) = match incumbent {
        Incumbent::None => return Ok(Comparison::NoChampion),
        Incumbent::Outdated { version, reason } => {
            return Ok(not_comparable(*version, reason.clone()));
        }
        Incumbent::Champion(version, bundle, groups) => (*version, bundle, groups),
    };
    if let Some(reason) = incompatibility(candidate, champion) {
        return Ok(not_comparable(version, reason));
    }
    let rows = unseen_rows(holdout, trained_on);
    let records = holdout.records.select(&rows);
    let table = match recode(&records.table, &candidate.schema, &champion.schema) {
        Ok(table) => table,
        Err(reason) => return Ok(not_comparable(version, reason)),
    };
    let groups = records.groups.iter().collect::<BTreeSet<_>>().len();
    if groups < config.min_comparable_groups {
        let needed = config.min_comparable_groups;
        return Ok(Comparison::NotComparable {
            version,
            groups: groups as u64,
            reason: format!(
                "only {groups} groups are new to both champion and candidate, {needed} are needed; \
                 use the seed that the champion was trained with, or give more data"
            ),
        });
    }
    let theirs = champion.score(&table)?;
    let ours: Vec<f64> = rows.iter().map(|&row| scores.threat[row]).collect();
    let threats: Vec<bool> = rows.iter().map(|&row| truth.threats[row]).collect();
    let ours = RankedScores::new(&ours, &threats);
    let theirs = RankedScores::new(&theirs.threat, &threats);
    let bootstrap = GroupBootstrap::new(&records.groups, config.resamples.max(100), seed);
    let difference = bootstrap.difference(
        |weights| ours.average_precision(Some(weights)),
        |weights| theirs.average_precision(Some(weights)),
    );
    Ok(Comparison::Compared {
        version,
        groups: groups as u64,
        champion_pr_auc: theirs.average_precision(None),
        candidate_pr_auc: ours.average_precision(None),
        difference,
    })
}

/// Says why the two do not take the same input or mean the same by a threat.
fn incompatibility(candidate: &ModelBundle, champion: &ModelBundle) -> Option<String> {
    if candidate.simulated != champion.simulated {
        return Some("one was trained on simulated data and the other on real data".to_owned());
    }
    let contract = |bundle: &ModelBundle| {
        bundle
            .schema
            .features()
            .map(|c| (c.name.clone(), c.kind))
            .collect::<Vec<_>>()
    };
    let (ours, theirs) = (contract(candidate), contract(champion));
    // Groups are keyed by the columns in their order.
    if ours.len() == theirs.len() && ours != theirs && ours.iter().all(|c| theirs.contains(c)) {
        return Some("the schema's columns stand in another order".to_owned());
    }
    let changed: Vec<&str> = ours
        .iter()
        .filter(|c| !theirs.contains(c))
        .chain(theirs.iter().filter(|c| !ours.contains(c)))
        .map(|(name, _)| name.as_str())
        .collect();
    if !changed.is_empty() {
        return Some(format!(
            "the schema's columns have changed: {}",
            changed.join(", ")
        ));
    }
    (candidate.schema.target != champion.schema.target)
        .then(|| "the schema's target has changed".to_owned())
}

/// Writes a table under another schema of the same columns: the codes of texts are places among a
/// schema's levels.
///
/// # Errors
/// A sentence with the value that the other schema does not take.
fn recode(table: &Table, from: &Schema, to: &Schema) -> Result<Table, String> {
    let columns = table.columns().iter().map(|column| {
        let (Some(ours), Some(theirs)) = (from.column(&column.name), to.column(&column.name))
        else {
            return Ok(column.clone());
        };
        if !theirs.may_be_missing && column.values.iter().any(|value| value.is_nan()) {
            return Err(format!(
                "`{}` is missing in a row, which the champion does not take",
                ours.name
            ));
        }
        let Some(codes) = codes_under(ours, theirs)? else {
            return Ok(column.clone());
        };
        let recoded = |value: &f64| {
            if value.is_nan() {
                *value
            } else {
                codes[*value as usize]
            }
        };
        Ok(TableColumn {
            name: column.name.clone(),
            values: column.values.iter().map(recoded).collect(),
        })
    });
    Ok(Table::new(
        table.n_rows(),
        columns.collect::<Result<_, String>>()?,
    ))
}

/// Returns for each code of a text column, the unknown level's last, the code that another schema has
/// for it; nothing where both agree.
fn codes_under(ours: &Column, theirs: &Column) -> Result<Option<Vec<f64>>, String> {
    let Some(levels) = ours.levels() else {
        return Ok(None);
    };
    if ours.domain == theirs.domain {
        return Ok(None);
    }
    // No level is called like this: levels are trimmed.
    let unknown = std::iter::once(" ");
    let codes = levels
        .iter()
        .map(String::as_str)
        .chain(unknown)
        .map(|level| {
            let name = &ours.name;
            theirs
                .level_code(level)
                .ok_or_else(|| format!("the champion does not take `{level}` in `{name}`"))
        });
    let n = ours.n_levels().unwrap_or(levels.len());
    codes.take(n).collect::<Result<_, String>>().map(Some)
}

#[cfg(test)]
mod tests;
