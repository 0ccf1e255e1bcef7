//! Growth of boosting's trees: always the leaf that gains most, histograms for the smaller child only.

use std::{cmp::Reverse, collections::BinaryHeap, ops::Range};

use super::{GrownTree, Sprout, partition, sides};
use crate::{
    binning::Column,
    criterion::{Criterion, Newton},
    histogram::{Cell, Layout},
    split::{Candidate, Feature, Search, subtract},
};

/// When a tree stops growing.
pub(crate) struct Limits {
    pub(crate) num_leaves: usize,
    pub(crate) max_depth: Option<u32>,
    pub(crate) min_gain: f64,
    pub(crate) learning_rate: f64,
}

/// What a tree grows on: the cases' bins and what this round says of them.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) columns: &'a [Column],
    pub(crate) layout: &'a Layout,
    /// Bins of the cases, column-major.
    pub(crate) bins: &'a [u8],
    /// The features this tree may split, ascending.
    pub(crate) features: &'a [u16],
    pub(crate) gradients: &'a [Cell],
    pub(crate) weights: &'a [f64],
}

/// Room that trees grow in, one after another.
#[derive(Default)]
pub(crate) struct Workspace {
    cases: Vec<u32>,
    spare: Vec<u32>,
    joint: Vec<Cell>,
    free: Vec<Vec<Cell>>,
}

struct Leaf {
    node: usize,
    cases: Range<usize>,
    sums: Cell,
    depth: u32,
    histogram: Vec<Cell>,
    best: Option<Candidate<Cell>>,
}

struct Growth<'a> {
    ground: Ground<'a>,
    newton: &'a Newton,
    limits: &'a Limits,
    room: &'a mut Workspace,
    sprout: Sprout,
    leaves: Vec<Leaf>,
    /// Leaves worth splitting: the bits of their gain, which order as positive numbers do.
    queue: BinaryHeap<(u64, Reverse<usize>)>,
}

/// Grows a tree and adds its margins to the cases' scores.
pub(crate) fn grow(
    ground: Ground<'_>,
    newton: &Newton,
    limits: &Limits,
    room: &mut Workspace,
    scores: &mut [f64],
) -> GrownTree {
    room.cases.clear();
    room.cases.extend(0..scores.len() as u32);
    let mut growth = Growth {
        ground,
        newton,
        limits,
        room,
        sprout: Sprout::new(),
        leaves: Vec::with_capacity(limits.num_leaves.min(scores.len())),
        queue: BinaryHeap::new(),
    };
    growth.plant();
    while growth.leaves.len() < limits.num_leaves
        && let Some((_, Reverse(leaf))) = growth.queue.pop()
    {
        growth.split(leaf);
    }
    growth.harvest(scores)
}

