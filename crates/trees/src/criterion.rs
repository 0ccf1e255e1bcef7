//! What a split is worth: the Gini criterion of the forests and the Newton step of boosting.

use crate::packing::{Cell, Packing, Word};

/// Scores sums over rows; a split gains the children's scores less their parent's.
pub(crate) trait Criterion<W: Word>: Sync {
    /// The sums that a node or a histogram's cell holds: [`Self::width`] words.
    type Sums: Sums<W>;

    fn width(&self) -> usize;

    fn zero(&self) -> Self::Sums;

    /// Returns the number of rows that were summed.
    fn count(&self, sums: &[W]) -> u64;

    /// Tells whether a child with these sums is large enough.
    fn admits(&self, sums: &[W]) -> bool;

    fn score(&self, sums: &[W]) -> f64;
}

/// The words of a node: an array, or a vector where their number is known late.
pub(crate) trait Sums<W>: AsRef<[W]> + AsMut<[W]> + Clone + Send + Sync {}

impl<W, S: AsRef<[W]> + AsMut<[W]> + Clone + Send + Sync> Sums<W> for S {}

/// Gini impurity: the sums are the packed weight of each class, the score is `sum w_k^2 / sum w_k`.
pub(crate) struct Gini<S> {
    pub(crate) zero: S,
    pub(crate) packing: Packing,
    pub(crate) min_rows: u64,
}

impl<W: Word, S: Sums<W>> Criterion<W> for Gini<S> {
    type Sums = S;

    #[inline]
    fn width(&self) -> usize {
        self.zero.as_ref().len()
    }

    fn zero(&self) -> S {
        self.zero.clone()
    }

    #[inline]
    fn count(&self, sums: &[W]) -> u64 {
        self.packing.count(sums.iter().copied().sum::<W>())
    }

    #[inline]
    fn admits(&self, sums: &[W]) -> bool {
        self.count(sums) >= self.min_rows
    }

    #[inline]
    fn score(&self, sums: &[W]) -> f64 {
        let mut weight = 0.0;
        let mut squares = 0.0;
        for &word in sums {
            let steps = self.packing.steps(word);
            weight += steps;
            squares += steps * steps;
        }
        squares / weight
    }
}

/// The second-order objective of boosting: the sums are the gradient and the packed hessian.
pub(crate) struct Newton {
    pub(crate) gradients: Packing,
    pub(crate) hessians: Packing,
    pub(crate) min_rows: u64,
    pub(crate) min_hessian: f64,
    pub(crate) lambda_l1: f64,
    pub(crate) lambda_l2: f64,
}

impl Newton {
    /// Returns the margin that minimises the objective in a leaf, before the learning rate.
    pub(crate) fn margin(&self, gradient: f64, hessian: f64) -> f64 {
        // Every leaf was admitted with this much; an exact sum may be less than the coarse one was.
        let curvature = hessian.max(self.min_hessian) + self.lambda_l2;
        if curvature > 0.0 {
            -self.shrink(gradient) / curvature
        } else {
            0.0
        }
    }

    /// Returns the sums of gradient and hessian.
    #[inline]
    pub(crate) fn read<W: Word>(&self, sums: &[W]) -> (f64, f64) {
        (self.gradients.value(sums[0]), self.hessians.value(sums[1]))
    }

    /// Scores sums under an L2 penalty larger by `extra_l2`.
    #[inline]
    pub(crate) fn score_with<W: Word>(&self, sums: &[W], extra_l2: f64) -> f64 {
        let (gradient, hessian) = self.read(sums);
        let shrunk = self.shrink(gradient);
        shrunk * shrunk / (hessian + self.lambda_l2 + extra_l2)
    }

    #[inline]
    fn shrink(&self, gradient: f64) -> f64 {
        (gradient.abs() - self.lambda_l1)
            .max(0.0)
            .copysign(gradient)
    }
}

impl<W: Word> Criterion<W> for Newton {
    type Sums = Cell<W>;

    #[inline]
    fn width(&self) -> usize {
        2
    }

    fn zero(&self) -> Cell<W> {
        Cell::default()
    }

    #[inline]
    fn count(&self, sums: &[W]) -> u64 {
        self.hessians.count(sums[1])
    }

    #[inline]
    fn admits(&self, sums: &[W]) -> bool {
        let hessian = self.hessians.value(sums[1]);
        self.count(sums) >= self.min_rows
            && hessian >= self.min_hessian
            && hessian + self.lambda_l2 > 0.0
    }

    #[inline]
    fn score(&self, sums: &[W]) -> f64 {
        self.score_with(sums, 0.0)
    }
}
