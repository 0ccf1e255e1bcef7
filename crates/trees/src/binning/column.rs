//! Where one feature is cut into bins.

/// The most bins that values take; one more is left for missing ones.
const MAX_VALUE_BINS: usize = 255;

/// The bins of one feature: bin `b` holds `thresholds[b - 1] < x <= thresholds[b]`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    /// Ascending and finite; one fewer than the bins of values.
    thresholds: Vec<f32>,
    has_missing: bool,
}

impl Column {
    /// Chooses the bins of a column: a bin a value if there are few, else about equally many rows in
    /// each, a frequent value alone.
    pub(crate) fn of(values: &[f32]) -> Self {
        let levels = levels(values);
        let groups = if levels.len() <= MAX_VALUE_BINS {
            (1..levels.len()).collect()
        } else {
            quantile_starts(&levels)
        };
        let midpoint_before = |start: &usize| midpoint(levels[start - 1].0, levels[*start].0);
        Self {
            thresholds: groups.iter().map(midpoint_before).collect(),
            has_missing: values.iter().any(|value| value.is_nan()),
        }
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

    /// Returns the bin of a value of the column.
    pub(crate) fn bin(&self, value: f32) -> u8 {
        if value.is_nan() {
            return self.n_values() as u8;
        }
        if self.thresholds.len() <= 8 {
            return self
                .thresholds
                .iter()
                .map(|cut| u8::from(value > *cut))
                .sum();
        }
        self.thresholds.partition_point(|cut| value > *cut) as u8
    }
}

/// Returns the distinct values in ascending order, with the number of rows of each.
fn levels(values: &[f32]) -> Vec<(f32, usize)> {
    // Adding zero turns -0 into 0: they compare equal, so they are one level.
    let present = values.iter().filter(|value| !value.is_nan());
    let mut sorted: Vec<f32> = present.map(|value| value + 0.0).collect();
    sorted.sort_unstable_by(f32::total_cmp);
    sorted
        .chunk_by(|a, b| a == b)
        .map(|level| (level[0], level.len()))
        .collect()
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
