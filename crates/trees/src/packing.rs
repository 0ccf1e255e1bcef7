//! Sums in whole numbers: a weight in fixed point above a count of rows, in one word.

use std::{
    iter::Sum,
    ops::{Add, AddAssign, SubAssign},
};

/// Bits that a sum over [`ROWS_OF_I64`] may take beside the sign, with room for the rounding of each
/// summand.
const SUM_BITS: i32 = 60;
/// The most rows whose sums fit words of 64 bits; more would leave too few bits for the weight of each.
pub(crate) const ROWS_OF_I64: usize = 1 << 24;

/// What sums are kept in: `i64` up to [`ROWS_OF_I64`], `i128` beyond.
pub(crate) trait Word:
    Copy + Default + Eq + Send + Sync + Add<Output = Self> + AddAssign + SubAssign + Sum
{
    /// Puts steps of weight above a count.
    fn pack(steps: i64, count: u32, count_bits: u32) -> Self;

    /// Returns the steps above a count.
    fn steps(self, count_bits: u32) -> f64;

    fn count(self, count_bits: u32) -> u64;
}

macro_rules! word {
    ($($word:ty)*) => {$(
        impl Word for $word {
            #[inline]
            fn pack(steps: i64, count: u32, count_bits: u32) -> Self {
                (Self::from(steps) << count_bits) + Self::from(count)
            }

            #[inline]
            fn steps(self, count_bits: u32) -> f64 {
                (self >> count_bits) as f64
            }

            #[inline]
            fn count(self, count_bits: u32) -> u64 {
                self as u64 & ((1 << count_bits) - 1)
            }
        }
    )*};
}
word!(i64 i128);

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
    /// Makes the finest packing whose sums reach `total` (in magnitude) over `n_rows` rows; beyond
    /// [`ROWS_OF_I64`], one in which a row has as many bits as it would there.
    pub(crate) fn new(total: f64, n_rows: usize) -> Self {
        let count_bits = usize::BITS - n_rows.leading_zeros();
        let magnitude = total.log2().ceil() as i32;
        let doublings = count_bits.saturating_sub(ROWS_OF_I64.ilog2() + 1) as i32;
        // Each doubles the total as well as the count.
        let sum_bits = SUM_BITS + 2 * doublings;
        Self::with_exponent(count_bits, sum_bits - count_bits as i32 - magnitude)
    }

    /// Makes the packing of 2^`exponent` steps a unit.
    fn with_exponent(count_bits: u32, exponent: i32) -> Self {
        Self {
            count_bits,
            steps_per_unit: 2f64.powi(exponent),
            unit_per_step: 2f64.powi(-exponent),
        }
    }

    #[inline]
    pub(crate) fn pack<W: Word>(self, value: f64, count: u32) -> W {
        W::pack(self.round(value), count, self.count_bits)
    }

    /// Packs a positive weight: as one step at least, so that where there are rows there is weight.
    pub(crate) fn pack_weight<W: Word>(self, weight: f64, count: u32) -> W {
        W::pack(self.round(weight).max(1), count, self.count_bits)
    }

    #[inline]
    fn round(self, value: f64) -> i64 {
        (value * self.steps_per_unit + 0.5f64.copysign(value)) as i64
    }

    #[inline]
    pub(crate) fn value(self, word: impl Word) -> f64 {
        self.steps(word) * self.unit_per_step
    }

    /// Returns the value in steps, for ratios in which the unit cancels out.
    #[inline]
    pub(crate) fn steps(self, word: impl Word) -> f64 {
        word.steps(self.count_bits)
    }

    #[inline]
    pub(crate) fn count(self, word: impl Word) -> u64 {
        word.count(self.count_bits)
    }

    /// Rounds down after adding `part`, in [0, 1).
    #[inline]
    fn round_by(self, value: f64, part: f64) -> i64 {
        // The cast rounds towards zero, so that the value is made positive for it.
        const AWAY: f64 = (1 << 20) as f64;
        (value * self.steps_per_unit + part + AWAY) as i64 - AWAY as i64
    }

    pub(crate) fn unit_per_step(self) -> f64 {
        self.unit_per_step
    }
}

/// A gradient and a packed hessian, summed over rows.
pub(crate) type Cell<W> = [W; 2];

