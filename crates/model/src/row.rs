//! Scoring one row at a time, as a service gets them: names are looked up once, not once a row.

use dataset::{Label, derived::Formula};
use ndarray::{ArrayView1, ArrayViewMut1};

use crate::{
    ModelBundle,
    bundle::{ScoringError, calibrate},
    preprocessor::PreprocessingError,
};

/// Where a bundle finds its cells in a row of the schema's feature columns.
///
/// Scores are bit for bit those of [`ModelBundle::score`].
#[derive(Debug, Clone)]
pub struct RowScorer {
    n_cells: usize,
    n_features: usize,
    n_classes: usize,
    derived: Vec<(Formula, Vec<usize>)>,
    /// The place of each of the preprocessor's inputs among cells and derived values; none when they
    /// stand in the same order.
    order: Option<Vec<usize>>,
}

/// Memory that scoring a row needs, to be used again for the next.
#[derive(Debug, Clone, Default)]
pub struct RowScratch {
    cells: Vec<f64>,
    inputs: Vec<f64>,
    operands: Vec<f64>,
    features: Vec<f32>,
    classes: Vec<f64>,
}

/// The outcome for one row.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RowScore {
    /// The verdict.
    pub label: Label,
    /// Calibrated probability that the row is a threat, in [0, 1].
    pub threat: f64,
}

impl RowScorer {
    /// Looks the bundle's columns up.
    ///
    /// # Errors
    /// When the preprocessor needs a column that the schema does not have.
    pub fn new(bundle: &ModelBundle) -> Result<Self, ScoringError> {
        let features = bundle.schema.features().map(|c| c.name.as_str());
        let mut names: Vec<&str> = features.collect();
        let n_cells = names.len();
        names.extend(bundle.schema.derived.iter().map(|d| d.name.as_str()));
        let place = |name: &str| {
            let found = names.iter().position(|known| *known == name);
            found.ok_or_else(|| PreprocessingError::MissingColumn {
                column: name.to_owned(),
            })
        };
        let order: Vec<usize> = bundle
            .preprocessor
            .input_columns()
            .map(place)
            .collect::<Result<_, _>>()?;
        let derived = bundle.schema.derived.iter().map(|d| {
            let operands = d.formula.operands().into_iter().map(place);
            Ok((d.formula.clone(), operands.collect::<Result<_, _>>()?))
        });
        Ok(Self {
            n_cells,
            n_features: bundle.preprocessor.n_features(),
            n_classes: bundle.classifier.n_classes(),
            derived: derived.collect::<Result<_, PreprocessingError>>()?,
            order: (!order.iter().copied().eq(0..names.len())).then_some(order),
        })
    }

    /// Returns the number of cells in a row.
    pub fn n_cells(&self) -> usize {
        self.n_cells
    }

    /// Scores a row: the schema's feature columns in their order, NaN where a cell is missing.
    ///
    /// # Errors
    /// When the row has not [`Self::n_cells`] cells, or the bundle is not the one given to
    /// [`Self::new`].
    pub fn score(
        &self,
        bundle: &ModelBundle,
        row: &[f64],
        scratch: &mut RowScratch,
    ) -> Result<RowScore, ScoringError> {
        if row.len() != self.n_cells {
            return Err(PreprocessingError::Width {
                what: "cells in a row",
                found: row.len(),
                expected: self.n_cells,
            }
            .into());
        }
        scratch.features.resize(self.n_features, 0.0);
        scratch.classes.resize(self.n_classes, 0.0);
        let inputs = self.inputs(
            row,
            &mut scratch.cells,
            &mut scratch.inputs,
            &mut scratch.operands,
        );
        bundle
            .preprocessor
            .transform_row(inputs, &mut scratch.features)?;
        let classes = scratch.classes.as_mut_slice();
        bundle
            .classifier
            .predict_proba_into(&scratch.features, classes);
        let threat = calibrate(ArrayViewMut1::from(&mut *classes), &bundle.calibration);
        Ok(RowScore {
            label: bundle.verdict_on(threat, ArrayView1::from(&*classes)),
            threat,
        })
    }

    /// Puts a row's cells and derived values in the preprocessor's order.
    fn inputs<'a>(
        &self,
        row: &'a [f64],
        cells: &'a mut Vec<f64>,
        inputs: &'a mut Vec<f64>,
        operands: &mut Vec<f64>,
    ) -> &'a [f64] {
        if self.derived.is_empty() && self.order.is_none() {
            return row;
        }
        cells.clear();
        cells.extend_from_slice(row);
        for (formula, places) in &self.derived {
            operands.clear();
            operands.extend(places.iter().map(|&place| row[place]));
            cells.push(formula.value(operands));
        }
        let Some(order) = &self.order else {
            return cells;
        };
        inputs.clear();
        inputs.extend(order.iter().map(|&place| cells[place]));
        inputs
    }
}

#[cfg(test)]
mod tests;
