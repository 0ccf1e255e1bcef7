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

    /// Keeps the cases of the largest gradients and some of the others, whose weight makes up for
    /// those left out (gradient-based one-side sampling, Ke et al. 2017).
    pub(super) fn keep_large(
        &mut self,
        sizes: &[f32],
        top_rate: f64,
        other_rate: f64,
        rng: &mut ChaCha8Rng,
    ) {
        let present = self
            .counts
            .iter()
            .zip(sizes)
            .filter(|(count, _)| **count > 0);
        let mut sorted: Vec<f32> = present.map(|(_, size)| *size).collect();
        let n = sorted.len();
        let n_top = ((top_rate * n as f64) as usize).clamp(1, n);
        let (_, threshold, _) = sorted.select_nth_unstable_by(n - n_top, f32::total_cmp);
        let threshold = *threshold;
        let share = other_rate / (1.0 - top_rate).max(other_rate);
        let below = (share * 2f64.powi(32)) as u64;
        let cases = self.weights.iter_mut().zip(&mut self.counts).zip(sizes);
        for ((weight, count), size) in cases.filter(|((_, count), _)| **count > 0) {
            if *size >= threshold {
                continue;
            }
            if u64::from(rng.next_u32()) < below {
                *weight = (f64::from(*weight) / share) as f32;
            } else {
                (*weight, *count) = (0.0, 0);
            }
        }
    }
}
