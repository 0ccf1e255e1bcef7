//! Gradient boosting with histograms and leaf-wise growth, after LightGBM.

mod objective;
mod validation;

use std::borrow::Cow;

use model::trees::{Aggregation, Tree, TreeEnsemble};
use rand_chacha::{ChaCha8Rng, rand_core::Rng};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::{
    BinnedMatrix, TreesError,
    binning::Column,
    cases::Cases,
    criterion::Newton,
    growth::{
        GrownTree,
        leaf_wise::{Ground, Limits, Workspace, grow},
        total_gains,
    },
    histogram::Layout,
    packing::{Item, Steps},
    parameter::{require, require_depth, require_not_negative, require_share},
    randomness::{noise, some_features, stream},
};
use objective::Objective;
pub use validation::Validation;
use validation::Watch;

/// Gradient boosting with LightGBM's names and defaults (Ke et al. 2017).
///
/// Logistic loss for two classes, softmax with a tree a class and round for more. Scores start at the
/// classes' log-odds; boosting ends early once a round finds no split.
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
    /// The least sum of second derivatives in a leaf.
    pub min_sum_hessian_in_leaf: f64,
    /// L1 penalty on a leaf's margin.
    pub lambda_l1: f64,
    /// L2 penalty on a leaf's margin.
    pub lambda_l2: f64,
    /// The share of features that a tree may split, drawn for each.
    pub feature_fraction: f64,
    /// The share of rows that a round learns from, drawn for each.
    pub bagging_fraction: f64,
    /// What a split must gain more than.
    pub min_gain_to_split: f64,
    /// Rounds without a better validation loss after which boosting stops; only with a validation set.
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
        let cases = Cases::new(matrix, labels, n_classes, weights)?;
        let objective = Objective::of(n_classes);
        let base = objective.base(&cases, n_classes);
        let watch = validation
            .map(|validation| Watch::new(validation, objective, &base, self.early_stopping_rounds));
        let mut booster = Booster::new(self, matrix, &cases, objective, &base);
        let rounds = booster.run(seed, watch);
        let (trees, gains): (Vec<Tree>, Vec<_>) = rounds
            .into_iter()
            .flatten()
            .map(|grown| (grown.tree, grown.gains))
            .unzip();
        let importance = total_gains(matrix.n_features(), &gains);
        let aggregation = Aggregation::Boosting { base };
        Ok(TreeEnsemble::new(
            matrix.n_features(),
            n_classes,
            aggregation,
            trees,
            importance,
        )
        .expect("growth adds children after parents and finite leaves"))
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
        let patience = self.early_stopping_rounds;
        require(
            patience >= 1,
            "early_stopping_rounds",
            patience,
            "at least 1",
        )
    }
}

/// Cases whose derivatives one task computes.
const TASK_CASES: usize = 1 << 13;

/// Boosting under way.
struct Booster<'a> {
    params: &'a GradientBoosting,
    columns: &'a [Column],
    cases: &'a Cases,
    objective: Objective,
    steps: Steps,
    newton: Newton,
    limits: Limits,
    layout: Layout,
    /// Bins of the cases, column-major.
    bins: Cow<'a, [u8]>,
    /// The rows that a round learns from; none: all.
    bag: Option<Bag>,
    /// The logarithm of each case's softmax denominator.
    normalisers: Vec<f64>,
    outputs: Vec<Output>,
    /// Sets the noise of rounding apart from round to round.
    salt: u32,
}

/// The rows that a round learns from.
struct Bag {
    weights: Vec<f32>,
    counts: Vec<u8>,
}

/// One margin: that of class 1, or that of each class.
struct Output {
    class: u16,
    /// One a case.
    scores: Vec<f64>,
    features: Vec<u16>,
    room: Workspace,
}

impl<'a> Booster<'a> {
    fn new(
        params: &'a GradientBoosting,
        matrix: &'a BinnedMatrix,
        cases: &'a Cases,
        objective: Objective,
        base: &[f64],
    ) -> Self {
        let columns = matrix.columns();
        let features: Vec<u16> = (0..=u16::MAX).take(columns.len()).collect();
        let bins = cases.bins(matrix);
        let steps = steps(cases);
        let outputs = base.iter().enumerate().map(|(i, margin)| Output {
            class: objective.class_of_output(i),
            scores: vec![*margin; cases.len()],
            features: features.clone(),
            room: Workspace::default(),
        });
        Self {
            params,
            columns,
            cases,
            objective,
            newton: newton(params, steps),
            limits: limits(params),
            layout: Layout::new(columns, &bins, steps),
            steps,
            bins,
            bag: (params.bagging_fraction < 1.0).then(|| Bag {
                weights: vec![0.0; cases.len()],
                counts: vec![0; cases.len()],
            }),
            normalisers: Vec::new(),
            outputs: outputs.collect(),
            salt: 0,
        }
    }

    /// Boosts round by round; with a watch, keeps the rounds up to the best one.
    fn run(&mut self, seed: u64, mut watch: Option<Watch<'_>>) -> Vec<Vec<GrownTree>> {
        let mut rounds = Vec::new();
        for round in 0..self.params.n_estimators as usize {
            self.draw(&mut stream(seed, round));
            let trees = self.round();
            if trees.iter().all(|grown| grown.gains.is_empty()) {
                break;
            }
            let stop = watch.as_mut().is_some_and(|watch| watch.observe(&trees));
            rounds.push(trees);
            if stop {
                break;
            }
        }
        if let Some(watch) = watch {
            rounds.truncate(watch.best_rounds());
        }
        rounds
    }

