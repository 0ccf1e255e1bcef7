//! Order statistics and moments, as numpy computes them.

/// Returns the q-quantile, linearly interpolated (numpy's default), of ascending values.
///
/// # Panics
/// When there are none.
pub(super) fn quantile(ascending: &[f64], q: f64) -> f64 {
    let position = (ascending.len() - 1) as f64 * q;
    let (low, share) = (position.floor(), position.fract());
    let below = ascending[low as usize];
    let above = ascending[position.ceil() as usize];
    below + (above - below) * share
}

/// Returns the values that are not missing, ascending.
pub(super) fn ascending(values: impl Iterator<Item = f64>) -> Vec<f64> {
    let mut present: Vec<f64> = values.filter(|v| !v.is_nan()).collect();
    present.sort_unstable_by(f64::total_cmp);
    present
}

/// Returns the most frequent of ascending values, the least of several; `None` when there are none.
pub(super) fn most_frequent(ascending: &[f64]) -> Option<f64> {
    let mut best: Option<&[f64]> = None;
    for run in ascending.chunk_by(|a, b| a == b) {
        if best.is_none_or(|best| run.len() > best.len()) {
            best = Some(run);
        }
    }
    best.map(|run| run[0])
}

/// Returns the mean; 0 for no values.
pub(super) fn mean(values: &[f64]) -> f64 {
    if values.is_empty() {
        return 0.0;
    }
    let n = values.len() as f64;
    let sum = values.iter().sum::<f64>();
    if !sum.is_finite() {
        return values.iter().map(|v| v / n).sum();
    }
    let mean = sum / n;
    // A second pass takes back what the first one rounded away.
    mean + values.iter().map(|v| v - mean).sum::<f64>() / n
}
