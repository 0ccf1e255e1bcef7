//! Forests of independent trees, and the single tree: leaves hold class probabilities.

mod max_features;

use model::trees::{Aggregation, Tree, TreeEnsemble};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    BinnedMatrix, TreesError,
    cases::{Cases, by_row},
    criterion::Gini,
    growth::{
        GrownTree,
        depth_first::{Drawn, Ground, Plan, grow},
        total_gains,
    },
    packing::Packing,
    parameter::{require, require_depth},
    randomness::{below, stream},
};
pub use max_features::MaxFeatures;

/// A random forest (Breiman 2001), with scikit-learn's names and defaults.
///
/// A node looks at `max_features` features drawn anew, and at further ones until one splits it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RandomForest {
    /// The number of trees, 1 to 100,000.
    pub n_estimators: u32,
    /// The most splits above a leaf; none: no limit.
    pub max_depth: Option<u32>,
    /// The fewest rows in a leaf; a row drawn twice counts twice.
    pub min_samples_leaf: u32,
    /// How many features a node looks at.
    pub max_features: MaxFeatures,
    /// Whether each tree learns from as many rows drawn with replacement.
    pub bootstrap: bool,
}

impl Default for RandomForest {
    fn default() -> Self {
        Self {
            n_estimators: 100,
            max_depth: None,
            min_samples_leaf: 1,
            max_features: MaxFeatures::Sqrt,
            bootstrap: true,
        }
    }
}

impl RandomForest {
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
        let recipe = Recipe {
            n_estimators: self.n_estimators,
            max_depth: self.max_depth,
            min_samples_leaf: self.min_samples_leaf,
            max_features: self.max_features,
            bootstrap: self.bootstrap,
            random_boundary: false,
        };
        recipe.fit(matrix, labels, n_classes, weights, seed)
    }
}

/// Extremely randomised trees (Geurts, Ernst, Wehenkel 2006), with scikit-learn's names and defaults.
///
/// Of each feature that a node looks at, one random boundary is tried. It is drawn among the bins
/// between the node's extremes, where scikit-learn draws among values: the same for features of equally
/// spaced levels, and insensitive to outliers for others.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ExtraTrees {
    /// The number of trees, 1 to 100,000.
    pub n_estimators: u32,
    /// The most splits above a leaf; none: no limit.
    pub max_depth: Option<u32>,
    /// The fewest rows in a leaf.
    pub min_samples_leaf: u32,
    /// How many features a node looks at.
    pub max_features: MaxFeatures,
    /// Whether each tree learns from as many rows drawn with replacement.
    pub bootstrap: bool,
}

impl Default for ExtraTrees {
    fn default() -> Self {
        Self {
            n_estimators: 100,
            max_depth: None,
            min_samples_leaf: 1,
            max_features: MaxFeatures::Sqrt,
            bootstrap: false,
        }
    }
}

impl ExtraTrees {
    /// Learns as [`RandomForest::fit`] does.
    ///
    /// # Errors
    /// As [`RandomForest::fit`].
    pub fn fit(
        &self,
        matrix: &BinnedMatrix,
        labels: &[u16],
        n_classes: usize,
        weights: Option<&[f32]>,
        seed: u64,
    ) -> Result<TreeEnsemble, TreesError> {
        let recipe = Recipe {
            n_estimators: self.n_estimators,
            max_depth: self.max_depth,
            min_samples_leaf: self.min_samples_leaf,
            max_features: self.max_features,
            bootstrap: self.bootstrap,
            random_boundary: true,
        };
        recipe.fit(matrix, labels, n_classes, weights, seed)
    }
}

/// One tree grown on all rows by the Gini criterion (Breiman et al. 1984).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DecisionTree {
    /// The most splits above a leaf; none: no limit.
    pub max_depth: Option<u32>,
    /// The fewest rows in a leaf.
    pub min_samples_leaf: u32,
    /// How many features a node looks at.
    pub max_features: MaxFeatures,
}

impl Default for DecisionTree {
    fn default() -> Self {
        Self {
            max_depth: None,
            min_samples_leaf: 1,
            max_features: MaxFeatures::All,
        }
    }
}

