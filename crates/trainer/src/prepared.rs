//! One split made ready: preprocessors fitted on the training side, both sides transformed, bins made.

use dataset::{Label, PreprocessorSpec, Schema, Table, TrainingSet};
use model::{FeatureMatrix, preprocessor::Preprocessor};
use trees::BinnedMatrix;

use crate::{Family, TrainingError};

/// What the learners need of the training side; made once, shared by all candidates.
pub(crate) struct TrainingSide {
    linear: Option<LinearSide>,
    trees: Option<TreesSide>,
    pub classes: Vec<u16>,
    pub n_classes: usize,
}

/// Features as linear models take them, and what made them.
pub(crate) struct LinearSide {
    pub preprocessor: Preprocessor,
    pub features: FeatureMatrix,
}

/// Features as trees take them, in bins, and what made them.
pub(crate) struct TreesSide {
    pub preprocessor: Preprocessor,
    pub binned: BinnedMatrix,
}

/// The other side: what is scored.
pub(crate) struct ScoredSide {
    linear: Option<FeatureMatrix>,
    trees: Option<FeatureMatrix>,
    pub rows: Vec<usize>,
}

/// Fits the preprocessors that some families need on some rows of a training set and makes the learners'
/// inputs.
pub(crate) fn training_side(
    set: &TrainingSet,
    labels: &[Label],
    rows: &[usize],
    families: &[Family],
) -> Result<TrainingSide, TrainingError> {
    let table = set.records.table.select(rows);
    let (schema, specs) = (&set.schema, &set.preprocessing);
    let linear = || {
        let (preprocessor, features) = fit(schema, &table, &specs.linear, "linear models")?;
        Ok(LinearSide {
            preprocessor,
            features,
        })
    };
    let trees = || {
        let (preprocessor, features) = fit(schema, &table, &specs.trees, "trees")?;
        let categorical = preprocessor.categorical_features();
        let binned = BinnedMatrix::with_categories(features.values(), &categorical)
            .map_err(|source| TrainingError::trees("all trees", source))?;
        Ok(TreesSide {
            preprocessor,
            binned,
        })
    };
    let needs_linear = families.iter().any(|family| family.is_linear());
    let needs_trees = families.iter().any(|family| !family.is_linear());
    Ok(TrainingSide {
        linear: needs_linear.then(linear).transpose()?,
        trees: needs_trees.then(trees).transpose()?,
        classes: rows.iter().map(|&row| labels[row].class() as u16).collect(),
        n_classes: set.schema.target.class_names().len(),
    })
}

impl TrainingSide {
    pub(crate) fn linear(&self) -> &LinearSide {
        self.linear.as_ref().expect(PREPARED)
    }

    pub(crate) fn trees(&self) -> &TreesSide {
        self.trees.as_ref().expect(PREPARED)
    }

    /// Returns the preprocessor of a family.
    pub(crate) fn into_preprocessor(self, family: Family) -> Preprocessor {
        if family.is_linear() {
            self.linear.expect(PREPARED).preprocessor
        } else {
            self.trees.expect(PREPARED).preprocessor
        }
    }
}

const PREPARED: &str = "sides are prepared for the families that are fitted";

/// Transforms the other rows with the preprocessors of the training side.
pub(crate) fn scored_side(
    set: &TrainingSet,
    side: &TrainingSide,
    rows: Vec<usize>,
) -> Result<ScoredSide, TrainingError> {
    let table = set.records.table.select(&rows);
    let linear = side.linear.as_ref();
    let linear = linear.map(|side| transform(&side.preprocessor, &table, "linear models"));
    let trees = side.trees.as_ref();
    let trees = trees.map(|side| transform(&side.preprocessor, &table, "trees"));
    Ok(ScoredSide {
        linear: linear.transpose()?,
        trees: trees.transpose()?,
        rows,
    })
}

impl ScoredSide {
    /// Returns the features as a family takes them.
    pub(crate) fn features(&self, family: Family) -> &FeatureMatrix {
        let features = if family.is_linear() {
            &self.linear
        } else {
            &self.trees
        };
        features.as_ref().expect(PREPARED)
    }
}

fn fit(
    schema: &Schema,
    table: &Table,
    spec: &PreprocessorSpec,
    family: &'static str,
) -> Result<(Preprocessor, FeatureMatrix), TrainingError> {
    Preprocessor::fit_transform(spec, schema, table)
        .map_err(|source| TrainingError::Preprocessing { family, source })
}

fn transform(
    preprocessor: &Preprocessor,
    table: &Table,
    family: &'static str,
) -> Result<FeatureMatrix, TrainingError> {
    preprocessor
        .transform(table)
        .map_err(|source| TrainingError::Preprocessing { family, source })
}
