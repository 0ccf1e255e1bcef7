//! Logistic regression, the objective that scikit-learn minimises, by a preconditioned Newton method.

mod newton;
mod preconditioner;
mod rows;
#[cfg(test)]
mod tests;

use artifact::{Classified, ErrorKind};
use model::linear::LinearClassifier;
use ndarray::{ArrayView1, ArrayView2};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use newton::Problem;
use rows::FeatureRows;

/// The log-weight of a class without rows: its probability comes out as 0.
const ABSENT: f64 = -1e9;

/// L2-penalised logistic regression: minimises `c · Σ log-loss + ½ Σ w²`, the intercepts not penalised,
/// as scikit-learn's `LogisticRegression`; binary for two classes, multinomial for more.
///
/// Fitting is sequential and in `f64`: the same rows in the same order give the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct LogisticRegression {
    /// Inverse strength of the penalty, above 0.
    pub c: f64,
    /// Newton steps before giving up, at least 1; two classes usually take 5 to 15, more up to 60.
    pub max_iter: u32,
    /// The largest derivative of the mean objective a row that counts as none, above 0; of features
    /// scaled to at most 2 in magnitude. Rounding hides derivatives under about 1e-14.
    pub tol: f64,
}

impl Default for LogisticRegression {
    fn default() -> Self {
        Self {
            c: 1.0,
            max_iter: 100,
            tol: 1e-6,
        }
    }
}

/// Why a logistic regression was not fitted.
#[derive(Debug, Clone, PartialEq, Error)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum LogisticError {
    #[error("logistic regression with {name} = {value}: it must be a finite number above 0")]
    Parameter { name: &'static str, value: f64 },
    #[error("logistic regression on no rows: give it training rows")]
    NoRows,
    #[error("{rows} rows with {labels} labels: one label a row is needed")]
    Labels { rows: usize, labels: usize },
    #[error("label {label} in row {row}, of {n_classes} classes")]
    UnknownClass {
        row: usize,
        label: u16,
        n_classes: usize,
    },
    #[error("all {rows} rows are of class {class}: logistic regression needs two classes")]
    OneClass { rows: usize, class: u16 },
    #[error("feature {feature} of row {row} is {value}: impute missing values first")]
    NotFinite {
        row: usize,
        feature: usize,
        value: f32,
    },
    #[error(
        "no convergence after {steps} Newton steps (largest derivative {derivative:e}, wanted {tol:e}): \
         raise `max_iter` or `tol`, or lower `c`"
    )]
    NotConverged {
        steps: u32,
        derivative: f64,
        tol: f64,
    },
}

impl Classified for LogisticError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Parameter { .. } | Self::NotConverged { .. } => ErrorKind::Config,
            Self::NoRows | Self::OneClass { .. } | Self::NotFinite { .. } => ErrorKind::Rejected,
            Self::Labels { .. } | Self::UnknownClass { .. } => ErrorKind::Internal,
        }
    }
}

impl LogisticRegression {
    /// Fits rows × features to a class, below `n_classes`, for each row.
    ///
    /// A class without rows gets probability 0. Zeros cost next to nothing: one-hot columns may come as
    /// they are, and so may collinear and constant ones.
    ///
    /// # Errors
    /// [`LogisticError`] when a parameter is not above 0, there are not two classes, a value is missing
    /// or infinite, or the steps run out.
    pub fn fit(
        &self,
        x: ArrayView2<'_, f32>,
        labels: &[u16],
        n_classes: usize,
    ) -> Result<LinearClassifier, LogisticError> {
        let mut path = self.fit_path(&[self.c], x, labels, n_classes)?;
        Ok(path.pop().expect("one value gives one classifier"))
    }

