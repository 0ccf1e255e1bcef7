//! Imputing: what stands in a missing cell.

use dataset::{ImputerKind, PreprocessorSpec};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::BLOCK;
use super::encoder::{Input, InputKind};
use super::knn::KnnImputer;
use super::quantile::{ascending, mean, most_frequent, quantile};

/// A fitted imputer.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Imputer {
    /// Number of columns.
    width: usize,
    /// What a missing cell of each column takes unless neighbours know better; none when cells stay
    /// missing.
    fills: Option<Vec<f64>>,
    /// Asked first, where there is one.
    neighbours: Option<KnnImputer>,
}

impl Imputer {
    pub(super) fn fit(spec: &PreprocessorSpec, inputs: &[Input], columns: &[&[f64]]) -> Self {
        let fills = inputs.iter().zip(columns);
        let fills = fills.map(|(input, column)| fill_of(spec.imputer, &input.kind, column));
        Self {
            width: inputs.len(),
            fills: (spec.imputer != ImputerKind::None).then(|| fills.collect()),
            neighbours: (spec.imputer == ImputerKind::Knn).then(|| {
                let positions = numeric_positions(inputs);
                KnnImputer::fit(spec.knn, positions, columns)
            }),
        }
    }

    /// Fills the missing cells of row-major rows; shared out among threads by blocks of rows.
    pub(super) fn fill(&self, rows: &mut [f64]) {
        rows.par_chunks_mut(BLOCK * self.width)
            .for_each(|block| self.fill_block(block));
    }

    /// Fills the missing cells of a few rows, on this thread.
    pub(super) fn fill_block(&self, rows: &mut [f64]) {
        if let Some(neighbours) = &self.neighbours {
            neighbours.fill(rows, self.width);
        }
        let Some(fills) = &self.fills else {
            return;
        };
        for row in rows.chunks_exact_mut(self.width) {
            for (cell, fill) in row.iter_mut().zip(fills) {
                if cell.is_nan() {
                    *cell = *fill;
                }
            }
        }
    }

    /// Returns what a missing cell of a column takes unless neighbours know better.
    pub(super) fn fill_of(&self, column: usize) -> Option<f64> {
        self.fills.as_ref().map(|fills| fills[column])
    }

    pub(super) fn carries_training_rows(&self) -> bool {
        self.neighbours.is_some()
    }

    pub(super) fn check(&self, inputs: &[Input], spec: &PreprocessorSpec) -> Result<(), String> {
        let width = inputs.len();
        let none = spec.imputer == ImputerKind::None;
        match &self.fills {
            Some(fills) if fills.len() != width || none => {
                return Err(format!("{} fills for {width} columns", fills.len()));
            }
            None if !none => return Err("no fills".to_owned()),
            Some(fills) if fills.iter().any(|fill| !fill.is_finite()) => {
                return Err("a fill is not finite".to_owned());
            }
            _ if self.width != width => {
                return Err(format!("{} of {width} columns to impute", self.width));
            }
            _ => {}
        }
        match &self.neighbours {
            Some(knn) if spec.imputer == ImputerKind::Knn => {
                knn.check(spec.knn, &numeric_positions(inputs))
            }
            None if spec.imputer != ImputerKind::Knn => Ok(()),
            _ => Err("training rows do not go with the kind of imputer".to_owned()),
        }
    }
}

fn numeric_positions(inputs: &[Input]) -> Vec<usize> {
    let numeric = |at: &usize| !matches!(inputs[*at].kind, InputKind::Text(_));
    (0..inputs.len()).filter(numeric).collect()
}

fn fill_of(imputer: ImputerKind, kind: &InputKind, column: &[f64]) -> f64 {
    let present = ascending(column.iter().copied());
    if let InputKind::Text(levels) = kind {
        return most_frequent(&present).unwrap_or(levels.len() as f64);
    }
    if present.is_empty() {
        return 0.0;
    }
    match imputer {
        // Nobody asks: without an imputer there are no fills.
        ImputerKind::None => f64::NAN,
        ImputerKind::Median => quantile(&present, 0.5),
        ImputerKind::MostFrequent => most_frequent(&present).unwrap_or(0.0),
        ImputerKind::Knn => mean(&present),
    }
}
