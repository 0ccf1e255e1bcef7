//! Candidate against champion, on groups that neither has trained on.

use std::collections::BTreeSet;

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
    let Some((version, champion, trained_on)) = &incumbent.champion else {
        return Ok(Comparison::NoChampion);
    };
    let version = *version;
    if let Some(reason) = incompatibility(candidate, champion) {
        return Ok(Comparison::NotComparable {
            version,
            groups: 0,
            reason,
        });
    }
    let rows = unseen_rows(holdout, trained_on);
    let records = holdout.records.select(&rows);
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
    let theirs = champion.score(&records.table)?;
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