impl DecisionTree {
    /// Learns as [`RandomForest::fit`] does; the seed matters only where features are drawn.
    ///
    /// # Errors
    /// As [`RandomForest::fit`].
    pub fn fit(
        &self,
        matrix: &BinnedMatrix,
        labels: &[u16],
        n_classes: usize,
        weights: Option<&[f32]>,
        seed: u64,
    ) -> Result<TreeEnsemble, TreesError> {
        let recipe = Recipe {
            n_estimators: 1,
            max_depth: self.max_depth,
            min_samples_leaf: self.min_samples_leaf,
            max_features: self.max_features,
            bootstrap: false,
            random_boundary: false,
        };
        recipe.fit(matrix, labels, n_classes, weights, seed)
    }
}

/// What the three learners come down to.
struct Recipe {
    n_estimators: u32,
    max_depth: Option<u32>,
    min_samples_leaf: u32,
    max_features: MaxFeatures,
    bootstrap: bool,
    random_boundary: bool,
}

impl Recipe {
    fn check(&self) -> Result<(), TreesError> {
        require(
            (1..=100_000).contains(&self.n_estimators),
            "n_estimators",
            self.n_estimators,
            "1 to 100000",
        )?;
        require_depth(self.max_depth)?;
        require(
            self.min_samples_leaf >= 1,
            "min_samples_leaf",
            0,
            "at least 1",
        )?;
        self.max_features.check()
    }

    fn fit(
        &self,
        matrix: &BinnedMatrix,
        labels: &[u16],
        n_classes: usize,
        weights: Option<&[f32]>,
        seed: u64,
    ) -> Result<TreeEnsemble, TreesError> {
        self.check()?;
        let cases = Cases::new(matrix, labels, n_classes, weights)?;
        let grown = if n_classes == 2 {
            self.grow(matrix, &cases, [0; 2], seed)
        } else {
            self.grow(matrix, &cases, vec![0; n_classes], seed)
        };
        let (trees, gains): (Vec<Tree>, Vec<_>) = grown
            .into_iter()
            .map(|grown| (grown.tree, grown.gains))
            .unzip();
        let importance = total_gains(matrix.n_features(), &gains);
        Ok(TreeEnsemble::new(
            matrix.n_features(),
            n_classes,
            Aggregation::Averaging,
            trees,
            importance,
        )
        .expect("growth adds children after parents and finite leaves"))
    }

    fn grow<S: AsRef<[i64]> + AsMut<[i64]> + Clone + Send + Sync>(
        &self,
        matrix: &BinnedMatrix,
        cases: &Cases,
        zero: S,
        seed: u64,
    ) -> Vec<GrownTree> {
        let bins = by_row(&cases.bins(matrix), cases.len());
        let ground = Ground {
            columns: matrix.columns(),
            bins: &bins,
        };
        let plan = Plan {
            max_depth: self.max_depth,
            sampled_features: self.max_features.of(matrix.n_features()),
            random_boundary: self.random_boundary,
        };
        let grow_one = |tree: u32| {
            let mut rng = stream(seed, tree as usize);
            let (packing, mut drawn) = self.draw(cases, &mut rng);
            let gini = Gini {
                zero: zero.clone(),
                packing,
                min_rows: u64::from(self.min_samples_leaf),
            };
            grow(ground, &gini, plan, &mut drawn, &mut rng)
        };
        (0..self.n_estimators)
            .into_par_iter()
            .map(grow_one)
            .collect()
    }

    /// Draws the rows of one tree, as cases with packed weights.
    fn draw(&self, cases: &Cases, rng: &mut ChaCha8Rng) -> (Packing, Vec<Drawn>) {
        if !self.bootstrap {
            let weights: Vec<f64> = cases.weights.iter().map(|w| f64::from(*w)).collect();
            let counts: Vec<u32> = cases.counts.iter().map(|n| u32::from(*n)).collect();
            return packed(cases, &weights, &counts);
        }
        let mut weights = vec![0.0; cases.len()];
        let mut counts = vec![0; cases.len()];
        for _ in 0..cases.n_rows() {
            let (case, weight) = cases.row(below(rng, cases.n_rows()));
            weights[case as usize] += f64::from(weight);
            counts[case as usize] += 1;
        }
        packed(cases, &weights, &counts)
    }
}

fn packed(cases: &Cases, weights: &[f64], counts: &[u32]) -> (Packing, Vec<Drawn>) {
    let packing = Packing::new(weights.iter().sum(), cases.n_rows());
    let drawn = (0..cases.len())
        .filter(|case| counts[*case] > 0)
        .map(|case| Drawn {
            weight: packing.pack(weights[case], counts[case]),
            case: case as u32,
            label: cases.labels[case],
        })
        .collect();
    (packing, drawn)
}

#[cfg(test)]
mod tests;
