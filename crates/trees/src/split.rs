//! The split search that every learner shares: one pass over a feature's histogram.

pub(crate) mod categorical;

use crate::{binning::Column, criterion::Criterion, packing::Word};

/// Some of the bins of a feature.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct BinSet([u64; 4]);

impl BinSet {
    fn insert(&mut self, bin: usize) {
        self.0[bin / 64] |= 1 << (bin % 64);
    }

    pub(crate) fn bins(&self) -> impl Iterator<Item = usize> {
        let words = self.0;
        (0..256).filter(move |bin| (words[bin / 64] >> (bin % 64)) & 1 == 1)
    }
}

/// The best split of a node so far.
#[derive(Debug, Clone)]
pub(crate) struct Candidate<S> {
    pub(crate) gain: f64,
    pub(crate) feature: u16,
    /// The last bin of values that goes left.
    pub(crate) bin: u8,
    pub(crate) missing_left: bool,
    /// The bins that go left, where a set of categories does.
    pub(crate) categories: Option<BinSet>,
    pub(crate) left: S,
}

/// Looks for the best split of one node.
pub(crate) struct Search<'a, W: Word, C: Criterion<W>> {
    criterion: &'a C,
    total: &'a C::Sums,
    total_score: f64,
    least_gain: f64,
    left: C::Sums,
    right: C::Sums,
    best: Option<Candidate<C::Sums>>,
}

/// The feature whose histogram is searched.
#[derive(Clone, Copy)]
pub(crate) struct Feature<'a, W> {
    pub(crate) index: u16,
    pub(crate) column: &'a Column,
    /// One cell of sums a bin.
    pub(crate) cells: &'a [W],
}

impl<'a, W: Word, C: Criterion<W>> Search<'a, W, C> {
    /// Starts the search of a node with these sums; a split must gain more than `least_gain`.
    pub(crate) fn new(criterion: &'a C, total: &'a C::Sums, least_gain: f64) -> Self {
        Self {
            criterion,
            total,
            total_score: criterion.score(total.as_ref()),
            least_gain,
            left: criterion.zero(),
            right: criterion.zero(),
            best: None,
        }
    }

    /// Tries every boundary between occupied bins; missing values are tried on both sides.
    ///
    /// Of equal gains the first stays: the first feature offered, the lowest boundary. Tells whether
    /// the feature varies in the node.
    #[inline]
    pub(crate) fn try_all(&mut self, feature: Feature<'_, W>) -> bool {
        let missing = self.missing(feature);
        let mut varies = false;
        self.left.as_mut().fill(W::default());
        for bin in 0..feature.column.n_values() {
            let cell = self.cell(feature, bin);
            if is_empty(cell) {
                continue;
            }
            add(self.left.as_mut(), cell);
            if self.left.as_ref() == self.total.as_ref() {
                break;
            }
            self.consider(feature.index, bin, missing);
            varies = true;
        }
        varies
    }

    /// Tries the one boundary after `bin`.
    pub(crate) fn try_boundary(&mut self, feature: Feature<'_, W>, bin: usize) {
        let missing = self.missing(feature);
        self.left.as_mut().fill(W::default());
        for bin in 0..=bin {
            let cell = self.cell(feature, bin);
            add(self.left.as_mut(), cell);
        }
        self.consider(feature.index, bin, missing);
    }

    /// Returns the first and the last occupied bin, the missing one counting as the last.
    pub(crate) fn occupied(&self, feature: Feature<'_, W>) -> Option<(usize, usize)> {
        let occupied = |bin: &usize| !is_empty(self.cell(feature, *bin));
        let n_bins = feature.column.n_bins();
        Some(((0..n_bins).find(occupied)?, (0..n_bins).rfind(occupied)?))
    }

    pub(crate) fn found(&self) -> bool {
        self.best.is_some()
    }

    pub(crate) fn into_best(self) -> Option<Candidate<C::Sums>> {
        self.best
    }

    #[inline]
    fn gain_to_beat(&self) -> f64 {
        self.best.as_ref().map_or(self.least_gain, |best| best.gain)
    }

    #[inline]
    fn cell<'c>(&self, feature: Feature<'c, W>, bin: usize) -> &'c [W] {
        let width = self.criterion.width();
        &feature.cells[bin * width..][..width]
    }

    /// Returns the sums of the rows whose value is missing, if there are any.
    fn missing<'c>(&self, feature: Feature<'c, W>) -> Option<&'c [W]> {
        let bin = feature.column.missing_bin()?;
        Some(self.cell(feature, bin)).filter(|cell| !is_empty(cell))
    }

    /// Weighs the split that sends `self.left` left, with the missing values right, then left.
    #[inline]
    fn consider(&mut self, feature: u16, bin: usize, missing: Option<&[W]>) {
        let Some(missing) = missing else {
            self.weigh(feature, bin, None);
            return;
        };
        self.weigh(feature, bin, Some(false));
        add(self.left.as_mut(), missing);
        if self.left.as_ref() != self.total.as_ref() {
            self.weigh(feature, bin, Some(true));
        }
        subtract(self.left.as_mut(), missing);
    }

    #[inline]
    fn weigh(&mut self, feature: u16, bin: usize, missing_left: Option<bool>) {
        let criterion = self.criterion;
        self.right.as_mut().copy_from_slice(self.total.as_ref());
        subtract(self.right.as_mut(), self.left.as_ref());
        let (left, right) = (self.left.as_ref(), self.right.as_ref());
        if !criterion.admits(left) || !criterion.admits(right) {
            return;
        }
        let gain = criterion.score(left) + criterion.score(right) - self.total_score;
        if gain > self.gain_to_beat() {
            // A value that no row of the node misses follows the larger child, as most rows do.
            let heavier = || criterion.count(left) >= criterion.count(right);
            self.best = Some(Candidate {
                gain,
                feature,
                bin: bin as u8,
                missing_left: missing_left.unwrap_or_else(heavier),
                categories: None,
                left: self.left.clone(),
            });
        }
    }
}

#[inline]
fn is_empty<W: Word>(cell: &[W]) -> bool {
    cell.iter().all(|word| *word == W::default())
}

#[inline]
pub(crate) fn add<W: Word>(sums: &mut [W], cell: &[W]) {
    sums.iter_mut()
        .zip(cell)
        .for_each(|(sum, word)| *sum += *word);
}

#[inline]
pub(crate) fn subtract<W: Word>(sums: &mut [W], cell: &[W]) {
    sums.iter_mut()
        .zip(cell)
        .for_each(|(sum, word)| *sum -= *word);
}