/// A case of boosting, with its narrow slope where there is one, so that it travels with the case when
/// the leaves' cases are reordered and is read in sequence afterwards.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Item {
    pub(crate) case: u32,
    /// The gradient above the hessian.
    slope: u32,
}

/// How gradients and hessians are rounded.
///
/// Few or unequal cases are summed as wide [`Cell`]s. Many are summed in narrow words first, gradient,
/// hessian and count in 64 bits: half the additions, and twice the bins in the innermost cache. Each
/// summand is then rounded up or down at random, by its distance, so that sums are right on average
/// (after LightGBM's quantized training, Shi et al. 2022, with more bits than there).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steps {
    gradients: Packing,
    hessians: Packing,
    narrow: bool,
}

impl Steps {
    /// The most items whose narrow words may be summed.
    pub(crate) const NARROW_ITEMS: usize = (1 << 13) - 1;
    /// Cases from which on narrow words are used.
    const NARROW_FROM: usize = 1 << 15;
    const GRADIENT_BITS: i32 = 15;
    const HESSIAN_BITS: i32 = 9;
    /// Bits of an item's hessian, whose largest value is a power of two.
    const ITEM_HESSIAN: u32 = 10;
    /// Bits of the sums of counts and hessians; those of gradients stand above them.
    const SUM_COUNT: u32 = 13;
    const SUM_HESSIAN: u32 = 22;

    /// Makes the steps for cases whose weights sum to `total` and reach `largest`, one of which stands
    /// for at most `most_rows` of the `n_rows` rows.
    pub(crate) fn new(
        total: f64,
        largest: f64,
        n_rows: usize,
        n_cases: usize,
        most_rows: u8,
    ) -> Self {
        if n_cases < Self::NARROW_FROM || most_rows > 1 {
            return Self {
                gradients: Packing::new(total, 0),
                hessians: Packing::new(total, n_rows),
                narrow: false,
            };
        }
        let magnitude = largest.log2().ceil() as i32;
        let count_bits = usize::BITS - n_rows.leading_zeros();
        Self {
            gradients: Packing::with_exponent(0, Self::GRADIENT_BITS - magnitude),
            // A row's hessian is at most half its weight.
            hessians: Packing::with_exponent(count_bits, Self::HESSIAN_BITS + 1 - magnitude),
            narrow: true,
        }
    }

    /// Tells whether items are summed in narrow words; gradients and hessians are then coarse.
    #[inline]
    pub(crate) fn is_narrow(&self) -> bool {
        self.narrow
    }

    /// Returns the bytes of what items are summed in.
    pub(crate) fn sum_bytes<W>(&self) -> usize {
        if self.narrow { 8 } else { size_of::<Cell<W>>() }
    }

    /// Returns the wide cell of a case's weighted gradient and hessian.
    #[inline]
    pub(crate) fn cell<W: Word>(&self, slope: [f64; 2], count: u8) -> Cell<W> {
        [
            self.gradients.pack(slope[0], 0),
            self.hessians.pack(slope[1], u32::from(count)),
        ]
    }

    /// Makes the narrow item of a case; `noise` decides the rounding.
    #[inline]
    pub(crate) fn item(&self, case: u32, slope: [f64; 2], noise: u32) -> Item {
        let part = |bits: u32| f64::from(bits & 0xFFFF) / 65536.0;
        let gradient = self.gradients.round_by(slope[0], part(noise)) as i32 as u32;
        let hessian = self.hessians.round_by(slope[1], part(noise >> 16)) as u32;
        Item {
            case,
            slope: (gradient << Self::ITEM_HESSIAN) | hessian,
        }
    }

    /// Makes the item of a case whose cell stands elsewhere.
    pub(crate) fn plain_item(case: u32) -> Item {
        Item { case, slope: 0 }
    }

    /// Returns the narrow word of an item.
    #[inline]
    pub(crate) fn word(item: Item) -> i64 {
        let gradient = i64::from(item.slope as i32 >> Self::ITEM_HESSIAN);
        let hessian = i64::from(item.slope & ((1 << Self::ITEM_HESSIAN) - 1));
        (gradient << (Self::SUM_COUNT + Self::SUM_HESSIAN)) + (hessian << Self::SUM_COUNT) + 1
    }

