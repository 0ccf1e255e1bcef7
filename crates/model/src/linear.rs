//! Linear classifiers: what logistic regression fits.

#[cfg(test)]
mod tests;

use ndarray::{Array2, ArrayView2};
use serde::{Deserialize, Serialize};

use crate::{calibration::sigmoid, explanation::Contributions};

/// Weights may be this large: sums over any number of `f32` features then stay within `f64`.
const MAX_WEIGHT: f64 = 1e200;

/// Class probabilities from weighted sums of features: the sigmoid of one sum for two classes, the
/// softmax of one sum a class for more.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LinearClassifier {
    /// Number of features.
    pub n_features: usize,
    /// Number of classes, at least 2.
    pub n_classes: usize,
    /// Outputs × features, row-major; one output for two classes (class 1), else one a class.
    pub coefficients: Vec<f64>,
    /// One an output.
    pub intercepts: Vec<f64>,
    /// The mean of each feature over the rows that it was fitted on: what explanations compare with.
    pub background: Vec<f64>,
}

impl LinearClassifier {
    /// Returns the probability of each class, rows × classes.
    ///
    /// A missing (NaN) feature makes the row's probabilities NaN: impute first.
    ///
    /// # Panics
    /// When `x` does not have `n_features` columns.
    pub fn predict_proba(&self, x: ArrayView2<'_, f32>) -> Array2<f64> {
        assert_eq!(x.ncols(), self.n_features, "as many features as fitted");
        let x = x.as_standard_layout();
        let mut probabilities = Array2::zeros((x.nrows(), self.n_classes));
        let rows = x.rows().into_iter().zip(probabilities.rows_mut());
        for (row, mut out) in rows {
            let row = row.to_slice().expect("standard layout has whole rows");
            let out = out
                .as_slice_mut()
                .expect("a new array is in standard layout");
            self.predict_proba_into(row, out);
        }
        probabilities
    }

    /// Writes the probability of each class of one row.
    ///
    /// # Panics
    /// When `row` does not have `n_features` values or `probabilities` not `n_classes`.
    pub fn predict_proba_into(&self, row: &[f32], probabilities: &mut [f64]) {
        assert_eq!(row.len(), self.n_features, "as many features as fitted");
        assert_eq!(probabilities.len(), self.n_classes, "one place a class");
        if self.n_outputs() == 1 {
            let threat = sigmoid(self.output(0, row));
            probabilities.copy_from_slice(&[1.0 - threat, threat]);
            return;
        }
        for (output, place) in probabilities.iter_mut().enumerate() {
            *place = self.output(output, row);
        }
        softmax(probabilities);
    }

    /// Returns the terms of every weighted sum for each row: coefficient · (x - mean over the training
    /// rows). They are the Shapley values of a linear function whose features are taken to be
    /// independent (Lundberg and Lee 2017, corollary 1). The base is the output at the means.
    ///
    /// # Panics
    /// When `x` does not have `n_features` columns.
    pub fn contributions(&self, x: ArrayView2<'_, f32>) -> Contributions {
        assert_eq!(x.ncols(), self.n_features, "as many features as fitted");
        let shape = (x.nrows(), self.coefficients.len());
        let values = Array2::from_shape_fn(shape, |(row, at)| {
            let feature = at % self.n_features;
            self.coefficients[at] * (f64::from(x[[row, feature]]) - self.background[feature])
        });
        let outputs = self.coefficients.chunks(self.n_features);
        let base = outputs.zip(&self.intercepts).map(|(weights, intercept)| {
            let terms = weights.iter().zip(&self.background).map(|(w, m)| w * m);
            intercept + terms.sum::<f64>()
        });
        Contributions {
            base: base.collect(),
            values,
        }
    }

    /// Returns the importance of each feature: the mean absolute coefficient over outputs.
    ///
    /// Features weigh as they are scaled: it compares only features of like spread, such as after
    /// standardisation.
    pub fn importance(&self) -> Vec<f64> {
        let of_feature = |feature| {
            let column = self.coefficients.iter().skip(feature);
            let sum: f64 = column.step_by(self.n_features).map(|c| c.abs()).sum();
            sum / self.n_outputs() as f64
        };
        (0..self.n_features).map(of_feature).collect()
    }

    /// Returns the number of weighted sums: 1 for two classes, else one a class.
    pub fn n_outputs(&self) -> usize {
        match self.n_classes {
            2 => 1,
            n_classes => n_classes,
        }
    }

    /// Checks a classifier after decoding: numbers of coefficients and intercepts, and that all are
    /// finite and leave sums finite.
    ///
    /// # Errors
    /// A sentence with the numbers.
    pub fn check(&self) -> Result<(), String> {
        if self.n_classes < 2 {
            return Err(format!("linear classifier of {} classes", self.n_classes));
        }
        let (outputs, features) = (self.n_outputs(), self.n_features);
        let (coefficients, intercepts) = (self.coefficients.len(), self.intercepts.len());
        if outputs.checked_mul(features) != Some(coefficients) || intercepts != outputs {
            return Err(format!(
                "{coefficients} coefficients and {intercepts} intercepts for {outputs} outputs of {features} features"
            ));
        }
        let means = self.background.len();
        if means != features {
            return Err(format!(
                "linear classifier with {means} means for {features} features"
            ));
        }
        let weights = self.coefficients.iter().chain(&self.intercepts);
        match weights
            .chain(&self.background)
            .find(|weight| !(-MAX_WEIGHT..=MAX_WEIGHT).contains(*weight))
        {
            Some(weight) => Err(format!(
                "linear classifier with a weight of {weight}, at most {MAX_WEIGHT:e} either way"
            )),
            None => Ok(()),
        }
    }

    fn output(&self, output: usize, row: &[f32]) -> f64 {
        let weights = &self.coefficients[output * self.n_features..][..self.n_features];
        let products = weights.iter().zip(row).map(|(w, &x)| w * f64::from(x));
        self.intercepts[output] + products.sum::<f64>()
    }
}

/// Turns log-weights into shares of 1, whatever their size.
fn softmax(values: &mut [f64]) {
    let largest = values.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let mut sum = 0.0;
    for value in values.iter_mut() {
        *value = (*value - largest).exp();
        sum += *value;
    }
    for value in values {
        *value /= sum;
    }
}
