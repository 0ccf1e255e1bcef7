//! One split made ready: preprocessors fitted on the training side, both sides transformed, bins made.

use dataset::{Label, PreprocessorSpec, Schema, Table, TrainingSet};
use model::{FeatureMatrix, preprocessor::Preprocessor};
use trees::BinnedMatrix;

use crate::TrainingError;

/// What the learners of every family need of the training side; made once, shared by all candidates.
pub(crate) struct TrainingSide {
    pub linear: FeatureMatrix,
    pub binned: BinnedMatrix,
    pub classes: Vec<u16>,
    pub n_classes: usize,
    pub linear_preprocessor: Preprocessor,
    pub trees_preprocessor: Preprocessor,
}

/// The other side: what is scored.
pub(crate) struct ScoredSide {
    pub linear: FeatureMatrix,
    pub trees: FeatureMatrix,
    pub rows: Vec<usize>,
}

/// Fits the preprocessors on some rows of a training set and makes the learners' inputs.
pub(crate) fn training_side(
    set: &TrainingSet,
    labels: &[Label],
    rows: &[usize],
) -> Result<TrainingSide, TrainingError> {
    let table = set.records.table.select(rows);
    let (schema, preprocessing) = (&set.schema, &set.preprocessing);
    let (linear_preprocessor, linear) =
        fit(schema, &table, &preprocessing.linear, "linear models")?;
    let (trees_preprocessor, trees) = fit(schema, &table, &preprocessing.trees, "trees")?;
    let binned = BinnedMatrix::new(trees.values()).map_err(|source| TrainingError::Trees {
        candidate: "all trees".to_owned(),
        source,
    })?;
    Ok(TrainingSide {
        linear,
        binned,
        classes: rows.iter().map(|&row| labels[row].class() as u16).collect(),
        n_classes: set.schema.target.class_names().len(),
        linear_preprocessor,
        trees_preprocessor,
    })
}

/// Transforms the other rows with the preprocessors of the training side.
pub(crate) fn scored_side(
    set: &TrainingSet,
    side: &TrainingSide,
    rows: Vec<usize>,
) -> Result<ScoredSide, TrainingError> {
    let table = set.records.table.select(&rows);
    Ok(ScoredSide {
        linear: transform(&side.linear_preprocessor, &table, "linear models")?,
        trees: transform(&side.trees_preprocessor, &table, "trees")?,
        rows,
    })
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
