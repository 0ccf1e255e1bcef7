//! Tree ensembles as `TreeEnsembleRegressor`, which only adds up; the link follows in the graph.

use model::trees::{Aggregation, CategorySplit, Node, Split, Tree, TreeEnsemble};

use crate::{
    ExportError,
    graph::{Graph, Value},
    messages::{Attribute, Element, Tensor},
};

/// A node as the operator has it.
enum Branch<'a> {
    Split(Split),
    Categories(CategorySplit),
    Leaf(&'a [f32]),
}

/// The operator's arrays: one element a node, one a leaf and target.
struct Arrays {
    parts: Parts,
    tree: Vec<i64>,
    node: Vec<i64>,
    mode: Vec<&'static str>,
    feature: Vec<i64>,
    threshold: Vec<f64>,
    left: Vec<i64>,
    right: Vec<i64>,
    missing_left: Vec<i64>,
    target_tree: Vec<i64>,
    target_node: Vec<i64>,
    target: Vec<i64>,
    weight: Vec<f64>,
}

/// Returns the sums over all trees: margins under boosting, rows × margins, else rows × classes.
///
/// Thresholds and leaves are given as doubles, so that the operator compares and adds as the bundle
/// does. It gives the sums as floats, good to 6e-8 of their size; `precise` gets them good to 1e-12 for
/// about 1.3 times the time.
pub(crate) fn sum(
    graph: &mut Graph,
    features: Value,
    ensemble: &TreeEnsemble,
    precise: bool,
) -> Result<Value, ExportError> {
    let base: &[f64] = match ensemble.aggregation() {
        Aggregation::Boosting { base } => base,
        Aggregation::Averaging => &[],
    };
    // Under boosting, a tree has one target; else each has all classes.
    let (n_targets, width) = match base.len() {
        0 => (ensemble.n_classes(), ensemble.n_classes()),
        n_margins => (n_margins, 1),
    };
    let parts = match precise {
        true => Parts::coarse_and_rest(ensemble),
        false => Parts::Whole,
    };
    let mut arrays = Arrays::new(parts);
    for (at, tree) in ensemble.trees().iter().enumerate() {
        let first_target = if width == 1 { at % n_targets } else { 0 };
        arrays.push_tree(at, tree, width, first_target)?;
    }
    if ensemble.n_trees() == 0 {
        // The operator needs a tree where the bundle has only base margins.
        arrays.push_leaf(0, 0, &[0.0], 0);
    }
    let attributes = arrays.attributes(n_targets);
    let sums = graph.call_ml("TreeEnsembleRegressor", features, attributes);
    let sums = graph.cast(sums, Element::Double);
    let sums = parts.join(graph, sums, n_targets);
    if base.is_empty() {
        return Ok(sums);
    }
    let base = graph.numbers(base.iter().copied());
    Ok(graph.call("Add", &[sums, base]))
}

/// What of a leaf's value goes to which target.
#[derive(Clone, Copy)]
enum Parts {
    /// All to one.
    Whole,
    /// Multiples of a power of two to one, whose sums floats hold exactly, and the rest to another,
    /// which is so small that rounding hardly matters.
    CoarseAndRest { unit: f64 },
}

impl Parts {
    /// Chooses the unit: a float has 24 binary places, of which the rounding of the parts takes one.
    fn coarse_and_rest(ensemble: &TreeEnsemble) -> Self {
        let largest = |tree: &Tree| tree.values().iter().fold(0.0f32, |m, v| m.max(v.abs()));
        let bound: f64 = ensemble.trees().iter().map(largest).map(f64::from).sum();
        let unit = match bound > 0.0 {
            true => (bound.log2().ceil() - 23.0).exp2(),
            false => 1.0,
        };
        Self::CoarseAndRest { unit }
    }

    fn count(self) -> usize {
        match self {
            Self::Whole => 1,
            Self::CoarseAndRest { .. } => 2,
        }
    }

    fn split(self, value: f64) -> impl Iterator<Item = f64> {
        let (first, rest) = match self {
            Self::Whole => (value, None),
            Self::CoarseAndRest { unit } => {
                let coarse = (value / unit).round() * unit;
                (coarse, Some(value - coarse))
            }
        };
        [first].into_iter().chain(rest)
    }

    /// Adds up what was split; rows × targets.
    fn join(self, graph: &mut Graph, sums: Value, n_targets: usize) -> Value {
        match self {
            Self::Whole => sums,
            Self::CoarseAndRest { .. } => {
                let coarse = graph.columns(sums, (0..n_targets).map(|target| 2 * target));
                let rest = graph.columns(sums, (0..n_targets).map(|target| 2 * target + 1));
                graph.call("Add", &[coarse, rest])
            }
        }
    }
}

/// Reads a node; the one place that knows which kinds there are.
fn branch<'a>(tree: &'a Tree, node: &Node, width: usize) -> Option<Branch<'a>> {
    if let Some(split) = node.as_split() {
        return Some(Branch::Split(split));
    }
    if let Some(split) = node.as_category_split() {
        return Some(Branch::Categories(split));
    }
    let leaf = node.as_leaf()?;
    Some(Branch::Leaf(&tree.values()[leaf * width..][..width]))
}

impl Arrays {
    fn new(parts: Parts) -> Self {
        Self {
            parts,
            tree: Vec::new(),
            node: Vec::new(),
            mode: Vec::new(),
            feature: Vec::new(),
            threshold: Vec::new(),
            left: Vec::new(),
            right: Vec::new(),
            missing_left: Vec::new(),
            target_tree: Vec::new(),
            target_node: Vec::new(),
            target: Vec::new(),
            weight: Vec::new(),
        }
    }

