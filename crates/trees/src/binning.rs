//! The binned matrix: every feature in at most 255 bins of values and one of missing values.

mod column;
mod distinct;
mod ladder;

use std::sync::Arc;

use model::trees::Node;
use ndarray::{ArrayView1, ArrayView2, Axis, Slice};
use rayon::prelude::*;

use crate::TreesError;
pub(crate) use column::Column;
use column::SAMPLE_ROWS;
use ladder::Ladder;

/// More rows would leave no room for their numbers and counts in 32 bits.
const MAX_ROWS: usize = 1 << 31;
/// Rows that are binned together, so that they are read from memory once for all features.
const BLOCK_ROWS: usize = 1 << 12;
/// Columns that are copied together before their bins are chosen: values of a row share a cache line, which
/// would be read anew for each of them.
const COPIED_COLUMNS: usize = 8;

/// Rows in bins, made once and shared by many fits.
///
/// A feature with at most 255 distinct values keeps each in a bin of its own, others are cut at
/// quantiles. A threshold is the midpoint between neighbouring values, so a raw row scored later takes
/// exactly the path that its bins took in training. Where many rows are equal in all bins, they are
/// kept once.
#[derive(Debug, Clone)]
pub struct BinnedMatrix {
    columns: Arc<[Column]>,
    n_rows: usize,
    /// For each row, its place among the distinct ones; none where all are kept.
    distinct_of_row: Option<Vec<u32>>,
    /// Bins of the rows that are kept, column-major.
    bins: Vec<u8>,
}

impl BinnedMatrix {
    /// Bins rows of features: `n_rows` × `n_features`, NaN where a value is missing.
    ///
    /// # Errors
    /// No rows, more than 2^31 rows, no or more than 65,535 features, an infinite value, no feature that
    /// varies.
    pub fn new(x: ArrayView2<'_, f32>) -> Result<Self, TreesError> {
        Self::with_categories(x, &[])
    }

    /// Bins rows as [`Self::new`] does; the features listed hold codes of categories.
    ///
    /// Boosting splits such a feature by sets of its categories, the other learners by the order of the
    /// codes.
    ///
    /// # Errors
    /// As [`Self::new`]; a listed feature that does not exist, or holds anything but whole numbers from
    /// 0 to 254 and NaN.
    pub fn with_categories(
        x: ArrayView2<'_, f32>,
        categorical: &[u16],
    ) -> Result<Self, TreesError> {
        check_shape(x)?;
        let mut columns = choose_columns(x);
        make_categorical(&mut columns, x, categorical)?;
        let mut bins = vec![0; x.len()];
        let hashes = bin_blocks(x, &columns, &mut bins)?;
        for (column, bins) in columns.iter_mut().zip(bins.chunks_exact(x.nrows())) {
            column.note_missing(bins);
        }
        let is_constant = |bins: &[u8]| bins.iter().all(|bin| *bin == bins[0]);
        if bins.chunks_exact(x.nrows()).all(is_constant) {
            let features = columns.len();
            return Err(TreesError::Constant { features });
        }
        let distinct_of_row = distinct::rows(&bins, &hashes);
        let bins = match &distinct_of_row {
            Some(of_row) => distinct::keep_first(&bins, of_row),
            None => bins,
        };
        Ok(Self {
            columns: columns.into(),
            n_rows: x.nrows(),
            distinct_of_row,
            bins,
        })
    }

    /// Returns the number of rows.
    pub fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Returns the number of features.
    pub fn n_features(&self) -> usize {
        self.columns.len()
    }

    /// Returns the number of rows that are kept.
    pub fn n_distinct(&self) -> usize {
        self.bins.len() / self.n_features()
    }

    pub(crate) fn columns(&self) -> &[Column] {
        &self.columns
    }

    /// Returns each row's place among those that are kept; none where all are.
    pub(crate) fn distinct_of_row(&self) -> Option<&[u32]> {
        self.distinct_of_row.as_deref()
    }

    /// Returns the bins of the rows that are kept, column-major.
    pub(crate) fn bins(&self) -> &[u8] {
        &self.bins
    }
}

