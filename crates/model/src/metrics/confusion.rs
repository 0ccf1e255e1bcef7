//! Counts of right and wrong decisions, and what follows from them.

use dataset::Label;
use serde::{Deserialize, Serialize};

/// Rows by truth and decision; the positive class is the threat.
///
/// A share of nothing (the precision when nothing is flagged) is 0, as in scikit-learn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Confusion {
    /// Threats that were flagged.
    pub tp: u64,
    /// Benign rows that were flagged.
    pub fp: u64,
    /// Benign rows that were let pass.
    pub tn: u64,
    /// Threats that were let pass.
    #[serde(rename = "fn")]
    pub fn_: u64,
}

impl Confusion {
    /// Returns the number of rows.
    pub fn total(&self) -> u64 {
        self.tp + self.fp + self.tn + self.fn_
    }

    /// Returns the share of right decisions.
    pub fn accuracy(&self) -> f64 {
        share(self.tp + self.tn, self.total())
    }

    /// Returns the share of threats among what was flagged.
    pub fn precision(&self) -> f64 {
        share(self.tp, self.tp + self.fp)
    }

    /// Returns the share of the threats that was flagged.
    pub fn recall(&self) -> f64 {
        share(self.tp, self.tp + self.fn_)
    }

    /// Returns the harmonic mean of precision and recall.
    pub fn f1(&self) -> f64 {
        share(2 * self.tp, 2 * self.tp + self.fp + self.fn_)
    }

    /// Returns the share of the benign rows that was flagged.
    pub fn fpr(&self) -> f64 {
        share(self.fp, self.fp + self.tn)
    }

    /// Returns the correlation coefficient of Matthews (1975), in [-1, 1].
    pub fn mcc(&self) -> f64 {
        let [tp, fp, tn, fn_] = [self.tp, self.fp, self.tn, self.fn_].map(|count| count as f64);
        // The root of each factor apart: their product leaves f64 at billions of rows.
        let root = [tp + fp, tp + fn_, tn + fp, tn + fn_].map(f64::sqrt);
        let scale: f64 = root.iter().product();
        if scale == 0.0 {
            return 0.0;
        }
        (tp * tn - fp * fn_) / scale
    }
}

/// Rows by true class and predicted class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfusionMatrix {
    n_classes: usize,
    /// `n_classes` × `n_classes`, a row for each true class.
    counts: Vec<u64>,
}

impl ConfusionMatrix {
    /// Counts pairs of true and predicted class, each row `weights[row]` times (once without weights).
    ///
    /// # Panics
    /// When the lengths differ or a class is not below `n_classes`.
    pub fn new(
        n_classes: usize,
        truth: &[Label],
        predicted: &[Label],
        weights: Option<&[u32]>,
    ) -> Self {
        assert_eq!(truth.len(), predicted.len(), "one prediction a row");
        let mut counts = vec![0; n_classes * n_classes];
        for (row, (truth, predicted)) in truth.iter().zip(predicted).enumerate() {
            assert!(
                predicted.class() < n_classes,
                "classes are below {n_classes}"
            );
            counts[truth.class() * n_classes + predicted.class()] += super::weight(weights, row);
        }
        Self { n_classes, counts }
    }

    /// Returns the number of classes.
    pub fn n_classes(&self) -> usize {
        self.n_classes
    }

    /// Returns how many rows of class `truth` were taken for class `predicted`.
    pub fn count(&self, truth: usize, predicted: usize) -> u64 {
        self.counts[truth * self.n_classes + predicted]
    }

    /// Returns one class against all others, as if it were the positive one.
    pub fn one_vs_rest(&self, class: usize) -> Confusion {
        let (tp, total) = (self.count(class, class), self.counts.iter().sum::<u64>());
        let (of_class, as_class) = (self.truths(class), self.predictions(class));
        Confusion {
            tp,
            fp: as_class - tp,
            fn_: of_class - tp,
            tn: total + tp - of_class - as_class,
        }
    }

    /// Returns the share of rows whose class was predicted.
    pub fn accuracy(&self) -> f64 {
        let right = (0..self.n_classes).map(|class| self.count(class, class));
        share(right.sum(), self.counts.iter().sum())
    }

    /// Returns the mean F1 over the classes that occur in truth or prediction, each counting the same.
    pub fn macro_f1(&self) -> f64 {
        let occurring: Vec<f64> = (0..self.n_classes)
            .map(|class| self.one_vs_rest(class))
            .filter(|one| one.tp + one.fp + one.fn_ > 0)
            .map(|one| one.f1())
            .collect();
        occurring.iter().sum::<f64>() / occurring.len().max(1) as f64
    }

    /// Returns the correlation coefficient of Matthews for several classes, R_K of Gorodkin (2004);
    /// 0 when truth or prediction is constant, as in scikit-learn.
    pub fn matthews(&self) -> f64 {
        let classes = || 0..self.n_classes;
        let total = self.counts.iter().sum::<u64>() as f64;
        let right: u64 = classes().map(|class| self.count(class, class)).sum();
        let (truths, predictions): (Vec<f64>, Vec<f64>) = classes()
            .map(|class| (self.truths(class) as f64, self.predictions(class) as f64))
            .unzip();
        let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
        let scale = (total * total - dot(&predictions, &predictions)).sqrt()
            * (total * total - dot(&truths, &truths)).sqrt();
        if scale == 0.0 {
            return 0.0;
        }
        (right as f64 * total - dot(&truths, &predictions)) / scale
    }

    fn truths(&self, class: usize) -> u64 {
        (0..self.n_classes)
            .map(|predicted| self.count(class, predicted))
            .sum()
    }

    fn predictions(&self, class: usize) -> u64 {
        (0..self.n_classes)
            .map(|truth| self.count(truth, class))
            .sum()
    }
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 {
        0.0
    } else {
        part as f64 / whole as f64
    }
}
