//! Fitted things: what a trained detector is, how it scores, and how good it is.
//!
//! Owns preprocessors, classifiers, calibration, thresholds, the bundle that serves, metrics,
//! and explanations.
//! Must not know how anything is learned beyond preprocessing and calibration, nor files, nor networks.

mod bundle;
pub mod calibration;
mod classifier;
pub mod explanation;
pub mod linear;
mod matrix;
pub mod metrics;
pub mod preprocessor;
pub mod resampling;
mod row;
pub mod scoring;
pub mod threshold;
pub mod trees;
pub mod verdict_columns;

pub use bundle::{ModelBundle, Scores, ScoringError, TrainingGroups, TrainingSummary};
pub use classifier::Classifier;
pub use matrix::FeatureMatrix;
pub use row::{RowScore, RowScorer, RowScratch};
