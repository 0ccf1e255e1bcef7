//! What is learned from: kept rows with one label, and the weight and number of the rows they stand for.

use std::borrow::Cow;

use rayon::prelude::*;

use crate::{BinnedMatrix, ClassWeight, TreesError, class_weight};

/// What stands for the case of a row of weight zero.
const NONE: u32 = u32::MAX;

/// Distinct pairs of binned row and label; rows of weight zero are left out.
pub(crate) struct Cases {
    pub(crate) labels: Vec<u16>,
    /// The summed weight of the rows behind each case.
    pub(crate) weights: Vec<f32>,
    /// The number of rows behind each case.
    pub(crate) counts: Vec<u8>,
    n_rows: usize,
    /// The rows that take part, in order, with their cases and weights; none where each row is a case.
    rows: Option<Vec<(u32, f32)>>,
    /// The number among all rows of each row that takes part; none where all do.
    numbers: Option<Vec<u32>>,
    /// The place in the matrix of each case; none where they are the same.
    places: Option<Vec<u32>>,
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
        class_weight: Option<&ClassWeight>,
    ) -> Result<Self, TreesError> {
        check_labels(labels, matrix.n_rows(), n_classes)?;
        check_weights(weights, matrix.n_rows())?;
        let weights = class_weight::join(class_weight, labels, n_classes, weights)?;
        let weights = weights.as_deref();
        check_sum(weights)?;
        let all_count = weights.is_none_or(|weights| weights.iter().all(|weight| *weight > 0.0));
        let cases = match matrix.distinct_of_row() {
            None if all_count => Self::each_row(labels, weights),
            distinct => Self::gather(distinct, labels, weights),
        };
        match cases.labels.first() {
            None => Err(TreesError::NoRows),
            Some(&label) if cases.labels.iter().all(|other| *other == label) => {
                Err(TreesError::OneClass { label })
            }
            Some(_) => Ok(cases),
        }
    }

    fn each_row(labels: &[u16], weights: Option<&[f32]>) -> Self {
        let n_rows = labels.len();
        Self {
            labels: labels.to_vec(),
            weights: weights.map_or_else(|| vec![1.0; n_rows], <[f32]>::to_vec),
            counts: vec![1; n_rows],
            n_rows,
            rows: None,
            numbers: None,
            places: None,
        }
    }

    fn gather(distinct: Option<&[u32]>, labels: &[u16], weights: Option<&[f32]>) -> Self {
        let weight = |row: usize| weights.map_or(1.0, |weights| weights[row]);
        let place = |row: usize| distinct.map_or(row as u32, |distinct| distinct[row]);
        let mut keyed: Vec<(u64, u32)> = (0..labels.len())
            .filter(|row| weight(*row) > 0.0)
            .map(|row| {
                (
                    u64::from(place(row)) << 16 | u64::from(labels[row]),
                    row as u32,
                )
            })
            .collect();
        keyed.par_sort_unstable();
        let mut case_of_row = vec![NONE; labels.len()];
        let mut cases = Self {
            labels: Vec::new(),
            weights: Vec::new(),
            counts: Vec::new(),
            n_rows: keyed.len(),
            rows: None,
            numbers: None,
            places: None,
        };
        let mut places = Vec::new();
        let equal = keyed.chunk_by(|a, b| a.0 == b.0);
        for (case, same) in equal
            .flat_map(|same| same.chunks(usize::from(u8::MAX)))
            .enumerate()
        {
            let rows = same.iter().map(|(_, row)| *row as usize);
            rows.clone().for_each(|row| case_of_row[row] = case as u32);
            let total: f64 = rows.map(|row| f64::from(weight(row))).sum();
            cases.labels.push(same[0].0 as u16);
            cases.weights.push(total as f32);
            cases.counts.push(same.len() as u8);
            places.push((same[0].0 >> 16) as u32);
        }
        let taking_part = (0..).zip(case_of_row).filter(|(_, case)| *case != NONE);
        let (numbers, rows) = taking_part
            .map(|(row, case): (u32, u32)| (row, (case, weight(row as usize))))
            .unzip();
        cases.numbers = Some(numbers);
        cases.rows = Some(rows);
        cases.places = Some(places);
        cases
    }

    pub(crate) fn len(&self) -> usize {
        self.labels.len()
    }

    /// Returns the number of rows that take part.
    pub(crate) fn n_rows(&self) -> usize {
        self.n_rows
    }

    /// Returns the case and the weight of the i-th row that takes part.
    #[inline]
    pub(crate) fn row(&self, i: usize) -> (u32, f32) {
        match &self.rows {
            Some(rows) => rows[i],
            None => (i as u32, self.weights[i]),
        }
    }

    /// Returns the number among all rows of the i-th row that takes part.
    pub(crate) fn number(&self, i: usize) -> usize {
        let numbers = self.numbers.as_ref();
        numbers.map_or(i, |numbers| numbers[i] as usize)
    }

    pub(crate) fn total_weight(&self) -> f64 {
        self.weights.iter().map(|weight| f64::from(*weight)).sum()
    }

    /// Returns the bins of the cases, column-major.
    pub(crate) fn bins<'a>(&self, matrix: &'a BinnedMatrix) -> Cow<'a, [u8]> {
        let Some(places) = &self.places else {
            return Cow::Borrowed(matrix.bins());
        };
        let columns = matrix.bins().par_chunks_exact(matrix.n_distinct());
        columns
            .flat_map_iter(|column| places.iter().map(|place| column[*place as usize]))
            .collect::<Vec<u8>>()
            .into()
    }
}

/// Checks that no sum of as many weights, drawn with replacement or not, is more than an `f32` holds.
fn check_sum(weights: Option<&[f32]>) -> Result<(), TreesError> {
    let weights = weights.unwrap_or_default();
    let most = f32::MAX / 2.0 / weights.len().max(1) as f32;
    match weights.iter().position(|weight| *weight > most) {
        Some(row) => Err(TreesError::HeavyWeight {
            row,
            weight: weights[row],
            rows: weights.len(),
            most,
        }),
        None => Ok(()),
    }
}

/// Turns column-major bins of `n_cases` into row-major ones.
pub(crate) fn by_row(bins: &[u8], n_cases: usize) -> Vec<u8> {
    let width = bins.len() / n_cases;
    let mut rows = vec![0; bins.len()];
    for (feature, column) in bins.chunks_exact(n_cases).enumerate() {
        let cells = rows[feature..].iter_mut().step_by(width);
        cells.zip(column).for_each(|(cell, bin)| *cell = *bin);
    }
    rows
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