    /// Fits once for each of several values of `c` instead of its own, each from where the one before
    /// ended: ascending values take about half the steps of separate fits, to the same minima within
    /// `tol`.
    ///
    /// # Errors
    /// As [`Self::fit`].
    pub fn fit_path(
        &self,
        cs: &[f64],
        x: ArrayView2<'_, f32>,
        labels: &[u16],
        n_classes: usize,
    ) -> Result<Vec<LinearClassifier>, LogisticError> {
        self.check(cs)?;
        let classes = Classes::of(x.nrows(), labels, n_classes)?;
        let rows = FeatureRows::new(x)?;
        let outputs = classes.n_outputs(n_classes);
        let background: Vec<f64> = x.columns().into_iter().map(mean).collect();
        let mut path = Vec::with_capacity(cs.len());
        let mut weights: Option<Vec<f64>> = None;
        for c in cs {
            let penalty = 1.0 / (c * x.nrows() as f64);
            let problem = Problem::new(&rows, &classes.of_row, outputs, penalty);
            let found = newton::minimise(&problem, weights.as_deref(), self.max_iter, self.tol)?;
            let background = background.clone();
            path.push(assemble(
                &rows,
                &found,
                &classes.present,
                n_classes,
                background,
            ));
            weights = Some(found);
        }
        Ok(path)
    }

    pub(crate) fn check(&self, cs: &[f64]) -> Result<(), LogisticError> {
        let others = [("max_iter", f64::from(self.max_iter)), ("tol", self.tol)];
        let mut named = cs.iter().map(|c| ("c", *c)).chain(others);
        match named.find(|(_, v)| !(v.is_finite() && *v > 0.0)) {
            Some((name, value)) => Err(LogisticError::Parameter { name, value }),
            None => Ok(()),
        }
    }
}

/// The classes that have rows.
struct Classes {
    /// Ascending.
    present: Vec<u16>,
    /// Place of each row's class in `present`.
    of_row: Vec<u16>,
}

impl Classes {
    fn of(n_rows: usize, labels: &[u16], n_classes: usize) -> Result<Self, LogisticError> {
        if labels.len() != n_rows {
            return Err(LogisticError::Labels {
                rows: n_rows,
                labels: labels.len(),
            });
        }
        let mut places = vec![None; n_classes];
        for (row, &label) in labels.iter().enumerate() {
            let place = places.get_mut(usize::from(label));
            *place.ok_or(LogisticError::UnknownClass {
                row,
                label,
                n_classes,
            })? = Some(0);
        }
        let mut present = Vec::new();
        for (place, class) in places.iter_mut().zip(0..) {
            if let Some(place) = place {
                *place = present.len() as u16;
                present.push(class);
            }
        }
        let place = |&label: &u16| places[usize::from(label)].expect("its row was counted");
        match present[..] {
            [] => Err(LogisticError::NoRows),
            [class] => Err(LogisticError::OneClass {
                rows: n_rows,
                class,
            }),
            _ => Ok(Self {
                of_row: labels.iter().map(place).collect(),
                present,
            }),
        }
    }

    fn n_outputs(&self, n_classes: usize) -> usize {
        if n_classes == 2 {
            1
        } else {
            self.present.len()
        }
    }
}

/// Brings weights, columns × fitted outputs, back to the scale of the features and to all classes.
fn assemble(
    rows: &FeatureRows,
    weights: &[f64],
    present: &[u16],
    n_classes: usize,
    background: Vec<f64>,
) -> LinearClassifier {
    let (n_features, fitted) = (rows.n_columns() - 1, weights.len() / rows.n_columns());
    let n_outputs = if n_classes == 2 { 1 } else { n_classes };
    let absent = if n_outputs == 1 { 0.0 } else { ABSENT };
    let mut coefficients = vec![0.0; n_outputs * n_features];
    let mut intercepts = vec![absent; n_outputs];
    for output in 0..fitted {
        let class = if n_outputs == 1 {
            0
        } else {
            usize::from(present[output])
        };
        for feature in 0..n_features {
            coefficients[class * n_features + feature] =
                weights[feature * fitted + output] * rows.scale(feature);
        }
        intercepts[class] = weights[n_features * fitted + output];
    }
    LinearClassifier {
        n_features,
        n_classes,
        coefficients,
        intercepts,
        background,
    }
}

fn mean(column: ArrayView1<'_, f32>) -> f64 {
    column.iter().copied().map(f64::from).sum::<f64>() / column.len() as f64
}
