//! Gaussian naive Bayes, of `smartcore`'s statistics: its own `GaussianNB` computes the same ones, but joins
//! the rows of a class in quadratic time and gives classes without probabilities.

use model::FeatureMatrix;
use ndarray::{ArrayView1, Axis};
use smartcore::{error::Failed, linalg::basic::arrays::ArrayView2};

use super::{FoldData, dense};

/// Share of the largest variance that is added to every variance, as in scikit-learn's `GaussianNB`.
const VARIANCE_SMOOTHING: f64 = 1e-9;

/// A normal distribution for each class and column.
pub(super) struct NaiveBayes {
    benign: ClassMoments,
    threat: ClassMoments,
    smoothing: f64,
}

struct ClassMoments {
    prior: f64,
    means: Vec<f64>,
    variances: Vec<f64>,
}

impl NaiveBayes {
    pub(super) fn fit(fold: &FoldData) -> Result<Self, Failed> {
        let moments = |class: u32| ClassMoments::of(fold, class);
        let (benign, threat) = (moments(0)?, moments(1)?);
        let variances = benign.variances.iter().chain(&threat.variances);
        let largest = variances.copied().fold(0.0, f64::max);
        Ok(Self {
            benign,
            threat,
            smoothing: (VARIANCE_SMOOTHING * largest).max(f64::MIN_POSITIVE),
        })
    }

    /// Returns each row's posterior probability of a threat.
    pub(super) fn posteriors(&self, features: &FeatureMatrix) -> Vec<f64> {
        let posterior = |row: ArrayView1<'_, f32>| {
            let benign = self.benign.log_joint(row, self.smoothing);
            let margin = benign - self.threat.log_joint(row, self.smoothing);
            1.0 / (1.0 + margin.clamp(-700.0, 700.0).exp())
        };
        features
            .values()
            .rows()
            .into_iter()
            .map(posterior)
            .collect()
    }
}

impl ClassMoments {
    fn of(fold: &FoldData, class: u32) -> Result<Self, Failed> {
        let classes = fold.train_classes.iter();
        let rows: Vec<usize> = (0..)
            .zip(classes)
            .filter(|(_, c)| **c == class)
            .map(|(row, _)| row)
            .collect();
        let values = fold.train.values().select(Axis(0), &rows);
        let matrix = dense(values.view())?;
        Ok(Self {
            prior: rows.len() as f64 / fold.train_classes.len() as f64,
            means: matrix.mean_by(0),
            variances: matrix.variance(0),
        })
    }

    fn log_joint(&self, row: ArrayView1<'_, f32>, smoothing: f64) -> f64 {
        let terms = row.iter().zip(&self.means).zip(&self.variances);
        let density: f64 = terms
            .map(|((x, mean), variance)| {
                let variance = variance + smoothing;
                let distance = f64::from(*x) - mean;
                -0.5 * ((std::f64::consts::TAU * variance).ln() + distance * distance / variance)
            })
            .sum();
        self.prior.ln() + density
    }
}
