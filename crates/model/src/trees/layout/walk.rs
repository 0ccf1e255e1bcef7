//! Trees of any size: every node of every tree in one array, walked eight at a time.

use crate::trees::{Branch, CategorySet, Node, Tree};

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
    by_categories: bool,
    /// The left child, whose right sibling follows it; in a leaf, the leaf itself.
    left: u32,
    /// Where the values of a leaf begin; in a split by categories, which of the sets goes left.
    values: u32,
}

/// All trees, node by node.
#[derive(Debug)]
pub(super) struct Walk {
    steps: Vec<Step>,
    roots: Vec<u32>,
    sets: Vec<CategorySet>,
}

impl Walk {
    /// Lays out trees that have been checked.
    pub(super) fn new(trees: &[Tree], width: usize) -> Self {
        let mut walk = Self {
            steps: Vec::with_capacity(trees.iter().map(|tree| tree.nodes().len()).sum()),
            roots: Vec::with_capacity(trees.len()),
            sets: Vec::new(),
        };
        let mut first = 0;
        for tree in trees {
            let root = walk.steps.len();
            for (at, node) in tree.nodes().iter().enumerate() {
                let step = step(node, root + at, root, first, width, &mut walk.sets);
                walk.steps.push(step);
            }
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
        let (steps, sets) = (&self.steps[..], &self.sets[..]);
        let ends = match (missing, sets.is_empty()) {
            (false, true) => descend::<false, false>(steps, sets, starts, rows, offsets),
            (true, true) => descend::<true, false>(steps, sets, starts, rows, offsets),
            (_, false) => descend::<true, true>(steps, sets, starts, rows, offsets),
        };
        std::array::from_fn(|lane| self.steps[ends[lane] as usize].values as usize)
    }
}

#[inline(always)]
fn descend<const MISSING: bool, const CATEGORIES: bool>(
    steps: &[Step],
    sets: &[CategorySet],
    mut at: [u32; LANES],
    rows: &[f32],
    offsets: [usize; LANES],
) -> [u32; LANES] {
    loop {
        for _ in 1..STRIDE {
            for lane in 0..LANES {
                let step = &steps[at[lane] as usize];
                at[lane] = step.next::<MISSING, CATEGORIES>(sets, rows, offsets[lane]);
            }
        }
        let mut walking = false;
        for lane in 0..LANES {
            let step = &steps[at[lane] as usize];
            let next = step.next::<MISSING, CATEGORIES>(sets, rows, offsets[lane]);
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
    fn next<const MISSING: bool, const CATEGORIES: bool>(
        &self,
        sets: &[CategorySet],
        rows: &[f32],
        offset: usize,
    ) -> u32 {
        let x = rows[offset + usize::from(self.feature)];
        let mut right = x > self.threshold;
        if MISSING {
            right |= self.missing_right & x.is_nan();
        }
        if CATEGORIES && self.by_categories {
            right = !sets[self.values as usize].contains(x);
        }
        self.left + u32::from(right)
    }
}

/// Lays out the node that comes to stand at `at`, of the tree that begins at `root` and whose values
/// begin at `first`; a set of categories is added to `sets`.
fn step(
    node: &Node,
    at: usize,
    root: usize,
    first: usize,
    width: usize,
    sets: &mut Vec<CategorySet>,
) -> Step {
    let leaf = Step {
        threshold: f32::INFINITY,
        feature: 0,
        missing_right: false,
        by_categories: false,
        left: at as u32,
        values: (first + node.as_leaf().unwrap_or(0) * width) as u32,
    };
    match node.as_branch() {
        None => leaf,
        Some(Branch::Threshold(split)) => Step {
            threshold: split.threshold,
            feature: split.feature,
            missing_right: !split.missing_left,
            left: root as u32 + split.left,
            ..leaf
        },
        Some(Branch::Categories(split)) => {
            sets.push(split.categories);
            Step {
                feature: split.feature,
                by_categories: true,
                left: root as u32 + split.left,
                values: sets.len() as u32 - 1,
                ..leaf
            }
        }
    }
}

/// Returns whether any value is NaN.
fn has_missing(values: &[f32]) -> bool {
    // Without early exit, which would keep it from running several values at a time.
    values.iter().fold(false, |any, x| any | x.is_nan())
}
