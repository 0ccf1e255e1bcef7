//! Splits by sets of categories: sorted by their gradient statistics (Fisher 1958), as in LightGBM.

use super::{BinSet, Candidate, Feature, Search, add, is_empty, subtract};
use crate::{
    criterion::{Criterion, Newton},
    packing::{Cell, Word},
};

/// LightGBM's parameters of categorical splits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CategoryRules {
    /// Added to a category's hessian when categories are sorted; the fewest rows of one that is.
    pub(crate) cat_smooth: f64,
    /// L2 penalty in addition to `lambda_l2`.
    pub(crate) cat_l2: f64,
    /// The most categories of a feature of which one is split from the others.
    pub(crate) max_cat_to_onehot: usize,
    /// The most categories on the side that lists them.
    pub(crate) max_cat_threshold: usize,
    /// The fewest rows between two boundaries that are tried.
    pub(crate) min_data_per_group: u64,
}

impl<W: Word> Search<'_, W, Newton> {
    /// Tries one category against the others if there are few, else sets of those whose gradients
    /// are the least or the largest. Missing values are never in the set.
    pub(crate) fn try_categories(&mut self, feature: Feature<'_, W>, rules: &CategoryRules) {
        let occupied = (0..feature.column.n_values())
            .filter(|bin| !is_empty(self.cell(feature, *bin)))
            .collect::<Vec<_>>();
        if feature.column.n_values() <= rules.max_cat_to_onehot {
            for bin in occupied {
                let cell = self.cell(feature, bin);
                self.left.copy_from_slice(cell);
                self.weigh_set(feature.index, &[bin], 0.0);
            }
            return;
        }
        let mut sorted = self.sort_categories(feature, occupied, rules);
        let most = rules.max_cat_threshold.min(sorted.len().div_ceil(2));
        self.try_prefixes(feature, &sorted, most, rules);
        sorted.reverse();
        self.try_prefixes(feature, &sorted, most, rules);
    }

    /// Sorts the categories of enough rows by their smoothed mean gradient.
    fn sort_categories(
        &self,
        feature: Feature<'_, W>,
        mut bins: Vec<usize>,
        rules: &CategoryRules,
    ) -> Vec<usize> {
        let newton = self.criterion;
        let key = |bin: &usize| {
            let (gradient, hessian) = newton.read(self.cell(feature, *bin));
            gradient / (hessian + rules.cat_smooth)
        };
        bins.retain(|bin| newton.count(self.cell(feature, *bin)) as f64 >= rules.cat_smooth);
        bins.sort_by(|a, b| key(a).total_cmp(&key(b)).then(a.cmp(b)));
        bins
    }

    fn try_prefixes(
        &mut self,
        feature: Feature<'_, W>,
        sorted: &[usize],
        most: usize,
        rules: &CategoryRules,
    ) {
        self.left = Cell::default();
        let mut rows_in_group = 0;
        for (i, bin) in sorted.iter().take(most).enumerate() {
            let cell: &[W] = self.cell(feature, *bin);
            rows_in_group += self.criterion.count(cell);
            add(&mut self.left, cell);
            let mut right: Cell<W> = *self.total;
            subtract(&mut right, &self.left);
            if self.criterion.count(&right) < rules.min_data_per_group {
                break;
            }
            if rows_in_group >= rules.min_data_per_group {
                rows_in_group = 0;
                self.weigh_set(feature.index, &sorted[..=i], rules.cat_l2);
            }
        }
    }

    /// Weighs the split that sends `self.left`, the rows of these bins, left.
    fn weigh_set(&mut self, feature: u16, bins: &[usize], extra_l2: f64) {
        let gain = self.gain_with(extra_l2);
        let Some(gain) = gain.filter(|gain| *gain > self.gain_to_beat()) else {
            return;
        };
        let mut set = BinSet::default();
        bins.iter().for_each(|bin| set.insert(*bin));
        self.best = Some(Candidate {
            gain,
            feature,
            bin: 0,
            missing_left: false,
            categories: Some(set),
            left: self.left,
        });
    }

    fn gain_with(&mut self, extra_l2: f64) -> Option<f64> {
        let newton = self.criterion;
        self.right = *self.total;
        subtract(&mut self.right, &self.left);
        let admitted = [&self.left, &self.right]
            .into_iter()
            .all(|side| newton.admits(side));
        let score = |side: &Cell<W>| newton.score_with(side, extra_l2);
        admitted.then(|| score(&self.left) + score(&self.right) - self.total_score)
    }
}
