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
    /// The values that go left, where these are categories.
    categories: Option<CategorySet>,
}

/// Some of the category codes 0 to 254.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CategorySet([u64; 4]);

impl CategorySet {
    /// Adds a code.
    pub fn insert(&mut self, code: u8) {
        self.0[usize::from(code / 64)] |= 1 << (code % 64);
    }

    /// Returns whether a value is one of the codes; NaN, fractions and other numbers are not.
    #[inline]
    pub fn contains(&self, value: f32) -> bool {
        // The cast saturates and turns NaN into 0, so that what is no code differs from its code.
        let code = value as u8;
        f32::from(code) == value && (self.0[usize::from(code / 64)] >> (code % 64)) & 1 == 1
    }

    /// Returns the codes in ascending order.
    pub fn codes(&self) -> impl Iterator<Item = u8> {
        let set = *self;
        (0..=u8::MAX).filter(move |code| set.contains(f32::from(*code)))
    }
}

/// A split by categories: left when `x` is one of them, right for all other values, NaN included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CategorySplit {
    /// The index of the feature.
    pub feature: u16,
    /// The codes that go left.
    pub categories: CategorySet,
    /// The index of the left child in the tree; the right child is the next one.
    pub left: u32,
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

/// A split of either kind.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Branch {
    /// By a threshold.
    Threshold(Split),
    /// By categories.
    Categories(CategorySplit),
}

impl Branch {
    /// Returns the index of the feature.
    pub fn feature(&self) -> usize {
        match self {
            Self::Threshold(split) => usize::from(split.feature),
            Self::Categories(split) => usize::from(split.feature),
        }
    }

    /// Returns the index of the left child; the right child is the next one.
    pub fn left(&self) -> usize {
        match self {
            Self::Threshold(split) => split.left as usize,
            Self::Categories(split) => split.left as usize,
        }
    }

    /// Returns whether a value goes left.
    #[inline(always)]
    pub fn takes_left(&self, x: f32) -> bool {
        match self {
            Self::Threshold(split) => split.takes_left(x),
            Self::Categories(split) => split.categories.contains(x),
        }
    }
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
            categories: None,
        }
    }

    /// Makes a split by categories.
    pub fn category_split(split: CategorySplit) -> Self {
        Self {
            threshold: 0.0,
            next: split.left,
            feature: split.feature,
            missing_left: false,
            categories: Some(split.categories),
        }
    }

    /// Makes the leaf whose values stand at place `index` of the tree's leaves.
    pub fn leaf(index: u32) -> Self {
        Self {
            threshold: 0.0,
            next: index,
            feature: LEAF,
            missing_left: false,
            categories: None,
        }
    }

    /// Returns the split, if the node is one by a threshold.
    pub fn as_split(&self) -> Option<Split> {
        (self.feature != LEAF && self.categories.is_none()).then_some(Split {
            feature: self.feature,
            threshold: self.threshold,
            missing_left: self.missing_left,
            left: self.next,
        })
    }

    /// Returns the split, if the node is one by categories.
    pub fn as_category_split(&self) -> Option<CategorySplit> {
        let categories = self.categories?;
        (self.feature != LEAF).then_some(CategorySplit {
            feature: self.feature,
            categories,
            left: self.next,
        })
    }

    /// Returns the split, of whichever kind, if the node is one.
    pub fn as_branch(&self) -> Option<Branch> {
        let by_categories = self.as_category_split().map(Branch::Categories);
        by_categories.or_else(|| self.as_split().map(Branch::Threshold))
    }

    /// Returns the leaf's place among the tree's leaves, if the node is one.
    pub fn as_leaf(&self) -> Option<usize> {
        (self.feature == LEAF).then_some(self.next as usize)
    }

    /// Returns the child of a split that a row takes.
    #[inline(always)]
    fn child(&self, row: &[f32]) -> usize {
        let x = row[usize::from(self.feature)];
        let left = match &self.categories {
            None => (x <= self.threshold) | (self.missing_left & x.is_nan()),
            Some(categories) => categories.contains(x),
        };
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
