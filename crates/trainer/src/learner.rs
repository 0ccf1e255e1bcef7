//! The model families, and one configured learner of any of them.

use model::Classifier;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::Value;
use trees::{DecisionTree, ExtraTrees, GradientBoosting, RandomForest, TreesError};

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
            serde_json::from_value(parameters).map_err(|e| e.to_string())
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

    /// Returns the number of rounds, for families that go round by round and whose first rounds do not
    /// depend on how many follow.
    pub(crate) fn rounds(&self) -> Option<u32> {
        match self {
            Self::LogisticRegression(_) | Self::DecisionTree(_) => None,
            Self::RandomForest(l) => Some(l.n_estimators),
            Self::ExtraTrees(l) => Some(l.n_estimators),
            Self::GradientBoosting(l) => Some(l.n_estimators),
        }
    }

    /// Returns the learner with another number of rounds; unchanged where there are none.
    pub(crate) fn with_rounds(mut self, rounds: u32) -> Self {
        match &mut self {
            Self::LogisticRegression(_) | Self::DecisionTree(_) => {}
            Self::RandomForest(l) => l.n_estimators = rounds,
            Self::ExtraTrees(l) => l.n_estimators = rounds,
            Self::GradientBoosting(l) => l.n_estimators = rounds,
        }
        self
    }

    /// Checks the ranges of the parameters.
    ///
    /// # Errors
    /// As [`Learner::fit`].
    pub(crate) fn check(&self, name: &str) -> Result<(), TrainingError> {
        let candidate = || name.to_owned();
        let two_rows = ndarray::array![[0.0], [1.0]];
        let x =
            trees::BinnedMatrix::new(two_rows.view()).map_err(|source| TrainingError::Trees {
                candidate: candidate(),
                source,
            })?;
        // Parameters are looked at first; then there is one class, and so nothing to learn.
        let (y, k) = (&[0, 0], 2);
        let refused = match self {
            Self::LogisticRegression(l) => {
                return l.check().map_err(|source| TrainingError::Logistic {
                    candidate: candidate(),
                    source,
                });
            }
            Self::DecisionTree(l) => l.fit(&x, y, k, None, 0).err(),
            Self::RandomForest(l) => l.fit(&x, y, k, None, 0).err(),
            Self::ExtraTrees(l) => l.fit(&x, y, k, None, 0).err(),
            Self::GradientBoosting(l) => l.fit(&x, y, k, None, 0).err(),
        };
        match refused {
            Some(source @ TreesError::Parameter { .. }) => Err(TrainingError::Trees {
                candidate: candidate(),
                source,
            }),
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
        let from_trees = |fitted: Result<_, _>| {
            fitted
                .map(Classifier::Trees)
                .map_err(|source| TrainingError::Trees {
                    candidate: name.to_owned(),
                    source,
                })
        };
        match self {
            Self::LogisticRegression(l) => l
                .fit(side.linear.values(), y, k)
                .map(Classifier::Linear)
                .map_err(|source| TrainingError::Logistic {
                    candidate: name.to_owned(),
                    source,
                }),
            Self::DecisionTree(l) => from_trees(l.fit(&side.binned, y, k, None, seed)),
            Self::RandomForest(l) => from_trees(l.fit(&side.binned, y, k, None, seed)),
            Self::ExtraTrees(l) => from_trees(l.fit(&side.binned, y, k, None, seed)),
            Self::GradientBoosting(l) => from_trees(l.fit(&side.binned, y, k, None, seed)),
        }
    }
}
