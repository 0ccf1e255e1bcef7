//! One tree as explanation reads it, and one row's way through it.

use super::quadrature::{Lanes, POINTS};
use crate::trees::{Branch, Tree};

/// A tree with what its splits have to do with one another.
pub(super) struct Paths {
    n_nodes: usize,
    /// The splits, parents before children.
    forks: Vec<Fork>,
    /// The nodes that are leaves, with their places among the leaves.
    leaves: Vec<(usize, usize)>,
    /// The most distinct features on a path.
    depth: usize,
}

/// A split, and the nearest split above it on the same feature.
struct Fork {
    node: usize,
    split: Branch,
    /// The child of the split above on the same feature through which the path goes; else the root.
    before: usize,
    /// The product of the shares along the path's splits above on the same feature.
    outer: f64,
    /// The children's shares of the training weight; they sum to 1.
    shares: [f64; 2],
}

/// What a fork multiplies and adds, where a row goes left, goes right, or has left the path at an
/// earlier split on the same feature.
pub(super) struct Table([Turn; 3]);

/// For each child of a fork and each point of quadrature:
#[derive(Clone, Copy)]
struct Turn {
    /// by what the product of the path's factors changes,
    down: [Lanes; 2],
    /// and how much of the leaves' sum the fork's feature gains.
    up: [Lanes; 2],
}

/// The turn of a row that has left the path at an earlier split on the same feature.
const GONE: usize = 2;

impl Paths {
    /// Takes a tree that has been checked.
    pub(super) fn new(tree: &Tree) -> Self {
        let n_nodes = tree.nodes().len();
        let mut paths = Self {
            n_nodes,
            forks: Vec::with_capacity(n_nodes / 2),
            leaves: Vec::with_capacity(n_nodes / 2 + 1),
            depth: 0,
        };
        let mut ancestry = Ancestry::new(n_nodes);
        for (at, node) in tree.nodes().iter().enumerate() {
            match (node.as_branch(), node.as_leaf()) {
                (Some(split), _) => {
                    let shares = shares(tree.cover(), split.left());
                    paths.forks.push(ancestry.fork(at, split, shares));
                }
                (None, leaf) => {
                    paths.leaves.push((at, leaf.unwrap_or(0)));
                    paths.depth = paths.depth.max(ancestry.distinct[at]);
                }
            }
        }
        paths
    }

    /// Returns the points of quadrature that every path's polynomial needs.
    pub(super) fn n_points(&self) -> usize {
        self.depth.div_ceil(2)
    }

    /// Computes what the forks multiply and add at some points, with their weights.
    pub(super) fn tables(&self, points: &[(f64, f64)]) -> Vec<Table> {
        self.forks.iter().map(|fork| fork.table(points)).collect()
    }

    /// Returns the mean of the leaves' values over the training weight.
    pub(super) fn expected(&self, leaves: &[f64]) -> f64 {
        let mut means = vec![0.0; self.n_nodes];
        for &(node, leaf) in &self.leaves {
            means[node] = leaves[leaf];
        }
        for fork in self.forks.iter().rev() {
            let left = fork.split.left();
            means[fork.node] = fork.shares[0] * means[left] + fork.shares[1] * means[left + 1];
        }
        means[0]
    }
}

/// Returns the children's shares of their common cover; halves where nothing reached them.
fn shares(cover: &[f32], left: usize) -> [f64; 2] {
    let covers = [f64::from(cover[left]), f64::from(cover[left + 1])];
    let total = covers[0] + covers[1];
    if total > 0.0 {
        covers.map(|cover| cover / total)
    } else {
        [0.5; 2]
    }
}

/// For each node seen so far, what its path holds.
struct Ancestry {
    /// The parent and the feature of its split; nothing for the root.
    above: Vec<Option<(usize, usize)>>,
    /// The product of the shares along the path's splits on the feature of the last one.
    outer: Vec<f64>,
    /// The number of distinct features.
    distinct: Vec<usize>,
}

impl Ancestry {
    fn new(n_nodes: usize) -> Self {
        Self {
            above: vec![None; n_nodes],
            outer: vec![1.0; n_nodes],
            distinct: vec![0; n_nodes],
        }
    }

    /// Makes the fork of a node and notes the paths of its children.
    fn fork(&mut self, node: usize, split: Branch, shares: [f64; 2]) -> Fork {
        let before = self.last_on(split.feature(), node);
        // The root has a product of 1.
        let outer = self.outer[before];
        let left = split.left();
        for (child, share) in (left..).zip(shares) {
            self.above[child] = Some((node, split.feature()));
            self.outer[child] = outer * share;
            self.distinct[child] = self.distinct[node] + usize::from(before == 0);
        }
        Fork {
            node,
            split,
            before,
            outer,
            shares,
        }
    }

