//! A first schema from data, for a person to edit.

/// Collects what columns look like. (in progress)
pub struct Inference;
