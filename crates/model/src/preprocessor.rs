//! What turns validated rows into features: imputer, encoder and scaler, fitted on training rows.

mod encoder;
mod fitted;
mod imputer;
mod knn;
mod quantile;
mod scaler;

use std::sync::Arc;

use artifact::{Classified, ErrorKind};
use dataset::{ImputerKind, PreprocessorSpec, Schema, Table};
use ndarray::Array2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::FeatureMatrix;
pub use fitted::{FittedColumn, FittedEncoding};

use encoder::{Encoder, Input};
use imputer::Imputer;
use scaler::Scaler;

/// Rows that one thread takes at a time; has no influence on results.
const BLOCK: usize = 64;

/// A fitted preprocessor: imputes, encodes, scales, in this order, each row for itself.
///
/// - Imputing: see [`dataset::ImputerKind`]. A column without any value at fitting is filled with 0
///   (scikit-learn drops it; here the shape stays), a text column with the unknown level; their
///   names are in [`Self::empty_columns`].
/// - Encoding: see [`dataset::EncoderKind`]. In a one-hot column a missing value and an unknown
///   text level are zeros throughout; a number that is not listed (imputed between two, say) goes
///   to the nearest listed one, the lesser of two.
/// - Scaling: `StandardScaler`, `MinMaxScaler` and `RobustScaler` of scikit-learn, over all
///   columns but one-hot ones; ordinal codes count as numbers. Missing values are left out.
///
/// All arithmetic is in f64; features are f32, saturated at its range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preprocessor {
    spec: PreprocessorSpec,
    inputs: Vec<Input>,
    imputer: Imputer,
    encoder: Encoder,
    scaler: Scaler,
    empty_columns: Vec<String>,
    names: Arc<[String]>,
}

/// Why a preprocessor can be neither fitted nor used.
#[derive(Debug, Error, PartialEq, Eq)]
#[expect(missing_docs, reason = "the messages say it")]
pub enum PreprocessingError {
    #[error("no rows to fit a preprocessor on: give it at least one")]
    NoRows,
    #[error("column `{column}` is missing from the rows: append derived columns, check the schema")]
    MissingColumn { column: String },
    #[error("text column `{column}` has no levels: validate the data, which lists them")]
    NoLevels { column: String },
    #[error(
        "column `{column}` has {levels} levels, and one-hot encoding makes a feature of each, of at \
         most {most}: set `encoder: ordinal` under transformation.preprocessing, or \
         `never_use: true` in the schema"
    )]
    TooManyLevels {
        column: String,
        levels: usize,
        most: usize,
    },
    #[error(
        "{rows} rows of {features} features after one-hot encoding are more than {most} cells, a \
         matrix of {} GiB: set `encoder: ordinal` under transformation.preprocessing, or \
         `never_use: true` for columns of many levels in the schema",
        most >> 28
    )]
    TooManyCells {
        rows: usize,
        features: usize,
        most: usize,
    },
    #[error("imputer `knn` needs k of at least 1, not 0: set `knn.k`")]
    NoNeighbours,
    #[error("{found} {what} where the preprocessor has {expected}")]
    Width {
        what: &'static str,
        found: usize,
        expected: usize,
    },
}

impl Classified for PreprocessingError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::NoRows | Self::MissingColumn { .. } => ErrorKind::Rejected,
            Self::NoLevels { .. }
            | Self::TooManyLevels { .. }
            | Self::TooManyCells { .. }
            | Self::NoNeighbours => ErrorKind::Config,
            Self::Width { .. } => ErrorKind::Internal,
        }
    }
}

impl Preprocessor {
    /// Fits on training rows: the schema's feature columns, then its derived ones, found by name.
    ///
    /// # Errors
    /// [`PreprocessingError`] when there are no rows, a column is missing, a text column has no
    /// levels, a column has more than 4,096 of them to be one-hot encoded, all features of all rows
    /// would take more than 2 GiB because of it, or k is 0.
    pub fn fit(
        spec: &PreprocessorSpec,
        schema: &Schema,
        table: &Table,
    ) -> Result<Self, PreprocessingError> {
        let mut fitting = Fitting::start(spec, schema, table)?;
        if spec.scaler != dataset::ScalerKind::None {
            fitting.imputer.fill(&mut fitting.rows);
        }
        Ok(fitting.finish(spec).0)
    }

