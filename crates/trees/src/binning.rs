//! The binned matrix: every feature in at most 255 bins of values and one of missing values.

mod column;
mod distinct;

use std::sync::Arc;

use model::trees::Node;
use ndarray::ArrayView2;
use rayon::prelude::*;

use crate::TreesError;
pub(crate) use column::Column;

/// More rows would leave too few bits for their weights; see [`crate::packing`].
const MAX_ROWS: usize = 1 << 24;

/// Rows in bins, made once and shared by many fits.
///
/// A feature with at most 255 distinct values keeps each in a bin of its own, others are cut at
/// quantiles. A threshold is the midpoint between neighbouring values, so a raw row scored later takes
/// exactly the path that its bins took in training. Rows that are equal in all bins are kept once.
#[derive(Debug, Clone)]
pub struct BinnedMatrix {
    columns: Arc<[Column]>,
    /// For each row, its place among the distinct ones.
    distinct_of_row: Vec<u32>,
    /// Bins of the distinct rows, row-major.
    bins: Vec<u8>,
}

impl BinnedMatrix {
    /// Bins rows of features: `n_rows` × `n_features`, NaN where a value is missing.
    ///
    /// # Errors
    /// No rows, more than 2^24 rows, no or more than 65,535 features, an infinite value.
    pub fn new(x: ArrayView2<'_, f32>) -> Result<Self, TreesError> {
        check_shape(x)?;
        let (columns, bins): (Vec<Column>, Vec<Vec<u8>>) = (0..x.ncols())
            .into_par_iter()
            .map(|feature| bin_column(x, feature))
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .unzip();
        let (distinct_of_row, bins) = distinct::rows(&bins, x.nrows());
        Ok(Self {
            columns: columns.into(),
            distinct_of_row,
            bins,
        })
    }

    /// Returns the matrix of some of the rows, in the given order, under the same bins.
    ///
    /// # Errors
    /// No rows, too many, or a row that does not exist.
    pub fn subset(&self, rows: &[u32]) -> Result<Self, TreesError> {
        check_rows(rows.len())?;
        let mut renamed = vec![u32::MAX; self.n_distinct()];
        let mut distinct_of_row = Vec::with_capacity(rows.len());
        let mut bins = Vec::new();
        let mut next = 0;
        for &row in rows {
            let Some(&distinct) = self.distinct_of_row.get(row as usize) else {
                let rows = self.n_rows();
                return Err(TreesError::NoSuchRow { row, rows });
            };
            let name = &mut renamed[distinct as usize];
            if *name == u32::MAX {
                *name = next;
                next += 1;
                bins.extend_from_slice(self.distinct_row(distinct));
            }
            distinct_of_row.push(*name);
        }
        Ok(Self {
            columns: Arc::clone(&self.columns),
            distinct_of_row,
            bins,
        })
    }

    /// Returns the number of rows.
    pub fn n_rows(&self) -> usize {
        self.distinct_of_row.len()
    }

    /// Returns the number of features.
    pub fn n_features(&self) -> usize {
        self.columns.len()
    }

    /// Returns the number of rows that differ in some bin.
    pub fn n_distinct(&self) -> usize {
        self.bins.len() / self.n_features()
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    pub(crate) fn distinct_of_row(&self) -> &[u32] {
        &self.distinct_of_row
    }

    /// Returns the bins of one distinct row.
    pub(crate) fn distinct_row(&self, distinct: u32) -> &[u8] {
        let width = self.n_features();
        &self.bins[distinct as usize * width..][..width]
    }
}

fn check_shape(x: ArrayView2<'_, f32>) -> Result<(), TreesError> {
    check_rows(x.nrows())?;
    if !(1..=Node::MAX_FEATURES).contains(&x.ncols()) {
        return Err(TreesError::Features {
            features: x.ncols(),
            max: Node::MAX_FEATURES,
        });
    }
    Ok(())
}

fn check_rows(rows: usize) -> Result<(), TreesError> {
    match rows {
        0 => Err(TreesError::NoRows),
        1..=MAX_ROWS => Ok(()),
        _ => Err(TreesError::TooManyRows {
            rows,
            max: MAX_ROWS,
        }),
    }
}

fn bin_column(x: ArrayView2<'_, f32>, feature: usize) -> Result<(Column, Vec<u8>), TreesError> {
    let values = x.column(feature).to_vec();
    if let Some(row) = values.iter().position(|value| value.is_infinite()) {
        return Err(TreesError::Infinite {
            row,
            feature,
            value: values[row],
        });
    }
    let column = Column::of(&values);
    let bins = values.iter().map(|&value| column.bin(value)).collect();
    Ok((column, bins))
}

#[cfg(test)]
mod tests;
