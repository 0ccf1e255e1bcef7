//! Early stopping on the out-of-fold loss: every row is used, none tells of its own training.

use model::trees::TreeEnsemble;
use rayon::prelude::*;

use super::{
    GradientBoosting,
    bag::HeldOut,
    booster::{Booster, Setting},
};
use crate::{
    BinnedMatrix, TreesError,
    cases::Cases,
    packing::{ROWS_OF_I64, Word},
};

/// What boosting on all folds but one says of the number of rounds.
#[derive(Debug, Clone, PartialEq)]
pub struct OutOfFold {
    /// The number of rounds of the least loss, at least 1.
    pub best_rounds: u32,
    /// The mean log-loss of all rows by the boosters that have not learned from them, round by round.
    pub losses: Vec<f64>,
}

impl GradientBoosting {
    /// Finds the number of rounds by the out-of-fold loss and learns that many from all rows.
    ///
    /// `folds` names each row's fold, 0 to the number of folds less one; rows that belong together
    /// should share one.
    ///
    /// # Errors
    /// As [`Self::fit`]; folds that are empty, single, or leave one class only.
    pub fn fit_with_folds(
        &self,
        matrix: &BinnedMatrix,
        labels: &[u16],
        n_classes: usize,
        weights: Option<&[f32]>,
        seed: u64,
        folds: &[u8],
    ) -> Result<(TreeEnsemble, OutOfFold), TreesError> {
        let found = self.out_of_fold(matrix, labels, n_classes, weights, seed, folds)?;
        let best = Self {
            n_estimators: found.best_rounds,
            ..self.clone()
        };
        let fitted = best.fit(matrix, labels, n_classes, weights, seed)?;
        Ok((fitted, found))
    }

    /// Boosts on all folds but one for each fold, all in step, until their joint loss has not fallen for
    /// `early_stopping_rounds`.
    ///
    /// # Errors
    /// As [`Self::fit_with_folds`].
    pub fn out_of_fold(
        &self,
        matrix: &BinnedMatrix,
        labels: &[u16],
        n_classes: usize,
        weights: Option<&[f32]>,
        seed: u64,
        folds: &[u8],
    ) -> Result<OutOfFold, TreesError> {
        self.check()?;
        let cases = self.cases(matrix, labels, n_classes, weights)?;
        if folds.len() != labels.len() {
            return Err(TreesError::Length {
                what: "folds",
                have: folds.len(),
                rows: labels.len(),
            });
        }
        let folds: Vec<u8> = (0..cases.n_rows())
            .map(|i| folds[cases.number(i)])
            .collect();
        let last = check_folds(&cases, &folds)?;
        let held_out = |fold| HeldOut {
            folds: &folds,
            fold,
        };
        let held_out: Vec<HeldOut<'_>> = (0..=last).map(held_out).collect();
        Ok(if cases.n_rows() <= ROWS_OF_I64 {
            let setting = Setting::new::<i64>(self, matrix, &cases, n_classes);
            self.race::<i64>(&setting, &held_out, seed)
        } else {
            let setting = Setting::new::<i128>(self, matrix, &cases, n_classes);
            self.race::<i128>(&setting, &held_out, seed)
        })
    }

    fn race<W: Word>(
        &self,
        setting: &Setting<'_>,
        held_out: &[HeldOut<'_>],
        seed: u64,
    ) -> OutOfFold {
        let boosters = held_out
            .iter()
            .map(|fold| Booster::new(setting, Some(*fold)));
        let mut boosters: Vec<Booster<'_, W>> = boosters.collect();
        let mut losses: Vec<f64> = Vec::new();
        let mut best = 0;
        for round in 0..self.n_estimators {
            let of_folds: Vec<(f64, f64)> = boosters
                .par_iter_mut()
                .map(|booster| {
                    booster.round(seed, round);
                    booster.held_out_loss()
                })
                .collect();
            let sum = |parts: fn(&(f64, f64)) -> f64| of_folds.iter().map(parts).sum::<f64>();
            losses.push(sum(|part| part.0) / sum(|part| part.1));
            let round = losses.len() - 1;
            if losses[round] < losses[best] {
                best = round;
            }
            if round - best >= self.early_stopping_rounds as usize {
                break;
            }
        }
        OutOfFold {
            best_rounds: best as u32 + 1,
            losses,
        }
    }
}

/// Checks that each fold has rows and leaves rows of two classes; returns the last fold.
fn check_folds(cases: &Cases, folds: &[u8]) -> Result<u8, TreesError> {
    let last = folds.iter().copied().max().unwrap_or(0);
    for fold in 0..=last {
        let kept = |i: &usize| folds[*i] != fold;
        let label = |i: usize| cases.labels[cases.row(i).0 as usize];
        let mut left = (0..folds.len()).filter(kept).map(label);
        let first = left.next();
        let rows = folds.iter().filter(|of_row| **of_row == fold).count();
        let Some(first) = first.filter(|_| rows > 0) else {
            return Err(TreesError::Fold {
                fold: usize::from(fold),
                rows,
                of: folds.len(),
            });
        };
        if left.all(|label| label == first) {
            return Err(TreesError::FoldClass {
                fold: usize::from(fold),
                label: first,
            });
        }
    }
    Ok(last)
}