    /// Fits and transforms the same rows, imputing them once; equal to `fit`, then `transform`.
    ///
    /// # Errors
    /// As [`Self::fit`].
    pub fn fit_transform(
        spec: &PreprocessorSpec,
        schema: &Schema,
        table: &Table,
    ) -> Result<(Self, FeatureMatrix), PreprocessingError> {
        let mut fitting = Fitting::start(spec, schema, table)?;
        fitting.imputer.fill(&mut fitting.rows);
        let (fitted, rows) = fitting.finish(spec);
        let matrix = fitted.encode_rows(&rows, to_f32);
        let matrix = FeatureMatrix::new(matrix, Arc::clone(&fitted.names));
        Ok((fitted, matrix))
    }

    /// Transforms rows whose columns are found by name; further columns are ignored.
    ///
    /// # Errors
    /// [`PreprocessingError::MissingColumn`].
    pub fn transform(&self, table: &Table) -> Result<FeatureMatrix, PreprocessingError> {
        let values = self.transform_to(table, to_f32)?;
        Ok(FeatureMatrix::new(values, Arc::clone(&self.names)))
    }

    /// Transforms one row of [`Self::input_columns`] into `features`, with no allocation but a copy
    /// of the row (and the search, under the KNN imputer).
    ///
    /// # Errors
    /// [`PreprocessingError::Width`] when a slice has not the right length.
    pub fn transform_row(
        &self,
        row: &[f64],
        features: &mut [f32],
    ) -> Result<(), PreprocessingError> {
        check_width("cells in a row", row.len(), self.inputs.len())?;
        check_width("features", features.len(), self.n_features())?;
        let mut row = row.to_vec();
        self.imputer.fill_block(&mut row);
        self.encode_row(&row, features, to_f32);
        Ok(())
    }

    /// Returns what was fitted.
    pub fn spec(&self) -> &PreprocessorSpec {
        &self.spec
    }

    /// Returns the names of the features: `port`, `service=http`, `port=-1`.
    pub fn feature_names(&self) -> &[String] {
        &self.names
    }

    /// Returns the number of features.
    pub fn n_features(&self) -> usize {
        self.names.len()
    }

    /// Returns the names of the raw columns, in the order of [`Self::transform_row`].
    pub fn input_columns(&self) -> impl ExactSizeIterator<Item = &str> {
        self.inputs.iter().map(|input| input.name.as_str())
    }

    /// Returns for each feature the position of its raw column among [`Self::input_columns`].
    pub fn source_columns(&self) -> Vec<usize> {
        self.encoder.sources()
    }

    /// Returns the raw columns that had no value at all when this was fitted.
    pub fn empty_columns(&self) -> &[String] {
        &self.empty_columns
    }

    /// Returns the positions of the features whose values are codes of categories.
    pub fn categorical_features(&self) -> Vec<u16> {
        let features = self.encoder.categories().into_iter();
        features.filter_map(|at| u16::try_from(at).ok()).collect()
    }

    /// Returns whether training rows travel with this preprocessor, as under the KNN imputer.
    pub fn carries_training_rows(&self) -> bool {
        self.imputer.carries_training_rows()
    }

    /// Returns whether a missing cell can come out as a missing feature.
    pub fn leaves_missing(&self) -> bool {
        self.spec.imputer == ImputerKind::None && self.encoder.passes_cells()
    }

    /// Checks shapes, bounds and finiteness; used after decoding.
    ///
    /// # Errors
    /// A sentence that says what is wrong, with its values.
    pub fn check(&self) -> Result<(), String> {
        self.encoder.check(self.spec.encoder, &self.inputs)?;
        self.imputer.check(&self.inputs, &self.spec)?;
        self.scaler.check(&self.encoder.unscaled_features())?;
        if self.encoder.names(&self.inputs) != *self.names {
            return Err("feature names do not follow from the encoder".to_owned());
        }
        Ok(())
    }

    fn transform_to<T: Clone + Default + Send>(
        &self,
        table: &Table,
        convert: fn(f64) -> T,
    ) -> Result<Array2<T>, PreprocessingError> {
        let columns = find_columns(self.input_columns(), table)?;
        let width = self.n_features();
        let mut features = Array2::from_elem((table.n_rows(), width), T::default());
        let transform = |(block, features): (usize, &mut [T])| {
            let first = block * BLOCK;
            let mut rows = gather(&columns, first..first + features.len() / width);
            self.imputer.fill_block(&mut rows);
            self.encode_block(&rows, features, convert);
        };
        if table.n_rows() <= BLOCK {
            // Waking a pool of threads takes longer than a few rows do.
            transform((0, rows_of(&mut features)));
        } else {
            let blocks = rows_of(&mut features).par_chunks_mut(BLOCK * width);
            blocks.enumerate().for_each(transform);
        }
        Ok(features)
    }

