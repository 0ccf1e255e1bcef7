//! Growth of boosting's trees: always the leaf that gains most, histograms for the smaller child only.

use std::{cmp::Reverse, collections::BinaryHeap, ops::Range};

use super::{GrownTree, Sprout, partition, sides};
use crate::{
    binning::Column,
    criterion::{Criterion, Newton},
    histogram::{Chosen, Lanes, Layout},
    packing::{Cell, Item, Steps, Word},
    split::{Candidate, Feature, Search, add, categorical::CategoryRules, subtract},
};

/// Bins that are searched below which threads cost more than they spare.
const PARALLEL_CELLS: usize = 1 << 11;

/// When a tree stops growing.
pub(crate) struct Limits {
    pub(crate) num_leaves: usize,
    pub(crate) max_depth: Option<u32>,
    pub(crate) min_gain: f64,
    pub(crate) learning_rate: f64,
    pub(crate) categories: CategoryRules,
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
    /// The lanes of those features.
    pub(crate) chosen: &'a Chosen,
    pub(crate) steps: Steps,
    pub(crate) weights: &'a [f32],
}

/// Room that trees grow in, one after another.
#[derive(Default)]
pub(crate) struct Workspace<W> {
    /// The cell of each case, unless items are narrow.
    pub(crate) wide: Vec<Cell<W>>,
    /// The cases that the tree learns from; their order is the tree's to change.
    pub(crate) items: Vec<Item>,
    /// The other cases, which only follow its splits.
    pub(crate) outside: Vec<u32>,
    /// The weighted gradient and hessian of each case, where items are narrow.
    pub(crate) slopes: Vec<[f32; 2]>,
    spare: Vec<Item>,
    spare_outside: Vec<u32>,
    lanes: Lanes<W>,
    free: Vec<Vec<Cell<W>>>,
}

struct Leaf<W> {
    node: usize,
    items: Range<usize>,
    outside: Range<usize>,
    sums: Cell<W>,
    depth: u32,
    histogram: Vec<Cell<W>>,
    best: Option<Candidate<Cell<W>>>,
}

struct Growth<'a, W> {
    ground: Ground<'a>,
    newton: &'a Newton,
    limits: &'a Limits,
    room: &'a mut Workspace<W>,
    sprout: Sprout,
    leaves: Vec<Leaf<W>>,
    /// Leaves worth splitting: the bits of their gain, which order as positive numbers do.
    queue: BinaryHeap<(u64, Reverse<usize>)>,
}