impl Growth<'_> {
    fn plant(&mut self) {
        let mut sums = [0; 2];
        for gradient in self.ground.gradients {
            sums[0] += gradient[0];
            sums[1] += gradient[1];
        }
        let root = Leaf {
            node: 0,
            cases: 0..self.room.cases.len(),
            sums,
            depth: 0,
            histogram: Vec::new(),
            best: None,
        };
        let worth_searching = self.may_split(&root);
        self.leaves.push(root);
        if worth_searching {
            self.leaves[0].histogram = self.sum(0);
            self.search(0);
        }
    }

    /// Splits a leaf: its left child takes its place, the right one the next place.
    fn split(&mut self, at: usize) {
        let right_at = self.leaves.len();
        let leaf = &mut self.leaves[at];
        let best = leaf
            .best
            .take()
            .expect("only leaves with a split are queued");
        let column = &self.ground.columns[usize::from(best.feature)];
        let cut = leaf.cases.start
            + divide(
                &self.ground,
                &best,
                &mut self.room.cases[leaf.cases.clone()],
                &mut self.room.spare,
            );
        let node = self.sprout.split(leaf.node, &best, column);
        let mut right_sums = leaf.sums;
        subtract(&mut right_sums, &best.left);
        let right = Leaf {
            node: node + 1,
            cases: cut..leaf.cases.end,
            sums: right_sums,
            depth: leaf.depth + 1,
            histogram: Vec::new(),
            best: None,
        };
        leaf.node = node;
        leaf.cases.end = cut;
        leaf.sums = best.left;
        leaf.depth += 1;
        self.leaves.push(right);
        self.search_children(at, right_at);
    }

    /// Finds the children's histograms, the larger one's by subtraction, and their best splits.
    fn search_children(&mut self, left: usize, right: usize) {
        let full = self.leaves.len() == self.limits.num_leaves;
        let worth = [left, right].map(|leaf| !full && self.may_split(&self.leaves[leaf]));
        let parent = std::mem::take(&mut self.leaves[left].histogram);
        if worth == [false, false] {
            return self.room.free.push(parent);
        }
        let left_is_smaller = self.leaves[left].cases.len() <= self.leaves[right].cases.len();
        let (small, large) = if left_is_smaller {
            (left, right)
        } else {
            (right, left)
        };
        let sums = self.sum(small);
        let mut rest = parent;
        subtract(rest.as_flattened_mut(), sums.as_flattened());
        self.leaves[small].histogram = sums;
        self.leaves[large].histogram = rest;
        for (leaf, worth) in [left, right].into_iter().zip(worth) {
            if worth {
                self.search(leaf);
            }
            if self.leaves[leaf].best.is_none() {
                let unused = std::mem::take(&mut self.leaves[leaf].histogram);
                self.room.free.push(unused);
            }
        }
    }

    fn may_split(&self, leaf: &Leaf) -> bool {
        self.limits.max_depth.is_none_or(|most| leaf.depth < most)
            && self.newton.count(&leaf.sums) >= 2 * self.newton.min_rows
    }

    fn sum(&mut self, leaf: usize) -> Vec<Cell> {
        let mut histogram = self.room.free.pop().unwrap_or_default();
        histogram.resize(self.ground.layout.n_cells(), [0; 2]);
        self.ground.layout.sum(
            self.ground.columns,
            &self.room.cases[self.leaves[leaf].cases.clone()],
            self.ground.gradients,
            &mut self.room.joint,
            &mut histogram,
        );
        histogram
    }

    fn search(&mut self, at: usize) {
        let leaf = &mut self.leaves[at];
        let mut search = Search::new(self.newton, &leaf.sums, self.limits.min_gain);
        for &index in self.ground.features {
            search.try_all(Feature {
                index,
                column: &self.ground.columns[usize::from(index)],
                cells: self.ground.layout.cells(&leaf.histogram, index),
            });
        }
        leaf.best = search.into_best();
        if let Some(best) = &leaf.best {
            self.queue.push((best.gain.to_bits(), Reverse(at)));
        }
    }

    /// Gives the leaves their margins and adds these to the scores; a tree of one leaf adds nothing.
    fn harvest(mut self, scores: &mut [f64]) -> GrownTree {
        let single = self.leaves.len() == 1;
        for leaf in self.leaves {
            let margin = self.limits.learning_rate * self.newton.margin(&leaf.sums);
            let value = if single { 0.0 } else { margin as f32 };
            let mut weight = 0.0;
            for &case in &self.room.cases[leaf.cases] {
                scores[case as usize] += f64::from(value);
                weight += self.ground.weights[case as usize];
            }
            self.sprout.set_leaf(leaf.node, weight, [value].into_iter());
            if !leaf.histogram.is_empty() {
                self.room.free.push(leaf.histogram);
            }
        }
        self.sprout.finish(1.0)
    }
}

/// Orders a leaf's cases by side and returns how many go left.
fn divide(
    ground: &Ground<'_>,
    split: &Candidate<Cell>,
    cases: &mut [u32],
    spare: &mut Vec<u32>,
) -> usize {
    let feature = usize::from(split.feature);
    let n_cases = ground.weights.len();
    let bins = &ground.bins[feature * n_cases..][..n_cases];
    let left = sides(split, &ground.columns[feature]);
    partition(cases, spare, |case| left[usize::from(bins[*case as usize])])
}
