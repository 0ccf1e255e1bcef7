//! Weights of classes, and how they join the rows' own.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::{TreesError, cases::check_weights, parameter::require_not_negative};

/// What the rows of each class weigh, in addition to their own weights.
///
/// Written `balanced` or as a list of weights; LightGBM's `scale_pos_weight` is `[1, weight]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
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
            Self::Each(weights) if weights.len() != n_classes => Err(TreesError::ClassWeights {
                have: weights.len(),
                n_classes,
            }),
            Self::Each(weights) => {
                for weight in weights {
                    require_not_negative("class_weight", *weight)?;
                }
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
    check_weights(Some(&joint), labels.len())?;
    Ok(Some(Cow::Owned(joint)))
}
