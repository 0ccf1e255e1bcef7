//! Trees as they grow: splits by bins, and the division of a node's rows.

pub(crate) mod depth_first;
pub(crate) mod leaf_wise;

use model::trees::{Aggregation, CategorySplit, Node, Split, Tree, TreeEnsemble};
use rayon::prelude::*;

use crate::{binning::Column, split::Candidate};

/// A tree that was grown, with the gain of each of its splits.
pub(crate) struct GrownTree {
    pub(crate) tree: Tree,
    /// Feature and gain of each split.
    pub(crate) gains: Vec<(u16, f64)>,
}

/// Nodes that are being grown.
#[derive(Default)]
pub(crate) struct Sprout {
    nodes: Vec<Node>,
    cover: Vec<f64>,
    values: Vec<f32>,
    gains: Vec<(u16, f64)>,
}

impl Sprout {
    /// Starts anew with a root that is neither split nor a leaf yet.
    pub(crate) fn plant(&mut self) {
        self.nodes.clear();
        self.cover.clear();
        self.values.clear();
        self.gains.clear();
        self.add();
    }

    fn add(&mut self) {
        self.nodes.push(Node::leaf(u32::MAX));
        self.cover.push(0.0);
    }

    /// Splits a node and returns its left child; the right one follows it.
    pub(crate) fn split<S>(&mut self, node: usize, split: &Candidate<S>, column: &Column) -> usize {
        let left = self.nodes.len();
        self.add();
        self.add();
        self.nodes[node] = match split.categories {
            Some(bins) => Node::category_split(CategorySplit {
                feature: split.feature,
                categories: column.categories_of(bins.bins()),
                left: left as u32,
            }),
            None => Node::split(Split {
                feature: split.feature,
                threshold: column.threshold(split.bin),
                missing_left: split.missing_left,
                left: left as u32,
            }),
        };
        self.gains.push((split.feature, split.gain));
        left
    }

    /// Makes a node a leaf with these values, reached by rows of this weight.
    pub(crate) fn set_leaf(
        &mut self,
        node: usize,
        weight: f64,
        values: impl ExactSizeIterator<Item = f32>,
    ) {
        let index = self.values.len() / values.len();
        self.nodes[node] = Node::leaf(index as u32);
        self.cover[node] = weight;
        self.values.extend(values);
    }

    /// Finishes the tree; `unit` turns its gains into those of a row of weight one. The room that it grew
    /// in serves the next one.
    pub(crate) fn finish(&mut self, unit: f64) -> GrownTree {
        for node in (0..self.nodes.len()).rev() {
            if let Some(left) = self.nodes[node].as_branch().map(|branch| branch.left()) {
                self.cover[node] = self.cover[left] + self.cover[left + 1];
            }
        }
        let cover = self.cover.iter().map(|weight| *weight as f32).collect();
        let gains = self.gains.iter().map(|&(f, gain)| (f, gain * unit));
        GrownTree {
            gains: gains.collect(),
            tree: Tree::new(self.nodes.clone(), cover, self.values.clone()),
        }
    }
}

/// Puts trees and the gains of their splits together.
pub(crate) fn ensemble(
    n_features: usize,
    n_classes: usize,
    aggregation: Aggregation,
    grown: impl Iterator<Item = GrownTree>,
) -> TreeEnsemble {
    let mut importance = vec![0.0; n_features];
    let mut trees = Vec::new();
    for GrownTree { tree, gains } in grown {
        for (feature, gain) in gains {
            // A split without gain may read as a tiny loss.
            importance[usize::from(feature)] += gain.max(0.0);
        }
        trees.push(tree);
    }
    TreeEnsemble::new(n_features, n_classes, aggregation, trees, importance)
        .expect("growth adds children after parents and finite leaves")
}

/// Tells for each bin whether it goes left.
pub(crate) fn sides<S>(split: &Candidate<S>, column: &Column) -> [bool; 256] {
    let mut left = [false; 256];
    if let Some(bins) = &split.categories {
        bins.bins().for_each(|bin| left[bin] = true);
        return left;
    }
    left[..=usize::from(split.bin)].fill(true);
    if let Some(missing) = column.missing_bin() {
        left[missing] = split.missing_left;
    }
    left
}

/// Items that one task divides; fewer than two tasks' are divided in place.
const TASK_ITEMS: usize = 1 << 14;

/// Moves the items that go left before the others, keeping their order, and returns their number.
pub(crate) fn partition<T: Copy + Send + Sync>(
    items: &mut [T],
    spare: &mut Vec<T>,
    goes_left: impl Fn(&T) -> bool + Sync,
) -> usize {
    if spare.len() < items.len() {
        spare.extend_from_slice(&items[spare.len()..]);
    }
    let spare = &mut spare[..items.len()];
    if items.len() < 2 * TASK_ITEMS || rayon::current_num_threads() == 1 {
        return partition_task(items, spare, &goes_left);
    }
    let cuts: Vec<usize> = items
        .par_chunks_mut(TASK_ITEMS)
        .zip(spare.par_chunks_mut(TASK_ITEMS))
        .map(|(items, spare)| partition_task(items, spare, &goes_left))
        .collect();
    let n_left = cuts.iter().sum();
    let (mut left, mut right) = spare.split_at_mut(n_left);
    let mut moves = Vec::with_capacity(cuts.len());
    for (items, cut) in items.chunks(TASK_ITEMS).zip(cuts) {
        let (to_left, rest) = left.split_at_mut(cut);
        left = rest;
        let (to_right, rest) = right.split_at_mut(items.len() - cut);
        right = rest;
        moves.push((items.split_at(cut), to_left, to_right));
    }
    moves
        .into_par_iter()
        .for_each(|((left, right), to_left, to_right)| {
            to_left.copy_from_slice(left);
            to_right.copy_from_slice(right);
        });
    items
        .par_chunks_mut(TASK_ITEMS)
        .zip(spare.par_chunks(TASK_ITEMS))
        .for_each(|(items, spare)| items.copy_from_slice(spare));
    n_left
}

#[inline]
fn partition_task<T: Copy>(
    items: &mut [T],
    spare: &mut [T],
    goes_left: &impl Fn(&T) -> bool,
) -> usize {
    let (mut left, mut right) = (0, 0);
    // Both stores always happen, so that there is no branch to mispredict.
    for i in 0..items.len() {
        let item = items[i];
        let goes_left = usize::from(goes_left(&item));
        items[left] = item;
        spare[right] = item;
        left += goes_left;
        right += 1 - goes_left;
    }
    items[left..].copy_from_slice(&spare[..right]);
    left
}