    fn encode_rows<T: Clone + Default + Send>(
        &self,
        rows: &[f64],
        convert: fn(f64) -> T,
    ) -> Array2<T> {
        let (from, to) = (self.inputs.len(), self.n_features());
        let mut features = Array2::from_elem((rows.len() / from, to), T::default());
        rows_of(&mut features)
            .par_chunks_mut(BLOCK * to)
            .zip(rows.par_chunks(BLOCK * from))
            .for_each(|(features, rows)| self.encode_block(rows, features, convert));
        features
    }

    fn encode_block<T>(&self, rows: &[f64], features: &mut [T], convert: fn(f64) -> T) {
        let rows = rows.chunks_exact(self.inputs.len());
        for (row, features) in rows.zip(features.chunks_exact_mut(self.n_features())) {
            self.encode_row(row, features, convert);
        }
    }

    fn encode_row<T>(&self, row: &[f64], features: &mut [T], convert: fn(f64) -> T) {
        self.encoder.encode(row, |feature, value| {
            features[feature] = convert(self.scaler.scale(feature, value));
        });
    }
}

/// A preprocessor between the fitting of its imputer and that of its scaler.
struct Fitting {
    inputs: Vec<Input>,
    imputer: Imputer,
    encoder: Encoder,
    empty_columns: Vec<String>,
    /// Training rows, row-major; imputed by whoever needs them so.
    rows: Vec<f64>,
}

impl Fitting {
    fn start(
        spec: &PreprocessorSpec,
        schema: &Schema,
        table: &Table,
    ) -> Result<Self, PreprocessingError> {
        if table.n_rows() == 0 {
            return Err(PreprocessingError::NoRows);
        }
        if spec.imputer == ImputerKind::Knn && spec.knn.k == 0 {
            return Err(PreprocessingError::NoNeighbours);
        }
        let (inputs, encoder) = encoder::plan(spec.encoder, schema)?;
        encoder.check_cells(table.n_rows())?;
        if inputs.is_empty() {
            check_width("feature columns", 0, 1)?;
        }
        let columns = find_columns(inputs.iter().map(|i| i.name.as_str()), table)?;
        let empty = |(_, column): &(&Input, &&[f64])| column.iter().all(|v| v.is_nan());
        let empty_columns = inputs
            .iter()
            .zip(&columns)
            .filter(empty)
            .map(|(input, _)| input.name.clone())
            .collect();
        Ok(Self {
            imputer: Imputer::fit(spec, &inputs, &columns),
            rows: gather(&columns, 0..table.n_rows()),
            inputs,
            encoder,
            empty_columns,
        })
    }

    fn finish(self, spec: &PreprocessorSpec) -> (Preprocessor, Vec<f64>) {
        let scaler = Scaler::fit(spec.scaler, &self.encoder, &self.rows, self.inputs.len());
        let fitted = Preprocessor {
            spec: *spec,
            names: self.encoder.names(&self.inputs).into(),
            inputs: self.inputs,
            imputer: self.imputer,
            encoder: self.encoder,
            scaler,
            empty_columns: self.empty_columns,
        };
        (fitted, self.rows)
    }
}

fn to_f32(value: f64) -> f32 {
    (value as f32).clamp(f32::MIN, f32::MAX)
}

fn check_width(
    what: &'static str,
    found: usize,
    expected: usize,
) -> Result<(), PreprocessingError> {
    if found == expected {
        return Ok(());
    }
    Err(PreprocessingError::Width {
        what,
        found,
        expected,
    })
}

fn find_columns<'a, 't>(
    names: impl Iterator<Item = &'a str>,
    table: &'t Table,
) -> Result<Vec<&'t [f64]>, PreprocessingError> {
    let missing = |name: &str| PreprocessingError::MissingColumn {
        column: name.to_owned(),
    };
    names
        .map(|name| table.column(name).ok_or_else(|| missing(name)))
        .collect()
}

fn gather(columns: &[&[f64]], rows: std::ops::Range<usize>) -> Vec<f64> {
    let cells = |row: usize| columns.iter().map(move |column| column[row]);
    rows.flat_map(cells).collect()
}

fn rows_of<T>(features: &mut Array2<T>) -> &mut [T] {
    features
        .as_slice_mut()
        .expect("a matrix that was just made is row-major")
}

#[cfg(test)]
mod tests;
