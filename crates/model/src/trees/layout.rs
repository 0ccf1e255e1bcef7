//! The trees as scoring reads them: every node of every tree in one array, walked eight at a time.

use std::sync::OnceLock;

use super::{Aggregation, Node, Tree, TreeEnsemble};

/// Walks that go on together: each waits for its loads while the others compute.
const LANES: usize = 8;
/// Steps between two looks at whether every walk has ended.
const STRIDE: usize = 3;

/// A node in 16 bytes: a quarter of a cache line. A leaf is a split that leads to itself.
#[derive(Debug, Clone, Copy)]
struct Step {
    /// A row goes right above it; infinite in a leaf.
    threshold: f32,
    feature: u16,
    /// Whether NaN goes right; never in a leaf.
    missing_right: bool,
    /// The left child, whose right sibling follows it; in a leaf, the leaf itself.
    left: u32,
    /// Where the values of a leaf begin.
    values: u32,
}

/// The scoring layout of an ensemble: built on first use, never stored.
#[derive(Debug)]
pub(super) struct Layout {
    steps: Vec<Step>,
    roots: Vec<u32>,
    /// Margins, or probabilities that sum to 1 in double precision.
    values: Vec<f64>,
}

impl Layout {
    /// Lays out trees that have been checked.
    fn new(ensemble: &TreeEnsemble) -> Self {
        let width = ensemble.aggregation.leaf_width(ensemble.n_classes());
        let mut layout = Self {
            steps: Vec::with_capacity(ensemble.trees.iter().map(|t| t.nodes().len()).sum()),
            roots: Vec::with_capacity(ensemble.trees.len()),
            values: Vec::new(),
        };
        for tree in &ensemble.trees {
            layout.push(tree, width);
        }
        if ensemble.aggregation == Aggregation::Averaging {
            layout.values.chunks_exact_mut(width).for_each(normalise);
        }
        layout
    }

    fn push(&mut self, tree: &Tree, width: usize) {
        let (root, first) = (self.steps.len(), self.values.len());
        let steps = tree.nodes().iter().enumerate();
        self.steps
            .extend(steps.map(|(at, node)| step(node, root + at, root, first, width)));
        self.roots.push(root as u32);
        self.values
            .extend(tree.values().iter().copied().map(f64::from));
    }

    /// Returns the values of all leaves of the ensemble, tree by tree.
    pub(super) fn values(&self) -> &[f64] {
        &self.values
    }

    /// Calls `add` with each tree in order and the place of the values of the leaf that a row reaches.
    pub(super) fn for_each_tree(&self, row: &[f32], mut add: impl FnMut(usize, usize)) {
        let missing = has_missing(row);
        let mut tree = 0;
        for roots in self.roots.chunks(LANES) {
            // The lanes of a last, shorter group walk its first tree again.
            let starts = std::array::from_fn(|lane| *roots.get(lane).unwrap_or(&roots[0]));
            let leaves = self.walk(starts, row, [0; LANES], missing);
            for leaf in &leaves[..roots.len()] {
                add(tree, *leaf);
                tree += 1;
            }
        }
    }

    /// Calls `add` with the output of each of the contiguous `rows` and the place of the values of
    /// the leaf that the row reaches in `tree`.
    pub(super) fn for_each_row<'a>(
        &self,
        tree: usize,
        rows: &[f32],
        n_features: usize,
        mut outputs: impl Iterator<Item = &'a mut [f64]>,
        missing: bool,
        mut add: impl FnMut(&mut [f64], usize),
    ) {
        let starts = [self.roots[tree]; LANES];
        for rows in rows.chunks(LANES * n_features) {
            let n_rows = rows.len() / n_features;
            // The lanes of a last, shorter group walk with its first row again.
            let offsets =
                std::array::from_fn(|lane| if lane < n_rows { lane * n_features } else { 0 });
            let leaves = self.walk(starts, rows, offsets, missing);
            for (leaf, out) in leaves[..n_rows].iter().zip(&mut outputs) {
                add(out, *leaf);
            }
        }
    }

    /// Walks down from each start, with the row that begins at its offset, to where the values of
    /// the leaf begin.
    #[inline]
    fn walk(
        &self,
        starts: [u32; LANES],
        rows: &[f32],
        offsets: [usize; LANES],
        missing: bool,
    ) -> [usize; LANES] {
        let ends = if missing {
            descend::<true>(&self.steps, starts, rows, offsets)
        } else {
            descend::<false>(&self.steps, starts, rows, offsets)
        };
        std::array::from_fn(|lane| self.steps[ends[lane] as usize].values as usize)
    }
}

#[inline(always)]
fn descend<const MISSING: bool>(
    steps: &[Step],
    mut at: [u32; LANES],
    rows: &[f32],
    offsets: [usize; LANES],
) -> [u32; LANES] {
    loop {
        for _ in 1..STRIDE {
            for lane in 0..LANES {
                at[lane] = steps[at[lane] as usize].next::<MISSING>(rows, offsets[lane]);
            }
        }
        let mut walking = false;
        for lane in 0..LANES {
            let next = steps[at[lane] as usize].next::<MISSING>(rows, offsets[lane]);
            walking |= next != at[lane];
            at[lane] = next;
        }
        if !walking {
            return at;
        }
    }
}

impl Step {
    /// Returns the child that a row takes; a leaf returns itself.
    #[inline(always)]
    fn next<const MISSING: bool>(&self, rows: &[f32], offset: usize) -> u32 {
        let x = rows[offset + usize::from(self.feature)];
        let mut right = x > self.threshold;
        if MISSING {
            right |= self.missing_right & x.is_nan();
        }
        self.left + u32::from(right)
    }
}

/// Lays out the node that comes to stand at `at`, of the tree that begins at `root` and whose values
/// begin at `first`.
fn step(node: &Node, at: usize, root: usize, first: usize, width: usize) -> Step {
    match node.as_split() {
        Some(split) => Step {
            threshold: split.threshold,
            feature: split.feature,
            missing_right: !split.missing_left,
            left: root as u32 + split.left,
            values: 0,
        },
        None => Step {
            threshold: f32::INFINITY,
            feature: 0,
            missing_right: false,
            left: at as u32,
            values: (first + node.as_leaf().unwrap_or(0) * width) as u32,
        },
    }
}

/// Returns whether any value is NaN.
pub(super) fn has_missing(values: &[f32]) -> bool {
    // Without early exit, which would keep it from running several values at a time.
    values.iter().fold(false, |any, x| any | x.is_nan())
}

fn normalise(leaf: &mut [f64]) {
    let total: f64 = leaf.iter().sum();
    leaf.iter_mut().for_each(|p| *p /= total);
}

/// A layout that is built when someone first asks for it, and is no part of an ensemble's identity.
#[derive(Debug, Default)]
pub(super) struct LazyLayout(OnceLock<Layout>);

impl LazyLayout {
    pub(super) fn of<'a>(&'a self, ensemble: &TreeEnsemble) -> &'a Layout {
        self.0.get_or_init(|| Layout::new(ensemble))
    }
}

impl Clone for LazyLayout {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for LazyLayout {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}
