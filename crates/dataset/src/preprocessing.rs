//! The specification of a preprocessor: what is to be fitted, not yet fitted.

use serde::{Deserialize, Serialize};

/// One specification a model family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Preprocessing {
    /// For logistic regression.
    pub linear: PreprocessorSpec,
    /// For decision trees, forests and boosting.
    pub trees: PreprocessorSpec,
    /// For the k-nearest-neighbour and naive Bayes baselines.
    pub baselines: PreprocessorSpec,
}

impl Default for Preprocessing {
    fn default() -> Self {
        let scaled = PreprocessorSpec {
            imputer: ImputerKind::Median,
            knn: KnnParameters::default(),
            encoder: EncoderKind::OneHotLevels,
            scaler: ScalerKind::Standard,
        };
        Self {
            linear: scaled,
            trees: PreprocessorSpec::default(),
            baselines: scaled,
        }
    }
}

/// What a preprocessor does, in this order: impute, encode, scale.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PreprocessorSpec {
    /// How missing cells are filled.
    pub imputer: ImputerKind,
    /// Parameters of the imputer, when it is `knn`.
    pub knn: KnnParameters,
    /// How columns with levels become numbers.
    pub encoder: EncoderKind,
    /// How numeric columns are scaled; one-hot columns are left alone.
    pub scaler: ScalerKind,
}

/// How missing cells are filled. Text columns take their most frequent level, whatever the kind,
/// unless nothing is filled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImputerKind {
    /// Nothing is filled: NaN reaches the classifier, which must take it.
    #[default]
    None,
    /// The column's median.
    Median,
    /// The column's most frequent value; the least of several.
    MostFrequent,
    /// The mean of the nearest training rows that have the value, as scikit-learn's `KNNImputer`.
    Knn,
}

/// Parameters of [`ImputerKind::Knn`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct KnnParameters {
    /// Number of neighbours, at least 1.
    pub k: usize,
    /// How neighbours are weighted.
    pub weights: NeighbourWeights,
}

impl Default for KnnParameters {
    fn default() -> Self {
        Self {
            k: 5,
            weights: NeighbourWeights::Uniform,
        }
    }
}

/// How neighbours are weighted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NeighbourWeights {
    /// All alike.
    #[default]
    Uniform,
    /// By the inverse of their distance; donors at distance 0 alone count when there are any.
    Distance,
}

/// How numeric columns are scaled. A constant column is only centred.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ScalerKind {
    /// Not at all.
    #[default]
    None,
    /// To mean 0 and (population) standard deviation 1.
    Standard,
    /// To [0, 1].
    MinMax,
    /// To median 0 and interquartile range 1.
    Robust,
}

/// How columns with levels become numbers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EncoderKind {
    /// The code of the level; an unknown level has the code after the last.
    #[default]
    Ordinal,
    /// One column a level of a text column, and none for an unknown level.
    OneHotText,
    /// As `one_hot_text`, and also for numeric columns whose domain lists its values.
    OneHotLevels,
    /// As `ordinal`, but boosting splits a text column of at most 254 levels by sets of levels; its codes
    /// are not scaled.
    Categorical,
}
