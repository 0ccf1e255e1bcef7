//! Boosting round by round: derivatives, sampling, a tree for each margin.

use std::borrow::Cow;

use rand_chacha::{ChaCha8Rng, rand_core::Rng};
use rayon::prelude::*;

use super::{
    GradientBoosting,
    bag::{Bag, HeldOut},
    objective::{self, Objective},
    validation::Watch,
};
use crate::{
    BinnedMatrix,
    binning::Column,
    cases::Cases,
    criterion::Newton,
    growth::{
        GrownTree,
        leaf_wise::{Ground, Limits, Workspace, grow},
    },
    histogram::{Chosen, Layout},
    packing::{Cell, Item, Steps, Word},
    randomness::{noise, some_of, stream},
    split::categorical::CategoryRules,
};

/// Cases whose derivatives one task computes.
const TASK_CASES: usize = 1 << 13;

/// What boosters of the same cases share.
pub(super) struct Setting<'a> {
    pub(super) params: &'a GradientBoosting,
    pub(super) cases: &'a Cases,
    pub(super) objective: Objective,
    n_classes: usize,
    columns: &'a [Column],
    /// The features that trees draw from.
    eligible: Vec<u16>,
    steps: Steps,
    newton: Newton,
    limits: Limits,
    layout: Layout,
    /// Bins of the cases, column-major.
    bins: Cow<'a, [u8]>,
}

/// Boosting under way.
pub(super) struct Booster<'a, W> {
    setting: &'a Setting<'a>,
    /// The margins before the first round.
    pub(super) base: Vec<f64>,
    held_out: Option<HeldOut<'a>>,
    /// The rows that a round learns from; none: all.
    bag: Option<Bag>,
    /// The logarithm of each case's softmax denominator.
    normalisers: Vec<f64>,
    outputs: Vec<Output<W>>,
    /// Sets the noise of rounding apart from round to round.
    salt: u32,
}

/// One margin: that of class 1, or that of each class.
struct Output<W> {
    class: u16,
    /// One a case.
    scores: Vec<f64>,
    features: Vec<u16>,
    chosen: Chosen,
    room: Workspace<W>,
}

impl<'a> Setting<'a> {
    /// Prepares a fit whose boosters sum in words of `W`.
    pub(super) fn new<W: Word>(
        params: &'a GradientBoosting,
        matrix: &'a BinnedMatrix,
        cases: &'a Cases,
        n_classes: usize,
    ) -> Self {
        let bins = cases.bins(matrix);
        let steps = steps(cases);
        let columns = matrix.columns();
        let eligible = if params.feature_fraction < 1.0 {
            splittable(columns, &bins, cases, u64::from(params.min_data_in_leaf))
        } else {
            (0..=u16::MAX).take(columns.len()).collect()
        };
        Self {
            params,
            cases,
            objective: Objective::of(n_classes),
            n_classes,
            columns,
            eligible,
            newton: newton(params, steps),
            limits: limits(params),
            layout: Layout::new::<W>(columns, &bins, steps),
            steps,
            bins,
        }
    }
}

impl<'a, W: Word> Booster<'a, W> {
    /// Starts on all rows but those held out.
    pub(super) fn new(setting: &'a Setting<'a>, held_out: Option<HeldOut<'a>>) -> Self {
        let cases = setting.cases;
        let params = setting.params;
        let draws = params.bagging_fraction < 1.0;
        let bag = (draws || held_out.is_some()).then(|| Bag::without(cases, held_out));
        let weights = bag.as_ref().map_or(&cases.weights, |bag| &bag.weights);
        let base = setting
            .objective
            .base(&cases.labels, weights, setting.n_classes);
        let features = setting.eligible.clone();
        let chosen = setting.layout.choose(&features);
        let outputs = base.iter().enumerate().map(|(i, margin)| Output {
            class: setting.objective.class_of_output(i),
            scores: vec![*margin; cases.len()],
            features: features.clone(),
            chosen: chosen.clone(),
            room: Workspace::default(),
        });
        Self {
            setting,
            outputs: outputs.collect(),
            base,
            held_out,
            bag,
            normalisers: Vec::new(),
            salt: 0,
        }
    }

