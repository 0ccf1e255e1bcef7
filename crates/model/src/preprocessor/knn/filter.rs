//! Distances in f32 that drop donors and never decide: what they let pass is computed in f64.
//!
//! Columns are centred, so that the f32 difference of a donor y and a row x errs by at most
//! u·(2|x| + 2|y - x|), u = 2⁻²⁴: a bound on the true distance, widened by that error's norm and by
//! the rounding of the sum, is one on the f32 sum.

use super::super::quantile::{ascending, quantile};

/// Donors whose sums stay in registers.
pub(super) const CHUNK: usize = 32;
/// Columns between two looks at whether a chunk can be dropped.
const STRIDE: usize = 5;
/// Unit roundoff of f32.
const ROUNDOFF: f64 = 1.0 / (1 << 24) as f64;
/// Absolute slack, above what squares lose or gain among subnormal numbers.
const SUBNORMAL: f64 = 1e-35;

/// The training rows, centred and in f32.
#[derive(Debug, Clone)]
pub(super) struct Filter {
    centres: Vec<f64>,
    /// By column, by chunk of donors; NaN for a missing value and behind the last donor.
    columns: Vec<Vec<[f32; CHUNK]>>,
}

/// A row to compare with.
#[derive(Debug, Clone)]
pub(super) struct Query {
    cells: Vec<(usize, f32)>,
    /// How far an f32 distance may lie from the true one.
    error: f64,
}

impl Filter {
    pub(super) fn new(columns: &[Vec<f64>]) -> Self {
        let centres: Vec<f64> = columns.iter().map(|c| centre(c)).collect();
        let centred = columns.iter().zip(&centres);
        Self {
            columns: centred.map(|(column, mid)| chunks(column, *mid)).collect(),
            centres,
        }
    }

    /// Prepares a row: present columns with their values, in the order of summing.
    pub(super) fn query(&self, present: &[(usize, f64)]) -> Query {
        let centred = |&(column, cell): &(usize, f64)| (column, cell - self.centres[column]);
        let squares = present.iter().map(centred).map(|(_, x)| x * x);
        Query {
            error: 3.0 * ROUNDOFF * squares.sum::<f64>().sqrt(),
            cells: present
                .iter()
                .map(centred)
                .map(|(c, x)| (c, x as f32))
                .collect(),
        }
    }

    /// Sums the squares of one chunk of donors; `None` as soon as all exceed the limit.
    pub(super) fn sums(&self, query: &Query, chunk: usize, limit: f32) -> Option<[f32; CHUNK]> {
        let mut sums = [0.0; CHUNK];
        for part in query.cells.chunks(STRIDE) {
            for &(column, cell) in part {
                add_squares(&mut sums, &self.columns[column][chunk], cell);
            }
            if least(&sums) > limit {
                return None;
            }
        }
        Some(sums)
    }
}

impl Query {
    /// Returns the f32 sum of squares above which the true one exceeds `bound`.
    pub(super) fn limit(&self, bound: f64) -> f32 {
        let rounding = 1.0 + 2.0 * ROUNDOFF * (self.cells.len() + 8) as f64;
        ((bound.sqrt() + self.error).powi(2) * rounding + SUBNORMAL) as f32
    }
}

#[inline(always)]
fn add_squares(sums: &mut [f32; CHUNK], values: &[f32; CHUNK], cell: f32) {
    for (sum, value) in sums.iter_mut().zip(values) {
        let square = (value - cell) * (value - cell);
        // Adds nothing for a missing value, whose square is NaN.
        *sum += if square > 0.0 { square } else { 0.0 };
    }
}

#[inline(always)]
fn least(sums: &[f32; CHUNK]) -> f32 {
    let mut lanes = [f32::INFINITY; 4];
    for part in sums.as_chunks::<4>().0 {
        for (lane, sum) in lanes.iter_mut().zip(part) {
            *lane = if *sum < *lane { *sum } else { *lane };
        }
    }
    lanes
        .iter()
        .fold(f32::INFINITY, |least, lane| least.min(*lane))
}

fn centre(column: &[f64]) -> f64 {
    let values = ascending(column.iter().copied());
    if values.is_empty() {
        return 0.0;
    }
    quantile(&values, 0.5)
}

fn chunks(column: &[f64], centre: f64) -> Vec<[f32; CHUNK]> {
    let mut chunks = vec![[f32::NAN; CHUNK]; column.len().div_ceil(CHUNK)];
    for (cell, value) in chunks.as_flattened_mut().iter_mut().zip(column) {
        *cell = (value - centre) as f32;
    }
    chunks
}
