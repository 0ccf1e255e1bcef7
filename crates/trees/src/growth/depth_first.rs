//! Growth of the forests' trees: each node to its end, a few features looked at in each.

use rand_chacha::ChaCha8Rng;

use super::{GrownTree, Sprout, partition, sides};
use crate::{
    binning::Column,
    criterion::{Criterion, Gini, Sums},
    packing::Word,
    randomness::below,
    split::{Candidate, Feature, Search, subtract},
};

/// The most features that are summed in one pass over the rows.
const WIDEST: usize = 8;

/// How a tree grows.
#[derive(Clone, Copy)]
pub(crate) struct Plan {
    pub(crate) max_depth: Option<u32>,
    /// Features to look at in each node; more are, until one splits it.
    pub(crate) sampled_features: usize,
    /// Whether one random boundary of a feature is tried instead of all.
    pub(crate) random_boundary: bool,
}

/// The cases that a tree learns from.
#[derive(Clone, Copy)]
pub(crate) struct Ground<'a> {
    pub(crate) columns: &'a [Column],
    /// Bins of the cases, row-major.
    pub(crate) bins: &'a [u8],
}

/// A case as often as it was drawn.
#[derive(Clone, Copy)]
pub(crate) struct Drawn<W> {
    /// The packed weight and count.
    pub(crate) weight: W,
    pub(crate) case: u32,
    pub(crate) label: u16,
}

struct Task<S> {
    node: usize,
    start: usize,
    end: usize,
    depth: u32,
    sums: S,
}

/// Room that trees grow in, one after another.
#[derive(Default)]
pub(crate) struct Room<W> {
    sprout: Sprout,
    spare: Vec<Drawn<W>>,
    /// All features; those drawn for a node come first.
    order: Vec<u16>,
    batch: Vec<u16>,
    constants: Constants,
    /// The sums of each feature of a batch.
    lanes: Vec<W>,
}

struct Growth<'a, W: Word, S: Sums<W>> {
    ground: Ground<'a>,
    gini: &'a Gini<S>,
    plan: Plan,
    rng: &'a mut ChaCha8Rng,
    room: &'a mut Room<W>,
    /// Words of a feature's sums.
    stride: usize,
}

/// Grows a tree on the drawn cases, which it reorders.
pub(crate) fn grow<W: Word, S: Sums<W>>(
    ground: Ground<'_>,
    gini: &Gini<S>,
    plan: Plan,
    drawn: &mut [Drawn<W>],
    rng: &mut ChaCha8Rng,
    room: &mut Room<W>,
) -> GrownTree {
    let n_features = ground.columns.len();
    let most_bins = ground.columns.iter().map(Column::n_bins).max();
    let stride = most_bins.unwrap_or(0) * gini.width();
    room.sprout.plant();
    room.order.clear();
    room.order.extend((0..=u16::MAX).take(n_features));
    room.constants.start(n_features);
    room.lanes
        .resize(stride * plan.sampled_features, W::default());
    let mut growth = Growth {
        ground,
        gini,
        plan,
        rng,
        room,
        stride,
    };
    growth.run(drawn);
    growth.room.sprout.finish(gini.packing.unit_per_step())
}

