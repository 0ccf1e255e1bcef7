//! Histograms of boosting: gradients and hessians summed by bin, for all features in one pass over rows.
//!
//! Features of few levels are summed together: a bundle has a cell for each combination of their
//! levels, and is taken apart once a node, which costs less than one more addition for each row.

use rayon::prelude::*;

use crate::{binning::Column, split::add};

/// The most cells of a bundle of several features.
const BUNDLE_CELLS: usize = 36;
/// Rows that one task sums; sums in whole numbers do not depend on how rows are divided.
const TASK_ROWS: usize = 1 << 14;

/// A gradient and a packed hessian.
pub(crate) type Cell = [i64; 2];

/// Where each feature's cells stand, and how rows are encoded for the pass.
pub(crate) struct Layout {
    /// Where the cells of each feature start; one more for the end.
    starts: Vec<usize>,
    bundles: Vec<Bundle>,
    bundle_starts: Vec<usize>,
    n_bundle_cells: usize,
    /// One code a bundle and case, row-major.
    codes: Vec<u8>,
}

struct Bundle {
    features: Vec<u16>,
    n_cells: usize,
}

impl Layout {
    /// Encodes the given cases (bins, row-major) for the given features, in ascending order.
    pub(crate) fn new(columns: &[Column], features: &[u16], bins: &[u8]) -> Self {
        let bundles = bundle(columns, features);
        let starts = running_sum(columns.iter().map(Column::n_bins));
        let bundle_starts = running_sum(bundles.iter().map(|bundle| bundle.n_cells));
        let mut codes = Vec::with_capacity(bins.len() / columns.len() * bundles.len());
        for row in bins.chunks_exact(columns.len()) {
            codes.extend(bundles.iter().map(|bundle| bundle.code(columns, row)));
        }
        Self {
            starts,
            n_bundle_cells: bundle_starts[bundles.len()],
            bundle_starts: bundle_starts[..bundles.len()].to_vec(),
            bundles,
            codes,
        }
    }

    pub(crate) fn n_cells(&self) -> usize {
        self.starts[self.starts.len() - 1]
    }

    /// Returns the cells of one feature.
    pub(crate) fn cells<'a>(&self, histogram: &'a [Cell], feature: u16) -> &'a [i64] {
        let feature = usize::from(feature);
        histogram[self.starts[feature]..self.starts[feature + 1]].as_flattened()
    }

    /// Sums the gradients of some cases into a histogram; `joint` is room to work in.
    pub(crate) fn sum(
        &self,
        columns: &[Column],
        cases: &[u32],
        gradients: &[Cell],
        joint: &mut Vec<Cell>,
        histogram: &mut [Cell],
    ) {
        joint.clear();
        joint.resize(self.n_bundle_cells, [0; 2]);
        self.sum_bundles(cases, gradients, joint);
        histogram.fill([0; 2]);
        for (bundle, start) in self.bundles.iter().zip(&self.bundle_starts) {
            let joint = &joint[*start..][..bundle.n_cells];
            bundle.take_apart(columns, &self.starts, joint, histogram);
        }
    }

    fn sum_bundles(&self, cases: &[u32], gradients: &[Cell], joint: &mut [Cell]) {
        if cases.len() < 2 * TASK_ROWS || rayon::current_num_threads() == 1 {
            return self.sum_some(cases, gradients, joint);
        }
        let zero = || vec![[0; 2]; self.n_bundle_cells];
        let sum = cases
            .par_chunks(TASK_ROWS)
            .fold(zero, |mut joint, cases| {
                self.sum_some(cases, gradients, &mut joint);
                joint
            })
            .reduce(zero, |mut a, b| {
                add(a.as_flattened_mut(), b.as_flattened());
                a
            });
        joint.copy_from_slice(&sum);
    }

    #[inline]
    fn sum_some(&self, cases: &[u32], gradients: &[Cell], joint: &mut [Cell]) {
        let width = self.bundles.len();
        for &case in cases {
            let gradient = gradients[case as usize];
            let codes = &self.codes[case as usize * width..][..width];
            for (code, start) in codes.iter().zip(&self.bundle_starts) {
                let cell = &mut joint[start + usize::from(*code)];
                cell[0] += gradient[0];
                cell[1] += gradient[1];
            }
        }
    }
}

impl Bundle {
    /// Returns the cell of a row: its bins as the digits of a number, the first feature's lowest.
    fn code(&self, columns: &[Column], row: &[u8]) -> u8 {
        let digits = self.features.iter().rev();
        let code = digits.fold(0, |code, &feature| {
            let feature = usize::from(feature);
            code * columns[feature].n_bins() + usize::from(row[feature])
        });
        code as u8
    }

    /// Adds each feature's share of the joint cells to its own.
    fn take_apart(
        &self,
        columns: &[Column],
        starts: &[usize],
        joint: &[Cell],
        histogram: &mut [Cell],
    ) {
        let mut stride = 1;
        for &feature in &self.features {
            let feature = usize::from(feature);
            let n_bins = columns[feature].n_bins();
            let cells = &mut histogram[starts[feature]..starts[feature + 1]];
            for round in joint.chunks_exact(stride * n_bins) {
                for (cell, digit) in cells.iter_mut().zip(round.chunks_exact(stride)) {
                    digit.iter().for_each(|joint| add(cell, joint));
                }
            }
            stride *= n_bins;
        }
    }
}

/// Puts features into bundles, as long as the combinations of their bins stay few.
fn bundle(columns: &[Column], features: &[u16]) -> Vec<Bundle> {
    let mut bundles: Vec<Bundle> = Vec::new();
    let mut open: Option<Bundle> = None;
    for &feature in features {
        let n_cells = columns[usize::from(feature)].n_bins();
        let alone = Bundle {
            features: vec![feature],
            n_cells,
        };
        if n_cells > BUNDLE_CELLS / 2 {
            bundles.push(alone);
            continue;
        }
        open = match open {
            Some(mut bundle) if bundle.n_cells * n_cells <= BUNDLE_CELLS => {
                bundle.features.push(feature);
                bundle.n_cells *= n_cells;
                Some(bundle)
            }
            full => {
                bundles.extend(full);
                Some(alone)
            }
        };
    }
    bundles.extend(open);
    bundles
}

fn running_sum(sizes: impl Iterator<Item = usize>) -> Vec<usize> {
    let mut sums = vec![0];
    let mut sum = 0;
    sums.extend(sizes.map(|size| {
        sum += size;
        sum
    }));
    sums
}
