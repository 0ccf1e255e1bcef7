//! Sums in whole numbers: a weight in fixed point above a count of rows, in one 64-bit word.

/// Bits that a sum of weights may take beside the sign, with room for the rounding of each summand.
const SUM_BITS: i32 = 60;

/// How weights and row counts share a word.
///
/// Additions and subtractions of packed words are exact, so sums do not depend on their order, and a
/// histogram that is subtracted from its parent's leaves no residue.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Packing {
    count_bits: u32,
    steps_per_unit: f64,
    unit_per_step: f64,
}

impl Packing {
    /// Makes the finest packing whose sums reach `total` (in magnitude) over `n_rows` rows.
    pub(crate) fn new(total: f64, n_rows: usize) -> Self {
        let count_bits = usize::BITS - n_rows.leading_zeros();
        let magnitude = total.log2().ceil() as i32;
        let exponent = SUM_BITS - count_bits as i32 - magnitude;
        Self {
            count_bits,
            steps_per_unit: 2f64.powi(exponent),
            unit_per_step: 2f64.powi(-exponent),
        }
    }

    /// Makes a packing without a count.
    pub(crate) fn values(total: f64) -> Self {
        Self::new(total, 0)
    }

    #[inline]
    pub(crate) fn pack(self, value: f64, count: u32) -> i64 {
        let steps = (value * self.steps_per_unit + 0.5f64.copysign(value)) as i64;
        (steps << self.count_bits) + i64::from(count)
    }

    #[inline]
    pub(crate) fn value(self, word: i64) -> f64 {
        self.steps(word) * self.unit_per_step
    }

    /// Returns the value in steps, for ratios in which the unit cancels out.
    #[inline]
    pub(crate) fn steps(self, word: i64) -> f64 {
        (word >> self.count_bits) as f64
    }

    #[inline]
    pub(crate) fn count(self, word: i64) -> u64 {
        word as u64 & ((1 << self.count_bits) - 1)
    }

    pub(crate) fn unit_per_step(self) -> f64 {
        self.unit_per_step
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_keep_value_and_count_apart_and_subtract_without_residue() {
        let packing = Packing::new(1000.0, 1000);
        let parts = [(0.25, 3), (999.0, 900), (0.0, 1), (1e-7, 2)];
        let sum: i64 = parts.iter().map(|&(v, c)| packing.pack(v, c)).sum();
        assert_eq!(packing.count(sum), 906);
        assert!((packing.value(sum) - 999.250_000_1).abs() < 1e-11);
        let rest = sum - packing.pack(999.0, 900) - packing.pack(0.0, 1) - packing.pack(1e-7, 2);
        assert_eq!((packing.value(rest), packing.count(rest)), (0.25, 3));
    }

    #[test]
    fn the_largest_sums_do_not_overflow() {
        for (total, n) in [(1e-30, 1), (5.0, 5), (1.5e7, 1 << 24), (3e38, 1 << 24)] {
            let packing = Packing::new(total, n);
            let word = packing.pack(total, n as u32);
            assert_eq!(packing.count(word), n as u64);
            assert!((packing.value(word) / total - 1.0).abs() < 1e-9, "{total}");
            let negative = Packing::values(total);
            assert!((negative.value(negative.pack(-total, 0)) / total + 1.0).abs() < 1e-9);
        }
    }
}