impl<W: Word, S: Sums<W>> Growth<'_, W, S> {
    fn run(&mut self, drawn: &mut [Drawn<W>]) {
        let mut tasks = vec![self.root(drawn)];
        while let Some(task) = tasks.pop() {
            let rows = &mut drawn[task.start..task.end];
            match self.find_split(rows, &task) {
                Some(split) => tasks.extend(self.split(rows, task, &split)),
                None => self.close(&task),
            }
        }
    }

    fn root(&self, drawn: &[Drawn<W>]) -> Task<S> {
        let mut sums = self.gini.zero();
        for row in drawn {
            sums.as_mut()[usize::from(row.label)] += row.weight;
        }
        Task {
            node: 0,
            start: 0,
            end: drawn.len(),
            depth: 0,
            sums,
        }
    }

    /// Splits a node; the left child is the last task, so that it is the next.
    fn split(
        &mut self,
        rows: &mut [Drawn<W>],
        task: Task<S>,
        split: &Candidate<S>,
    ) -> [Task<S>; 2] {
        let feature = usize::from(split.feature);
        let column = &self.ground.columns[feature];
        let left = sides(split, column);
        let (bins, width) = (self.ground.bins, self.ground.columns.len());
        let n_left = partition(rows, &mut self.room.spare, |row| {
            left[usize::from(bins[row.case as usize * width + feature])]
        });
        let node = self.room.sprout.split(task.node, split, column);
        let mut right_sums = task.sums;
        subtract(right_sums.as_mut(), split.left.as_ref());
        let child = |node, start, end, sums| Task {
            node,
            start,
            end,
            depth: task.depth + 1,
            sums,
        };
        let cut = task.start + n_left;
        [
            child(node + 1, cut, task.end, right_sums),
            child(node, task.start, cut, split.left.clone()),
        ]
    }

    fn close(&mut self, task: &Task<S>) {
        let packing = self.gini.packing;
        let sums = task.sums.as_ref();
        let weight: f64 = sums.iter().map(|word| packing.value(*word)).sum();
        let share = |word: &W| (packing.value(*word) / weight) as f32;
        self.room
            .sprout
            .set_leaf(task.node, weight, sums.iter().map(share));
    }

    /// Finds the best split among some features, and among more until one splits the node at all.
    fn find_split(&mut self, rows: &[Drawn<W>], task: &Task<S>) -> Option<Candidate<S>> {
        if self.is_final(task) {
            return None;
        }
        self.room.constants.enter(task.depth as usize);
        let mut search = Search::new(self.gini, &task.sums, f64::NEG_INFINITY);
        let (mut seen, mut until) = (0, self.plan.sampled_features);
        while seen < self.room.order.len() && !search.found() {
            self.draw_batch(seen, until);
            self.sum_batch(rows);
            for slot in 0..self.room.batch.len() {
                self.try_feature(&mut search, slot);
            }
            seen = until;
            until += 1;
        }
        search.into_best()
    }

    fn is_final(&self, task: &Task<S>) -> bool {
        let sums = task.sums.as_ref();
        sums.iter().filter(|word| **word != W::default()).count() < 2
            || self.plan.max_depth.is_some_and(|most| task.depth >= most)
            || self.gini.count(sums) < 2 * self.gini.min_rows
    }

    /// Draws the features from place `seen` to `until`, leaving out those known to be constant.
    fn draw_batch(&mut self, seen: usize, until: usize) {
        let n_features = self.room.order.len();
        self.room.batch.clear();
        for i in seen..until {
            if self.plan.sampled_features < n_features {
                let j = i + below(self.rng, n_features - i);
                self.room.order.swap(i, j);
            }
            let feature = self.room.order[i];
            if !self.room.constants.contains(feature) {
                self.room.batch.push(feature);
            }
        }
    }

    /// Sums the packed weights by feature, bin and class in one pass over the rows.
    fn sum_batch(&mut self, rows: &[Drawn<W>]) {
        let batch = &self.room.batch[..];
        let lanes = &mut self.room.lanes[..batch.len() * self.stride];
        lanes.fill(W::default());
        let (ground, gini, stride) = (self.ground, self.gini, self.stride);
        macro_rules! of_width {
            ($($n:literal)*) => {
                for (batch, lanes) in batch.chunks(WIDEST).zip(lanes.chunks_mut(WIDEST * stride)) {
                    match batch.len() {
                        $($n => sum_lanes::<$n, W, S>(rows, ground, gini, batch, stride, lanes),)*
                        _ => {}
                    }
                }
            };
        }
        of_width!(1 2 3 4 5 6 7 8);
    }

    fn try_feature(&mut self, search: &mut Search<'_, W, Gini<S>>, slot: usize) {
        let index = self.room.batch[slot];
        let feature = Feature {
            index,
            column: &self.ground.columns[usize::from(index)],
            cells: &self.room.lanes[slot * self.stride..][..self.stride],
        };
        let varies = if self.plan.random_boundary {
            try_random_boundary(search, feature, self.rng)
        } else {
            search.try_all(feature)
        };
        if !varies {
            self.room.constants.insert(index);
        }
    }
}

/// Sums rows into a lane for each of `N` features.
#[inline]
fn sum_lanes<const N: usize, W: Word, S: Sums<W>>(
    rows: &[Drawn<W>],
    ground: Ground<'_>,
    gini: &Gini<S>,
    batch: &[u16],
    stride: usize,
    lanes: &mut [W],
) {
    let (n_features, width) = (ground.columns.len(), gini.width());
    let mut features = [0; N];
    for (feature, drawn) in features.iter_mut().zip(batch) {
        *feature = usize::from(*drawn);
    }
    for row in rows {
        let bins = &ground.bins[row.case as usize * n_features..][..n_features];
        let label = usize::from(row.label);
        for (lane, feature) in features.iter().enumerate() {
            let at = lane * stride + usize::from(bins[*feature]) * width + label;
            lanes[at] += row.weight;
        }
    }
}

/// Tries one boundary between the node's least and largest occupied bins, each as likely.
fn try_random_boundary<W: Word, S: Sums<W>>(
    search: &mut Search<'_, W, Gini<S>>,
    feature: Feature<'_, W>,
    rng: &mut ChaCha8Rng,
) -> bool {
    match search.occupied(feature) {
        Some((first, last)) if first < last => {
            search.try_boundary(feature, first + below(rng, last - first));
            true
        }
        _ => false,
    }
}

/// Features known to be constant in a node, and so in all below it: a set of bits for each depth.
#[derive(Default)]
struct Constants {
    bits: Vec<u64>,
    width: usize,
    current: usize,
}

impl Constants {
    fn start(&mut self, n_features: usize) {
        self.width = n_features.div_ceil(64);
        self.bits.clear();
    }

    /// Starts a node with what its parent knew; depth first, the parent's set still stands.
    fn enter(&mut self, depth: usize) {
        self.current = depth * self.width;
        self.bits
            .resize(self.bits.len().max(self.current + self.width), 0);
        match self.current.checked_sub(self.width) {
            Some(parent) => self.bits.copy_within(parent..self.current, self.current),
            None => self.bits[..self.width].fill(0),
        }
    }

    fn contains(&self, feature: u16) -> bool {
        let word = self.bits[self.current + usize::from(feature / 64)];
        word >> (feature % 64) & 1 == 1
    }

    fn insert(&mut self, feature: u16) {
        self.bits[self.current + usize::from(feature / 64)] |= 1 << (feature % 64);
    }
}
