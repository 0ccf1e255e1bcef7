//! The fitted classifiers that a bundle may hold.

use ndarray::Array2;
use serde::{Deserialize, Serialize};

use crate::{
    FeatureMatrix,
    explanation::{Contributions, Space},
    linear::LinearClassifier,
    trees::{Aggregation, TreeEnsemble},
};

/// A fitted classifier: data, never code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Classifier {
    /// Logistic regression.
    Linear(LinearClassifier),
    /// A decision tree, a forest, or boosted trees.
    Trees(TreeEnsemble),
}

impl Classifier {
    /// Returns class probabilities, `n_rows` × `n_classes`, benign first.
    pub fn predict_proba(&self, features: &FeatureMatrix) -> Array2<f64> {
        match self {
            Self::Linear(linear) => linear.predict_proba(features.values()),
            Self::Trees(trees) => trees.predict_proba(features.values()),
        }
    }

    /// Writes the class probabilities of one row, bit for bit what [`Self::predict_proba`] gives.
    ///
    /// # Panics
    /// When a slice has not the right length.
    pub fn predict_proba_into(&self, row: &[f32], probabilities: &mut [f64]) {
        match self {
            Self::Linear(linear) => linear.predict_proba_into(row, probabilities),
            Self::Trees(trees) => trees.predict_proba_into(row, probabilities),
        }
    }

    /// Returns the uncalibrated threat probability of every row: 1 - P(benign).
    pub fn threat_scores(&self, features: &FeatureMatrix) -> Vec<f64> {
        self.predict_proba(features)
            .column(0)
            .iter()
            .map(|benign| 1.0 - benign)
            .collect()
    }

    /// Returns the number of features that it takes.
    pub fn n_features(&self) -> usize {
        match self {
            Self::Linear(linear) => linear.n_features,
            Self::Trees(trees) => trees.n_features(),
        }
    }

    /// Returns the number of classes that it tells apart.
    pub fn n_classes(&self) -> usize {
        match self {
            Self::Linear(linear) => linear.n_classes,
            Self::Trees(trees) => trees.n_classes(),
        }
    }

    /// Returns what each feature contributes to the raw scores of each row: see
    /// [`TreeEnsemble::contributions`] and [`LinearClassifier::contributions`].
    pub fn contributions(&self, features: &FeatureMatrix) -> Contributions {
        match self {
            Self::Linear(linear) => linear.contributions(features.values()),
            Self::Trees(trees) => trees.contributions(features.values()),
        }
    }

    /// Returns what its raw scores are.
    pub fn space(&self) -> Space {
        match self {
            Self::Trees(trees) if *trees.aggregation() == Aggregation::Averaging => {
                Space::Probability
            }
            _ => Space::LogOdds,
        }
    }

    /// Returns the importance of each feature, summing to 1: for trees the share of the total gain,
    /// for linear models the mean absolute coefficient's share.
    pub fn importance(&self) -> Vec<f64> {
        match self {
            Self::Linear(linear) => linear.importance(),
            Self::Trees(trees) => trees.importance().to_vec(),
        }
    }

    /// Checks every count, index and number; used after decoding.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn check(&self) -> Result<(), String> {
        match self {
            Self::Linear(linear) => linear.check(),
            Self::Trees(trees) => trees.check(),
        }
    }
}