    /// Draws the rows and the features of a round.
    fn draw(&mut self, rng: &mut ChaCha8Rng) {
        self.salt = rng.next_u32();
        if let Some(bag) = &mut self.bag {
            bag.draw(self.cases, self.params.bagging_fraction, rng);
        }
        if self.params.feature_fraction < 1.0 {
            let n = self.columns.len();
            let drawn = (self.params.feature_fraction * n as f64).round().max(1.0) as usize;
            for output in &mut self.outputs {
                output.features = some_features(rng, n, drawn);
            }
        }
    }

    /// Grows one tree for each output and adds its margins to the scores.
    fn round(&mut self) -> Vec<GrownTree> {
        let mut outputs = std::mem::take(&mut self.outputs);
        if matches!(self.objective, Objective::Softmax { .. }) {
            let scores = outputs.iter().map(|output| output.scores.as_slice());
            self.normalisers = objective::normalisers(&scores.collect::<Vec<_>>());
        }
        let grown = match outputs.as_mut_slice() {
            [output] => vec![self.step(output)],
            outputs => outputs
                .par_iter_mut()
                .map(|output| self.step(output))
                .collect(),
        };
        self.outputs = outputs;
        grown
    }

    fn step(&self, output: &mut Output) -> GrownTree {
        self.differentiate(output);
        let ground = Ground {
            columns: self.columns,
            layout: &self.layout,
            bins: &self.bins,
            features: &output.features,
            steps: self.steps,
            weights: self.weights(),
        };
        grow(
            ground,
            &self.newton,
            &self.limits,
            &mut output.room,
            &mut output.scores,
        )
    }

    fn weights(&self) -> &[f32] {
        let bag = self.bag.as_ref();
        bag.map_or(&self.cases.weights, |bag| &bag.weights)
    }

    /// Computes the gradient and the hessian of each case and parts those outside the bag.
    fn differentiate(&self, output: &mut Output) {
        let room = &mut output.room;
        let (scores, class) = (&output.scores, output.class);
        room.items.resize(self.cases.len(), Item::default());
        let tasks = room.items.par_chunks_mut(TASK_CASES).enumerate();
        if self.steps.is_narrow() {
            room.slopes.resize(self.cases.len(), [0.0; 2]);
            let slopes = room.slopes.par_chunks_mut(TASK_CASES);
            tasks.zip(slopes).for_each(|((task, items), slopes)| {
                let cases = task * TASK_CASES..;
                for ((case, item), exact) in cases.zip(items).zip(slopes) {
                    let slope = self.slope(case, scores[case], class);
                    *exact = slope.map(|value| value as f32);
                    let noise = noise(self.salt, case as u32);
                    *item = self.steps.item(case as u32, slope, noise);
                }
            });
        } else {
            room.wide.resize(self.cases.len(), [0; 2]);
            let cells = room.wide.par_chunks_mut(TASK_CASES);
            tasks.zip(cells).for_each(|((task, items), cells)| {
                let cases = task * TASK_CASES..;
                for ((case, item), cell) in cases.zip(items).zip(cells) {
                    let slope = self.slope(case, scores[case], class);
                    *cell = self.steps.cell(slope, self.counts()[case]);
                    *item = Steps::plain_item(case as u32);
                }
            });
        }
        room.outside.clear();
        if let Some(bag) = &self.bag {
            let is_outside = |item: &Item| bag.counts[item.case as usize] == 0;
            let outside = room.items.iter().filter(|item| is_outside(item));
            room.outside.extend(outside.map(|item| item.case));
            room.items.retain(|item| !is_outside(item));
        }
    }

    /// Returns the weighted gradient and hessian of a case.
    #[inline]
    fn slope(&self, case: usize, score: f64, class: u16) -> [f64; 2] {
        let is_class = self.cases.labels[case] == class;
        let normaliser = self.normalisers.get(case).copied().unwrap_or(0.0);
        let slope = self.objective.slope(score, normaliser, is_class);
        let weight = f64::from(self.weights()[case]);
        [weight * slope.gradient, weight * slope.hessian]
    }

    fn counts(&self) -> &[u8] {
        let bag = self.bag.as_ref();
        bag.map_or(&self.cases.counts, |bag| &bag.counts)
    }
}

impl Bag {
    fn draw(&mut self, cases: &Cases, share: f64, rng: &mut ChaCha8Rng) {
        self.weights.fill(0.0);
        self.counts.fill(0);
        let below = (share * 2f64.powi(32)) as u32;
        for row in 0..cases.n_rows() {
            if rng.next_u32() < below {
                let (case, weight) = cases.row(row);
                self.weights[case as usize] += weight;
                self.counts[case as usize] += 1;
            }
        }
    }
}

fn steps(cases: &Cases) -> Steps {
    let largest = cases.weights.iter().copied().fold(0.0, f32::max);
    let most_rows = cases.counts.iter().copied().max().unwrap_or(1);
    Steps::new(
        cases.total_weight(),
        f64::from(largest),
        cases.n_rows(),
        cases.len(),
        most_rows,
    )
}

fn newton(params: &GradientBoosting, steps: Steps) -> Newton {
    Newton {
        gradients: steps.gradients(),
        hessians: steps.hessians(),
        min_rows: u64::from(params.min_data_in_leaf),
        min_hessian: params.min_sum_hessian_in_leaf,
        lambda_l1: params.lambda_l1,
        lambda_l2: params.lambda_l2,
    }
}

fn limits(params: &GradientBoosting) -> Limits {
    Limits {
        num_leaves: params.num_leaves as usize,
        max_depth: params.max_depth,
        min_gain: params.min_gain_to_split,
        learning_rate: params.learning_rate,
    }
}

#[cfg(test)]
mod tests;