    /// Returns the cell of a sum of narrow words.
    #[inline]
    pub(crate) fn widen<W: Word>(&self, word: i64) -> Cell<W> {
        let count = word & ((1 << Self::SUM_COUNT) - 1);
        let hessian = (word >> Self::SUM_COUNT) & ((1 << Self::SUM_HESSIAN) - 1);
        let gradient = word >> (Self::SUM_COUNT + Self::SUM_HESSIAN);
        [
            W::pack(gradient, 0, 0),
            W::pack(hessian, count as u32, self.hessians.count_bits),
        ]
    }

    pub(crate) fn gradients(&self) -> Packing {
        self.gradients
    }

    pub(crate) fn hessians(&self) -> Packing {
        self.hessians
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn narrow_words_hold_the_sums_of_as_many_items_as_they_promise() {
        let steps = Steps::new(1e6, 2.0, 1 << 20, 1 << 20, 1);
        assert!(steps.is_narrow());
        for gradient in [-2.0, 2.0] {
            let item = steps.item(0, [gradient, 1.0], 0xFFFF_FFFF);
            let words = Steps::NARROW_ITEMS as i64;
            let sum: Cell<i64> = steps.widen(Steps::word(item) * words);
            let n = words as f64;
            assert_eq!(steps.gradients().value(sum[0]), gradient * n);
            assert_eq!(steps.hessians().value(sum[1]), n);
            assert_eq!(steps.hessians().count(sum[1]), words as u64);
        }
    }

    #[test]
    fn narrow_items_are_right_on_average() {
        let steps = Steps::new(1e6, 1.0, 1 << 20, 1 << 20, 1);
        let mut sum: Cell<i64> = [0; 2];
        let n = 1 << 16;
        for i in 0..n {
            let noise = crate::randomness::noise(1, i);
            let cell: Cell<i64> = steps.widen(Steps::word(steps.item(i, [-1.3e-5, 7.1e-4], noise)));
            sum = [sum[0] + cell[0], sum[1] + cell[1]];
        }
        let close = |a: f64, b: f64| assert!((a / b - 1.0).abs() < 0.05, "{a} {b}");
        close(steps.gradients().value(sum[0]) / f64::from(n), -1.3e-5);
        close(steps.hessians().value(sum[1]) / f64::from(n), 7.1e-4);
    }

    #[test]
    fn sums_keep_value_and_count_apart_and_subtract_without_residue() {
        let packing = Packing::new(1000.0, 1000);
        let parts = [(0.25, 3), (999.0, 900), (0.0, 1), (1e-7, 2)];
        let pack = |value, count| -> i64 { packing.pack(value, count) };
        let sum: i64 = parts.iter().map(|&(v, c)| pack(v, c)).sum();
        assert_eq!(packing.count(sum), 906);
        assert!((packing.value(sum) - 999.250_000_1).abs() < 1e-11);
        let rest = sum - pack(999.0, 900) - pack(0.0, 1) - pack(1e-7, 2);
        assert_eq!((packing.value(rest), packing.count(rest)), (0.25, 3));
    }

    /// Packs a total and reads it back.
    fn check_largest<W: Word>(total: f64, n_rows: u32) {
        let packing = Packing::new(total, n_rows as usize);
        let word: W = packing.pack(total, n_rows);
        assert_eq!(packing.count(word), u64::from(n_rows));
        assert!((packing.value(word) / total - 1.0).abs() < 1e-9, "{total}");
        let negative: W = packing.pack(-total, 0);
        assert!((packing.value(negative) / total + 1.0).abs() < 1e-9);
    }

    #[test]
    fn the_largest_sums_do_not_overflow() {
        for (total, n_rows) in [(1e-30, 1), (5.0, 5), (1.5e7, 1 << 24), (3e38, 1 << 24)] {
            check_largest::<i64>(total, n_rows);
            check_largest::<i128>(total, n_rows);
        }
        for (total, n_rows) in [(1.7e7, (1 << 24) + 1), (4e9, 1 << 31), (7e40, 1 << 31)] {
            check_largest::<i128>(total, n_rows);
        }
    }

    #[test]
    fn a_row_keeps_its_bits_however_many_there_are() {
        let step = |n_rows: usize| Packing::new(n_rows as f64, n_rows).unit_per_step();
        assert_eq!([step(1 << 24), step(1 << 31)], [2f64.powi(-11); 2]);
    }
}
