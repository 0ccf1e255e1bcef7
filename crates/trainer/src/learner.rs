//! The model families, and one configured learner of any of them.

use model::Classifier;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use trees::{
    BinnedMatrix, ClassWeight, DecisionTree, ExtraTrees, GradientBoosting, RandomForest, TreesError,
};

use crate::{TrainingError, logistic::LogisticRegression, prepared::TrainingSide};

/// A model family.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Family {
    /// L2-regularised logistic regression, binary or multinomial.
    LogisticRegression,
    /// One decision tree.
    DecisionTree,
    /// Random forest.
    RandomForest,
    /// Extremely randomised trees.
    ExtraTrees,
    /// Gradient-boosted trees.
    GradientBoosting,
}

impl Family {
    /// Returns the name in configurations and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::LogisticRegression => "logistic_regression",
            Self::DecisionTree => "decision_tree",
            Self::RandomForest => "random_forest",
            Self::ExtraTrees => "extra_trees",
            Self::GradientBoosting => "gradient_boosting",
        }
    }

    /// Returns whether it takes the linear preprocessor's features rather than the trees'.
    pub fn is_linear(self) -> bool {
        self == Self::LogisticRegression
    }
}

/// A configured learner.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Learner {
    /// See [`Family::LogisticRegression`].
    LogisticRegression(LogisticRegression),
    /// See [`Family::DecisionTree`].
    DecisionTree(DecisionTree),
    /// See [`Family::RandomForest`].
    RandomForest(RandomForest),
    /// See [`Family::ExtraTrees`].
    ExtraTrees(ExtraTrees),
    /// See [`Family::GradientBoosting`].
    GradientBoosting(GradientBoosting),
}

impl Learner {
    /// Makes a learner of a family from its parameters; what is left out takes the default.
    ///
    /// # Errors
    /// A sentence that names the parameter.
    pub fn parse(family: Family, parameters: Value) -> Result<Self, String> {
        fn typed<T: DeserializeOwned>(parameters: Value) -> Result<T, String> {
            serde_json::from_value(parameters).map_err(|e| artifact::yaml::suggest(&e.to_string()))
        }
        Ok(match family {
            Family::LogisticRegression => Self::LogisticRegression(typed(parameters)?),
            Family::DecisionTree => Self::DecisionTree(typed(parameters)?),
            Family::RandomForest => Self::RandomForest(typed(parameters)?),
            Family::ExtraTrees => Self::ExtraTrees(typed(parameters)?),
            Family::GradientBoosting => Self::GradientBoosting(typed(parameters)?),
        })
    }

    /// Returns the family.
    pub fn family(&self) -> Family {
        match self {
            Self::LogisticRegression(_) => Family::LogisticRegression,
            Self::DecisionTree(_) => Family::DecisionTree,
            Self::RandomForest(_) => Family::RandomForest,
            Self::ExtraTrees(_) => Family::ExtraTrees,
            Self::GradientBoosting(_) => Family::GradientBoosting,
        }
    }

    /// Returns what its classes weigh, if that is given.
    pub(crate) fn class_weight(&self) -> Option<&ClassWeight> {
        match self {
            Self::LogisticRegression(_) => None,
            Self::DecisionTree(l) => l.class_weight.as_ref(),
            Self::RandomForest(l) => l.class_weight.as_ref(),
            Self::ExtraTrees(l) => l.class_weight.as_ref(),
            Self::GradientBoosting(l) => l.class_weight.as_ref(),
        }
    }

    /// Returns the parameter that candidates of a shared fit may differ in: the number of rounds, for
    /// families whose first rounds do not depend on how many follow, or `c`.
    pub(crate) fn extent(&self) -> f64 {
        match self {
            Self::LogisticRegression(l) => l.c,
            _ => self.rounds().into(),
        }
    }

    /// Tells whether one fit serves both: they differ in [`Self::extent`] alone.
    pub(crate) fn shares_fit_with(&self, other: &Self) -> bool {
        match (self.clone(), other) {
            (Self::LogisticRegression(mut own), Self::LogisticRegression(other)) => {
                own.c = other.c;
                own == *other
            }
            (own, other) => own.with_rounds(other.rounds()) == *other,
        }
    }

    /// Returns the number of rounds or trees that are asked for.
    pub(crate) fn rounds(&self) -> u32 {
        match self {
            Self::LogisticRegression(_) | Self::DecisionTree(_) => 1,
            Self::RandomForest(l) => l.n_estimators,
            Self::ExtraTrees(l) => l.n_estimators,
            Self::GradientBoosting(l) => l.n_estimators,
        }
    }

