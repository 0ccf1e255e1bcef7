//! Gradient boosting with histograms and leaf-wise growth, after LightGBM.

mod bag;
mod booster;
mod objective;
mod out_of_fold;
mod validation;

use model::trees::{Aggregation, TreeEnsemble};
use serde::{Deserialize, Serialize};

use crate::{
    BinnedMatrix, ClassWeight, TreesError,
    cases::Cases,
    growth::ensemble,
    packing::{ROWS_OF_I64, Word},
    parameter::{require, require_depth, require_not_negative, require_share},
};
use booster::{Booster, Setting};
pub use out_of_fold::OutOfFold;
pub use validation::Validation;
use validation::Watch;

/// Gradient boosting with LightGBM's names and defaults (Ke et al. 2017).
///
/// Logistic loss for two classes, softmax with a tree a class and round for more. Scores start at the
/// classes' log-odds; boosting ends early once a round finds no split, unless another draw of rows or features may.
/// With 32,768 rows or more the seed matters without draws, too: it decides how slopes are rounded.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GradientBoosting {
    /// The number of rounds, 1 to 100,000.
    pub n_estimators: u32,
    /// What each tree's margins are multiplied by, above 0 and at most 1.
    pub learning_rate: f64,
    /// The most leaves of a tree, at least 2.
    pub num_leaves: u32,
    /// The most splits above a leaf; none: no limit.
    pub max_depth: Option<u32>,
    /// The fewest rows in a leaf.
    pub min_data_in_leaf: u32,
    /// The least sum of second derivatives in a leaf; where one class is very rare, at the default margins run away
    /// as they do in LightGBM: 1 is a good start there.
    pub min_sum_hessian_in_leaf: f64,
    /// L1 penalty on a leaf's margin.
    pub lambda_l1: f64,
    /// L2 penalty on a leaf's margin.
    pub lambda_l2: f64,
    /// The share of features that a tree may split, drawn for each among those of which a split can leave
    /// `min_data_in_leaf` rows on both sides.
    pub feature_fraction: f64,
    /// The share of rows that a round learns from, drawn for each.
    pub bagging_fraction: f64,
    /// What a split must gain more than.
    pub min_gain_to_split: f64,
    /// What a category's hessian is smoothed by where categories are sorted; also the fewest rows of a
    /// category that takes part.
    pub cat_smooth: f64,
    /// L2 penalty of splits by several categories, in addition to `lambda_l2`.
    pub cat_l2: f64,
    /// The most categories of a feature of which one is split from the others.
    pub max_cat_to_onehot: u32,
    /// The most categories that a split lists.
    pub max_cat_threshold: u32,
    /// The fewest rows that a split by categories adds to a side, one category after another.
    pub min_data_per_group: u32,
    /// What the rows of each class weigh; none: the same.
    pub class_weight: Option<ClassWeight>,
    /// Rounds without a better loss after which boosting stops; only with a validation set or folds.
    pub early_stopping_rounds: u32,
}

impl Default for GradientBoosting {
    fn default() -> Self {
        Self {
            n_estimators: 100,
            learning_rate: 0.1,
            num_leaves: 31,
            max_depth: None,
            min_data_in_leaf: 20,
            min_sum_hessian_in_leaf: 1e-3,
            lambda_l1: 0.0,
            lambda_l2: 0.0,
            feature_fraction: 1.0,
            bagging_fraction: 1.0,
            min_gain_to_split: 0.0,
            cat_smooth: 10.0,
            cat_l2: 10.0,
            max_cat_to_onehot: 4,
            max_cat_threshold: 32,
            min_data_per_group: 100,
            class_weight: None,
            early_stopping_rounds: 20,
        }
    }
}

impl GradientBoosting {
    /// Learns from the rows of `matrix` with their class indices and weights (1 without).
    ///
    /// Rows of weight 0 are left out. Seed and data determine every bit of the result.
    ///
    /// # Errors
    /// A parameter out of range; labels or weights that do not fit the rows; fewer than two classes.
    pub fn fit(
        &self,
        matrix: &BinnedMatrix,
        labels: &[u16],
        n_classes: usize,
        weights: Option<&[f32]>,
        seed: u64,
    ) -> Result<TreeEnsemble, TreesError> {
        self.boost(matrix, labels, n_classes, weights, seed, None)
    }

