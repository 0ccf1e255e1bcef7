//! One fitted tree: nodes in an array, parents before children, siblings side by side.

use serde::{Deserialize, Serialize};

/// What stands for a feature in a leaf.
const LEAF: u16 = u16::MAX;

/// A node: a split, or a leaf.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Node {
    threshold: f32,
    /// The left child of a split, whose right child follows it; of a leaf, its place among the leaves.
    next: u32,
    feature: u16,
    missing_left: bool,
}

/// A split of a node: left when `x <= threshold`, or when `x` is NaN and `missing_left`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Split {
    /// The index of the feature.
    pub feature: u16,
    /// The largest value that goes left; finite.
    pub threshold: f32,
    /// Whether NaN goes left.
    pub missing_left: bool,
    /// The index of the left child in the tree; the right child is the next one.
    pub left: u32,
}

impl Split {
    /// Returns whether a value goes left.
    #[inline(always)]
    pub fn takes_left(&self, x: f32) -> bool {
        (x <= self.threshold) | (self.missing_left & x.is_nan())
    }
}

impl Node {
    /// The most features a row may have.
    pub const MAX_FEATURES: usize = LEAF as usize;

    /// Makes a split.
    pub fn split(split: Split) -> Self {
        Self {
            threshold: split.threshold,
            next: split.left,
            feature: split.feature,
            missing_left: split.missing_left,
        }
    }

    /// Makes the leaf whose values stand at place `index` of the tree's leaves.
    pub fn leaf(index: u32) -> Self {
        Self {
            threshold: 0.0,
            next: index,
            feature: LEAF,
            missing_left: false,
        }
    }

    /// Returns the split, if the node is one.
    pub fn as_split(&self) -> Option<Split> {
        (self.feature != LEAF).then_some(Split {
            feature: self.feature,
            threshold: self.threshold,
            missing_left: self.missing_left,
            left: self.next,
        })
    }

    /// Returns the leaf's place among the tree's leaves, if the node is one.
    pub fn as_leaf(&self) -> Option<usize> {
        (self.feature == LEAF).then_some(self.next as usize)
    }

    /// Returns the child of a split that a row takes.
    #[inline(always)]
    fn child(&self, row: &[f32]) -> usize {
        let x = row[usize::from(self.feature)];
        let left = (x <= self.threshold) | (self.missing_left & x.is_nan());
        self.next as usize + usize::from(!left)
    }
}

/// A tree; node 0 is its root.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Tree {
    nodes: Vec<Node>,
    cover: Vec<f32>,
    values: Vec<f32>,
}

impl Tree {
    /// Puts a tree together; [`super::TreeEnsemble::new`] checks it.
    ///
    /// `cover` is the training weight that reached each node, `values` the leaves one after another.
    pub fn new(nodes: Vec<Node>, cover: Vec<f32>, values: Vec<f32>) -> Self {
        Self {
            nodes,
            cover,
            values,
        }
    }

    /// Returns the nodes: a split's children follow it, the right one directly after the left one.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// Returns the training weight that reached each node.
    pub fn cover(&self) -> &[f32] {
        &self.cover
    }

    /// Returns the leaves' values, one leaf after another.
    pub fn values(&self) -> &[f32] {
        &self.values
    }

    /// Returns the place among the leaves of the leaf that a row reaches.
    #[inline]
    pub fn leaf_of(&self, row: &[f32]) -> usize {
        let mut node = &self.nodes[0];
        while node.feature != LEAF {
            node = &self.nodes[node.child(row)];
        }
        node.next as usize
    }
}