    fn with_rounds(mut self, rounds: u32) -> Self {
        match &mut self {
            Self::LogisticRegression(_) | Self::DecisionTree(_) => {}
            Self::RandomForest(l) => l.n_estimators = rounds,
            Self::ExtraTrees(l) => l.n_estimators = rounds,
            Self::GradientBoosting(l) => l.n_estimators = rounds,
        }
        self
    }

    /// Fits candidates that share a fit, by ascending extent: a classifier for each.
    ///
    /// # Errors
    /// The learner's own, with the name of the candidate of the largest extent.
    pub(crate) fn fit_shared(
        candidates: &[&(String, Self)],
        side: &TrainingSide,
        seed: u64,
    ) -> Result<Vec<Classifier>, TrainingError> {
        let Some(((name, largest), smaller)) = candidates.split_last().map(|(l, s)| (*l, s)) else {
            return Ok(Vec::new());
        };
        if let Self::LogisticRegression(l) = largest {
            let cs: Vec<f64> = candidates.iter().map(|(_, l)| l.extent()).collect();
            let features = side.linear().features.values();
            let path = l.fit_path(&cs, features, &side.classes, side.n_classes);
            let path = path.map_err(|source| TrainingError::logistic(name, source))?;
            return Ok(path.into_iter().map(Classifier::Linear).collect());
        }
        let fitted = largest.fit(name, side, seed)?;
        let of_first_rounds = |(_, learner): &&(String, Self)| match &fitted {
            Classifier::Trees(trees) => {
                Classifier::Trees(trees.after_rounds(learner.rounds() as usize))
            }
            Classifier::Linear(_) => fitted.clone(),
        };
        let mut classifiers: Vec<Classifier> = smaller.iter().map(of_first_rounds).collect();
        classifiers.push(fitted);
        Ok(classifiers)
    }

    /// Returns the share of a shared fit's time that is the candidate's own: its rounds are.
    pub(crate) fn share_of_time(&self, candidates: &[&(String, Self)]) -> f64 {
        match (self, candidates.last()) {
            (Self::LogisticRegression(_), _) | (_, None) => 1.0 / candidates.len() as f64,
            (_, Some((_, largest))) => f64::from(self.rounds()) / f64::from(largest.rounds()),
        }
    }

    /// Checks the ranges of the parameters.
    ///
    /// # Errors
    /// As [`Learner::fit`].
    pub(crate) fn check(&self, name: &str) -> Result<(), TrainingError> {
        let two_rows = ndarray::array![[0.0], [1.0]];
        let x = BinnedMatrix::new(two_rows.view())
            .map_err(|source| TrainingError::trees(name, source))?;
        // Parameters are looked at first; then there is one class, and so nothing to learn.
        let (y, k) = (&[0, 0], 2);
        let refused = match self {
            Self::LogisticRegression(l) => {
                return l
                    .check(&[l.c])
                    .map_err(|source| TrainingError::logistic(name, source));
            }
            Self::DecisionTree(l) => l.fit(&x, y, k, None, 0).err(),
            Self::RandomForest(l) => l.fit(&x, y, k, None, 0).err(),
            Self::ExtraTrees(l) => l.fit(&x, y, k, None, 0).err(),
            Self::GradientBoosting(l) => l.fit(&x, y, k, None, 0).err(),
        };
        match refused {
            Some(source @ TreesError::Parameter { .. }) => Err(TrainingError::trees(name, source)),
            _ => Ok(()),
        }
    }

    /// Fits on one side of a split.
    ///
    /// # Errors
    /// The learner's own, with the candidate's name.
    pub(crate) fn fit(
        &self,
        name: &str,
        side: &TrainingSide,
        seed: u64,
    ) -> Result<Classifier, TrainingError> {
        let (y, k) = (&side.classes[..], side.n_classes);
        let binned = || &side.trees().binned;
        let fitted = match self {
            Self::LogisticRegression(l) => {
                return l
                    .fit(side.linear().features.values(), y, k)
                    .map(Classifier::Linear)
                    .map_err(|source| TrainingError::logistic(name, source));
            }
            Self::DecisionTree(l) => l.fit(binned(), y, k, None, seed),
            Self::RandomForest(l) => l.fit(binned(), y, k, None, seed),
            Self::ExtraTrees(l) => l.fit(binned(), y, k, None, seed),
            Self::GradientBoosting(l) => l.fit(binned(), y, k, None, seed),
        };
        fitted
            .map(Classifier::Trees)
            .map_err(|source| TrainingError::trees(name, source))
    }
}
