//! Early stopping: the log-loss of rows that boosting does not learn from.

use ndarray::ArrayView2;

use super::objective::Objective;
use crate::{
    TreesError,
    cases::{check_labels, check_weights},
    growth::GrownTree,
};

/// Rows that tell when to stop boosting.
#[derive(Debug, Clone, Copy)]
pub struct Validation<'a> {
    /// `n_rows` × `n_features`, not binned.
    pub x: ArrayView2<'a, f32>,
    /// The class index of each row.
    pub labels: &'a [u16],
    /// The weight of each row, 1 without.
    pub weights: Option<&'a [f32]>,
}

impl Validation<'_> {
    pub(super) fn check(&self, n_features: usize, n_classes: usize) -> Result<(), TreesError> {
        if self.x.ncols() != n_features {
            return Err(TreesError::ValidationFeatures {
                have: self.x.ncols(),
                need: n_features,
            });
        }
        if self.x.nrows() == 0 {
            return Err(TreesError::NoValidation);
        }
        check_labels(self.labels, self.x.nrows(), n_classes)?;
        check_weights(self.weights, self.x.nrows())?;
        if self
            .weights
            .is_some_and(|weights| weights.iter().all(|weight| *weight == 0.0))
        {
            return Err(TreesError::NoValidation);
        }
        match self.x.indexed_iter().find(|(_, value)| value.is_infinite()) {
            Some(((row, feature), &value)) => Err(TreesError::Infinite {
                row,
                feature,
                value,
            }),
            None => Ok(()),
        }
    }
}

/// Follows the validation loss from round to round.
pub(super) struct Watch<'a> {
    validation: Validation<'a>,
    objective: Objective,
    patience: usize,
    /// The margins of each output, one a row.
    scores: Vec<Vec<f64>>,
    rounds: usize,
    best_rounds: usize,
    best_loss: f64,
}

impl<'a> Watch<'a> {
    pub(super) fn new(
        validation: Validation<'a>,
        objective: Objective,
        base: &[f64],
        patience: u32,
    ) -> Self {
        let n_rows = validation.x.nrows();
        Self {
            validation,
            objective,
            patience: patience as usize,
            scores: base.iter().map(|margin| vec![*margin; n_rows]).collect(),
            rounds: 0,
            best_rounds: 0,
            best_loss: f64::INFINITY,
        }
    }

    /// Scores a round's trees and tells whether to stop.
    pub(super) fn observe(&mut self, trees: &[GrownTree]) -> bool {
        for (scores, grown) in self.scores.iter_mut().zip(trees) {
            let mut buffer = Vec::new();
            for (score, row) in scores.iter_mut().zip(self.validation.x.rows()) {
                buffer.clear();
                buffer.extend(row.iter().copied());
                let leaf = grown.tree.leaf_of(&buffer);
                *score += f64::from(grown.tree.values()[leaf]);
            }
        }
        self.rounds += 1;
        let loss = self.loss();
        if loss < self.best_loss {
            self.best_loss = loss;
            self.best_rounds = self.rounds;
        }
        self.rounds - self.best_rounds >= self.patience
    }

    pub(super) fn best_rounds(&self) -> usize {
        self.best_rounds
    }

    /// Returns the weighted log-loss, up to its constant denominator.
    fn loss(&self) -> f64 {
        let labels = self.validation.labels.iter().enumerate();
        let of_row = |(row, label): (usize, &u16)| {
            let weights = self.validation.weights;
            let weight = weights.map_or(1.0, |weights| f64::from(weights[row]));
            let margins = self.scores.iter().map(|scores| scores[row]);
            weight * self.objective.loss(margins, *label)
        };
        labels.map(of_row).sum()
    }
}
