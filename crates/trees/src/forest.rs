//! Forests of independent trees, and the single tree: leaves hold class probabilities.

mod max_features;
mod out_of_bag;

use model::trees::{Aggregation, Tree, TreeEnsemble};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    BinnedMatrix, ClassWeight, TreesError,
    cases::{Cases, by_row},
    criterion::{Gini, Sums},
    growth::{
        GrownTree,
        depth_first::{Drawn, Ground, Plan, Room, grow},
        ensemble,
    },
    packing::{Packing, ROWS_OF_I64, Word},
    parameter::{require, require_depth},
    randomness::{below, stream},
};
pub use max_features::MaxFeatures;
pub use out_of_bag::OutOfBag;
use out_of_bag::Seen;

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
    /// What the rows of each class weigh; none: the same.
    pub class_weight: Option<ClassWeight>,
}

impl Default for RandomForest {
    fn default() -> Self {
        Self {
            n_estimators: 100,
            max_depth: None,
            min_samples_leaf: 1,
            max_features: MaxFeatures::Sqrt,
            bootstrap: true,
            class_weight: None,
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
        let given = Given::new(labels, n_classes, weights, seed);
        Ok(self.recipe().fit(matrix, given, false)?.0)
    }

    /// Learns as [`Self::fit`] does and scores each row by the trees that have not drawn it.
    ///
    /// # Errors
    /// As [`Self::fit`], and without `bootstrap`.
    pub fn fit_out_of_bag(
        &self,
        matrix: &BinnedMatrix,
        labels: &[u16],
        n_classes: usize,
        weights: Option<&[f32]>,
        seed: u64,
    ) -> Result<(TreeEnsemble, OutOfBag), TreesError> {
        let expected = "true for out-of-bag scores";
        require(self.bootstrap, "bootstrap", false, expected)?;
        let given = Given::new(labels, n_classes, weights, seed);
        let (fitted, out_of_bag) = self.recipe().fit(matrix, given, true)?;
        Ok((fitted, out_of_bag.expect("it was asked for")))
    }

    fn recipe(&self) -> Recipe<'_> {
        Recipe {
            n_estimators: self.n_estimators,
            max_depth: self.max_depth,
            min_samples_leaf: self.min_samples_leaf,
            max_features: self.max_features,
            bootstrap: self.bootstrap,
            random_boundary: false,
            class_weight: self.class_weight.as_ref(),
        }
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
    /// What the rows of each class weigh; none: the same.
    pub class_weight: Option<ClassWeight>,
}

impl Default for ExtraTrees {
    fn default() -> Self {
        Self {
            n_estimators: 100,
            max_depth: None,
            min_samples_leaf: 1,
            max_features: MaxFeatures::Sqrt,
            bootstrap: false,
            class_weight: None,
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
        let given = Given::new(labels, n_classes, weights, seed);
        Ok(self.recipe().fit(matrix, given, false)?.0)
    }

    /// Learns as [`Self::fit`] does and scores each row by the trees that have not drawn it.
    ///
    /// # Errors
    /// As [`Self::fit`], and without `bootstrap`.
    pub fn fit_out_of_bag(
        &self,
        matrix: &BinnedMatrix,
        labels: &[u16],
        n_classes: usize,
        weights: Option<&[f32]>,
        seed: u64,
    ) -> Result<(TreeEnsemble, OutOfBag), TreesError> {
        let expected = "true for out-of-bag scores";
        require(self.bootstrap, "bootstrap", false, expected)?;
        let given = Given::new(labels, n_classes, weights, seed);
        let (fitted, out_of_bag) = self.recipe().fit(matrix, given, true)?;
        Ok((fitted, out_of_bag.expect("it was asked for")))
    }

    fn recipe(&self) -> Recipe<'_> {
        Recipe {
            n_estimators: self.n_estimators,
            max_depth: self.max_depth,
            min_samples_leaf: self.min_samples_leaf,
            max_features: self.max_features,
            bootstrap: self.bootstrap,
            random_boundary: true,
            class_weight: self.class_weight.as_ref(),
        }
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
    /// What the rows of each class weigh; none: the same.
    pub class_weight: Option<ClassWeight>,
}

impl Default for DecisionTree {
    fn default() -> Self {
        Self {
            max_depth: None,
            min_samples_leaf: 1,
            max_features: MaxFeatures::All,
            class_weight: None,
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
            class_weight: self.class_weight.as_ref(),
        };
        let given = Given::new(labels, n_classes, weights, seed);
        Ok(recipe.fit(matrix, given, false)?.0)
    }
}

/// What the three learners come down to.
struct Recipe<'a> {
    n_estimators: u32,
    max_depth: Option<u32>,
    min_samples_leaf: u32,
    max_features: MaxFeatures,
    bootstrap: bool,
    random_boundary: bool,
    class_weight: Option<&'a ClassWeight>,
}

/// What a fit is given beside the matrix.
#[derive(Clone, Copy)]
struct Given<'a> {
    labels: &'a [u16],
    n_classes: usize,
    weights: Option<&'a [f32]>,
    seed: u64,
}

