//! What is learned from: distinct rows with one label, and the weight and number of the rows they stand for.

use crate::{BinnedMatrix, TreesError};

/// What stands for the case of a row of weight zero.
const NONE: u32 = u32::MAX;

/// Distinct pairs of binned row and label; rows of weight zero are left out.
pub(crate) struct Cases {
    pub(crate) labels: Vec<u16>,
    /// The summed weight of the rows behind each case.
    pub(crate) weights: Vec<f64>,
    /// The number of rows behind each case.
    pub(crate) counts: Vec<u32>,
    /// The rows that take part, in order, with their cases.
    pub(crate) rows: Vec<(u32, f32)>,
    distinct: Vec<u32>,
}

impl Cases {
    /// Gathers the cases of a fit.
    ///
    /// # Errors
    /// Lengths that differ, labels and weights out of range, fewer than two classes.
    pub(crate) fn new(
        matrix: &BinnedMatrix,
        labels: &[u16],
        n_classes: usize,
        weights: Option<&[f32]>,
    ) -> Result<Self, TreesError> {
        check_labels(labels, matrix.n_rows(), n_classes)?;
        check_weights(weights, matrix.n_rows())?;
        let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
        let cases = Self::gather(matrix, labels, weight);
        match cases.labels.first() {
            None => Err(TreesError::NoRows),
            Some(&label) if cases.labels.iter().all(|other| *other == label) => {
                Err(TreesError::OneClass { label })
            }
            Some(_) => Ok(cases),
        }
    }

    fn gather(matrix: &BinnedMatrix, labels: &[u16], weight: impl Fn(usize) -> f32) -> Self {
        let mut keyed: Vec<(u64, u32)> = matrix
            .distinct_of_row()
            .iter()
            .zip(labels)
            .enumerate()
            .filter(|(row, _)| weight(*row) > 0.0)
            .map(|(row, (distinct, label))| {
                (u64::from(*distinct) << 16 | u64::from(*label), row as u32)
            })
            .collect();
        keyed.sort_unstable();
        let mut case_of_row = vec![NONE; labels.len()];
        let mut cases = Self {
            labels: Vec::new(),
            weights: Vec::new(),
            counts: Vec::new(),
            rows: Vec::with_capacity(keyed.len()),
            distinct: Vec::new(),
        };
        for (case, same) in keyed.chunk_by(|a, b| a.0 == b.0).enumerate() {
            let rows = same.iter().map(|(_, row)| *row as usize);
            rows.clone().for_each(|row| case_of_row[row] = case as u32);
            cases.labels.push(same[0].0 as u16);
            cases.distinct.push((same[0].0 >> 16) as u32);
            cases
                .weights
                .push(rows.map(|row| f64::from(weight(row))).sum());
            cases.counts.push(same.len() as u32);
        }
        let taking_part = case_of_row.into_iter().enumerate();
        cases.rows.extend(
            taking_part
                .filter(|(_, case)| *case != NONE)
                .map(|(row, case)| (case, weight(row))),
        );
        cases
    }

    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    pub(crate) fn total_weight(&self) -> f64 {
        self.weights.iter().sum()
    }

    /// Returns the cases' bins, row-major.
    pub(crate) fn bins_by_row(&self, matrix: &BinnedMatrix) -> Vec<u8> {
        let mut bins = Vec::with_capacity(self.len() * matrix.n_features());
        for &distinct in &self.distinct {
            bins.extend_from_slice(matrix.distinct_row(distinct));
        }
        bins
    }
}

pub(crate) fn check_labels(
    labels: &[u16],
    rows: usize,
    n_classes: usize,
) -> Result<(), TreesError> {
    if !(2..=usize::from(u16::MAX)).contains(&n_classes) {
        return Err(TreesError::Classes { n_classes });
    }
    if labels.len() != rows {
        return Err(TreesError::Length {
            what: "labels",
            have: labels.len(),
            rows,
        });
    }
    match labels
        .iter()
        .position(|label| usize::from(*label) >= n_classes)
    {
        Some(row) => Err(TreesError::Label {
            row,
            label: labels[row],
            n_classes,
        }),
        None => Ok(()),
    }
}

pub(crate) fn check_weights(weights: Option<&[f32]>, rows: usize) -> Result<(), TreesError> {
    let Some(weights) = weights else {
        return Ok(());
    };
    if weights.len() != rows {
        return Err(TreesError::Length {
            what: "weights",
            have: weights.len(),
            rows,
        });
    }
    match weights
        .iter()
        .position(|weight| !(*weight >= 0.0 && weight.is_finite()))
    {
        Some(row) => Err(TreesError::Weight {
            row,
            weight: weights[row],
        }),
        None => Ok(()),
    }
}
