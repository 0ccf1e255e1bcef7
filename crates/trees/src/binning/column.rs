//! Where one feature is cut into bins.

use model::trees::CategorySet;
use ndarray::ArrayView1;

use super::ladder::Ladder;
use crate::randomness::noise;

/// The most bins that values take; one more is left for missing ones.
const MAX_VALUE_BINS: usize = 255;
/// Rows by which a column of many values is cut, drawn at random, as many as in LightGBM.
pub(super) const SAMPLE_ROWS: usize = 200_000;

/// The bins of one feature: bin `b` holds `thresholds[b - 1] < x <= thresholds[b]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    /// Ascending and finite; one fewer than the bins of values.
    thresholds: Vec<f32>,
    has_missing: bool,
    /// The code of each bin of values, where values are categories.
    codes: Option<Vec<u8>>,
}

impl Column {
    /// Chooses the bins of a column: a bin a value if there are few, else about equally many rows in
    /// each, a frequent value alone.
    pub(crate) fn of(values: ArrayView1<'_, f32>) -> Self {
        // With the whole column in the sample, sorting it finds many levels faster than searching does.
        let most = if values.len() <= SAMPLE_ROWS {
            32
        } else {
            MAX_VALUE_BINS
        };
        let levels = few_levels(values, most).unwrap_or_else(|| sampled_levels(values));
        let groups = if levels.len() <= MAX_VALUE_BINS {
            (1..levels.len()).collect()
        } else {
            quantile_starts(&levels)
        };
        let midpoint_before = |start: &usize| midpoint(levels[start - 1].0, levels[*start].0);
        Self {
            thresholds: groups.iter().map(midpoint_before).collect(),
            has_missing: false,
            codes: None,
        }
    }

    /// Makes the column one of categories, unless a value is no code from 0 to 254; returns that value
    /// and its row.
    pub(crate) fn make_categorical(
        &mut self,
        values: ArrayView1<'_, f32>,
    ) -> Result<(), (usize, f32)> {
        let mut seen = [false; MAX_VALUE_BINS];
        for (row, &value) in values.iter().enumerate().filter(|(_, v)| !v.is_nan()) {
            let code = value as u8;
            match seen.get_mut(usize::from(code)) {
                Some(seen) if f32::from(code) == value => *seen = true,
                _ => return Err((row, value)),
            }
        }
        // At most 255 codes are in bins of their own, in ascending order.
        let codes = (0..=u8::MAX).zip(seen).filter(|(_, seen)| *seen);
        self.codes = Some(codes.map(|(code, _)| code).collect());
        Ok(())
    }

    pub(crate) fn is_categorical(&self) -> bool {
        self.codes.is_some()
    }

    /// Returns the categories of some bins of values.
    pub(crate) fn categories_of(&self, bins: impl Iterator<Item = usize>) -> CategorySet {
        let codes = self.codes.as_deref().unwrap_or_default();
        let mut set = CategorySet::default();
        bins.filter_map(|bin| codes.get(bin))
            .for_each(|code| set.insert(*code));
        set
    }

    /// Takes note whether a row of the column is in the bin of missing values.
    pub(crate) fn note_missing(&mut self, bins: &[u8]) {
        let missing = self.n_values() as u8;
        self.has_missing = bins.contains(&missing);
    }

    /// Returns the number of bins of values, at least 1.
    pub(crate) fn n_values(&self) -> usize {
        self.thresholds.len() + 1
    }

    /// Returns the number of bins, with that of missing values if the column has any.
    pub(crate) fn n_bins(&self) -> usize {
        self.n_values() + usize::from(self.has_missing)
    }

    /// Returns the bin of missing values.
    pub(crate) fn missing_bin(&self) -> Option<usize> {
        self.has_missing.then_some(self.n_values())
    }

    /// Returns the largest value that goes left when `bin` is the last bin of values to do so.
    pub(crate) fn threshold(&self, bin: u8) -> f32 {
        let last = f32::MAX;
        self.thresholds
            .get(usize::from(bin))
            .copied()
            .unwrap_or(last)
    }

    /// Returns a value of a bin.
    pub(crate) fn representative(&self, bin: u8) -> f32 {
        if usize::from(bin) == self.n_values() {
            f32::NAN
        } else {
            self.threshold(bin)
        }
    }

