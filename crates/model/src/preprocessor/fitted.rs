//! A fitted preprocessor as others may read it: for exports, never for scoring.

use super::Preprocessor;

/// What a preprocessor does with one raw column.
#[derive(Debug, Clone, PartialEq)]
pub struct FittedColumn<'a> {
    /// Name of the column.
    pub name: &'a str,
    /// Whether its cells are codes of text levels.
    pub is_text: bool,
    /// What a missing cell takes; none where it stays missing. In a one-hot column of numbers it is
    /// one of them. Under the KNN imputer, neighbours are asked first for what is not text.
    pub fill: Option<f64>,
    /// How the cell becomes features, in the order of [`Preprocessor::feature_names`].
    pub encoding: FittedEncoding<'a>,
}

/// How a cell, imputed, becomes features.
#[derive(Debug, Clone, PartialEq)]
pub enum FittedEncoding<'a> {
    /// One feature: `(cell - centre) / scale`; a missing cell stays missing.
    Scaled {
        /// What is subtracted.
        centre: f64,
        /// What it is then divided by, above 0.
        scale: f64,
    },
    /// One feature a level of a text: 1 for the cell's code, 0 elsewhere; the unknown level and a
    /// missing cell have no feature.
    LevelOf(usize),
    /// One feature a number: 1 for the one that the cell is, 0 elsewhere; a missing cell has none.
    ValueOf(&'a [f64]),
}

impl FittedEncoding<'_> {
    /// Returns the number of features.
    pub fn n_features(&self) -> usize {
        match self {
            Self::Scaled { .. } => 1,
            Self::LevelOf(levels) => *levels,
            Self::ValueOf(values) => values.len(),
        }
    }
}

impl Preprocessor {
    /// Returns what is done with each raw column, in the order of [`Self::input_columns`].
    pub fn fitted_columns(&self) -> Vec<FittedColumn<'_>> {
        let mut feature = 0;
        let encodings = self.inputs.iter().zip(self.encoder.encodings()).enumerate();
        let columns = encodings.map(|(at, (input, encoding))| {
            let encoding = encoding.fitted(|| self.scaler.centre_and_scale(feature));
            feature += encoding.n_features();
            FittedColumn {
                name: &input.name,
                is_text: input.kind.is_text(),
                fill: self.imputer.fill_of(at).map(|fill| match encoding {
                    FittedEncoding::ValueOf(values) => super::encoder::nearest_value(values, fill),
                    _ => fill,
                }),
                encoding,
            }
        });
        columns.collect()
    }
}
