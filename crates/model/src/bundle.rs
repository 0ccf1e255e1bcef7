//! The model bundle: everything that serves a detector, and nothing that runs.

use std::{borrow::Cow, collections::BTreeSet};

use artifact::{Artifact, ArtifactRecord};
use dataset::{ClassNames, GroupKey, Label, Schema, Table, derived, profile::Profile};
use ndarray::{Array2, ArrayView1, ArrayViewMut1};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    Classifier,
    calibration::Calibration,
    preprocessor::{PreprocessingError, Preprocessor},
    threshold::Thresholds,
};

/// A detector, complete: schema, preprocessor, classifier, calibration, thresholds, training profile.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ModelBundle {
    /// The schema of what it takes, resolved.
    #[serde(with = "dataset::schema::as_yaml")]
    pub schema: Schema,
    /// Whether it learned from generated rows.
    pub simulated: bool,
    /// From a table of feature columns to a feature matrix.
    pub preprocessor: Preprocessor,
    /// From a feature matrix to class probabilities.
    pub classifier: Classifier,
    /// From the raw threat score to a probability.
    pub calibration: Calibration,
    /// Where a probability becomes a verdict.
    pub thresholds: Thresholds,
    /// Distribution of the training rows, the reference for drift.
    pub profile: Profile,
    /// How it was trained.
    pub training: TrainingSummary,
}

/// How a bundle was trained.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TrainingSummary {
    /// Model family, such as `gradient_boosting`.
    pub family: String,
    /// Name of the chosen candidate.
    pub candidate: String,
    /// Its parameters as JSON.
    pub parameters: String,
    /// Training rows.
    pub n_rows: u64,
    /// Distinct feature vectors among them.
    pub n_groups: u64,
    /// The seed.
    pub seed: u64,
    /// Mean and standard deviation of each metric over the grouped folds.
    pub cross_validation: Vec<(String, f64, f64)>,
    /// Features with their importance, the most important first.
    pub importance: Vec<(String, f64)>,
    /// Artifacts that it was learned from.
    pub inputs: Vec<ArtifactRecord>,
}

/// Threat probabilities and classes of some rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Scores {
    /// Calibrated probability that the row is a threat, in [0, 1].
    pub threat: Vec<f64>,
    /// Class probabilities, `n_rows` × `n_classes`, consistent with `threat`.
    pub classes: Array2<f64>,
}

/// Why a bundle does not score rows.
#[derive(Debug, Error)]
pub enum ScoringError {
    /// The rows do not fit the preprocessor.
    #[error(transparent)]
    Preprocessing(#[from] PreprocessingError),
}

impl artifact::Classified for ScoringError {
    fn kind(&self) -> artifact::ErrorKind {
        match self {
            Self::Preprocessing(error) => error.kind(),
        }
    }
}

impl ModelBundle {
    /// Scores rows of typed feature columns (derived columns are computed here).
    ///
    /// # Errors
    /// When the table lacks a column that the preprocessor needs.
    pub fn score(&self, table: &Table) -> Result<Scores, ScoringError> {
        let features = self.preprocessor.transform(&self.complete(table))?;
        let mut classes = self.classifier.predict_proba(&features);
        let mut threat = Vec::with_capacity(classes.nrows());
        for row in classes.rows_mut() {
            threat.push(calibrate(row, &self.calibration));
        }
        Ok(Scores { threat, classes })
    }

    /// Appends the derived columns, if there are any.
    pub(crate) fn complete<'t>(&self, table: &'t Table) -> Cow<'t, Table> {
        if self.schema.derived.is_empty() {
            return Cow::Borrowed(table);
        }
        let mut table = table.clone();
        derived::append(&self.schema, &mut table);
        Cow::Owned(table)
    }

    /// Returns the verdict on a scored row: a threat at or above the operating threshold, and then
    /// the likeliest threat class.
    pub fn verdict(&self, scores: &Scores, row: usize) -> Label {
        self.verdict_on(scores.threat[row], scores.classes.row(row))
    }

    pub(crate) fn verdict_on(&self, threat: f64, classes: ArrayView1<'_, f64>) -> Label {
        if threat < self.thresholds.operating {
            return Label::BENIGN;
        }
        let likeliest = (1..classes.len()).fold(1, |best, class| {
            if classes[class] > classes[best] {
                class
            } else {
                best
            }
        });
        Label::from_class(likeliest)
    }

    /// Returns the names of the classes, benign first.
    pub fn class_names(&self) -> ClassNames {
        self.schema.target.class_names()
    }
}