    /// Returns what finds the bins of values.
    pub(crate) fn ladder(&self) -> Ladder {
        Ladder::new(&self.thresholds)
    }
}

/// Returns the distinct values in ascending order with the number of rows of each, if they are few.
fn few_levels(values: ArrayView1<'_, f32>, most: usize) -> Option<Vec<(f32, usize)>> {
    let mut levels: Vec<(f32, usize)> = Vec::new();
    let mut last = 0;
    for &value in values {
        // A column is often one value most of the time, and NaN equals nothing.
        if levels.get(last).is_some_and(|level| level.0 == value) {
            levels[last].1 += 1;
        } else if !value.is_nan() {
            last = levels.partition_point(|level| level.0 < value);
            if levels.get(last).is_some_and(|level| level.0 == value) {
                levels[last].1 += 1;
            } else if levels.len() == most {
                return None;
            } else {
                // Adding zero turns -0 into 0: they compare equal, so they are one level.
                levels.insert(last, (value + 0.0, 1));
            }
        }
    }
    Some(levels)
}

/// Returns the distinct values of a sample in ascending order with the number of rows of each.
fn sampled_levels(values: ArrayView1<'_, f32>) -> Vec<(f32, usize)> {
    let step = values.len().div_ceil(SAMPLE_ROWS);
    // One of each run of rows, any of them: what comes back every few rows is not passed over.
    let row_of = |run: usize| match step {
        1 => run,
        _ => run * step + noise(0, run as u32) as usize % step.min(values.len() - run * step),
    };
    let n_runs = values.len().div_ceil(step);
    let mut keys = Vec::with_capacity(n_runs);
    for value in (0..n_runs).map(|run| values[row_of(run)]) {
        if !value.is_nan() {
            // Adding zero turns -0 into 0: they compare equal, so they are one level.
            keys.push(ordered_key(value + 0.0));
        }
    }
    sorted(keys)
        .chunk_by(|a, b| a == b)
        .map(|level| (value_of_key(level[0]), level.len()))
        .collect()
}

/// Returns bits that order as the numbers do.
fn ordered_key(value: f32) -> u32 {
    let bits = value.to_bits();
    if bits >> 31 == 1 {
        !bits
    } else {
        bits | 1 << 31
    }
}

fn value_of_key(key: u32) -> f32 {
    f32::from_bits(if key >> 31 == 1 {
        key & !(1 << 31)
    } else {
        !key
    })
}

/// Sorts by digits of eleven bits: three passes, where comparing takes one for each doubling.
fn sorted(mut keys: Vec<u32>) -> Vec<u32> {
    let mut spare = vec![0; keys.len()];
    for shift in [0, 11, 22] {
        let digit = |key: u32| (key >> shift) as usize & 0x7FF;
        let mut starts = [0usize; 2049];
        keys.iter().for_each(|key| starts[digit(*key) + 1] += 1);
        if starts.contains(&keys.len()) {
            continue;
        }
        (1..starts.len()).for_each(|i| starts[i] += starts[i - 1]);
        for &key in &keys {
            let start = &mut starts[digit(key)];
            spare[*start] = key;
            *start += 1;
        }
        std::mem::swap(&mut keys, &mut spare);
    }
    keys
}

/// Returns the levels at which each bin but the first starts.
fn quantile_starts(levels: &[(f32, usize)]) -> Vec<usize> {
    let mut starts = Vec::with_capacity(MAX_VALUE_BINS - 1);
    let mut rows_left: usize = levels.iter().map(|level| level.1).sum();
    let mut rows = 0;
    for (i, pair) in levels.windows(2).enumerate() {
        let bins_left = MAX_VALUE_BINS - starts.len();
        if bins_left == 1 {
            break;
        }
        rows += pair[0].1;
        let share = rows_left.div_ceil(bins_left);
        if rows >= share || (pair[1].1 >= share && 2 * rows >= share) {
            starts.push(i + 1);
            rows_left -= rows;
            rows = 0;
        }
    }
    starts
}

/// Returns a finite `m` with `low <= m < high`, halfway where precision allows.
fn midpoint(low: f32, high: f32) -> f32 {
    let middle = ((f64::from(low) + f64::from(high)) / 2.0) as f32;
    if middle < high { middle } else { low }
}
