//! What features matter by, beside their gain (`TreeEnsemble::importance`).

use model::trees::{Tree, TreeEnsemble};
use ndarray::{Array2, ArrayView2};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::randomness::{below, stream};

/// Mean and standard deviation over repetitions.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The mean.
    pub mean: f64,
    /// The standard deviation of the population, as scikit-learn's.
    pub std: f64,
}

/// Returns the number of splits of each feature.
pub fn split_importance(fitted: &TreeEnsemble) -> Vec<u64> {
    let mut splits = vec![0; fitted.n_features()];
    for node in fitted.trees().iter().flat_map(Tree::nodes) {
        if let Some(branch) = node.as_branch() {
            splits[branch.feature()] += 1;
        }
    }
    splits
}

/// Returns by how much a score falls when a feature's values are shuffled among the rows (Breiman 2001),
/// for each feature, over `n_repeats` shuffles, at least 1.
///
/// `score` is told the probabilities of each row and class; larger is better. Rows that the ensemble has
/// not learned from give what matters for new ones.
///
/// # Panics
/// When `x` has not as many columns as the ensemble has features.
pub fn permutation_importance(
    fitted: &TreeEnsemble,
    x: ArrayView2<'_, f32>,
    n_repeats: u32,
    seed: u64,
    score: impl Fn(&Array2<f64>) -> f64 + Sync,
) -> Vec<Spread> {
    let intact = score(&fitted.predict_proba(x));
    (0..x.ncols())
        .into_par_iter()
        .map(|feature| {
            let mut rng = stream(seed, feature);
            let mut shuffled = x.to_owned();
            let falls: Vec<f64> = (0..n_repeats.max(1))
                .map(|_| {
                    shuffle(&mut shuffled, feature, &mut rng);
                    intact - score(&fitted.predict_proba(shuffled.view()))
                })
                .collect();
            spread(&falls)
        })
        .collect()
}

fn shuffle(x: &mut Array2<f32>, feature: usize, rng: &mut ChaCha8Rng) {
    for row in (1..x.nrows()).rev() {
        x.swap([row, feature], [below(rng, row + 1), feature]);
    }
}

fn spread(values: &[f64]) -> Spread {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let variance = values
        .iter()
        .map(|value| (value - mean).powi(2))
        .sum::<f64>()
        / n;
    Spread {
        mean,
        std: variance.sqrt(),
    }
}