/// Calibrates the class probabilities of a row; returns the threat's.
///
/// They keep to each other what the classifier says. Where it has them all at 0, they stay there.
pub(crate) fn calibrate(mut classes: ArrayViewMut1<'_, f64>, calibration: &Calibration) -> f64 {
    let threat = calibration.apply(1.0 - classes[0]);
    // Not 1 - benign, which has lost its digits where it is small.
    let total: f64 = classes.iter().skip(1).sum();
    let share = |p: f64| if total > 0.0 { p / total } else { 0.0 };
    classes[0] = 1.0 - threat;
    classes
        .iter_mut()
        .skip(1)
        .for_each(|p| *p = share(*p) * threat);
    threat
}

impl Artifact for ModelBundle {
    const KIND: &'static str = "model-bundle";
    const LAYOUT: u16 = 2;
    artifact::payload!();

    fn check(&self) -> Result<(), String> {
        self.preprocessor.check()?;
        self.classifier.check()?;
        self.calibration.check()?;
        self.thresholds.check()?;
        self.profile.check()?;
        self.check_columns()?;
        let (made, taken) = (self.preprocessor.n_features(), self.classifier.n_features());
        if made != taken {
            return Err(format!(
                "the preprocessor makes {made} features, the classifier takes {taken}"
            ));
        }
        let (named, known) = (self.class_names().len(), self.classifier.n_classes());
        if named != known {
            return Err(format!(
                "the schema names {named} classes, the classifier knows {known}"
            ));
        }
        Ok(())
    }
}

impl ModelBundle {
    /// Checks that the preprocessor finds its columns, and that no missing cell reaches a classifier
    /// that cannot take it.
    fn check_columns(&self) -> Result<(), String> {
        let derived = self.schema.derived.iter().map(|d| d.name.as_str());
        let features = self.schema.features().map(|c| c.name.as_str());
        let known: BTreeSet<&str> = features.chain(derived).collect();
        let mut needed = self.preprocessor.input_columns();
        if let Some(name) = needed.find(|name| !known.contains(name)) {
            return Err(format!("the schema has no feature `{name}`"));
        }
        let is_linear = matches!(self.classifier, Classifier::Linear(_));
        let may_be_missing =
            !self.schema.derived.is_empty() || self.schema.features().any(|c| c.may_be_missing);
        if is_linear && may_be_missing && self.preprocessor.leaves_missing() {
            return Err("missing cells are not imputed, but the classifier is linear".to_owned());
        }
        Ok(())
    }
}

/// The groups that a bundle was trained on, kept beside it: a later candidate is compared with it
/// only on groups that neither has seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TrainingGroups {
    /// Distinct keys, ascending.
    pub keys: Vec<GroupKey>,
}

impl TrainingGroups {
    /// Collects the distinct groups of some rows.
    pub fn of(groups: &[GroupKey]) -> Self {
        let mut keys = groups.to_vec();
        keys.sort_unstable();
        keys.dedup();
        Self { keys }
    }

    /// Returns whether a group is among them.
    pub fn contains(&self, group: GroupKey) -> bool {
        self.keys.binary_search(&group).is_ok()
    }
}

impl Artifact for TrainingGroups {
    const KIND: &'static str = "training-groups";
    const LAYOUT: u16 = 1;
    artifact::payload!();

    fn check(&self) -> Result<(), String> {
        let ascending = self.keys.is_sorted_by(|a, b| a < b);
        if ascending {
            Ok(())
        } else {
            Err("the groups are not ascending".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    use ndarray::arr1;

    use super::*;

    fn check(classes: [f64; 3]) {
        let mut row = arr1(&classes);
        let calibration = Calibration::Platt { a: -0.4, b: 0.1 };
        let threat = calibrate(row.view_mut(), &calibration);
        assert!((row.sum() - 1.0).abs() < 1e-12, "{classes:?} gives {row}");
        assert_eq!(row[0], 1.0 - threat);
        let (before, after) = (classes[1] / classes[2], row[1] / row[2]);
        assert!((before / after - 1.0).abs() < 1e-12, "{classes:?}: {row}");
    }

    #[test]
    fn calibrated_classes_sum_to_one_and_keep_to_each_other() {
        check([0.5, 0.3, 0.2]);
        check([0.0, 0.75, 0.25]);
    }

    #[test]
    fn threats_too_small_for_one_minus_benign_are_not_lost() {
        check([1.0, 2e-17, 1e-17]);
        check([1.0 - 2.0 * f64::EPSILON, 3e-16, 1.3e-16]);
        check([1.0, 3e-310, 2e-310]);
    }
}
