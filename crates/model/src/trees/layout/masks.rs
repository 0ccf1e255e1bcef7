//! Small trees as bit masks of leaves: every split that a row fails strikes leaves off.
//!
//! A tree's leaves are numbered from left to right, a bit each. A row that goes right at a split cannot
//! reach the leaves left of it; of what all splits leave, the lowest bit is the row's leaf (QuickScorer:
//! Lucchese et al. 2015). All values between two cuts fail the same splits on a feature, so their masks
//! are joined beforehand, for each of these ranges: a row costs one search and one pass over the trees'
//! masks for each feature, without a branch on what it holds. Thresholds are cuts; a category has one on
//! either side of its code.

use std::{fmt::Debug, ops::BitAndAssign};

use crate::trees::{Branch, Tree};

/// Trees whose joined masks are kept together: the tables of so many stay in a second-level cache.
const GROUP: usize = 128;
/// The most bytes that an ensemble's masks may take.
const MOST_BYTES: usize = 64 << 20;

/// One bit a leaf.
pub(super) trait Mask: Copy + Debug + BitAndAssign {
    /// The most leaves.
    const LEAVES: usize;
    /// Every leaf.
    const ALL: Self;

    /// Returns every leaf but those from `first` up to, without it, `end`.
    fn without(first: usize, end: usize) -> Self;

    /// Returns the lowest leaf.
    fn lowest(self) -> usize;
}

macro_rules! mask {
    ($word:ty) => {
        impl Mask for $word {
            const LEAVES: usize = <$word>::BITS as usize;
            const ALL: Self = <$word>::MAX;

            fn without(first: usize, end: usize) -> Self {
                // At least one leaf stands right of a split's left ones: `end` is below the number of bits.
                let below = |leaf: usize| ((1 as $word) << leaf) - 1;
                !(below(end) & !below(first))
            }

            #[inline(always)]
            fn lowest(self) -> usize {
                self.trailing_zeros() as usize
            }
        }
    };
}

mask!(u32);
mask!(u64);

/// The masks of an ensemble, [`GROUP`] trees at a time.
#[derive(Debug)]
pub(super) struct Masks<M> {
    groups: Vec<Group<M>>,
}

#[derive(Debug)]
struct Group<M> {
    n_trees: usize,
    /// The features that a tree asks for, ascending.
    features: Vec<Ranges>,
    /// Each feature's cuts, ascending and distinct, feature after feature.
    cuts: Vec<f32>,
    /// `n_trees` masks for each range of each feature.
    masks: Vec<M>,
    /// For each tree, where the values of its leaves begin, from left to right: `M::LEAVES` a tree.
    values: Vec<u32>,
}

/// The ranges into which a feature is cut, each with the cut at its upper end: one more than there are
/// cuts, the lowest first, and a last one for missing values.
#[derive(Debug)]
struct Ranges {
    feature: usize,
    /// Where the cuts begin and end.
    first: usize,
    end: usize,
    /// Where the masks begin.
    masks: usize,
}

/// A split as it strikes leaves off.
struct Strike<M> {
    tree: usize,
    split: Branch,
    mask: M,
}

impl<M: Mask> Masks<M> {
    /// Lays out trees, unless one has more leaves than a mask has bits or their masks take too much.
    pub(super) fn new(trees: &[Tree], width: usize) -> Option<Self> {
        let (mut groups, mut first, mut bytes) = (Vec::new(), 0, 0);
        for trees in trees.chunks(GROUP) {
            let group = Group::new(trees, first, width, MOST_BYTES - bytes)?;
            bytes += group.masks.len() * size_of::<M>();
            first += trees.iter().map(|tree| tree.values().len()).sum::<usize>();
            groups.push(group);
        }
        Some(Self { groups })
    }

    /// Calls `found` with each row, each tree and where the values of the row's leaf begin.
    #[inline]
    pub(super) fn find(
        &self,
        rows: &[f32],
        n_features: usize,
        mut found: impl FnMut(usize, usize, usize),
    ) {
        let mut left = [M::ALL; GROUP];
        for (at, group) in self.groups.iter().enumerate() {
            let left = &mut left[..group.n_trees];
            for (row, values) in rows.chunks_exact(n_features).enumerate() {
                group.strike(values, left);
                for (tree, mask) in left.iter().enumerate() {
                    let leaf = group.values[tree * M::LEAVES + mask.lowest()];
                    found(row, at * GROUP + tree, leaf as usize);
                }
            }
        }
    }
}