    /// Returns the nearest node on the way up that a split on `feature` leads to, or else the root.
    fn last_on(&self, feature: usize, mut node: usize) -> usize {
        while let Some((parent, split_on)) = self.above[node] {
            if split_on == feature {
                break;
            }
            node = parent;
        }
        node
    }
}

impl Fork {
    /// With factors `f(o, z) = o t + z (1 - t)` of the fork's feature, above and below the fork:
    /// `down` is the factor below over the one above, and `up` the weight of quadrature times
    /// `(o - z) / f(o, z)` below less the same above.
    fn table(&self, points: &[(f64, f64)]) -> Table {
        let mut turns = [Turn {
            down: [[0.0; POINTS]; 2],
            up: [[0.0; POINTS]; 2],
        }; 3];
        for (q, &(t, weight)) in points.iter().enumerate() {
            // Each division once: for one row, they are most of the work.
            let above = 1.0 / (t + self.outer * (1.0 - t));
            let gain_above = (1.0 - self.outer) * above;
            let lost = weight * (-1.0 / (1.0 - t) - gain_above);
            for (child, share) in self.shares.into_iter().enumerate() {
                let z = self.outer * share;
                let followed = t + z * (1.0 - t);
                let (taken, other) = (child, 1 - child);
                turns[taken].down[child][q] = followed * above;
                turns[taken].up[child][q] = weight * ((1.0 - z) / followed - gain_above);
                turns[other].down[child][q] = z * (1.0 - t) * above;
                // With o = 0, (o - z) / f(o, z) is -1 / (1 - t) whatever z is; at z = 0 it meets a
                // sum of 0.
                turns[other].up[child][q] = lost;
                turns[GONE].down[child][q] = share;
            }
        }
        Table(turns)
    }
}

/// A row's way down and up a tree; kept from row to row for its memory.
#[derive(Default)]
pub(super) struct Passage {
    /// For each node, the product of the factors of the features on its path.
    products: Vec<Lanes>,
    /// For each node, the sum of value times product over the leaves below.
    sums: Vec<Lanes>,
    /// For each node, whether the row follows the path at every split on the last split's feature.
    follows: Vec<bool>,
    /// For each fork, the turn that the row takes.
    turns: Vec<u8>,
}

impl Passage {
    /// Computes the products of every path, as one row goes.
    pub(super) fn descend(&mut self, paths: &Paths, tables: &[Table], row: &[f32]) {
        self.products.resize(paths.n_nodes, [0.0; POINTS]);
        self.sums.resize(paths.n_nodes, [0.0; POINTS]);
        self.follows.resize(paths.n_nodes, false);
        self.turns.clear();
        self.products[0] = [1.0; POINTS];
        self.follows[0] = true;
        for (fork, table) in paths.forks.iter().zip(tables) {
            let left = fork.split.left();
            let takes_left = fork.split.takes_left(row[fork.split.feature()]);
            let follows = self.follows[fork.before];
            let turn = if follows {
                usize::from(!takes_left)
            } else {
                GONE
            };
            self.follows[left] = follows & takes_left;
            self.follows[left + 1] = follows & !takes_left;
            let product = self.products[fork.node];
            let [to_left, to_right] = &table.0[turn].down;
            self.products[left] = times(&product, to_left);
            self.products[left + 1] = times(&product, to_right);
            self.turns.push(turn as u8);
        }
    }

    /// Adds to `out` what each feature contributes to an output to which the leaves add `values`.
    pub(super) fn ascend(
        &mut self,
        paths: &Paths,
        tables: &[Table],
        values: &[f64],
        out: &mut [f64],
    ) {
        for &(node, leaf) in &paths.leaves {
            self.sums[node] = self.products[node].map(|product| product * values[leaf]);
        }
        let forks = paths.forks.iter().zip(tables).zip(&self.turns);
        for ((fork, table), turn) in forks.rev() {
            let left = fork.split.left();
            let (below_left, below_right) = (self.sums[left], self.sums[left + 1]);
            self.sums[fork.node] = plus(&below_left, &below_right);
            let [from_left, from_right] = &table.0[usize::from(*turn)].up;
            let gained = plus(
                &times(&below_left, from_left),
                &times(&below_right, from_right),
            );
            out[fork.split.feature()] += gained.iter().sum::<f64>();
        }
    }
}

#[inline(always)]
fn times(a: &Lanes, b: &Lanes) -> Lanes {
    std::array::from_fn(|q| a[q] * b[q])
}

#[inline(always)]
fn plus(a: &Lanes, b: &Lanes) -> Lanes {
    std::array::from_fn(|q| a[q] + b[q])
}
