//! What a decoded ensemble must satisfy before anyone scores with it.

use super::{Aggregation, Branch, Node, Tree, TreeEnsemble};

/// How far a leaf's probabilities may sum from 1: they are stored in single precision.
const LEAF_SUM_TOLERANCE: f64 = 1e-3;

impl TreeEnsemble {
    /// Checks every count, index and value, so that scoring can neither panic, loop nor give NaN.
    ///
    /// # Errors
    /// A sentence that names the tree and the node.
    pub fn check(&self) -> Result<(), String> {
        self.check_shape()?;
        self.check_base()?;
        let width = self.aggregation.leaf_width(self.n_classes());
        let probabilities = self.aggregation == Aggregation::Averaging;
        for (i, tree) in self.trees.iter().enumerate() {
            tree.check(self.n_features(), width)
                .and_then(|()| tree.check_values(width, probabilities))
                .map_err(|reason| format!("tree {i}: {reason}"))?;
        }
        Ok(())
    }

    fn check_shape(&self) -> Result<(), String> {
        let features = self.n_features();
        if !(1..=Node::MAX_FEATURES).contains(&features) {
            return Err(format!("{features} features, 1 to {}", Node::MAX_FEATURES));
        }
        let classes = self.n_classes();
        if !(2..=usize::from(u16::MAX)).contains(&classes) {
            return Err(format!("{classes} classes, 2 to {}", u16::MAX));
        }
        if self.importance.len() != features {
            let have = self.importance.len();
            return Err(format!("{have} importances for {features} features"));
        }
        match self
            .importance
            .iter()
            .find(|gain| !(0.0..=1.0).contains(*gain))
        {
            Some(gain) => Err(format!("an importance of {gain}, 0 to 1")),
            None => Ok(()),
        }
    }

    fn check_base(&self) -> Result<(), String> {
        let Aggregation::Boosting { base } = &self.aggregation else {
            let none = self.trees.is_empty();
            return if none {
                Err("no tree to average".into())
            } else {
                Ok(())
            };
        };
        let expected = if self.n_classes == 2 {
            1
        } else {
            self.n_classes()
        };
        if base.len() != expected {
            return Err(format!("{} base margins, {expected} needed", base.len()));
        }
        if let Some(margin) = base.iter().find(|margin| !margin.is_finite()) {
            return Err(format!("a base margin of {margin}"));
        }
        if !self.trees.len().is_multiple_of(expected) {
            return Err(format!("{} trees for {expected} margins", self.trees.len()));
        }
        Ok(())
    }
}

impl Tree {
    /// Checks that the nodes form one tree and stay within its leaves and the row.
    fn check(&self, n_features: usize, width: usize) -> Result<(), String> {
        let n_nodes = self.nodes().len();
        if n_nodes == 0 || self.cover().len() != n_nodes {
            return Err(format!("{n_nodes} nodes, {} covers", self.cover().len()));
        }
        if !self.values().len().is_multiple_of(width) {
            let have = self.values().len();
            return Err(format!("{have} leaf values, {width} a leaf"));
        }
        let n_leaves = self.values().len() / width;
        let mut has_parent = vec![false; n_nodes];
        for (i, node) in self.nodes().iter().enumerate() {
            check_node(i, node, n_features, n_leaves, &mut has_parent)
                .map_err(|reason| format!("node {i}: {reason}"))?;
        }
        match has_parent.iter().skip(1).position(|has| !has) {
            Some(orphan) => Err(format!("node {} has no parent", orphan + 1)),
            None => Ok(()),
        }
    }

    fn check_values(&self, width: usize, probabilities: bool) -> Result<(), String> {
        if let Some(cover) = self.cover().iter().find(|c| !(c.is_finite() && **c >= 0.0)) {
            return Err(format!("a cover of {cover}"));
        }
        if let Some(value) = self.values().iter().find(|value| !value.is_finite()) {
            return Err(format!("a leaf value of {value}"));
        }
        if !probabilities {
            return Ok(());
        }
        for leaf in self.values().chunks_exact(width) {
            let sum: f64 = leaf.iter().map(|p| f64::from(*p)).sum();
            let negative = leaf.iter().any(|p| *p < 0.0);
            if negative || (sum - 1.0).abs() > LEAF_SUM_TOLERANCE {
                return Err(format!("a leaf's probabilities sum to {sum}"));
            }
        }
        Ok(())
    }
}

/// Checks one node and marks its children; children come after their parent, so there is no cycle.
fn check_node(
    at: usize,
    node: &Node,
    n_features: usize,
    n_leaves: usize,
    has_parent: &mut [bool],
) -> Result<(), String> {
    let Some(branch) = node.as_branch() else {
        return match node.as_leaf() {
            Some(leaf) if leaf < n_leaves => Ok(()),
            leaf => Err(format!("leaf {} of {n_leaves}", leaf.unwrap_or(n_leaves))),
        };
    };
    let (feature, left) = (branch.feature(), branch.left());
    if feature >= n_features {
        return Err(format!("feature {feature} of {n_features}"));
    }
    if let Branch::Threshold(split) = branch
        && !split.threshold.is_finite()
    {
        return Err(format!("a threshold of {}", split.threshold));
    }
    if left <= at || left >= has_parent.len() - 1 {
        return Err(format!(
            "children {left} and the next, of {} nodes",
            has_parent.len()
        ));
    }
    for child in &mut has_parent[left..left + 2] {
        if std::mem::replace(child, true) {
            return Err("shares a child with another node".into());
        }
    }
    Ok(())
}
