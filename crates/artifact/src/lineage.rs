//! What came from what, read from the manifests of a run.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::{ArtifactRecord, Digest, Run, StoreError};

/// The graph of a run's artifacts: which stage made each, from which others.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lineage {
    nodes: BTreeMap<Digest, LineageNode>,
}

/// One artifact in the graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LineageNode {
    /// Kind of the artifact.
    pub kind: String,
    /// Stage that made it.
    pub stage: String,
    /// Digests of the artifacts that the stage took.
    pub parents: Vec<Digest>,
}

impl Lineage {
    /// Reads the graph of a run directory.
    ///
    /// # Errors
    /// [`StoreError`] when a manifest is damaged.
    pub fn of(run: &Run) -> Result<Self, StoreError> {
        let mut nodes = BTreeMap::new();
        for (_, manifest) in run.manifests()? {
            let parents: Vec<Digest> = manifest.inputs.iter().map(|r| r.digest).collect();
            for ArtifactRecord { kind, digest } in manifest.outputs {
                let stage = manifest.stage.clone();
                nodes.insert(
                    digest,
                    LineageNode {
                        kind,
                        stage,
                        parents: parents.clone(),
                    },
                );
            }
        }
        Ok(Self { nodes })
    }

    /// Returns all artifacts with their digests.
    pub fn nodes(&self) -> impl Iterator<Item = (&Digest, &LineageNode)> {
        self.nodes.iter()
    }

    /// Returns everything that an artifact was made from, directly or not, itself left out.
    pub fn ancestors(&self, digest: Digest) -> Vec<&LineageNode> {
        let mut seen = BTreeSet::new();
        let mut open = vec![digest];
        while let Some(next) = open.pop() {
            let parents = self.nodes.get(&next).map_or(&[][..], |node| &node.parents);
            open.extend(parents.iter().filter(|p| seen.insert(**p)).copied());
        }
        seen.iter().filter_map(|d| self.nodes.get(d)).collect()
    }
}
