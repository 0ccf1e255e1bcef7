//! Rows for the tree learners: read from a plain binary file, or generated.

use std::{fs, path::Path};

use anyhow::{Context, ensure};
use ndarray::Array2;

/// Features and class indices.
pub struct Rows {
    /// `n_rows` × `n_features`, NaN where a value is missing.
    pub x: Array2<f32>,
    /// One class index a row.
    pub y: Vec<u16>,
}

impl Rows {
    /// Reads little-endian f32, row-major, `columns` a row, the class index last.
    ///
    /// # Errors
    /// The file cannot be read, or its length is no multiple of a row's.
    pub fn read(path: &Path, columns: usize) -> anyhow::Result<Self> {
        ensure!(
            columns >= 2,
            "{columns} columns: a feature and the class at least"
        );
        let bytes = fs::read(path).with_context(|| path.display().to_string())?;
        let (words, rest) = bytes.as_chunks::<4>();
        ensure!(
            rest.is_empty() && words.len() % columns == 0,
            "{}: {} bytes are no rows of {columns} columns",
            path.display(),
            bytes.len()
        );
        let n_rows = words.len() / columns;
        let mut x = Vec::with_capacity(n_rows * (columns - 1));
        let mut y = Vec::with_capacity(n_rows);
        for row in words.chunks_exact(columns) {
            let (class, features) = row.split_last().context("a row without columns")?;
            x.extend(features.iter().map(|word| f32::from_le_bytes(*word)));
            y.push(f32::from_le_bytes(*class) as u16);
        }
        let x = Array2::from_shape_vec((n_rows, columns - 1), x)?;
        Ok(Self { x, y })
    }

    /// Generates rows of two classes: half of the features continuous, a quarter of eight levels, a
    /// quarter of three.
    pub fn generate(n_rows: usize, n_features: usize) -> Self {
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut next = || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1 << 24) as f32
        };
        let mut x = Array2::zeros((n_rows, n_features));
        let mut y = Vec::with_capacity(n_rows);
        for mut row in x.rows_mut() {
            for (feature, cell) in row.iter_mut().enumerate() {
                *cell = match feature % 4 {
                    0 | 1 => next(),
                    2 => (8.0 * next()).floor(),
                    _ => (3.0 * next()).floor(),
                };
            }
            let signal = row.iter().take(8).sum::<f32>() + row[0] * row[1 % n_features];
            y.push(u16::from(signal + 4.0 * next() > 12.0));
        }
        Self { x, y }
    }
}