    fn push_tree(
        &mut self,
        tree_id: usize,
        tree: &Tree,
        width: usize,
        first_target: usize,
    ) -> Result<(), ExportError> {
        let mut unused = tree.nodes().len();
        for (id, node) in tree.nodes().iter().enumerate() {
            match branch(tree, node, width) {
                Some(Branch::Leaf(values)) => self.push_leaf(tree_id, id, values, first_target),
                Some(Branch::Split(split)) => self.push_split(tree_id, id, split),
                Some(Branch::Categories(split)) => {
                    unused = self.push_categories(tree_id, id, split, unused);
                }
                None => {
                    return Err(ExportError::Node {
                        tree: tree_id,
                        node: id,
                    });
                }
            }
        }
        Ok(())
    }

    fn push_split(&mut self, tree: usize, node: usize, split: Split) {
        self.push_node(tree, node, "BRANCH_LEQ");
        self.feature.push(split.feature.into());
        self.threshold.push(split.threshold.into());
        self.left.push(split.left.into());
        self.right.push(i64::from(split.left) + 1);
        self.missing_left.push(split.missing_left.into());
    }

    /// Adds a set of categories as a chain of `BRANCH_EQ`, one a category, whose true branches meet in the
    /// left child; what equals none, a missing value among them, goes right. All but the first are
    /// numbered from `unused`; returns the next number.
    fn push_categories(
        &mut self,
        tree: usize,
        node: usize,
        split: CategorySplit,
        unused: usize,
    ) -> usize {
        let (left, right) = (i64::from(split.left), i64::from(split.left) + 1);
        let n_categories = split.categories.codes().count();
        let end = unused + n_categories.saturating_sub(1);
        let nodes = [node].into_iter().chain(unused..end);
        for (code, id) in split.categories.codes().zip(nodes) {
            let next = if id == node { unused } else { id + 1 };
            self.push_node(tree, id, "BRANCH_EQ");
            self.feature.push(split.feature.into());
            self.threshold.push(code.into());
            self.left.push(left);
            self.right
                .push(if next == end { right } else { next as i64 });
            self.missing_left.push(0);
        }
        end
    }

    fn push_leaf(&mut self, tree: usize, node: usize, values: &[f32], first_target: usize) {
        self.push_node(tree, node, "LEAF");
        self.feature.push(0);
        self.threshold.push(0.0);
        self.left.push(0);
        self.right.push(0);
        self.missing_left.push(0);
        let first = first_target * self.parts.count();
        let weights = values.iter().flat_map(|v| self.parts.split(f64::from(*v)));
        for (target, weight) in (first..).zip(weights) {
            self.target_tree.push(tree as i64);
            self.target_node.push(node as i64);
            self.target.push(target as i64);
            self.weight.push(weight);
        }
    }

    fn push_node(&mut self, tree: usize, node: usize, mode: &'static str) {
        self.tree.push(tree as i64);
        self.node.push(node as i64);
        self.mode.push(mode);
    }

    /// Returns the operator's attributes.
    fn attributes(self, n_targets: usize) -> Vec<Attribute> {
        let doubles = |values: Vec<f64>| Tensor::doubles(&[values.len()], values);
        let n_targets = n_targets * self.parts.count();
        vec![
            Attribute::text("aggregate_function", "SUM"),
            Attribute::int("n_targets", n_targets as i64),
            Attribute::ints("nodes_falsenodeids", self.right),
            Attribute::ints("nodes_featureids", self.feature),
            Attribute::ints("nodes_missing_value_tracks_true", self.missing_left),
            Attribute::words("nodes_modes", self.mode),
            Attribute::ints("nodes_nodeids", self.node),
            Attribute::ints("nodes_treeids", self.tree),
            Attribute::ints("nodes_truenodeids", self.left),
            Attribute::tensor("nodes_values_as_tensor", doubles(self.threshold)),
            Attribute::text("post_transform", "NONE"),
            Attribute::ints("target_ids", self.target),
            Attribute::ints("target_nodeids", self.target_node),
            Attribute::ints("target_treeids", self.target_tree),
            Attribute::tensor("target_weights_as_tensor", doubles(self.weight)),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coarse_parts_add_up_exactly_in_floats_and_the_rest_is_small() {
        let values: Vec<f32> = (1..=500)
            .map(|i| (i as f32).sin() * 3.7 / i as f32)
            .collect();
        let leaf = |value: &f32| Tree::new(vec![Node::leaf(0)], vec![1.0], vec![*value]);
        let trees = values.iter().map(leaf).collect();
        let aggregation = Aggregation::Boosting { base: vec![0.0] };
        let ensemble = TreeEnsemble::new(1, 2, aggregation, trees, vec![0.0]);
        let parts = Parts::coarse_and_rest(&ensemble.expect("the trees are sound"));
        let (mut exact, mut coarse, mut rest, mut rounded) = (0.0, 0.0, 0.0, 0.0f32);
        for value in values.into_iter().map(f64::from) {
            let split: Vec<f64> = parts.split(value).collect();
            assert_eq!(split[0] + split[1], value);
            exact += value;
            coarse += split[0];
            rest += split[1];
            rounded += split[0] as f32;
        }
        assert_eq!(f64::from(rounded), coarse);
        let joined = f64::from(coarse as f32) + f64::from(rest as f32);
        assert!((joined - exact).abs() < 1e-12, "{joined} is not {exact}");
        let alone = f64::from(exact as f32);
        assert!((alone - exact).abs() > 1e-9, "there was nothing to gain");
    }
}