impl<M: Mask> Group<M> {
    fn new(trees: &[Tree], first: usize, width: usize, most_bytes: usize) -> Option<Self> {
        let mut group = Self {
            n_trees: trees.len(),
            features: Vec::new(),
            cuts: Vec::new(),
            masks: Vec::new(),
            values: Vec::with_capacity(trees.len() * M::LEAVES),
        };
        let (mut strikes, mut first) = (Vec::new(), first);
        for (at, tree) in trees.iter().enumerate() {
            let leaves = strike_off(tree, at, &mut strikes)?;
            let starts = leaves.iter().map(|leaf| (first + leaf * width) as u32);
            group.values.extend(starts);
            group.values.resize((at + 1) * M::LEAVES, 0);
            first += tree.values().len();
        }
        strikes.sort_by_key(|strike: &Strike<M>| strike.split.feature());
        for strikes in strikes.chunk_by(|a, b| a.split.feature() == b.split.feature()) {
            group.push(strikes);
            if group.masks.len() * size_of::<M>() > most_bytes {
                return None;
            }
        }
        Some(group)
    }

    /// Joins the masks of one feature's splits.
    fn push(&mut self, strikes: &[Strike<M>]) {
        let (first, masks) = (self.cuts.len(), self.masks.len());
        self.cuts.extend(cuts_of(strikes));
        let mut joined = vec![M::ALL; self.n_trees];
        // What a range fails is told by its upper end, and what lies above every cut by infinity.
        let ends = self.cuts[first..].iter().copied();
        for value in ends.chain([f32::INFINITY, f32::NAN]) {
            joined.fill(M::ALL);
            let failed = strikes.iter().filter(|s| !s.split.takes_left(value));
            failed.for_each(|s| joined[s.tree] &= s.mask);
            self.masks.extend(&joined);
        }
        self.features.push(Ranges {
            feature: strikes[0].split.feature(),
            first,
            end: self.cuts.len(),
            masks,
        });
    }

    /// Leaves of each tree's leaves those that a row may reach.
    #[inline]
    fn strike(&self, row: &[f32], left: &mut [M]) {
        left.fill(M::ALL);
        for ranges in &self.features {
            let cuts = &self.cuts[ranges.first..ranges.end];
            let range = range_of(row[ranges.feature], cuts);
            let masks = &self.masks[ranges.masks + range * left.len()..][..left.len()];
            for (left, mask) in left.iter_mut().zip(masks) {
                *left &= *mask;
            }
        }
    }
}

/// Returns where the splits of one feature cut its values, ascending and distinct.
fn cuts_of<M>(strikes: &[Strike<M>]) -> Vec<f32> {
    let mut cuts = Vec::new();
    for strike in strikes {
        match strike.split {
            Branch::Threshold(split) => cuts.push(split.threshold),
            Branch::Categories(split) => {
                let codes = split.categories.codes().map(f32::from);
                cuts.extend(codes.flat_map(|code| [code.next_down(), code]));
            }
        }
    }
    cuts.sort_by(f32::total_cmp);
    cuts.dedup();
    cuts
}

/// Returns the number of cuts that a value is above; one more than there are when it is missing.
#[inline(always)]
fn range_of(x: f32, cuts: &[f32]) -> usize {
    if x.is_nan() {
        return cuts.len() + 1;
    }
    cuts.partition_point(|cut| *cut < x)
}

/// Collects a tree's splits with the leaves that they strike off; returns the leaves from left to right,
/// or nothing when a mask has too few bits.
fn strike_off<M: Mask>(tree: &Tree, at: usize, strikes: &mut Vec<Strike<M>>) -> Option<Vec<usize>> {
    let nodes = tree.nodes();
    if nodes.len() > 2 * M::LEAVES - 1 {
        return None;
    }
    let mut n_leaves = vec![1; nodes.len()];
    for (node, children) in nodes.iter().enumerate().rev() {
        if let Some(split) = children.as_branch() {
            n_leaves[node] = n_leaves[split.left()] + n_leaves[split.left() + 1];
        }
    }
    // For each node, the number of leaves left of it.
    let mut before = vec![0; nodes.len()];
    let mut leaves = vec![0; n_leaves[0]];
    for (node, parts) in nodes.iter().enumerate() {
        let Some(split) = parts.as_branch() else {
            leaves[before[node]] = parts.as_leaf().unwrap_or(0);
            continue;
        };
        let left = split.left();
        let middle = before[node] + n_leaves[left];
        before[left] = before[node];
        before[left + 1] = middle;
        let mask = M::without(before[node], middle);
        strikes.push(Strike {
            tree: at,
            split,
            mask,
        });
    }
    Some(leaves)
}
