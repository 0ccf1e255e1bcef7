//! The fitted classifiers of a bundle. In progress.

/// In progress.
pub enum Classifier {}
