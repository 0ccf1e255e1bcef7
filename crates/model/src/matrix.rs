//! Preprocessed features.

use std::sync::Arc;

use ndarray::{Array2, ArrayView2};

/// Preprocessed features: `n_rows` × `n_features`, `f32`, row-major, NaN where nothing was imputed.
///
/// Only a fitted [`crate::preprocessor::Preprocessor`] makes one, and it takes a `dataset::Table`:
/// preprocessing twice does not compile.
#[derive(Debug, Clone, PartialEq)]
pub struct FeatureMatrix {
    values: Array2<f32>,
    names: Arc<[String]>,
}

impl FeatureMatrix {
    pub(crate) fn new(values: Array2<f32>, names: Arc<[String]>) -> Self {
        debug_assert_eq!(values.ncols(), names.len());
        Self { values, names }
    }

    /// Returns the values, `n_rows` × `n_features`.
    pub fn values(&self) -> ArrayView2<'_, f32> {
        self.values.view()
    }

    /// Returns the names of the features, as people should read them: `port`, `service=http`.
    pub fn names(&self) -> &[String] {
        &self.names
    }
}
