//! The tree learners at the sizes that are timed.

use clap::ValueEnum;
use model::trees::TreeEnsemble;
use trees::{BinnedMatrix, DecisionTree, ExtraTrees, GradientBoosting, RandomForest, TreesError};

/// A family of trees.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Family {
    /// Gradient boosting.
    Boosting,
    /// Random forest.
    RandomForest,
    /// Extra trees.
    ExtraTrees,
    /// One decision tree.
    DecisionTree,
}

/// Fits a family at its defaults but for the number of trees and of leaves (boosting's).
///
/// # Errors
/// What the learner refuses.
pub fn fit(
    family: Family,
    matrix: &BinnedMatrix,
    y: &[u16],
    n_estimators: u32,
    num_leaves: u32,
    seed: u64,
) -> Result<TreeEnsemble, TreesError> {
    let n_classes = usize::from(y.iter().copied().max().unwrap_or(0)) + 1;
    let n_classes = n_classes.max(2);
    match family {
        Family::Boosting => GradientBoosting {
            n_estimators,
            num_leaves,
            ..Default::default()
        }
        .fit(matrix, y, n_classes, None, seed),
        Family::RandomForest => RandomForest {
            n_estimators,
            ..Default::default()
        }
        .fit(matrix, y, n_classes, None, seed),
        Family::ExtraTrees => ExtraTrees {
            n_estimators,
            ..Default::default()
        }
        .fit(matrix, y, n_classes, None, seed),
        Family::DecisionTree => DecisionTree::default().fit(matrix, y, n_classes, None, seed),
    }
}
