//! The search for the bins of many values.

/// Values that are searched for together.
const LANES: usize = 8;
/// Equally wide buckets that thresholds fall into.
const BUCKETS: usize = 2048;
/// The most thresholds of a bucket with which buckets are faster than halving.
const MOST_IN_BUCKET: usize = 4;

/// The thresholds of a column, padded, so that a search needs neither a check nor a branch.
pub(crate) struct Ladder {
    cuts: [f32; 260],
    missing: u8,
    buckets: Option<Buckets>,
}

/// Where in the thresholds a search starts.
struct Buckets {
    low: f32,
    per_unit: f32,
    /// The thresholds below each bucket's.
    starts: Vec<u8>,
    most: usize,
}

impl Ladder {
    /// Takes at most 254 ascending thresholds.
    pub(super) fn new(thresholds: &[f32]) -> Self {
        let mut cuts = [f32::INFINITY; 260];
        cuts[..thresholds.len()].copy_from_slice(thresholds);
        Self {
            cuts,
            missing: thresholds.len() as u8 + 1,
            buckets: Buckets::new(thresholds).filter(|buckets| buckets.most <= MOST_IN_BUCKET),
        }
    }

    /// Writes the bin of each value: the number of thresholds below it, the last bin for NaN.
    pub(crate) fn bins(&self, values: &[f32], bins: &mut [u8]) {
        if let Some(buckets) = &self.buckets {
            match buckets.most {
                0 | 1 => self.bins_by_buckets::<1>(buckets, values, bins),
                2 => self.bins_by_buckets::<2>(buckets, values, bins),
                _ => self.bins_by_buckets::<MOST_IN_BUCKET>(buckets, values, bins),
            }
        } else {
            self.bins_by_halving(values, bins);
        }
    }

    fn bins_by_buckets<const MOST: usize>(
        &self,
        buckets: &Buckets,
        values: &[f32],
        bins: &mut [u8],
    ) {
        for (value, bin) in values.iter().zip(bins) {
            let start = buckets.starts[buckets.of(*value)];
            let mut found = start;
            for cut in &self.cuts[usize::from(start)..][..MOST] {
                found += u8::from(cut < value);
            }
            *bin = if value.is_nan() { self.missing } else { found };
        }
    }

    fn bins_by_halving(&self, values: &[f32], bins: &mut [u8]) {
        let (values, last_values) = values.as_chunks::<LANES>();
        let (bins, last_bins) = bins.as_chunks_mut::<LANES>();
        for (values, bins) in values.iter().zip(bins) {
            *bins = self.halve(*values);
        }
        for (value, bin) in last_values.iter().zip(last_bins) {
            [*bin] = self.halve([*value]);
        }
    }

    /// Searches for several values at once: their steps overlap, each would wait for its own.
    #[inline]
    fn halve<const N: usize>(&self, values: [f32; N]) -> [u8; N] {
        let mut bins = [0u8; N];
        for step in [128, 64, 32, 16, 8, 4, 2, 1u8] {
            for (bin, value) in bins.iter_mut().zip(values) {
                let cut = self.cuts[usize::from(*bin + (step - 1))];
                *bin += u8::from(cut < value) * step;
            }
        }
        for (bin, value) in bins.iter_mut().zip(values) {
            *bin = if value.is_nan() { self.missing } else { *bin };
        }
        bins
    }
}

impl Buckets {
    /// Divides the range of the thresholds; none where it is empty or too large for a number.
    fn new(thresholds: &[f32]) -> Option<Self> {
        let (low, high) = (*thresholds.first()?, *thresholds.last()?);
        let per_unit = (BUCKETS - 1) as f32 / (high - low);
        let mut buckets = Self {
            low,
            per_unit,
            starts: vec![0; BUCKETS],
            most: 0,
        };
        if !(per_unit.is_finite() && per_unit > 0.0) {
            return None;
        }
        let mut counts = vec![0usize; BUCKETS];
        for cut in thresholds {
            counts[buckets.of(*cut)] += 1;
        }
        let mut below = 0;
        for (start, count) in buckets.starts.iter_mut().zip(&counts) {
            *start = below as u8;
            below += count;
        }
        buckets.most = counts.into_iter().max().unwrap_or(0);
        Some(buckets)
    }

    /// Returns the bucket of a value. Rounding keeps the order of values, so that a threshold in a lower
    /// bucket is a lower number; values beyond the thresholds are in the outermost buckets.
    #[inline]
    fn of(&self, value: f32) -> usize {
        (((value - self.low) * self.per_unit) as usize).min(BUCKETS - 1)
    }
}