    /// Learns as [`Self::fit`] does, and keeps the rounds up to the least log-loss on `validation`.
    ///
    /// # Errors
    /// As [`Self::fit`], and when the validation rows do not fit.
    pub fn fit_with_validation(
        &self,
        matrix: &BinnedMatrix,
        labels: &[u16],
        n_classes: usize,
        weights: Option<&[f32]>,
        seed: u64,
        validation: Validation<'_>,
    ) -> Result<TreeEnsemble, TreesError> {
        validation.check(matrix.n_features(), n_classes)?;
        self.boost(matrix, labels, n_classes, weights, seed, Some(validation))
    }

    fn boost(
        &self,
        matrix: &BinnedMatrix,
        labels: &[u16],
        n_classes: usize,
        weights: Option<&[f32]>,
        seed: u64,
        validation: Option<Validation<'_>>,
    ) -> Result<TreeEnsemble, TreesError> {
        self.check()?;
        let cases = self.cases(matrix, labels, n_classes, weights)?;
        Ok(if cases.n_rows() <= ROWS_OF_I64 {
            self.boost_in::<i64>(matrix, &cases, n_classes, seed, validation)
        } else {
            self.boost_in::<i128>(matrix, &cases, n_classes, seed, validation)
        })
    }

    /// Boosts with sums in words of `W`.
    fn boost_in<W: Word>(
        &self,
        matrix: &BinnedMatrix,
        cases: &Cases,
        n_classes: usize,
        seed: u64,
        validation: Option<Validation<'_>>,
    ) -> TreeEnsemble {
        let setting = Setting::new::<W>(self, matrix, cases, n_classes);
        let mut booster = Booster::<W>::new(&setting, None);
        let base = booster.base.clone();
        let patience = self.early_stopping_rounds;
        let watch =
            validation.map(|validation| Watch::new(validation, setting.objective, &base, patience));
        let rounds = booster.run(seed, watch);
        let aggregation = Aggregation::Boosting { base };
        let grown = rounds.into_iter().flatten();
        ensemble(matrix.n_features(), n_classes, aggregation, grown)
    }

    fn cases(
        &self,
        matrix: &BinnedMatrix,
        labels: &[u16],
        n_classes: usize,
        weights: Option<&[f32]>,
    ) -> Result<Cases, TreesError> {
        let class_weight = self.class_weight.as_ref();
        Cases::new(matrix, labels, n_classes, weights, class_weight)
    }

    fn check(&self) -> Result<(), TreesError> {
        let rounds = self.n_estimators;
        require(
            (1..=100_000).contains(&rounds),
            "n_estimators",
            rounds,
            "1 to 100000",
        )?;
        require_share("learning_rate", self.learning_rate)?;
        let leaves = self.num_leaves;
        require(
            (2..=1 << 20).contains(&leaves),
            "num_leaves",
            leaves,
            "2 to 1048576",
        )?;
        require_depth(self.max_depth)?;
        require(
            self.min_data_in_leaf >= 1,
            "min_data_in_leaf",
            0,
            "at least 1",
        )?;
        require_not_negative("min_sum_hessian_in_leaf", self.min_sum_hessian_in_leaf)?;
        require_not_negative("lambda_l1", self.lambda_l1)?;
        require_not_negative("lambda_l2", self.lambda_l2)?;
        require_share("feature_fraction", self.feature_fraction)?;
        require_share("bagging_fraction", self.bagging_fraction)?;
        require_not_negative("min_gain_to_split", self.min_gain_to_split)?;
        require_not_negative("cat_smooth", self.cat_smooth)?;
        require_not_negative("cat_l2", self.cat_l2)?;
        for (name, value) in [
            ("max_cat_to_onehot", self.max_cat_to_onehot),
            ("max_cat_threshold", self.max_cat_threshold),
            ("min_data_per_group", self.min_data_per_group),
        ] {
            require(value >= 1, name, value, "at least 1")?;
        }
        let patience = self.early_stopping_rounds;
        require(
            patience >= 1,
            "early_stopping_rounds",
            patience,
            "at least 1",
        )
    }
}

#[cfg(test)]
mod tests;
