//! Weights of classes, and how they join the rows' own.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{TreesError, parameter::require};

/// What the rows of each class weigh, in addition to their own weights.
///
/// Written `balanced` or as a list of weights; LightGBM's `scale_pos_weight` is `[1, weight]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "class_weight is `balanced` or a list of weights, one a class"
)]
pub enum ClassWeight {
    /// As scikit-learn's `balanced`.
    Named(NamedClassWeight),
    /// One weight a class.
    Each(Vec<f64>),
}

/// Class weights that follow from the labels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NamedClassWeight {
    /// The number of rows by that of classes and of the class's rows: all classes weigh the same.
    Balanced,
}

impl ClassWeight {
    /// Weighs classes equally, however many rows they have.
    pub const BALANCED: Self = Self::Named(NamedClassWeight::Balanced);

    /// Checks weights for a number of classes.
    ///
    /// # Errors
    /// [`TreesError::ClassWeights`] when there is not one a class, [`TreesError::Parameter`] for one
    /// that is negative or not finite as `f32`, and when fewer than two classes weigh anything.
    pub fn check(&self, n_classes: usize) -> Result<(), TreesError> {
        let Self::Each(weights) = self else {
            return Ok(());
        };
        if weights.len() != n_classes {
            let have = weights.len();
            return Err(TreesError::ClassWeights { have, n_classes });
        }
        for weight in weights {
            let is_weight = *weight >= 0.0 && (*weight as f32).is_finite();
            require(is_weight, "class_weight", weight, "finite and not negative")?;
        }
        let n_positive = weights.iter().filter(|w| **w as f32 > 0.0).count();
        let expected = "positive for at least two classes";
        require(
            n_positive >= 2,
            "class_weight",
            format!("{weights:?}"),
            expected,
        )
    }

    fn of_classes(&self, labels: &[u16], n_classes: usize) -> Result<Vec<f64>, TreesError> {
        match self {
            Self::Named(NamedClassWeight::Balanced) => {
                let mut rows = vec![0usize; n_classes];
                labels
                    .iter()
                    .for_each(|label| rows[usize::from(*label)] += 1);
                let weight = |rows: usize| labels.len() as f64 / (n_classes * rows.max(1)) as f64;
                Ok(rows.into_iter().map(weight).collect())
            }
            Self::Each(weights) => {
                self.check(n_classes)?;
                Ok(weights.clone())
            }
        }
    }
}

/// Multiplies the rows' weights by those of their classes.
pub(crate) fn join<'a>(
    class_weight: Option<&ClassWeight>,
    labels: &[u16],
    n_classes: usize,
    weights: Option<&'a [f32]>,
) -> Result<Option<Cow<'a, [f32]>>, TreesError> {
    let Some(class_weight) = class_weight else {
        return Ok(weights.map(Cow::Borrowed));
    };
    let of_class = class_weight.of_classes(labels, n_classes)?;
    let own = |row: usize| weights.map_or(1.0, |weights| f64::from(weights[row]));
    let joint = labels.iter().enumerate();
    let joint: Vec<f32> = joint
        .map(|(row, label)| (own(row) * of_class[usize::from(*label)]) as f32)
        .collect();
    Ok(Some(Cow::Owned(joint)))
}
