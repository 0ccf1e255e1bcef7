//! The search for donors: every distance is bounded from below, and hardly any is computed.

use std::ops::Range;

use super::filter::{self, Filter};
use super::nearest::Nearest;
use super::planes::{self, Planes};

/// Donors that stay in the cache while all receivers of a block pass over them.
const TILE: usize = 1024;
/// Relative slack of a bound, far above the rounding of a quotient.
const SLACK: f64 = 1.0 + 1e-12;

/// What follows from the training rows and speeds the search up.
#[derive(Debug, Clone)]
pub(super) struct DonorIndex {
    /// For each donor, how many columns it has.
    n_present: Vec<u32>,
    /// Columns by falling variance: those that tell rows apart come first.
    order: Vec<usize>,
    filter: Filter,
    planes: Option<Planes>,
}

/// A row with missing cells, and the nearest donors found for each.
#[derive(Debug, Clone)]
pub(super) struct Receiver {
    /// Column and value, in the index's order.
    present: Vec<(usize, f64)>,
    /// Level of each present cell, when the planes know every one of them.
    levels: Option<Vec<usize>>,
    query: filter::Query,
    missing: Vec<(usize, Nearest)>,
}

impl DonorIndex {
    pub(super) fn new(columns: &[Vec<f64>]) -> Self {
        let mut n_present = vec![0; columns.first().map_or(0, Vec::len)];
        for column in columns {
            for (count, value) in n_present.iter_mut().zip(column) {
                *count += u32::from(!value.is_nan());
            }
        }
        let variances: Vec<f64> = columns.iter().map(|c| variance(c)).collect();
        let mut order: Vec<usize> = (0..columns.len()).collect();
        order.sort_by(|a, b| variances[*b].total_cmp(&variances[*a]).then(a.cmp(b)));
        Self {
            n_present,
            order,
            filter: Filter::new(columns),
            planes: Planes::new(columns),
        }
    }

    /// Returns the ranges of donors to search, in order.
    pub(super) fn tiles(&self) -> impl Iterator<Item = Range<usize>> + use<> {
        let n = self.n_present.len();
        (0..n).step_by(TILE).map(move |at| at..n.min(at + TILE))
    }

    /// Prepares a row of numeric cells for the search of `k` donors for each missing one.
    pub(super) fn receiver(&self, cells: &[f64], k: usize) -> Receiver {
        let present = self.order.iter().map(|&column| (column, cells[column]));
        let present: Vec<(usize, f64)> = present.filter(|(_, cell)| !cell.is_nan()).collect();
        let missing = (0..cells.len()).filter(|&column| cells[column].is_nan());
        Receiver {
            levels: self.planes.as_ref().and_then(|p| p.levels_of(&present)),
            query: self.filter.query(&present),
            present,
            missing: missing.map(|column| (column, Nearest::new(k))).collect(),
        }
    }

    /// Offers a tile's donors to the missing cells of a receiver; tiles must come in order.
    pub(super) fn search(&self, columns: &[Vec<f64>], tile: Range<usize>, receiver: &mut Receiver) {
        if receiver.is_settled() {
            return;
        }
        match (&self.planes, receiver.levels.take()) {
            (Some(planes), Some(levels)) => {
                let planes = planes.of(&receiver.present, &levels);
                self.search_bytes(columns, &planes, tile, receiver);
                receiver.levels = Some(levels);
            }
            _ => self.search_floats(columns, tile, receiver),
        }
    }

    fn search_bytes(
        &self,
        columns: &[Vec<f64>],
        planes: &[planes::Plane],
        tile: Range<usize>,
        receiver: &mut Receiver,
    ) {
        let mut limit = planes::limit(receiver.bound());
        for start in tile.clone().step_by(planes::CHUNK) {
            let Some(sums) = planes::sums(planes, start / planes::CHUNK, limit) else {
                continue;
            };
            for (donor, &sum) in (start..tile.end).zip(&sums) {
                if sum <= limit {
                    self.offer(columns, donor, f64::from(sum), receiver);
                    limit = planes::limit(receiver.bound());
                }
            }
        }
    }

    fn search_floats(&self, columns: &[Vec<f64>], tile: Range<usize>, receiver: &mut Receiver) {
        let mut limit = receiver.query.limit(receiver.bound());
        for start in tile.clone().step_by(filter::CHUNK) {
            let chunk = start / filter::CHUNK;
            let Some(sums) = self.filter.sums(&receiver.query, chunk, limit) else {
                continue;
            };
            for (donor, &sum) in (start..tile.end).zip(&sums) {
                if sum <= limit {
                    let sum = sum_of_squares(columns, &receiver.present, donor);
                    self.offer(columns, donor, sum, receiver);
                    limit = receiver.query.limit(receiver.bound());
                }
            }
        }
    }

    /// Offers one donor to the cells whose value it has.
    fn offer(&self, columns: &[Vec<f64>], donor: usize, sum: f64, receiver: &mut Receiver) {
        let has = |column: usize| !columns[column][donor].is_nan();
        let unshared = receiver.missing.iter().filter(|(c, _)| has(*c)).count();
        let shared = self.n_present[donor] as usize - unshared;
        if shared == 0 {
            return;
        }
        let distance = sum / shared as f64;
        for (column, nearest) in &mut receiver.missing {
            if has(*column) {
                nearest.offer(distance, donor as u32);
            }
        }
    }
}

impl Receiver {
    /// Returns the missing columns with the donors found.
    pub(super) fn found(&self) -> impl Iterator<Item = (usize, &Nearest)> {
        self.missing
            .iter()
            .map(|(column, nearest)| (*column, nearest))
    }

    /// Returns whether no further donor can be nearer than those found.
    fn is_settled(&self) -> bool {
        self.missing
            .iter()
            .all(|(_, nearest)| nearest.bound() == 0.0)
    }

    /// Returns the sum of squares above which a donor is of no use to any missing cell: a distance
    /// is the sum over at most all present columns.
    fn bound(&self) -> f64 {
        let worst = self.missing.iter().map(|(_, nearest)| nearest.bound());
        worst.fold(0.0, f64::max) * self.present.len().max(1) as f64 * SLACK
    }
}

fn sum_of_squares(columns: &[Vec<f64>], present: &[(usize, f64)], donor: usize) -> f64 {
    let differences = present
        .iter()
        .map(|&(column, cell)| columns[column][donor] - cell);
    let shared = differences.filter(|difference| !difference.is_nan());
    shared.fold(0.0, |sum, difference| sum + difference * difference)
}

fn variance(column: &[f64]) -> f64 {
    let present = || column.iter().filter(|v| !v.is_nan());
    let n = present().count().max(1) as f64;
    let mean = present().sum::<f64>() / n;
    present().map(|v| (v - mean).powi(2)).sum::<f64>() / n
}
