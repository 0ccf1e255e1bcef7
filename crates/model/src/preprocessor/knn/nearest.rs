//! The k nearest donors of one cell.

use dataset::NeighbourWeights;

/// The k nearest donors of one cell so far, by distance, then by training row.
#[derive(Debug, Clone)]
pub(super) struct Nearest {
    k: usize,
    /// Ascending; the distance is squared and without the constant factor of the definition.
    donors: Vec<(f64, u32)>,
}

impl Nearest {
    pub(super) fn new(k: usize) -> Self {
        Self {
            k,
            donors: Vec::new(),
        }
    }

    /// Returns the distance that a later donor must stay under.
    pub(super) fn bound(&self) -> f64 {
        match self.donors.last() {
            Some((worst, _)) if self.donors.len() == self.k => *worst,
            _ => f64::INFINITY,
        }
    }

    /// Considers a donor; donors come in ascending order, so that the earlier of two at the same
    /// distance stays.
    pub(super) fn offer(&mut self, distance: f64, donor: u32) {
        if distance >= self.bound() {
            return;
        }
        if self.donors.len() == self.k {
            self.donors.pop();
        }
        let at = self.donors.partition_point(|(d, _)| *d <= distance);
        self.donors.insert(at, (distance, donor));
    }

    /// Returns the donors' mean value; `None` when there is no donor.
    pub(super) fn value(&self, weights: NeighbourWeights, column: &[f64]) -> Option<f64> {
        let nearest = self.donors.first()?.0;
        let weight = |distance: f64| match weights {
            NeighbourWeights::Uniform => 1.0,
            NeighbourWeights::Distance if nearest == 0.0 => f64::from(u8::from(distance == 0.0)),
            // Relative to the nearest, which keeps tiny distances from overflowing.
            NeighbourWeights::Distance => (nearest / distance).sqrt(),
        };
        let (mut sum, mut total) = (0.0, 0.0);
        for &(distance, donor) in &self.donors {
            sum += weight(distance) * column[donor as usize];
            total += weight(distance);
        }
        Some(sum / total)
    }
}
