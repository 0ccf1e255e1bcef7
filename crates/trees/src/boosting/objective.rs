//! The losses of boosting and their derivatives.

use rayon::prelude::*;

/// The least prior probability: a class without rows starts here, as in LightGBM.
const LEAST_PRIOR: f64 = 1e-15;

/// What boosting minimises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Objective {
    /// Log-loss of two classes over the log-odds of class 1.
    Logistic,
    /// Log-loss of several classes over a margin a class.
    Softmax {
        /// The number of classes, at least 3.
        n_classes: usize,
    },
}

/// The derivatives of the loss of a row of weight one by its margin.
pub(super) struct Slope {
    pub(super) gradient: f64,
    pub(super) hessian: f64,
}

impl Objective {
    pub(super) fn of(n_classes: usize) -> Self {
        if n_classes == 2 {
            Self::Logistic
        } else {
            Self::Softmax { n_classes }
        }
    }

    /// Returns the class whose probability an output's margin raises.
    pub(super) fn class_of_output(self, output: usize) -> u16 {
        match self {
            Self::Logistic => 1,
            Self::Softmax { .. } => output as u16,
        }
    }

    /// Returns the margins without any tree: those of the weighted shares of the classes.
    pub(super) fn base(self, labels: &[u16], weights: &[f32], n_classes: usize) -> Vec<f64> {
        let mut prior = vec![0.0; n_classes];
        for (label, weight) in labels.iter().zip(weights) {
            prior[usize::from(*label)] += f64::from(*weight);
        }
        match self {
            Self::Logistic => vec![(prior[1] / prior[0]).ln()],
            Self::Softmax { .. } => {
                let total: f64 = prior.iter().sum();
                let log = |weight: f64| (weight / total).max(LEAST_PRIOR).ln();
                prior.into_iter().map(log).collect()
            }
        }
    }

    /// Returns the loss of a row of weight one, from its margin or its margins by class.
    pub(super) fn loss(self, margins: impl Iterator<Item = f64> + Clone, label: u16) -> f64 {
        match self {
            Self::Logistic => {
                let margin = margins.sum::<f64>();
                softplus(if label == 1 { -margin } else { margin })
            }
            Self::Softmax { .. } => {
                let of_label = margins.clone().nth(usize::from(label));
                log_sum_exp(margins) - of_label.unwrap_or(f64::NEG_INFINITY)
            }
        }
    }

    /// Returns the derivatives at a margin, softmax's second one enlarged as in LightGBM.
    ///
    /// `normaliser` is the logarithm of the softmax denominator.
    #[inline]
    pub(super) fn slope(self, score: f64, normaliser: f64, is_class: bool) -> Slope {
        let (probability, factor) = match self {
            Self::Logistic => (1.0 / (1.0 + (-score).exp()), 1.0),
            Self::Softmax { n_classes } => {
                let classes = n_classes as f64;
                ((score - normaliser).exp(), classes / (classes - 1.0))
            }
        };
        Slope {
            gradient: probability - f64::from(u8::from(is_class)),
            hessian: factor * probability * (1.0 - probability),
        }
    }
}

/// Returns the logarithm of each case's softmax denominator, from the margins of each class.
pub(super) fn normalisers(scores: &[&[f64]]) -> Vec<f64> {
    let n_cases = scores.first().map_or(0, |scores| scores.len());
    let of_case = |case: usize| log_sum_exp(scores.iter().map(|scores| scores[case]));
    (0..n_cases).into_par_iter().map(of_case).collect()
}

/// Returns `ln(sum(exp(x)))` without overflow.
fn log_sum_exp(margins: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = margins.clone().fold(f64::NEG_INFINITY, f64::max);
    largest
        + margins
            .map(|margin| (margin - largest).exp())
            .sum::<f64>()
            .ln()
}

/// Returns `ln(1 + exp(x))` without overflow.
fn softplus(x: f64) -> f64 {
    x.max(0.0) + (-x.abs()).exp().ln_1p()
}