    /// Boosts round by round; with a watch, keeps the rounds up to the best one. A round that finds no split
    /// is the last one, unless another draw may find some.
    pub(super) fn run(&mut self, seed: u64, mut watch: Option<Watch<'_>>) -> Vec<Vec<GrownTree>> {
        let params = self.setting.params;
        let draws = params.feature_fraction < 1.0 || params.bagging_fraction < 1.0;
        let mut rounds = Vec::new();
        for round in 0..params.n_estimators {
            let trees = self.round(seed, round);
            if trees.iter().all(|grown| grown.gains.is_empty()) {
                if draws {
                    continue;
                }
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

    /// Grows one tree for each output and adds its margins to the scores.
    pub(super) fn round(&mut self, seed: u64, round: u32) -> Vec<GrownTree> {
        self.draw(&mut stream(seed, round as usize));
        let mut outputs = std::mem::take(&mut self.outputs);
        self.normalisers = self.normalisers(&outputs);
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

    /// Returns the summed log-loss of the rows held out, and their weight.
    pub(super) fn held_out_loss(&self) -> (f64, f64) {
        let (mut loss, mut total) = (0.0, 0.0);
        let cases = self.setting.cases;
        for i in (0..cases.n_rows()).filter(|i| self.held_out.is_some_and(|out| out.holds(*i))) {
            let (case, weight) = cases.row(i);
            let case = case as usize;
            let margins = self.outputs.iter().map(|output| output.scores[case]);
            let weight = f64::from(weight);
            loss += weight * self.setting.objective.loss(margins, cases.labels[case]);
            total += weight;
        }
        (loss, total)
    }

    /// Draws the rows and the features of a round.
    fn draw(&mut self, rng: &mut ChaCha8Rng) {
        self.salt = rng.next_u32();
        let Setting {
            params,
            cases,
            ref eligible,
            ..
        } = *self.setting;
        if params.bagging_fraction < 1.0
            && let Some(bag) = &mut self.bag
        {
            bag.draw(cases, params.bagging_fraction, self.held_out, rng);
        }
        if params.feature_fraction < 1.0 {
            let drawn = (params.feature_fraction * eligible.len() as f64).round();
            let drawn = (drawn as usize).clamp(1, eligible.len());
            for output in &mut self.outputs {
                output.features = some_of(rng, eligible, drawn);
                output.chosen = self.setting.layout.choose(&output.features);
            }
        }
    }

    fn normalisers(&self, outputs: &[Output<W>]) -> Vec<f64> {
        if self.setting.objective == Objective::Logistic {
            return Vec::new();
        }
        let scores: Vec<&[f64]> = outputs.iter().map(|output| &output.scores[..]).collect();
        objective::normalisers(&scores)
    }

    fn step(&self, output: &mut Output<W>) -> GrownTree {
        self.differentiate(output);
        let ground = Ground {
            columns: self.setting.columns,
            layout: &self.setting.layout,
            bins: &self.setting.bins,
            features: &output.features,
            chosen: &output.chosen,
            steps: self.setting.steps,
            weights: self.weights(),
        };
        grow(
            ground,
            &self.setting.newton,
            &self.setting.limits,
            &mut output.room,
            &mut output.scores,
        )
    }

    fn weights(&self) -> &[f32] {
        let bag = self.bag.as_ref();
        bag.map_or(&self.setting.cases.weights, |bag| &bag.weights)
    }

    /// Computes the gradient and the hessian of each case and parts those outside the bag.
    fn differentiate(&self, output: &mut Output<W>) {
        let room = &mut output.room;
        let (scores, class) = (&output.scores, output.class);
        room.items.resize(self.setting.cases.len(), Item::default());
        let tasks = room.items.par_chunks_mut(TASK_CASES).enumerate();
        if self.setting.steps.is_narrow() {
            room.slopes.resize(self.setting.cases.len(), [0.0; 2]);
            let slopes = room.slopes.par_chunks_mut(TASK_CASES);
            tasks.zip(slopes).for_each(|((task, items), slopes)| {
                let cases = task * TASK_CASES..;
                for ((case, item), exact) in cases.zip(items).zip(slopes) {
                    let slope = self.slope(case, scores[case], class);
                    *exact = slope.map(|value| value as f32);
                    let noise = noise(self.salt, case as u32);
                    *item = self.setting.steps.item(case as u32, slope, noise);
                }
            });
        } else {
            room.wide.resize(self.setting.cases.len(), Cell::default());
            let cells = room.wide.par_chunks_mut(TASK_CASES);
            tasks.zip(cells).for_each(|((task, items), cells)| {
                let cases = task * TASK_CASES..;
                for ((case, item), cell) in cases.zip(items).zip(cells) {
                    let slope = self.slope(case, scores[case], class);
                    *cell = self.setting.steps.cell(slope, self.counts()[case]);
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
        let is_class = self.setting.cases.labels[case] == class;
        let normaliser = self.normalisers.get(case).copied().unwrap_or(0.0);
        let slope = self.setting.objective.slope(score, normaliser, is_class);
        let weight = f64::from(self.weights()[case]);
        [weight * slope.gradient, weight * slope.hessian]
    }

    fn counts(&self) -> &[u8] {
        let bag = self.bag.as_ref();
        bag.map_or(&self.setting.cases.counts, |bag| &bag.counts)
    }
}

/// Returns the features of which a split can leave each side enough rows; all when there is none, so that there is
/// something to draw.
fn splittable(columns: &[Column], bins: &[u8], cases: &Cases, min_rows: u64) -> Vec<u16> {
    let n_rows = cases.n_rows() as u64;
    let is_enough = |rows: u64| rows >= min_rows && n_rows - rows >= min_rows;
    let by_column = columns.par_iter().zip(bins.par_chunks_exact(cases.len()));
    let splits: Vec<bool> = by_column
        .map(|(column, bins)| {
            let mut rows = [0u64; 256];
            for (bin, count) in bins.iter().zip(&cases.counts) {
                rows[usize::from(*bin)] += u64::from(*count);
            }
            if column.is_categorical() {
                // Sets of categories are not tried out: any column of several may have one.
                return rows.iter().filter(|rows| **rows > 0).count() > 1;
            }
            let missing = column.missing_bin().map_or(0, |bin| rows[bin]);
            let below = rows[..column.n_values()].iter().scan(0, |sum, rows| {
                *sum += rows;
                Some(*sum)
            });
            below.flat_map(|rows| [rows, rows + missing]).any(is_enough)
        })
        .collect();
    let all = || (0..=u16::MAX).take(columns.len());
    let found: Vec<u16> = all().filter(|at| splits[usize::from(*at)]).collect();
    if found.is_empty() {
        all().collect()
    } else {
        found
    }
}

fn steps(cases: &Cases) -> Steps {
    let largest = cases.weights.iter().copied().fold(0.0, f32::max);
    let most_rows = cases.counts.iter().copied().max().unwrap_or(1);
    // No sum passes half of this, but with a finer step the bytes of models would be others.
    let total = 2.0 * cases.total_weight();
    Steps::new(
        total,
        largest.into(),
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
        categories: CategoryRules {
            cat_smooth: params.cat_smooth,
            cat_l2: params.cat_l2,
            max_cat_to_onehot: params.max_cat_to_onehot as usize,
            max_cat_threshold: params.max_cat_threshold as usize,
            min_data_per_group: u64::from(params.min_data_per_group),
        },
    }
}