/// Grows a tree on the items in `room` and adds its margins to the cases' scores.
pub(crate) fn grow<W: Word>(
    ground: Ground<'_>,
    newton: &Newton,
    limits: &Limits,
    room: &mut Workspace<W>,
    scores: &mut [f64],
) -> GrownTree {
    let mut growth = Growth {
        ground,
        newton,
        limits,
        room,
        sprout: Sprout::default(),
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

impl<W: Word> Growth<'_, W> {
    fn plant(&mut self) {
        self.sprout.plant();
        let mut sums = Cell::default();
        for item in &self.room.items {
            add(&mut sums, &self.cell(*item));
        }
        let root = Leaf {
            node: 0,
            items: 0..self.room.items.len(),
            outside: 0..self.room.outside.len(),
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

    fn cell(&self, item: Item) -> Cell<W> {
        if self.ground.steps.is_narrow() {
            self.ground.steps.widen(Steps::word(item))
        } else {
            self.room.wide[item.case as usize]
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
        let (cut, outside_cut) = divide(&self.ground, &best, self.room, leaf);
        let node = self.sprout.split(leaf.node, &best, column);
        let mut right_sums = leaf.sums;
        subtract(&mut right_sums, &best.left);
        let right = Leaf {
            node: node + 1,
            items: cut..leaf.items.end,
            outside: outside_cut..leaf.outside.end,
            sums: right_sums,
            depth: leaf.depth + 1,
            histogram: Vec::new(),
            best: None,
        };
        leaf.node = node;
        leaf.items.end = cut;
        leaf.outside.end = outside_cut;
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
        let left_is_smaller = self.leaves[left].items.len() <= self.leaves[right].items.len();
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
        self.search_both([left, right], worth);
        for leaf in [left, right] {
            if self.leaves[leaf].best.is_none() {
                let unused = std::mem::take(&mut self.leaves[leaf].histogram);
                self.room.free.push(unused);
            }
        }
    }

    fn may_split(&self, leaf: &Leaf<W>) -> bool {
        self.limits.max_depth.is_none_or(|most| leaf.depth < most)
            && self.newton.count(&leaf.sums) >= 2 * self.newton.min_rows
    }

    fn sum(&mut self, leaf: usize) -> Vec<Cell<W>> {
        let mut histogram = self.room.free.pop().unwrap_or_default();
        histogram.resize(self.ground.layout.n_cells(), Cell::default());
        self.ground.layout.sum(
            &self.room.items[self.leaves[leaf].items.clone()],
            self.ground.chosen,
            &self.room.wide,
            &mut self.room.lanes,
            &mut histogram,
        );
        histogram
    }

    fn search(&mut self, at: usize) {
        self.leaves[at].best = self.best_split(&self.leaves[at]);
        self.enqueue(at);
    }

    fn search_both(&mut self, leaves: [usize; 2], worth: [bool; 2]) {
        let find = |i: usize| {
            let leaf = &self.leaves[leaves[i]];
            worth[i].then(|| self.best_split(leaf)).flatten()
        };
        let best = if self.ground.layout.n_cells() < PARALLEL_CELLS {
            (find(0), find(1))
        } else {
            rayon::join(|| find(0), || find(1))
        };
        for (leaf, best) in leaves.into_iter().zip([best.0, best.1]) {
            self.leaves[leaf].best = best;
            self.enqueue(leaf);
        }
    }

    fn best_split(&self, leaf: &Leaf<W>) -> Option<Candidate<Cell<W>>> {
        let mut search = Search::new(self.newton, &leaf.sums, self.limits.min_gain);
        for &index in self.ground.features {
            let column = &self.ground.columns[usize::from(index)];
            let feature = Feature {
                index,
                column,
                cells: self.ground.layout.cells(&leaf.histogram, index),
            };
            if column.is_categorical() {
                search.try_categories(feature, &self.limits.categories);
            } else {
                search.try_all(feature);
            }
        }
        search.into_best()
    }

    fn enqueue(&mut self, at: usize) {
        if let Some(best) = &self.leaves[at].best {
            self.queue.push((best.gain.to_bits(), Reverse(at)));
        }
    }

    /// Gives the leaves their margins and adds these to the scores; a tree of one leaf adds nothing.
    fn harvest(mut self, scores: &mut [f64]) -> GrownTree {
        let single = self.leaves.len() == 1;
        for leaf in self.leaves {
            let items = &self.room.items[leaf.items];
            let (gradient, hessian) = match &self.room.slopes[..] {
                [] => self.newton.read(&leaf.sums),
                slopes => sum_slopes(slopes, items),
            };
            let margin = self.limits.learning_rate * self.newton.margin(gradient, hessian);
            let value = if single { 0.0 } else { margin as f32 };
            let mut weight = 0.0;
            for item in items {
                scores[item.case as usize] += f64::from(value);
                weight += f64::from(self.ground.weights[item.case as usize]);
            }
            for case in &self.room.outside[leaf.outside] {
                scores[*case as usize] += f64::from(value);
            }
            self.sprout.set_leaf(leaf.node, weight, [value].into_iter());
            if !leaf.histogram.is_empty() {
                self.room.free.push(leaf.histogram);
            }
        }
        self.sprout.finish(1.0)
    }
}

/// Orders a leaf's cases by side and returns where the right child's items and other cases start.
fn divide<W>(
    ground: &Ground<'_>,
    split: &Candidate<Cell<W>>,
    room: &mut Workspace<W>,
    leaf: &Leaf<W>,
) -> (usize, usize) {
    let feature = usize::from(split.feature);
    let n_cases = ground.weights.len();
    let bins = &ground.bins[feature * n_cases..][..n_cases];
    let left = sides(split, &ground.columns[feature]);
    let goes_left = |case: u32| left[usize::from(bins[case as usize])];
    let items = &mut room.items[leaf.items.clone()];
    let outside = &mut room.outside[leaf.outside.clone()];
    (
        leaf.items.start + partition(items, &mut room.spare, |item| goes_left(item.case)),
        leaf.outside.start + partition(outside, &mut room.spare_outside, |case| goes_left(*case)),
    )
}

/// Adds up exact slopes: rounding noise may choose a split but does not reach a margin.
fn sum_slopes(slopes: &[[f32; 2]], items: &[Item]) -> (f64, f64) {
    items.iter().fold((0.0, 0.0), |sum, item| {
        let [gradient, hessian] = slopes[item.case as usize];
        (sum.0 + f64::from(gradient), sum.1 + f64::from(hessian))
    })
}
