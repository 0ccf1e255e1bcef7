//! Trees of any size: every node of every tree in one array, walked eight at a time.

use crate::trees::{Node, Tree};

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

/// All trees, node by node.
#[derive(Debug)]
pub(super) struct Walk {
    steps: Vec<Step>,
    roots: Vec<u32>,
}

impl Walk {
    /// Lays out trees that have been checked.
    pub(super) fn new(trees: &[Tree], width: usize) -> Self {
        let mut walk = Self {
            steps: Vec::with_capacity(trees.iter().map(|tree| tree.nodes().len()).sum()),
            roots: Vec::with_capacity(trees.len()),
        };
        let mut first = 0;
        for tree in trees {
            let root = walk.steps.len();
            let steps = tree.nodes().iter().enumerate();
            let steps = steps.map(|(at, node)| step(node, root + at, root, first, width));
            walk.steps.extend(steps);
            walk.roots.push(root as u32);
            first += tree.values().len();
        }
        walk
    }

    /// Calls `found` with each row, each tree and where the values of the row's leaf begin.
    pub(super) fn find(
        &self,
        rows: &[f32],
        n_features: usize,
        mut found: impl FnMut(usize, usize, usize),
    ) {
        let missing = has_missing(rows);
        if rows.len() == n_features {
            self.find_for_one(rows, missing, |tree, leaf| found(0, tree, leaf));
            return;
        }
        // Tree after tree: each stays in cache for all rows.
        for (tree, root) in self.roots.iter().enumerate() {
            for (group, rows) in rows.chunks(LANES * n_features).enumerate() {
                let n_rows = rows.len() / n_features;
                // The lanes of a last, shorter group walk with its first row again.
                let offset = |lane: usize| if lane < n_rows { lane * n_features } else { 0 };
                let offsets = std::array::from_fn(offset);
                let leaves = self.walk([*root; LANES], rows, offsets, missing);
                for (lane, leaf) in leaves[..n_rows].iter().enumerate() {
                    found(group * LANES + lane, tree, *leaf);
                }
            }
        }
    }

    /// Walks one row down several trees together.
    fn find_for_one(&self, row: &[f32], missing: bool, mut found: impl FnMut(usize, usize)) {
        for (group, roots) in self.roots.chunks(LANES).enumerate() {
            // The lanes of a last, shorter group walk its first tree again.
            let starts = std::array::from_fn(|lane| *roots.get(lane).unwrap_or(&roots[0]));
            let leaves = self.walk(starts, row, [0; LANES], missing);
            for (lane, leaf) in leaves[..roots.len()].iter().enumerate() {
                found(group * LANES + lane, *leaf);
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
fn has_missing(values: &[f32]) -> bool {
    // Without early exit, which would keep it from running several values at a time.
    values.iter().fold(false, |any, x| any | x.is_nan())
}
