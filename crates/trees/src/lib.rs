//! The tree learner: gradient boosting, random forest, extra trees and a single decision tree.
//!
//! Owns binning, the split search, growth and sampling; all learners share one [`BinnedMatrix`] and
//! one split search over sums in whole numbers, so that the order of additions, and with it the
//! number of threads, cannot reach a result. Must not know schemas, files, folds or holdouts; what is
//! learned is a `model::trees::TreeEnsemble`, which scores without this crate.

#![warn(missing_docs)]

mod binning;
mod boosting;
mod cases;
mod class_weight;
mod criterion;
mod error;
mod forest;
mod growth;
mod histogram;
mod importance;
mod packing;
mod parameter;
mod randomness;
mod split;

pub use binning::BinnedMatrix;
pub use boosting::{GradientBoosting, OutOfFold, Validation};
pub use class_weight::{ClassWeight, NamedClassWeight};
pub use error::TreesError;
pub use forest::{DecisionTree, ExtraTrees, MaxFeatures, OutOfBag, RandomForest};
pub use importance::{Spread, permutation_importance, split_importance};
