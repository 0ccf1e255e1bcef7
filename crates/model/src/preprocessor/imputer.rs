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
    /// What a missing cell of each column takes unless neighbours know better; NaN leaves it so.
    fills: Vec<f64>,
    /// Asked first, where there is one.
    neighbours: Option<KnnImputer>,
}

impl Imputer {
    pub(super) fn fit(spec: &PreprocessorSpec, inputs: &[Input], columns: &[&[f64]]) -> Self {
        let fills = inputs.iter().zip(columns);
        let fills = fills.map(|(input, column)| fill_of(spec.imputer, &input.kind, column));
        Self {
            fills: fills.collect(),
            neighbours: (spec.imputer == ImputerKind::Knn).then(|| {
                let positions = numeric_positions(inputs);
                KnnImputer::fit(spec.knn, positions, columns)
            }),
        }
    }

    /// Fills the missing cells of row-major rows; shared out among threads by blocks of rows.
    pub(super) fn fill(&self, rows: &mut [f64]) {
        rows.par_chunks_mut(BLOCK * self.fills.len())
            .for_each(|block| self.fill_block(block));
    }

    /// Fills the missing cells of a few rows, on this thread.
    pub(super) fn fill_block(&self, rows: &mut [f64]) {
        let width = self.fills.len();
        if let Some(neighbours) = &self.neighbours {
            neighbours.fill(rows, width);
        }
        for row in rows.chunks_exact_mut(width) {
            for (cell, fill) in row.iter_mut().zip(&self.fills) {
                if cell.is_nan() {
                    *cell = *fill;
                }
            }
        }
    }

    pub(super) fn carries_training_rows(&self) -> bool {
        self.neighbours.is_some()
    }

    pub(super) fn check(&self, inputs: &[Input], spec: &PreprocessorSpec) -> Result<(), String> {
        let (fills, columns) = (self.fills.len(), inputs.len());
        if fills != columns {
            return Err(format!("{fills} fills for {columns} columns"));
        }
        let none = spec.imputer == ImputerKind::None;
        if let Some(column) = self
            .fills
            .iter()
            .position(|fill| fill.is_infinite() || fill.is_nan() != none)
        {
            return Err(format!("column {column}: fill {}", self.fills[column]));
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
    if imputer == ImputerKind::None {
        return f64::NAN;
    }
    let present = ascending(column.iter().copied());
    if let InputKind::Text(levels) = kind {
        return most_frequent(&present).unwrap_or(levels.len() as f64);
    }
    if present.is_empty() {
        return 0.0;
    }
    match imputer {
        ImputerKind::None => f64::NAN,
        ImputerKind::Median => quantile(&present, 0.5),
        ImputerKind::MostFrequent => most_frequent(&present).unwrap_or(0.0),
        ImputerKind::Knn => mean(&present),
    }
}
