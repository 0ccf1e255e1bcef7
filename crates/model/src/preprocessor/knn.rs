//! Imputing from the nearest training rows, as scikit-learn's `KNNImputer`.

mod donors;
mod filter;
mod nearest;
mod planes;

use std::sync::OnceLock;

use dataset::KnnParameters;
use serde::{Deserialize, Serialize};

use donors::{DonorIndex, Receiver};

/// The training rows that others take values from.
///
/// The distance of two rows is the nan-Euclidean one of Dixon (1979) over the numeric columns (text
/// columns take no part): the root of the mean squared difference over the columns that both have,
/// in f64. Only training rows that have a column's value are its donors; of donors at equal
/// distance the earlier training row counts. Where no donor shares a column with the row, the cell
/// stays missing.
///
/// Equals scikit-learn 1.9's `KNNImputer` to 1e-9 wherever the k-th and the (k+1)-th donor differ
/// in distance (at ties it chooses arbitrarily) and its x² - 2xy + y² has not cancelled: among values
/// of 1e6 it errs by 0.01 in a distance, where this takes differences first.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct KnnImputer {
    parameters: KnnParameters,
    /// Where the numeric columns stand in a row.
    positions: Vec<usize>,
    /// The numeric columns of the training rows.
    columns: Vec<Vec<f64>>,
    /// Follows from the columns; made when first needed.
    #[serde(skip)]
    index: OnceLock<DonorIndex>,
}

impl PartialEq for KnnImputer {
    fn eq(&self, other: &Self) -> bool {
        let same = |a: &f64, b: &f64| a.to_bits() == b.to_bits() || (a.is_nan() && b.is_nan());
        let mut columns = self.columns.iter().zip(&other.columns);
        self.parameters == other.parameters
            && self.positions == other.positions
            && self.columns.len() == other.columns.len()
            && columns.all(|(a, b)| a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)))
    }
}

impl KnnImputer {
    /// Keeps the training rows; `positions` are those of the numeric columns.
    pub(super) fn fit(
        parameters: KnnParameters,
        positions: Vec<usize>,
        columns: &[&[f64]],
    ) -> Self {
        let columns = positions.iter().map(|&at| columns[at].to_vec()).collect();
        Self {
            parameters,
            positions,
            columns,
            index: OnceLock::new(),
        }
    }

    /// Fills the missing numeric cells of row-major rows where a donor is found.
    pub(super) fn fill(&self, rows: &mut [f64], width: usize) {
        let mut receivers: Vec<(usize, Receiver)> = Vec::new();
        for (at, row) in rows.chunks_exact(width).enumerate() {
            if self
                .positions
                .iter()
                .any(|&position| row[position].is_nan())
            {
                receivers.push((at, self.receiver(row)));
            }
        }
        if receivers.is_empty() {
            return;
        }
        let index = self.index();
        for tile in index.tiles() {
            for (_, receiver) in &mut receivers {
                index.search(&self.columns, tile.clone(), receiver);
            }
        }
        for (at, receiver) in &receivers {
            let row = &mut rows[at * width..][..width];
            for (column, nearest) in receiver.found() {
                if let Some(value) = nearest.value(self.parameters.weights, &self.columns[column]) {
                    row[self.positions[column]] = value;
                }
            }
        }
    }

    fn receiver(&self, row: &[f64]) -> Receiver {
        let cells: Vec<f64> = self.positions.iter().map(|&at| row[at]).collect();
        self.index().receiver(&cells, self.parameters.k)
    }

    fn index(&self) -> &DonorIndex {
        self.index.get_or_init(|| DonorIndex::new(&self.columns))
    }

    pub(super) fn check(
        &self,
        parameters: KnnParameters,
        positions: &[usize],
    ) -> Result<(), String> {
        if self.parameters != parameters || parameters.k == 0 {
            return Err(format!("neighbours are sought with {:?}", self.parameters));
        }
        if self.positions != positions || self.columns.len() != positions.len() {
            let (have, need) = (self.columns.len(), positions.len());
            return Err(format!("training rows of {have} of {need} numeric columns"));
        }
        let n = self.columns.first().map_or(0, Vec::len);
        if u32::try_from(n).is_err() || self.columns.iter().any(|c| c.len() != n) {
            return Err(format!("training rows are not columns of {n} values each"));
        }
        match self.columns.iter().flatten().any(|v| v.is_infinite()) {
            true => Err("a training row holds an infinite value".to_owned()),
            false => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests;
