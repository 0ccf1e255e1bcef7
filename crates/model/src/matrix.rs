//! Preprocessed features.

use std::sync::Arc;

use ndarray::{Array2, ArrayView1, ArrayView2, Axis};

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

    /// Returns the number of rows.
    pub fn n_rows(&self) -> usize {
        self.values.nrows()
    }

    /// Returns the number of features.
    pub fn n_features(&self) -> usize {
        self.values.ncols()
    }

    /// Returns the features of one row.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn row(&self, row: usize) -> ArrayView1<'_, f32> {
        self.values.row(row)
    }

    /// Returns the rows of these indices, in their order; an index may repeat.
    ///
    /// # Panics
    /// When there is no such row.
    pub fn select(&self, rows: &[usize]) -> Self {
        Self {
            values: self.values.select(Axis(0), rows),
            names: Arc::clone(&self.names),
        }
    }
}