impl<'a> Given<'a> {
    fn new(labels: &'a [u16], n_classes: usize, weights: Option<&'a [f32]>, seed: u64) -> Self {
        Self {
            labels,
            n_classes,
            weights,
            seed,
        }
    }
}

impl Recipe<'_> {
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
        given: Given<'_>,
        out_of_bag: bool,
    ) -> Result<(TreeEnsemble, Option<OutOfBag>), TreesError> {
        self.check()?;
        let Given {
            labels,
            n_classes,
            weights,
            seed,
        } = given;
        let cases = Cases::new(matrix, labels, n_classes, weights, self.class_weight)?;
        let bins = by_row(&cases.bins(matrix), cases.len());
        let ground = Ground {
            columns: matrix.columns(),
            bins: &bins,
        };
        let grown = if cases.n_rows() <= ROWS_OF_I64 {
            self.grow_in::<i64>(ground, &cases, n_classes, seed, out_of_bag)
        } else {
            self.grow_in::<i128>(ground, &cases, n_classes, seed, out_of_bag)
        };
        let out_of_bag = out_of_bag.then(|| {
            let trees: Vec<(&Tree, &Seen)> = grown
                .iter()
                .filter_map(|(grown, seen)| Some((&grown.tree, seen.as_ref()?)))
                .collect();
            let columns = ground.columns;
            out_of_bag::score(columns, &bins, &cases, &trees, labels.len(), n_classes)
        });
        let grown = grown.into_iter().map(|(grown, _)| grown);
        let averaging = Aggregation::Averaging;
        let ensemble = ensemble(matrix.n_features(), n_classes, averaging, grown);
        Ok((ensemble, out_of_bag))
    }

    /// Grows the trees by sums in words of `W`, with the cases that each has drawn if asked to.
    fn grow_in<W: Word>(
        &self,
        ground: Ground<'_>,
        cases: &Cases,
        n_classes: usize,
        seed: u64,
        note_drawn: bool,
    ) -> Vec<(GrownTree, Option<Seen>)> {
        if n_classes == 2 {
            self.grow(ground, cases, [W::default(); 2], seed, note_drawn)
        } else {
            let zero = vec![W::default(); n_classes];
            self.grow(ground, cases, zero, seed, note_drawn)
        }
    }

    fn grow<W: Word, S: Sums<W>>(
        &self,
        ground: Ground<'_>,
        cases: &Cases,
        zero: S,
        seed: u64,
        note_drawn: bool,
    ) -> Vec<(GrownTree, Option<Seen>)> {
        let plan = Plan {
            max_depth: self.max_depth,
            sampled_features: self.max_features.of(ground.columns.len()),
            random_boundary: self.random_boundary,
        };
        let grow_one = |room: &mut Room<W>, tree: u32| {
            let mut rng = stream(seed, tree as usize);
            let (packing, mut drawn) = self.draw(cases, &mut rng);
            let seen = note_drawn.then(|| Seen::new(cases.len(), &drawn));
            let gini = Gini {
                zero: zero.clone(),
                packing,
                min_rows: u64::from(self.min_samples_leaf),
            };
            let grown = grow(ground, &gini, plan, &mut drawn, &mut rng, room);
            (grown, seen)
        };
        (0..self.n_estimators)
            .into_par_iter()
            .map_init(Room::default, grow_one)
            .collect()
    }

    /// Draws the rows of one tree, as cases with packed weights.
    fn draw<W: Word>(&self, cases: &Cases, rng: &mut ChaCha8Rng) -> (Packing, Vec<Drawn<W>>) {
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

fn packed<W: Word>(cases: &Cases, weights: &[f64], counts: &[u32]) -> (Packing, Vec<Drawn<W>>) {
    let packing = Packing::new(weights.iter().sum(), cases.n_rows());
    let drawn = (0..cases.len())
        .filter(|case| counts[*case] > 0)
        .map(|case| Drawn {
            weight: packing.pack_weight(weights[case], counts[case]),
            case: case as u32,
            label: cases.labels[case],
        })
        .collect();
    (packing, drawn)
}

#[cfg(test)]
mod tests;
