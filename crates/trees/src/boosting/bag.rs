//! The rows that a round learns from.

use rand_chacha::{ChaCha8Rng, rand_core::Rng};

use crate::cases::Cases;

/// Rows that a booster does not learn from: those of one fold.
#[derive(Clone, Copy)]
pub(super) struct HeldOut<'a> {
    /// The fold of each row that takes part.
    pub(super) folds: &'a [u8],
    pub(super) fold: u8,
}

impl HeldOut<'_> {
    /// Tells whether the i-th row that takes part is held out.
    pub(super) fn holds(&self, i: usize) -> bool {
        self.folds[i] == self.fold
    }
}

/// The weight and the number of the rows of each case that a round learns from.
pub(super) struct Bag {
    pub(super) weights: Vec<f32>,
    pub(super) counts: Vec<u8>,
}

impl Bag {
    /// Takes all rows but those held out.
    pub(super) fn without(cases: &Cases, held_out: Option<HeldOut<'_>>) -> Self {
        let mut bag = Self {
            weights: vec![0.0; cases.len()],
            counts: vec![0; cases.len()],
        };
        bag.take(cases, held_out, || true);
        bag
    }

    /// Draws a share of the rows that are not held out.
    pub(super) fn draw(
        &mut self,
        cases: &Cases,
        share: f64,
        held_out: Option<HeldOut<'_>>,
        rng: &mut ChaCha8Rng,
    ) {
        let below = (share * 2f64.powi(32)) as u32;
        self.take(cases, held_out, || rng.next_u32() < below);
    }

    fn take(
        &mut self,
        cases: &Cases,
        held_out: Option<HeldOut<'_>>,
        mut takes: impl FnMut() -> bool,
    ) {
        self.weights.fill(0.0);
        self.counts.fill(0);
        for i in 0..cases.n_rows() {
            if held_out.is_none_or(|held_out| !held_out.holds(i)) && takes() {
                let (case, weight) = cases.row(i);
                self.weights[case as usize] += weight;
                self.counts[case as usize] += 1;
            }
        }
    }
}