fn check_shape(x: ArrayView2<'_, f32>) -> Result<(), TreesError> {
    let rows = x.nrows();
    if rows == 0 {
        return Err(TreesError::NoRows);
    }
    if rows > MAX_ROWS {
        let max = MAX_ROWS;
        return Err(TreesError::TooManyRows { rows, max });
    }
    if !(1..=Node::MAX_FEATURES).contains(&x.ncols()) {
        return Err(TreesError::Features {
            features: x.ncols(),
            max: Node::MAX_FEATURES,
        });
    }
    Ok(())
}

/// Chooses the bins of each column; of copied columns, unless these were larger than what they are sampled by.
fn choose_columns(x: ArrayView2<'_, f32>) -> Vec<Column> {
    if x.nrows() > SAMPLE_ROWS {
        let features = (0..x.ncols()).into_par_iter();
        return features.map(|at| Column::of(x.column(at))).collect();
    }
    let firsts: Vec<usize> = (0..x.ncols()).step_by(COPIED_COLUMNS).collect();
    let neighbours = firsts.into_par_iter().flat_map_iter(|first| {
        let last = x.ncols().min(first + COPIED_COLUMNS);
        let copied = copy_columns(x.slice_axis(Axis(1), Slice::from(first..last)));
        copied
            .into_iter()
            .map(|column| Column::of(ArrayView1::from(&column)))
    });
    neighbours.collect()
}

fn copy_columns(x: ArrayView2<'_, f32>) -> Vec<Vec<f32>> {
    let mut columns = vec![vec![0.0; x.nrows()]; x.ncols()];
    for (at, row) in x.rows().into_iter().enumerate() {
        for (column, value) in columns.iter_mut().zip(row) {
            column[at] = *value;
        }
    }
    columns
}

fn make_categorical(
    columns: &mut [Column],
    x: ArrayView2<'_, f32>,
    categorical: &[u16],
) -> Result<(), TreesError> {
    let features = columns.len();
    for &feature in categorical {
        let Some(column) = columns.get_mut(usize::from(feature)) else {
            return Err(TreesError::NoSuchFeature { feature, features });
        };
        let feature = usize::from(feature);
        column
            .make_categorical(x.column(feature))
            .map_err(|(row, value)| TreesError::Category {
                row,
                feature,
                value,
            })?;
    }
    Ok(())
}

/// Bins all rows, block by block, and returns a hash of each row's bins.
fn bin_blocks(
    x: ArrayView2<'_, f32>,
    columns: &[Column],
    bins: &mut [u8],
) -> Result<Vec<u64>, TreesError> {
    let n_rows = x.nrows();
    let mut blocks: Vec<Vec<&mut [u8]>> = Vec::new();
    blocks.resize_with(n_rows.div_ceil(BLOCK_ROWS), Vec::new);
    for column in bins.chunks_exact_mut(n_rows) {
        let parts = column.chunks_mut(BLOCK_ROWS);
        blocks
            .iter_mut()
            .zip(parts)
            .for_each(|(b, part)| b.push(part));
    }
    let ladders: Vec<Ladder> = columns.iter().map(Column::ladder).collect();
    let mut hashes = vec![0; n_rows];
    blocks
        .into_par_iter()
        .zip(hashes.par_chunks_mut(BLOCK_ROWS))
        .enumerate()
        .try_for_each(|(block, (bins, hashes))| {
            let first = block * BLOCK_ROWS;
            let rows = Slice::from(first..first + hashes.len());
            bin_block(x.slice_axis(Axis(0), rows), first, &ladders, bins, hashes)
        })?;
    Ok(hashes)
}

fn bin_block(
    x: ArrayView2<'_, f32>,
    first: usize,
    ladders: &[Ladder],
    bins: Vec<&mut [u8]>,
    hashes: &mut [u64],
) -> Result<(), TreesError> {
    let mut values = Vec::with_capacity(hashes.len());
    for (feature, (ladder, bins)) in ladders.iter().zip(bins).enumerate() {
        values.clear();
        values.extend(x.column(feature).iter().copied());
        if let Some(row) = values.iter().position(|value: &f32| value.is_infinite()) {
            return Err(TreesError::Infinite {
                row: first + row,
                feature,
                value: values[row],
            });
        }
        ladder.bins(&values, bins);
        hashes
            .iter_mut()
            .zip(bins.iter())
            .for_each(|(hash, bin)| *hash = distinct::mix(*hash, *bin));
    }
    Ok(())
}

#[cfg(test)]
mod tests;
